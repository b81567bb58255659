//! The life of a job of which somebody is told, one after the other: what its statements take.

use std::time::Instant;

use futures_util::StreamExt as _;
use mediaflow::Mediaflow;
use tokio::sync::watch;

use super::prepare::Pair;
use super::report::{Report, median};
use super::site::Site;
use super::sql::Database;
use super::statements::{self, Times};
use super::{Costs, Result, host, soon, step};

/// Jobs of one round on each side, and how many come before them.
const JOBS: usize = 200;
const WARM: usize = 50;

/// What is told of, by the purpose of the statements.
const PURPOSES: [&str; 5] = ["claim", "end", "event", "route", "deliver"];

pub(crate) async fn measure(
    site: &Site,
    pair: &Pair,
    rounds: usize,
    report: &mut Report,
) -> Result<()> {
    let mut submit = Costs::default();
    let mut costs: [Costs; PURPOSES.len()] = Default::default();
    for round in 0..rounds {
        for turn in 0..2 {
            let is_full = (round + turn) % 2 == 0;
            let (calls, times) = lives(if is_full { &pair.full } else { &pair.few }).await?;
            let side = |costs: &mut Costs, cost| {
                (if is_full { &mut costs.full } else { &mut costs.few }).push(cost);
            };
            side(&mut submit, calls);
            for (costs, purpose) in costs.iter_mut().zip(PURPOSES) {
                let (millis, number) = times.get(purpose).copied().unwrap_or_default();
                if number == 0 {
                    return Err(format!("there was no statement of {purpose}").into());
                }
                side(costs, millis / JOBS as f64);
            }
        }
    }
    submit.tell(site, report, "submit");
    for (costs, purpose) in costs.iter().zip(PURPOSES) {
        costs.tell(site, report, purpose);
    }
    Ok(())
}

/// What a call of `submit` takes, and the statements of all.
async fn lives(database: &Database) -> Result<(f64, Times)> {
    let (media, mut told) = host::telling(&database.place).await?;
    one_by_one(&media, &mut told, WARM).await?;
    statements::begin();
    let calls = one_by_one(&media, &mut told, JOBS).await?;
    let times = statements::end();
    host::stop(media).await?;
    Ok((median(&calls), times))
}

async fn one_by_one(
    media: &Mediaflow,
    told: &mut watch::Receiver<usize>,
    jobs: usize,
) -> Result<Vec<f64>> {
    let mut calls = Vec::with_capacity(jobs);
    let mut events = media.events();
    for _ in 0..jobs {
        let before = *told.borrow();
        let job = step::job(step::number())?;
        let begin = Instant::now();
        media.submit(job).await?;
        calls.push(begin.elapsed().as_secs_f64() * 1e3);
        let ended = async {
            while let Some(event) = events.next().await {
                if event.is_ok_and(|event| event.kind.is_terminal()) {
                    return;
                }
            }
        };
        soon("the end of a job", ended).await?;
        soon("what is told of a job", told.wait_for(|told| told - before >= TOLD)).await??;
    }
    Ok(calls)
}

/// How often somebody is told of a job.
const TOLD: usize = 1;
