//! What a worker holds in memory after few jobs and after many.

use std::time::Duration;

use super::child::Child;
use super::report::{Goal, Report};
use super::site::Site;
use super::sql::Database;
use super::{Result, host, step};

const FEW: usize = 1_000;
const MANY: usize = 100_000;
/// Jobs that are submitted at once.
const TOGETHER: usize = 500;

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let place = site.fresh().await?;
    let mut child = Child::start(&place).await?;
    let submitter = host::submitter(&place).await?;
    let database = Database::open(place).await?;
    let mut jobs = 0;
    let (mut few, mut tenth) = (0.0, 0.0);
    while jobs < MANY {
        jobs += TOGETHER;
        let specs = (0..TOGETHER).map(|_| step::same_place(step::number()));
        let specs = specs.collect::<Result<Vec<_>>>()?;
        submitter.eager(specs).await?;
        // Enough wait for the worker never to be idle, and not all.
        let live = "SELECT count(*) FROM mediaflow_jobs WHERE ended_at IS NULL";
        let most = if jobs == FEW || jobs == MANY { 0 } else { TOGETHER as i64 };
        while database.int(live).await? > most {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if jobs == FEW {
            few = child.memory().await?;
        } else if jobs == MANY / 10 {
            tenth = child.memory().await?;
        }
    }
    let many = child.memory().await?;
    let note = format!(
        "{:.1} MB after {FEW} jobs, {:.1} MB after {}, {:.1} MB after {MANY}",
        few / 1e3,
        tenth / 1e3,
        MANY / 10,
        many / 1e3
    );
    report.figure(site, "memory", many / few, "", Goal::AtMost(1.1), &note);
    host::stop(submitter).await?;
    child.kill().await
}
