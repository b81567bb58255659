//! What a fleet of workers costs the server that have nothing to do, and how many of them look for work when there is some.

use std::time::{Duration, Instant};

use super::report::{Goal, Report};
use super::site::Site;
use super::{Result, cpu, host, soon, step};

const WORKERS: usize = 50;
/// Elections and first looks are not counted.
const SETTLES: Duration = Duration::from_secs(8);
const WATCHED: Duration = Duration::from_secs(30);

/// On a server, that is; a file has few workers.
pub(crate) async fn measure(report: &mut Report) -> Result<()> {
    let site = Site::postgres_for(WORKERS as u32 * 20).await?;
    let place = site.fresh().await?;
    let mut workers = Vec::with_capacity(WORKERS);
    for _ in 0..WORKERS {
        workers.push(host::worker(&place).await?);
    }
    let job = workers[0].submit(step::job(step::number())?).await?;
    soon("the end of a job", job.done()).await??;
    tokio::time::sleep(SETTLES).await;
    let (begin, before) = (Instant::now(), cpu::server(&site)?);
    let done = place.transactions().await?;
    tokio::time::sleep(WATCHED).await;
    let seconds = begin.elapsed().as_secs_f64();
    let share = (cpu::server(&site)? - before) / seconds / 10.0;
    let rate = (place.transactions().await? - done) / seconds;
    let note = format!("of one core; {rate:.0} transactions/s of {WORKERS} workers");
    report.figure(&site, "fleet-idle-server", share, "%", Goal::AtMost(3.0), &note);
    for worker in workers {
        host::stop(worker).await?;
    }
    Ok(())
}
