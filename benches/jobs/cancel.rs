//! How long a job that runs in another process goes on after it was cancelled: until its end is visible here.

use std::time::{Duration, Instant};

use super::child::{Child, ENDLESS};
use super::report::{Goal, Report, percentile, range};
use super::site::{Place, Site};
use super::{Result, host, soon, step};

const TIMES: usize = 5;

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let mut seconds = Vec::new();
    for _ in 0..TIMES {
        seconds.push(cancelled(&site.fresh().await?).await?);
    }
    let note = format!("the worst of {TIMES}: {}", range(&seconds));
    report.figure(site, "cancel", percentile(&seconds, 100), "s", Goal::AtMost(1.0), &note);
    Ok(())
}

async fn cancelled(place: &Place) -> Result<f64> {
    let mut child = Child::start(place).await?;
    let submitter = host::submitter(place).await?;
    let job = submitter.submit(step::endless(ENDLESS)?).await?;
    child.hear("begun").await?;
    let begin = Instant::now();
    job.cancel().await?;
    let ended = async {
        while !job.status().await?.state.is_terminal() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok::<_, mediaflow::Error>(begin.elapsed().as_secs_f64())
    };
    let taken = soon("the end of a cancelled job", ended).await??;
    host::stop(submitter).await?;
    child.kill().await?;
    Ok(taken)
}
