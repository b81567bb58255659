//! Whole lives of jobs: submitted one by one by several at once, run, and ended; per second, beside bare River.

use std::sync::Arc;
use std::time::Instant;

use mediaflow::Mediaflow;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::report::{AT_LEAST_HALF, Report, median, range};
use super::river::{Nothing, River};
use super::site::Site;
use super::{Result, host, soon, step};

const SUBMITTERS: usize = 4;
/// Jobs of one round, on each side.
const JOBS: usize = 400;

/// Jobs per second, of one round each.
#[derive(Debug, Default)]
struct Rates {
    bare: Vec<f64>,
    silent: Vec<f64>,
    telling: Vec<f64>,
}

pub(crate) async fn measure(site: &Site, rounds: usize, report: &mut Report) -> Result<()> {
    let river = Arc::new(River::start(&site.fresh().await?).await?);
    let silent = host::worker(&site.fresh().await?).await?;
    let (telling, told) = host::telling(&site.fresh().await?).await?;
    let mut rates = Rates::default();
    for round in 0..=rounds {
        let mut sample = (0.0, 0.0, 0.0);
        // Whoever comes first finds another cache and clock than whoever comes last: take turns.
        for turn in 0..3 {
            match (round + turn) % 3 {
                0 => sample.0 = soon("a round of River", bare(&river)).await??,
                1 => sample.1 = soon("a round", ours(&silent, None)).await??,
                _ => sample.2 = soon("a round", ours(&telling, Some(told.clone()))).await??,
            }
        }
        // The first one warms up.
        if round > 0 {
            rates.bare.push(sample.0);
            rates.silent.push(sample.1);
            rates.telling.push(sample.2);
        }
    }
    tell(site, &rates, report);
    host::stop(silent).await?;
    host::stop(telling).await?;
    match Arc::into_inner(river) {
        Some(river) => river.stop().await,
        None => Ok(()),
    }
}

fn tell(site: &Site, rates: &Rates, report: &mut Report) {
    let bare = median(&rates.bare);
    for (name, ours) in [("life-ratio", &rates.silent), ("life-ratio-told", &rates.telling)] {
        let ratios: Vec<f64> =
            ours.iter().zip(&rates.bare).map(|(ours, bare)| ours / bare).collect();
        let note = format!(
            "{:.0} jobs/s, bare River {bare:.0} jobs/s; ratios {}",
            median(ours),
            range(&ratios)
        );
        report.figure(site, name, median(&ratios), "", AT_LEAST_HALF, &note);
    }
}

/// From the first submission until all have ended, and until all their ends are told.
async fn ours(media: &Mediaflow, told: Option<watch::Receiver<usize>>) -> Result<f64> {
    let before = told.as_ref().map_or(0, |told| *told.borrow());
    let ended = host::ended(media, JOBS);
    let begin = Instant::now();
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
    Ok(JOBS as f64 / begin.elapsed().as_secs_f64())
}

async fn bare(river: &Arc<River>) -> Result<f64> {
    let mut completed = river.completed()?;
    let begin = Instant::now();
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
    submitted.and(counted)?;
    Ok(JOBS as f64 / begin.elapsed().as_secs_f64())
}

async fn joined(mut tasks: JoinSet<Result<()>>) -> Result<()> {
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
