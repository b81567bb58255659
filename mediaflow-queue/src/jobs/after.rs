//! Jobs that come after others. Whether these have ended is found out when such a job is there for everybody to see, in a
//! transaction of its own that is short: a host may keep the one in which it has submitted it open for long. A host can also
//! have locked a row of ours for as long: such a job is left for later, and nobody waits for it.

use std::collections::{BTreeMap, BTreeSet};

use mediaflow_core::{JobId, Result};
use sqlx::AssertSqlSafe;

use super::ready::{self, Left, TURNS, names, start};
use crate::db::{Row, Tx, Value, places, together, values};
use crate::failpoint::failpoint;
use crate::process::{Process, Queued};

/// How many jobs one transaction looks at.
const TOGETHER: usize = 100;

/// Looks at jobs that nobody has looked at yet.
pub(crate) async fn start_new(process: &Process) -> Result<Left> {
    let find = format!(
        "SELECT id, due FROM mediaflow_jobs WHERE held = 'new' AND (due, id) > ($1, $2) ORDER BY due, id LIMIT {TOGETHER}"
    );
    let (mut last, mut left, mut turns) = ((i64::MIN, String::new()), Left::Nothing, 0);
    while turns < TURNS {
        let from = values![last.0, &last.1];
        let rows = process.db.rows(AssertSqlSafe(find.clone()), from).await?;
        if let Some(row) = rows.last() {
            last = (row.int("due")?, row.text("id")?);
            let jobs = rows.iter().map(|row| row.parsed("id")).collect::<Result<_>>()?;
            let settled = settle(process, &jobs).await?;
            // What is locked must not keep what comes behind it from being looked at.
            turns += usize::from(settled == Left::Nothing);
            left = left.max(settled);
        }
        if rows.len() < TOGETHER {
            return Ok(left);
        }
    }
    Ok(Left::More)
}

/// Finds out what new jobs wait for: jobs that they come after, their moment, their share, or nothing.
pub(super) async fn settle(process: &Process, jobs: &BTreeSet<JobId>) -> Result<Left> {
    let mut transaction = process.db.begin().await?;
    let settled = settle_in(process, &mut transaction.tx(), jobs, "new", |_, _| {}).await?;
    failpoint("after.rows");
    transaction.commit().await?;
    process.all_queued(&settled.queues);
    Ok(settled.left)
}

/// What came of jobs of which it was found out what they wait for.
pub(super) struct Settled {
    pub(super) left: Left,
    /// Queues that have something new.
    pub(super) queues: Queued,
}

