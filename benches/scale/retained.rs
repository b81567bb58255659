//! Retention: what its statements take for a thousand old jobs, with their batches, outputs and events.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::prepare::{OLD, Pair};
use super::report::Report;
use super::site::Site;
use super::sql::Database;
use super::{Costs, Result, host, statements};

pub(crate) async fn measure(
    site: &Site,
    pair: &Pair,
    rounds: usize,
    report: &mut Report,
) -> Result<()> {
    let mut costs = Costs::default();
    for round in 1..=rounds {
        for turn in 0..2 {
            let is_full = (round + turn) % 2 == 0;
            let database = if is_full { &pair.full } else { &pair.few };
            let cost = step(database, pair, round as u64 * OLD).await?;
            (if is_full { &mut costs.full } else { &mut costs.few }).push(cost);
        }
    }
    costs.tell(site, report, "retention");
    Ok(())
}

/// Deletes jobs up to this one. Gives the milliseconds for a hundred.
async fn step(database: &Database, pair: &Pair, upto: u64) -> Result<f64> {
    let upto = pair.ended(upto);
    let old = format!("FROM mediaflow_jobs WHERE ended_at <= {upto}");
    let jobs = database.int(&format!("SELECT count(*) {old}")).await?;
    let now = u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let age = Duration::from_millis(now.saturating_sub(upto.unsigned_abs()));
    statements::begin();
    let media = host::keeping(&database.place, age).await?;
    for table in [
        "mediaflow_jobs WHERE ended_at",
        "mediaflow_batches WHERE ended_at",
        "mediaflow_events WHERE at",
    ] {
        database.until(&format!("SELECT count(*) FROM {table} <= {upto}"), 0).await?;
    }
    let times = statements::end();
    host::stop(media).await?;
    let (millis, _) = times.get("retention").copied().unwrap_or_default();
    Ok(millis / jobs as f64 * 100.0)
}
