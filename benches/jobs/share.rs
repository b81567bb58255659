//! How long the first job of a tenant waits while another one has a hundred thousand, on four workers that are busy.

use std::time::Instant;

use mediaflow::Mediaflow;
use mediaflow::spec::{JobOptions, JobSpec, Pipeline};

use super::report::{Goal, Report, percentile, range};
use super::site::Site;
use super::{Result, host, soon, step};

const WORKERS: usize = 4;
/// Jobs of the tenant that has many, in batches.
const BATCHES: usize = 10;
const BATCH: usize = 10_000;
/// What each of them works on a core, in milliseconds.
const PICTURE: u64 = 25;
/// First jobs of others, each of a tenant of its own.
const OTHERS: usize = 20;

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let place = site.fresh().await?;
    let submitter = host::submitter(&place).await?;
    for _ in 0..BATCHES {
        let jobs = (0..BATCH).map(|_| of("many", &step::busy(step::number(), PICTURE)?));
        submitter.eager(jobs.collect::<Result<Vec<_>>>()?).await?;
    }
    let mut workers = Vec::new();
    for _ in 0..WORKERS {
        workers.push(host::worker(&place).await?);
    }
    let mut seconds = Vec::with_capacity(OTHERS);
    for other in 0..OTHERS {
        seconds.push(first(&submitter, &format!("tenant {other}")).await?);
    }
    let note = format!(
        "the worst of {OTHERS}: {}; {} jobs of another tenant, {} of them at once",
        range(&seconds),
        BATCHES * BATCH,
        host::SHARE
    );
    report.figure(site, "fair-share", percentile(&seconds, 100), "s", Goal::AtMost(2.0), &note);
    for worker in workers {
        host::stop(worker).await?;
    }
    host::stop(submitter).await
}

/// From before `submit` to the beginning of the step.
async fn first(media: &Mediaflow, tenant: &str) -> Result<f64> {
    let number = step::number();
    let (begun, job) = (step::begun(number), of(tenant, &step::job(number)?)?);
    let before = Instant::now();
    media.submit(job).await?;
    let begun = soon("the first job of a tenant", begun).await??;
    Ok((begun - before).as_secs_f64())
}

fn of(tenant: &str, job: &Pipeline) -> Result<JobSpec> {
    Ok(JobSpec::new(job)?.with_options(JobOptions::new().tenant(tenant)))
}
