//! How long a job lies after `kill -9` of its worker: until it runs again in the next process on the same file, or in
//! another worker on the same server.

use std::time::Instant;

use tokio::task::JoinSet;

use super::child::{Child, ENDLESS};
use super::report::{Goal, Report, percentile, range};
use super::site::{Place, Site};
use super::{Result, host, step};

const RESTARTS: usize = 5;
/// Side by side, because each takes as long as a silent worker is waited for.
const TAKEOVERS: usize = 3;

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let mut seconds = Vec::new();
    let goal = match site {
        Site::Sqlite { .. } => {
            for _ in 0..RESTARTS {
                seconds.push(restarted(&site.fresh().await?).await?);
            }
            2.0
        }
        Site::Postgres(_) => {
            let mut tasks = JoinSet::new();
            for _ in 0..TAKEOVERS {
                let place = site.fresh().await?;
                tasks.spawn(async move { taken_over(&place).await });
            }
            while let Some(taken) = tasks.join_next().await {
                seconds.push(taken??);
            }
            20.0
        }
    };
    let note = format!("the worst of {}: {}", seconds.len(), range(&seconds));
    report.figure(site, "kill-to-rerun", percentile(&seconds, 100), "s", Goal::AtMost(goal), &note);
    Ok(())
}

/// From the start of the next process to the beginning of the job in it.
async fn restarted(place: &Place) -> Result<f64> {
    held(place).await?.kill().await?;
    let begin = Instant::now();
    let mut next = Child::spawn(place)?;
    next.hear("begun").await?;
    let taken = begin.elapsed().as_secs_f64();
    next.kill().await?;
    Ok(taken)
}

/// From the kill to the beginning of the job in the other worker.
async fn taken_over(place: &Place) -> Result<f64> {
    let first = held(place).await?;
    let mut other = Child::start(place).await?;
    let begin = Instant::now();
    first.kill().await?;
    other.hear("begun").await?;
    let taken = begin.elapsed().as_secs_f64();
    other.kill().await?;
    Ok(taken)
}

/// A worker that runs the endless job.
async fn held(place: &Place) -> Result<Child> {
    let mut child = Child::start(place).await?;
    let submitter = host::submitter(place).await?;
    submitter.submit(step::endless(ENDLESS)?).await?;
    child.hear("begun").await?;
    host::stop(submitter).await?;
    Ok(child)
}