/// The same for jobs that are held for this reason so far, in a transaction that may do more. `each` is told of those of which
/// it was found out.
pub(super) async fn settle_in(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    jobs: &BTreeSet<JobId>,
    held: &str,
    mut each: impl FnMut(JobId, &Row) + Send,
) -> Result<Settled> {
    let before = predecessors(tx, jobs).await?;
    // Locked, so that none of them ends unseen. What has ended stays so.
    let open = open(tx, &before.values().flatten().copied().collect()).await?;
    let mut locked = lock(process, tx, &open.union(jobs).copied().collect()).await?;
    let is_open = |job: &JobId| match locked.get(job) {
        Some(row) => row.opt_int("ended_at").is_ok_and(|ended| ended.is_none()),
        None => open.contains(job),
    };
    let (mut free, mut waiting, mut followed) = (Vec::new(), Vec::new(), BTreeSet::new());
    let (mut over, mut left) = (Vec::new(), Left::Nothing);
    for job in jobs {
        let (row, none) = (locked.get(job), BTreeSet::new());
        let before = before.get(job).unwrap_or(&none);
        if row.is_none() || before.iter().any(|job| open.contains(job) && !locked.contains_key(job))
        {
            left = Left::Locked;
            continue;
        }
        let Some(row) = row.filter(|row| is_held(row, held)) else {
            // Somebody else was faster.
            continue;
        };
        each(*job, row);
        let (still, ended): (Vec<JobId>, Vec<JobId>) = before.iter().partition(|job| is_open(job));
        for ended in ended {
            over.extend_from_slice(values![*job, ended]);
        }
        if still.is_empty() {
            free.push(*job);
        } else {
            waiting.extend_from_slice(values![*job, still.len() as i64]);
            followed.extend(still);
        }
    }
    for over in together(&over, 2) {
        let note = format!(
            "UPDATE mediaflow_after SET over = 1 FROM (VALUES {}) AS given WHERE job = column1 AND before = column2",
            places(over.len() / 2, 2)
        );
        tx.run(AssertSqlSafe(note), over).await?;
    }
    let follow = |list: &str, _| {
        format!("UPDATE mediaflow_jobs SET followed = 1 WHERE id IN {list} AND followed = 0")
    };
    about(tx, &followed, None, follow).await?;
    for waiting in together(&waiting, 2) {
        let wait = format!(
            "UPDATE mediaflow_jobs SET held = 'after', after_left = column2 FROM (VALUES {}) AS given WHERE id = column1",
            places(waiting.len() / 2, 2)
        );
        tx.run(AssertSqlSafe(wait), waiting).await?;
    }
    let free: Vec<_> = free.iter().filter_map(|job| locked.remove(job)).collect();
    let queues = start(process, tx, &free).await?;
    Ok(Settled { left, queues })
}

fn is_held(row: &Row, why: &str) -> bool {
    row.opt_text("held").is_ok_and(|held| held.as_deref() == Some(why))
}

/// The jobs that each of these comes after, as far as they are not known to have ended.
async fn predecessors(
    tx: &mut Tx<'_, '_>,
    jobs: &BTreeSet<JobId>,
) -> Result<BTreeMap<JobId, BTreeSet<JobId>>> {
    let find = |list: &str, _| {
        format!("SELECT job, before FROM mediaflow_after WHERE job IN {list} AND over = 0")
    };
    let mut before: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for row in about(tx, jobs, None, find).await? {
        before.entry(row.parsed("job")?).or_default().insert(row.parsed("before")?);
    }
    Ok(before)
}

/// Which of these have not ended.
async fn open(tx: &mut Tx<'_, '_>, jobs: &BTreeSet<JobId>) -> Result<BTreeSet<JobId>> {
    let find = |list: &str, _| {
        format!("SELECT id FROM mediaflow_jobs WHERE id IN {list} AND ended_at IS NULL")
    };
    about(tx, jobs, None, find).await?.iter().map(|row| row.parsed("id")).collect()
}

/// Notes that these have ended, of which others may wait for the end.
pub(super) async fn note_ended(tx: &mut Tx<'_, '_>, jobs: &[JobId]) -> Result<()> {
    for jobs in jobs.chunks(TOGETHER) {
        let note = format!(
            "INSERT INTO mediaflow_followed (job) VALUES {} ON CONFLICT (job) DO NOTHING",
            places(jobs.len(), 1)
        );
        tx.run(AssertSqlSafe(note), &names(jobs)).await?;
    }
    Ok(())
}

/// Lets jobs start that came after those which have ended.
pub(crate) async fn follow_ended(process: &Process) -> Result<Left> {
    let find =
        format!("SELECT job FROM mediaflow_followed WHERE job > $1 ORDER BY job LIMIT {TOGETHER}");
    let (mut last, mut left, mut turns) = (String::new(), Left::Nothing, 0);
    loop {
        let rows = process.db.rows(AssertSqlSafe(find.clone()), values![&last]).await?;
        for row in &rows {
            last = row.text("job")?;
            let (ended, mut from) = (row.parsed("job")?, String::new());
            loop {
                if turns >= TURNS {
                    return Ok(Left::More);
                }
                match followed(process, ended, &from).await? {
                    Told::All if from.is_empty() => break,
                    Told::All => {
                        left = Left::Locked;
                        break;
                    }
                    Told::Some => turns += 1,
                    Told::UpTo(job) => from = job,
                }
            }
        }
        if rows.len() < TOGETHER {
            return Ok(left);
        }
    }
}

