//! A batch of many jobs: how long it takes to submit, and to end, and how much single transactions write for either.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use mediaflow::spec::{IntoSpec as _, JobOptions, JobSpec};
use mediaflow::{EventKind, Timestamp};

use super::log::Log;
use super::report::{Goal, Report};
use super::site::Site;
use super::sql::Database;
use super::{Result, host, soon, step};

const JOBS: usize = 10_000;

/// When the last job runs: all others have ended then.
const LAST: Duration = Duration::from_secs(75);

/// How long before that everything has settled.
const QUIET: Duration = Duration::from_millis(500);

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let place = site.fresh().await?;
    let submitter = host::submitter(&place).await?;
    let database = Database::open(place.clone()).await?;
    let mut specs = (1..JOBS).map(|_| spec(step::number())).collect::<Result<Vec<_>>>()?;
    let last = step::number();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)? + LAST;
    let at = Timestamp::from_millis(u64::try_from(now.as_millis())?);
    specs.push(spec(last)?.with_options(JobOptions::new().run_at(at)));

    let log = Log::begin(site, &database).await?;
    let begin = Instant::now();
    submitter.eager(specs).await?;
    let eager = begin.elapsed().as_secs_f64();
    database.until("SELECT count(*) FROM mediaflow_open_batches", 0).await?;
    let note = format!(
        "{JOBS} jobs of one batch; all can start after {:.2} s",
        begin.elapsed().as_secs_f64()
    );
    report.figure(site, "eager", eager, "s", Goal::AtMost(5.0), &note);
    report.figure(
        site,
        "largest-transaction",
        log.largest().await?,
        "MB",
        Goal::AtMost(1.0),
        "of `eager`, and of letting its jobs go, in the log of the database",
    );

    let worker = host::worker(&place).await?;
    let begun = step::begun(last);
    let live = "SELECT count(*) FROM mediaflow_jobs WHERE ended_at IS NULL";
    while database.int(live).await? > 1 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let took = begin.elapsed();
    if took + 2 * QUIET > LAST {
        let took = took.as_secs();
        report.note(&format!(
            "{} {JOBS} jobs took {took} s, so that the last one was not alone",
            site.name()
        ));
        host::stop(submitter).await?;
        return host::stop(worker).await;
    }
    let mut events = worker.events();
    let completed = async {
        while let Some(event) = events.next().await {
            if event.is_ok_and(|event| event.kind == EventKind::BatchCompleted) {
                return Instant::now();
            }
        }
        Instant::now()
    };
    // Nothing else is written any more.
    tokio::time::sleep(LAST.saturating_sub(begin.elapsed() + QUIET)).await;
    let log = Log::begin(site, &database).await?;
    let begun = soon("the last job of a batch", begun).await??;
    let end = (soon("the end of a batch", completed).await? - begun).as_secs_f64() * 1e3;
    tokio::time::sleep(QUIET).await;
    report.figure(
        site,
        "batch-end",
        end,
        "ms",
        Goal::AtMost(50.0),
        "from the beginning of its last job until the process hears that the batch has ended",
    );
    report.figure(
        site,
        "largest-transaction-end",
        log.largest().await?,
        "MB",
        Goal::AtMost(1.0),
        "the claim of that job, its end, and whatever else was written meanwhile",
    );
    host::stop(submitter).await?;
    host::stop(worker).await
}

fn spec(number: u64) -> Result<JobSpec> {
    Ok(step::job(number)?.into_spec()?)
}
