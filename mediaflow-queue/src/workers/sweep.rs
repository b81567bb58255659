use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::{CancellationToken, Result};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use tokio::time::Instant;

use super::lost::Lost;
use super::{retention, staged, takeover};
use crate::db::{Db, Row, values};
use crate::failpoint::may_panic;
use crate::process::Process;
use crate::{inspect, jobs, metrics, stats};

/// How often the gauges are refreshed.
const GAUGES: Duration = Duration::from_secs(15);

/// How much later than it is due a look may come.
const LATE: Duration = Duration::from_secs(5);

/// How often is looked for what killed processes have left staged: each look lists the storages.
const COLLECT: Duration = Duration::from_secs(600);

/// The wait while there is more to delete: half of the time is left to others.
const BETWEEN: Duration = Duration::from_secs(1);

/// The longest wait while the database is away.
const LONGEST: Duration = Duration::from_secs(10);

/// Takes over what dead workers held, and cleans up, until `stop`. While nothing is wrong it only reads.
pub(crate) async fn sweep(process: Arc<Process>, stop: CancellationToken) {
    metrics::describe();
    let mut sweeper = Sweeper::default();
    let every = match &process.db {
        // A look at a few locks.
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => Duration::from_secs(1),
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => process.settings.lease / 4,
    };
    let mut away = Duration::ZERO;
    loop {
        match stop.run_until_cancelled(sweeper.turn(&process)).await {
            None => return,
            Some(Ok(())) => away = Duration::ZERO,
            Some(Err(error)) => {
                tracing::warn!(%error, "the workers can not be looked after; trying again");
                sweeper.doubt(&process);
                away = (away * 2).clamp(Duration::from_millis(500), LONGEST);
            }
        }
        // Those who look after all others do it more often than those who only look after them.
        let every = if sweeper.overlooked { every * 2 } else { every };
        let wait = if sweeper.more { every.min(BETWEEN) } else { every };
        let wait = wait.max(away).mul_f64(0.9 + 0.2 * fastrand::f64());
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

#[derive(Default)]
struct Sweeper {
    /// Others look after this worker.
    overlooked: bool,
    lost: Lost,
    searched: Option<Instant>,
    /// There is more to delete.
    more: bool,
    gauged: Option<Instant>,
    /// It shows the gauges.
    shown: bool,
    collected: Option<Instant>,
}

impl Sweeper {
    fn doubt(&mut self, process: &Process) {
        process.heard(false);
        self.lost.doubt();
    }

    async fn turn(&mut self, process: &Process) -> Result<()> {
        may_panic("loop.sweeper");
        jobs::stop_cancelled(process).await?;
        let lease = process.settings.lease;
        let (workers, all) = looked_after(process).await?;
        let longer =
            |age: i64, than: Duration| u128::try_from(age).is_ok_and(|age| age > than.as_millis());
        let ours = workers.iter().find(|(id, ..)| *id == process.id);
        if ours.is_some_and(|(.., age)| !longer(*age, lease / 2)) {
            process.heard(true);
        } else {
            self.doubt(process);
        }
        for (id, beat, age) in workers.iter().filter(|(id, ..)| *id != process.id) {
            if ended(process, id) || process.can_judge() && longer(*age, lease) {
                takeover::from_worker(process, id, Some(*beat)).await?;
            }
        }
        // One is enough for what concerns all: the oldest, whose name is the first.
        let first = workers.first().is_some_and(|(id, ..)| *id == process.id);
        self.overlooked = !all;
        if due(self.searched, lease.min(Duration::from_secs(15))) {
            let registered = workers.iter().map(|(id, ..)| id.clone()).collect::<HashSet<_>>();
            self.lost.holders(process, Some(&registered).filter(|_| all)).await?;
            let mut more = false;
            if first {
                self.lost.jobs(process).await?;
                more = retention::turn(process).await?;
                inspect::count_ended(process).await?;
                if due(self.collected, COLLECT) {
                    staged::collect(process).await?;
                    self.collected = Some(Instant::now());
                }
            }
            self.searched = Some(Instant::now()).filter(|_| !more);
            self.more = more;
        }
        process.db.shrink_log().await?;
        self.gauge(process).await
    }

    /// Counting is for one of those processes in which somebody collects metrics, and for none if nobody does.
    async fn gauge(&mut self, process: &Process) -> Result<()> {
        if !due(self.gauged, GAUGES) || !metrics::collected() {
            return Ok(());
        }
        let shown = stats::gauge(process, 2 * GAUGES + LATE).await?;
        if self.shown && !shown {
            metrics::gauges(0, 0, Duration::ZERO, 0);
        }
        (self.shown, self.gauged) = (shown, Some(Instant::now()));
        Ok(())
    }
}

/// How many workers look after all others. Who is none of them looks after these: looking costs a fleet as much as it has
/// workers, and not its square.
const OVERSEERS: usize = 3;

/// The workers that this one looks after, the oldest first, each with its last sign of life and its age; and whether these
/// are all.
async fn looked_after(process: &Process) -> Result<(Vec<(String, i64, i64)>, bool)> {
    let clock = process.db.clock();
    let columns = format!("SELECT id, beat_at, {clock} - beat_at AS age FROM mediaflow_workers");
    let first = format!(
        "SELECT id, beat_at, {clock} - beat_at AS age,
           (SELECT count(*) FROM mediaflow_workers) AS workers,
           (SELECT count(*) FROM mediaflow_workers WHERE capability = $2) AS peers
         FROM mediaflow_workers
         WHERE id = $1 OR id IN (SELECT id FROM mediaflow_workers ORDER BY id LIMIT {OVERSEERS}) ORDER BY id"
    );
    let read = |rows: Vec<Row>| {
        let worker = |row: &Row| Ok((row.text("id")?, row.int("beat_at")?, row.int("age")?));
        rows.iter().map(worker).collect::<Result<Vec<_>>>()
    };
    let values = values![&process.id, &process.capability];
    let rows = process.db.looked(AssertSqlSafe(first).into_sql_str(), values).await?;
    if let Some(row) = rows.first() {
        let number = |name| row.int(name).map(|n| usize::try_from(n).unwrap_or_default());
        let oldest = row.text("id")? == process.id;
        process.note_fleet(number("workers")?, number("peers")?, oldest);
    }
    let first = read(rows)?;
    if !first.iter().take(OVERSEERS).any(|(id, ..)| *id == process.id) {
        return Ok((first, false));
    }
    let all = format!("{columns} ORDER BY id");
    Ok((read(process.db.looked(AssertSqlSafe(all).into_sql_str(), &[]).await?)?, true))
}

fn due(last: Option<Instant>, every: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= every)
}

/// Whether a worker's process is known to have ended, without waiting for its lease.
fn ended(process: &Process, worker: &str) -> bool {
    process.db.file().is_some_and(|file| !super::lock::is_held(file, worker))
}
