//! How long `submit` takes, and how soon a job begins.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use mediaflow::{CancellationToken, Mediaflow};
use tokio::sync::Semaphore;

use super::report::{Goal, Report, percentile};
use super::site::Site;
use super::{Result, host, soon, step};

/// Jobs that are submitted one at a time, with pauses.
const ALONE: usize = 200;
/// Submissions that are measured while other jobs run.
const AMONG: usize = 500;
/// What a job then works on a core, in milliseconds.
const PICTURE: u64 = 25;
/// Jobs under way meanwhile.
const UNDER_WAY: usize = 16;

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let place = site.fresh().await?;
    let worker = host::worker(&place).await?;
    let soon_enough = Goal::AtMost(if site.name() == "sqlite" { 50.0 } else { 100.0 });

    alone(&worker, ALONE / 10).await?; // warms up
    let times = alone(&worker, ALONE).await?;
    tell(site, report, "submit-idle", 99, &times.submit, Goal::AtMost(10.0));
    tell(site, report, "start", 95, &times.start, soon_enough);

    let submitter = host::submitter(&place).await?;
    let times = alone(&submitter, ALONE).await?;
    tell(site, report, "start-elsewhere", 95, &times.start, soon_enough);
    host::stop(submitter).await?;

    let submit = soon("submissions among others", among(&worker, PICTURE)).await??;
    tell(site, report, "submit-busy", 99, &submit, Goal::AtMost(10.0));
    // As many jobs as go through: how long a submission then waits is a matter of how many others do.
    let submit = soon("submissions in a flood", among(&worker, 0)).await??;
    tell(site, report, "submit-flood", 99, &submit, Goal::None);
    host::stop(worker).await
}

fn tell(site: &Site, report: &mut Report, name: &str, rank: usize, millis: &[f64], goal: Goal) {
    let (half, most) = (percentile(millis, 50), percentile(millis, 100));
    let note = format!("of {}: half within {half:.2} ms, all within {most:.1} ms", millis.len());
    let value = percentile(millis, rank);
    report.figure(site, &format!("{name}-p{rank}"), value, "ms", goal, &note);
}

/// In milliseconds: of the calls of `submit`, and from before them to the beginning of the step.
#[derive(Debug, Default)]
struct Times {
    submit: Vec<f64>,
    start: Vec<f64>,
}

async fn alone(media: &Mediaflow, jobs: usize) -> Result<Times> {
    let mut times = Times::default();
    for at in 0..jobs {
        tokio::time::sleep(pause(at)).await;
        let number = step::number();
        let (begun, job) = (step::begun(number), step::job(number)?);
        let before = Instant::now();
        media.submit(job).await?;
        times.submit.push(millis(before.elapsed()));
        let begun = soon("the beginning of a job", begun).await??;
        times.start.push(millis(begun - before));
    }
    Ok(times)
}

/// Submissions while the worker has all hands full.
async fn among(media: &Mediaflow, work: u64) -> Result<Vec<f64>> {
    let stop = CancellationToken::new();
    let load = tokio::spawn(load(media.clone(), work, stop.clone()));
    let mut times = Vec::with_capacity(AMONG);
    for at in 0..AMONG {
        tokio::time::sleep(pause(at) / 10).await;
        let job = step::job(step::number())?;
        let before = Instant::now();
        media.submit(job).await?;
        times.push(millis(before.elapsed()));
    }
    stop.cancel();
    load.await??;
    Ok(times)
}

/// Keeps [`UNDER_WAY`] jobs under way, whose steps work for so many milliseconds.
async fn load(media: Mediaflow, work: u64, stop: CancellationToken) -> Result<()> {
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    let mut events = media.events();
    let ends = {
        let places = Arc::clone(&places);
        async move {
            while let Some(event) = events.next().await {
                if event.is_ok_and(|event| event.kind.is_terminal()) {
                    places.add_permits(1);
                }
            }
        }
    };
    let submissions = async {
        loop {
            places.acquire().await?.forget();
            media.submit(step::busy(step::number(), work)?).await?;
        }
    };
    tokio::select! {
        () = ends => Err("the stream of events has ended".into()),
        ended = submissions => ended,
        () = stop.cancelled() => Ok(()),
    }
}

/// From 5 to 50 ms, spread without a pattern that anything else here has.
fn pause(at: usize) -> Duration {
    let spread = (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    Duration::from_micros(5_000 + spread % 45_000)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
