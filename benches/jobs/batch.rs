//! How long a large batch takes to be accepted: as one transaction.

use std::time::Instant;

use super::report::{Goal, Report};
use super::site::Site;
use super::{Result, host, soon, step};

const JOBS: usize = 10_000;

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let place = site.fresh().await?;
    let submitter = host::submitter(&place).await?;
    // The first one has the statements prepared.
    for jobs in [JOBS / 20, JOBS] {
        let jobs = (0..jobs).map(|_| step::job(step::number())).collect::<Result<Vec<_>>>()?;
        let (many, logged, before) = (jobs.len(), place.logged().await?, Instant::now());
        soon("a batch", submitter.eager(jobs)).await??;
        let took = before.elapsed().as_secs_f64();
        if many == JOBS {
            let logged = (place.logged().await? - logged) / JOBS as f64;
            let note = format!("{JOBS} jobs, {logged:.0} bytes of the database's log each");
            report.figure(site, "batch", took, "s", Goal::AtMost(5.0), &note);
        }
    }
    host::stop(submitter).await
}
