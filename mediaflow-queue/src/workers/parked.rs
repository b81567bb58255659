use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::{CancellationToken, Result};
use sqlx::{AssertSqlSafe, SqlSafeStr as _};
use tokio::time::Instant;

use crate::db::values;
use crate::failpoint::may_panic;
use crate::jobs::{self, Left};
use crate::process::{Process, shared};

/// How often is looked for jobs that nobody knew before.
const EVERY: Duration = Duration::from_secs(1);

/// Whether there is anything to do: mostly there is not, and that is to cost one statement.
fn anything(process: &Process) -> sqlx::SqlStr {
    let is_there = |name: &str, find: &str| {
        format!("CAST(CASE WHEN EXISTS ({find}) THEN 1 ELSE 0 END AS BIGINT) AS {name}")
    };
    let all = [
        is_there("parked", "SELECT 1 FROM mediaflow_jobs WHERE parked IS NOT NULL"),
        is_there("parts", "SELECT 1 FROM mediaflow_parts WHERE parked IS NOT NULL"),
        is_there("waits", "SELECT 1 FROM mediaflow_waits WHERE due <= $1"),
        is_there("schedules", "SELECT 1 FROM mediaflow_schedules WHERE next_at <= $1"),
        is_there("new", "SELECT 1 FROM mediaflow_jobs WHERE held = 'new'"),
        is_there("batches", &jobs::batches_left(process)),
        is_there("followed", "SELECT 1 FROM mediaflow_followed"),
        is_there("due", "SELECT 1 FROM mediaflow_jobs WHERE held = 'due'"),
    ];
    AssertSqlSafe(format!("SELECT {}", all.join(", "))).into_sql_str()
}

/// How often what concerns all workers is looked at.
const RARELY: Duration = Duration::from_secs(4);

/// How often whoever is not the one for that counts places all the same: a worker of an older build counts none.
const BESIDE: Duration = Duration::from_secs(30);

/// How soon what somebody has locked is looked at again, at first.
const SOON: Duration = Duration::from_millis(20);

/// How soon others look again than the one for that, for what is due next: a fleet does not look as often as it has workers
/// whenever a job is due. Each looks at once for what it has let wait itself.
const OTHERS: Duration = Duration::from_millis(200);

/// When what was done last, and how far.
#[derive(Default)]
struct Turns {
    parked: Option<Instant>,
    all: Option<Instant>,
    shares: Option<Instant>,
    share: String,
    /// How long is waited for what is locked.
    patience: Duration,
}

/// Takes up parked jobs that this process knows, and tells of those that nobody does, until `stop`.
pub(crate) async fn parked(process: Arc<Process>, stop: CancellationToken) {
    let (mut turns, mut away) = (Turns::default(), false);
    loop {
        may_panic("loop.parked");
        match stop.run_until_cancelled(turn(&process, &mut turns)).await {
            None => return,
            Some(Err(error)) if away => {
                tracing::debug!(%error, "what waits can still not be looked at");
            }
            Some(Err(error)) => {
                away = true;
                tracing::warn!(%error, "what waits can not be looked at; trying again");
            }
            Some(Ok(())) => away = false,
        }
        if stop.run_until_cancelled(pause(&process)).await.is_none() {
            return;
        }
    }
}

async fn turn(process: &Arc<Process>, turns: &mut Turns) -> Result<()> {
    process.looks();
    let oldest = process.is_oldest();
    let soon = if oldest { SOON } else { OTHERS.mul_f64(0.5 + fastrand::f64()) };
    let mut left = Left::Nothing;
    if let Some(row) = process.db.looked(anything(process), values![process.now()]).await?.first() {
        let is_there = |what| row.int(what).map(|there| there != 0);
        if is_there("new")? {
            left = left.max(jobs::start_new(process).await?);
        }
        if is_there("batches")? {
            jobs::go_on_with_batches(process).await?;
        }
        if is_there("followed")? {
            left = left.max(jobs::follow_ended(process).await?);
        }
        if is_there("due")? {
            left = left.max(jobs::start_due(process, soon).await?);
        }
        if due(&mut turns.parked, EVERY / 2) {
            if is_there("parked")? || is_there("parts")? {
                jobs::take_up(process).await?;
            }
            if is_there("waits")? {
                jobs::wake_due(process).await?;
                jobs::stop_abandoned(process).await?;
            }
            if is_there("schedules")? {
                jobs::run_due(process).await?;
            }
            if oldest {
                process.all_queued(&process.db.release_due().await?);
            }
        }
    }
    match left {
        Left::Nothing => turns.patience = Duration::ZERO,
        Left::Locked => {
            turns.patience = (turns.patience * 2).clamp(SOON, EVERY);
            process.look_at(process.now().plus(turns.patience));
        }
        Left::More => process.look_at(process.now()),
    }
    if due(&mut turns.all, RARELY) {
        for_all(process, turns).await?;
    }
    Ok(())
}

/// Whether something is to be done again. It is taken to be done.
fn due(last: &mut Option<Instant>, every: Duration) -> bool {
    let due = last.is_none_or(|last| last.elapsed() >= every);
    if due {
        *last = Some(Instant::now());
    }
    due
}

/// Until it is time to look again, or there is something to look at.
async fn pause(process: &Process) {
    // What any worker can do is not to wait for one of many; what needs to be known is shared by those who know it.
    let every = if process.is_oldest() { EVERY } else { EVERY * shared(process.peers()) };
    let every = every.mul_f64(0.9 + 0.2 * fastrand::f64());
    let end = Instant::now() + every;
    loop {
        // It can be far in the future.
        let next = process.next_look().map(|next| next.since(process.now()).min(every));
        let next = next.map_or(end, |next| end.min(Instant::now() + next));
        tokio::select! {
            () = tokio::time::sleep_until(next) => return,
            () = process.looking.notified() => {}
        }
    }
}

/// What one worker is enough for, and the places of shares once in a while by all others.
async fn for_all(process: &Process, turns: &mut Turns) -> Result<()> {
    let oldest = process.is_oldest();
    if due(&mut turns.shares, if oldest { Duration::ZERO } else { BESIDE }) {
        turns.share = jobs::recount_shares(process, &turns.share).await?;
    }
    if !oldest {
        return Ok(());
    }
    let find = "SELECT DISTINCT capability FROM mediaflow_workers WHERE capability IS NOT NULL";
    let found = process.db.rows(find, &[]).await?;
    let capabilities = found.iter().map(|row| row.text("capability")).collect::<Result<_>>()?;
    jobs::wake_missed(process).await?;
    jobs::park_orphans(process, &capabilities).await?;
    jobs::tell_unclaimed(process).await
}