/// Which of those that came after a job were told that it has ended.
enum Told {
    /// There were none left.
    All,
    /// All that were looked at.
    Some,
    /// Some up to this one are locked by somebody else, and left for later.
    UpTo(String),
}

/// Tells some of those that came after a job, and after the follower `from`, that it has ended.
async fn followed(process: &Process, ended: JobId, from: &str) -> Result<Told> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let find = format!(
        "SELECT job FROM mediaflow_after WHERE before = $1 AND over = 0 AND job > $2 ORDER BY job LIMIT {TOGETHER}"
    );
    let rows = tx.rows(AssertSqlSafe(find), values![ended, from]).await?;
    let Some(last) = rows.last() else {
        if from.is_empty() {
            tx.run("DELETE FROM mediaflow_followed WHERE job = $1", values![ended]).await?;
            transaction.commit().await?;
        }
        return Ok(Told::All);
    };
    let last = last.text("job")?;
    let jobs = rows.iter().map(|row| row.parsed("job")).collect::<Result<BTreeSet<JobId>>>()?;
    let locked = lock(process, &mut tx, &jobs).await?.into_keys().collect::<BTreeSet<_>>();
    let note = |list: &str, next| {
        format!(
            "UPDATE mediaflow_after SET over = 1 WHERE job IN {list} AND before = ${next} AND over = 0 RETURNING job"
        )
    };
    let told = about(&mut tx, &locked, Some(ended), note).await?;
    let told = told.iter().map(|row| row.parsed("job")).collect::<Result<BTreeSet<JobId>>>()?;
    // One that is new counts for itself.
    let count = |list: &str, _| {
        format!(
            "UPDATE mediaflow_jobs SET after_left = after_left - 1 WHERE id IN {list} AND held = 'after'
             RETURNING after_left, {}",
            ready::COLUMNS
        )
    };
    let counted = about(&mut tx, &told, None, count).await?;
    let is_free = |row: &Row| row.int("after_left").is_ok_and(|left| left <= 0);
    let free: Vec<_> = counted.into_iter().filter(is_free).collect();
    let queues = start(process, &mut tx, &free).await?;
    failpoint("follow.rows");
    transaction.commit().await?;
    process.all_queued(&queues);
    Ok(if locked.len() < jobs.len() { Told::UpTo(last) } else { Told::Some })
}

/// Locks jobs, in their order, but those that somebody else has. Gives what it takes to start each.
async fn lock(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    jobs: &BTreeSet<JobId>,
) -> Result<BTreeMap<JobId, Row>> {
    let (by_bytes, lock) = (process.db.by_bytes(), process.db.skip_locked());
    let find = |list: &str, _| {
        format!(
            "SELECT ended_at, held, {} FROM mediaflow_jobs WHERE id IN {list} ORDER BY id{by_bytes}{lock}",
            ready::COLUMNS
        )
    };
    let rows = about(tx, jobs, None, find).await?;
    rows.into_iter().map(|row| Ok((row.parsed("id")?, row))).collect()
}

/// Does a statement about jobs, as many at a time as it is made for. It is given their list, and the number of the value after
/// that.
async fn about(
    tx: &mut Tx<'_, '_>,
    jobs: &BTreeSet<JobId>,
    and: Option<JobId>,
    statement: impl Fn(&str, usize) -> String,
) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for jobs in together(&names(jobs), 1) {
        let statement = statement(&places(1, jobs.len()), jobs.len() + 1);
        let values: Vec<Value> = jobs.iter().cloned().chain(and.map(Value::from)).collect();
        rows.extend(tx.rows(AssertSqlSafe(statement), &values).await?);
    }
    Ok(rows)
}
