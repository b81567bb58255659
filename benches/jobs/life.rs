//! Whole lives of jobs: submitted one by one by several at once, run, and ended; per second, beside bare River.

use std::sync::Arc;
use std::time::Instant;

use mediaflow::Mediaflow;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::report::{Goal, Report, median, range};
use super::river::{Nothing, River};
use super::site::Site;
use super::{Result, cpu, host, soon, step};

/// A durable job writes three times what bare River writes.
const DURABLE: Goal = Goal::AtLeast(0.5);

/// Telling somebody of every event writes less than the job itself: it is done after the job's transactions, many at once.
const TOLD: Goal = Goal::AtLeast(0.7);

const SUBMITTERS: usize = 4;
/// Jobs of one round, on each side.
const JOBS: usize = 400;

/// The rounds of one side.
#[derive(Debug, Default)]
struct Side {
    /// Jobs per second.
    rates: Vec<f64>,
    /// Milliseconds of processor time per job, the server's included: what a busy machine distorts least.
    costs: Vec<f64>,
}

pub(crate) async fn measure(site: &Site, rounds: usize, report: &mut Report) -> Result<()> {
    let river = Arc::new(River::start(&site.fresh().await?).await?);
    let silent = host::worker(&site.fresh().await?).await?;
    let (telling, told) = host::telling(&site.fresh().await?).await?;
    let mut sides: [Side; 3] = Default::default();
    for round in 0..=rounds {
        // Whoever comes first finds another cache and clock than whoever comes last: take turns.
        for turn in 0..3 {
            let side = (round + turn) % 3;
            let before = cpu::here() + cpu::server(site)?;
            let begin = Instant::now();
            match side {
                0 => soon("a round of River", bare(&river)).await??,
                1 => soon("a round", ours(&silent, None)).await??,
                _ => soon("a round", ours(&telling, Some(told.clone()))).await??,
            }
            let (took, used) = (begin.elapsed(), cpu::here() + cpu::server(site)? - before);
            // The first one warms up.
            if round > 0 {
                sides[side].rates.push(JOBS as f64 / took.as_secs_f64());
                sides[side].costs.push(used / JOBS as f64);
            }
        }
    }
    let [bare, silent_side, telling_side] = &sides;
    tell(site, report, ("life-ratio", DURABLE), silent_side, bare);
    tell(site, report, ("life-ratio-told", TOLD), telling_side, bare);
    host::stop(silent).await?;
    host::stop(telling).await?;
    match Arc::into_inner(river) {
        Some(river) => river.stop().await,
        None => Ok(()),
    }
}

fn tell(site: &Site, report: &mut Report, what: (&str, Goal), ours: &Side, bare: &Side) {
    let pairs = ours.rates.iter().zip(&bare.rates);
    let ratios: Vec<f64> = pairs.map(|(ours, bare)| ours / bare).collect();
    let said = |side: &Side| {
        format!("{:.0} jobs/s and {:.2} ms CPU a job", median(&side.rates), median(&side.costs))
    };
    let note = format!("{}, bare River {}; ratios {}", said(ours), said(bare), range(&ratios));
    report.figure(site, what.0, median(&ratios), "", what.1, &note);
}

/// From the first submission until all have ended, and until all their ends are told.
async fn ours(media: &Mediaflow, told: Option<watch::Receiver<usize>>) -> Result<()> {
    let before = told.as_ref().map_or(0, |told| *told.borrow());
    let ended = host::ended(media, JOBS);
    let mut submitters = JoinSet::new();
    for _ in 0..SUBMITTERS {
        let media = media.clone();
        submitters.spawn(async move {
            for _ in 0..JOBS / SUBMITTERS {
                media.submit(step::job(step::number())?).await?;
            }
            Ok(())
        });
    }
    joined(submitters).await?;
    ended.await?;
    if let Some(mut told) = told {
        told.wait_for(|told| told - before >= JOBS).await?;
    }
    Ok(())
}

async fn bare(river: &Arc<River>) -> Result<()> {
    let mut completed = river.completed()?;
    let mut submitters = JoinSet::new();
    for _ in 0..SUBMITTERS {
        let river = Arc::clone(river);
        submitters.spawn(async move {
            for _ in 0..JOBS / SUBMITTERS {
                // As long as a name of ours.
                let job = format!("{:032}", step::number());
                river.client.insert(Nothing { job }).await?;
            }
            Ok(())
        });
    }
    let counted = async {
        for _ in 0..JOBS {
            completed.recv().await?;
        }
        Ok::<_, super::Error>(())
    };
    let (submitted, counted) = tokio::join!(joined(submitters), counted);
    submitted.and(counted)
}

async fn joined(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
