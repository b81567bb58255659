//! Jobs that can start: they go into River's queue, as far as the share of their tenant goes. What is above that is held in
//! our tables, and follows when another job of the tenant ends.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use mediaflow_core::plan::CostClass;
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{JobId, Result};
use sqlx::AssertSqlSafe;

use super::row::needs_of;
use crate::db::{JobTask, NewTask, Row, Tx, Value, together, values};
use crate::process::{Process, Queued, add};

/// How many follow in one transaction.
const TOGETHER: usize = 100;

/// How many transactions one look makes: what else waits is looked at in between.
pub(super) const TURNS: usize = 20;

/// What [`Candidate::read`] needs.
pub(super) const COLUMNS: &str = "id, class, priority, share, shared, parked_at, needs, spec, due";

/// What a look at jobs that wait has left for the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Left {
    Nothing,
    /// What somebody else has locked, for a moment or for as long as a host keeps its transaction open. Nobody waits for that.
    Locked,
    /// There was too much for one look.
    More,
}

/// A job that can start.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) job: JobId,
    pub(super) queue: String,
    pub(super) priority: i16,
    pub(super) share: Option<String>,
    /// It has a place of its share already: an older version has let it wait, or parked it, without giving that back.
    pub(super) shared: bool,
}

impl Candidate {
    /// A job that has a row. Nothing if it was parked before, and this process does not know what it needs.
    fn read(process: &Process, row: &Row) -> Result<Option<Self>> {
        let class = row.text("class")?;
        let queue = match row.opt_int("parked_at")? {
            Some(_) if !process.executor.knows(&needs_of(row)?) => return Ok(None),
            Some(_) => process.own_queue(&class),
            None => class,
        };
        let (job, share) = (row.parsed("id")?, row.opt_text("share")?);
        let shared = share.is_some() && row.int("shared")? != 0;
        Ok(Some(Self { job, queue, priority: priority(row)?, share, shared }))
    }
}

/// How urgent a job is. Of one that an older version has taken, only its spec says that.
pub(super) fn priority(row: &Row) -> Result<i16> {
    let known = i16::try_from(row.int("priority")?).unwrap_or_default();
    if known != 0 {
        return Ok(known);
    }
    // One that can not be read is told of by whoever starts the job.
    Ok(row.json::<JobSpec>("spec").map_or(0, |spec| spec.options.priority))
}

/// What a job takes from while it can start or runs, if its tenant has a share in its class.
pub(super) fn share_of(process: &Process, spec: &JobSpec, class: CostClass) -> Option<String> {
    let tenant = spec.options.tenant.as_ref()?;
    process.executor.share(tenant, class).map(|_| format!("{class} {tenant}"))
}

/// How many jobs a share is; nothing if that is not said here.
fn most(process: &Process, share: &str) -> Option<usize> {
    let (class, tenant) = share.split_once(' ')?;
    process.executor.share(tenant, class.parse().ok()?)
}

pub(super) fn task(candidate: &Candidate) -> Result<NewTask> {
    NewTask::new(&JobTask { job: candidate.job }, &candidate.queue, candidate.priority)
}

/// Puts jobs into River's queue, as far as their shares go. Gives River's numbers; none for those that are to be held.
pub(super) async fn place(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    candidates: &[Candidate],
) -> Result<Vec<Option<i64>>> {
    let mut shares: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, candidate) in candidates.iter().enumerate() {
        if let Some(share) = &candidate.share {
            shares.entry(share).or_default().push(at);
        }
    }
    let mut held = HashSet::new();
    for (share, mut wanted) in shares {
        let there = wanted.iter().filter(|at| candidates[**at].shared).count();
        let taken = taken(tx, share).await?.saturating_sub(there);
        // The most urgent first.
        wanted.sort_by_key(|at| Reverse(candidates[*at].priority));
        let room = most(process, share).map_or(usize::MAX, |most| most.saturating_sub(taken));
        held.extend(wanted.iter().skip(room).copied());
        note(tx, share, taken.saturating_add(wanted.len().min(room))).await?;
    }
    let placed = (0..).zip(candidates).filter(|(at, _)| !held.contains(at));
    let tasks = placed.map(|(_, candidate)| task(candidate)).collect::<Result<Vec<_>>>()?;
    let mut rivers = tx.enqueue_many(&process.db, &tasks).await?.into_iter();
    Ok((0..candidates.len())
        .map(|at| if held.contains(&at) { None } else { rivers.next() })
        .collect())
}

/// Places jobs that have a row, which is locked. Gives the queues that have something new.
pub(super) async fn follow(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    candidates: &[Candidate],
) -> Result<Queued> {
    let rivers = place(process, tx, candidates).await?;
    write(process, tx, candidates, &rivers).await?;
    let placed = candidates.iter().zip(rivers).filter(|(_, river)| river.is_some());
    Ok(queued_by(placed.map(|(candidate, _)| candidate)))
}

fn queued_by<'c>(placed: impl Iterator<Item = &'c Candidate>) -> Queued {
    let mut queued = Queued::new();
    placed.for_each(|candidate| add(&mut queued, &candidate.queue, 1));
    queued
}

async fn write(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    candidates: &[Candidate],
    rivers: &[Option<i64>],
) -> Result<()> {
    let (mut rows, now) = (Vec::with_capacity(candidates.len() * 6), process.now());
    for (candidate, river) in candidates.iter().zip(rivers) {
        let (state, held) = match river {
            Some(_) => ("queued", None),
            None => ("held", Some("share".to_owned())),
        };
        let shared = river.is_some() && candidate.share.is_some();
        rows.extend_from_slice(values![
            candidate.job,
            state,
            held,
            shared,
            river.unwrap_or_default(),
            now
        ]);
    }
    for rows in together(&rows, 6) {
        let set = format!(
            "UPDATE mediaflow_jobs SET state = column2, held = column3, shared = column4, river = column5, due = column6,
               parked = NULL
             FROM (VALUES {}) AS given WHERE id = column1",
            crate::db::places(rows.len() / 6, 6)
        );
        tx.run(AssertSqlSafe(set), rows).await?;
    }
    Ok(())
}

/// Lets jobs start that wait for no other one, at once or at their moment. Their rows, of [`COLUMNS`], are locked. Gives the
/// queues that have something new.
pub(super) async fn start(process: &Process, tx: &mut Tx<'_, '_>, rows: &[Row]) -> Result<Queued> {
    let (mut candidates, now) = (Vec::new(), process.now());
    for row in rows {
        if row.time("due")? > now {
            let wait = "UPDATE mediaflow_jobs SET state = 'held', held = 'due' WHERE id = $1";
            tx.run(wait, values![row.text("id")?]).await?;
            process.look_at(row.time("due")?);
        } else if let Some(candidate) = Candidate::read(process, row)? {
            candidates.push(candidate);
        } else {
            park_again(tx, row).await?;
        }
    }
    follow(process, tx, &candidates).await
}

/// Somebody who knows what it needs takes it up.
async fn park_again(tx: &mut Tx<'_, '_>, row: &Row) -> Result<()> {
    let park = "UPDATE mediaflow_jobs SET state = 'parked', held = NULL, parked = $2 WHERE id = $1";
    tx.run(park, values![row.text("id")?, needs_of(row)?.digest()]).await.map(drop)
}

/// Gives back a place of each of these shares, and lets those follow that wait for one. Gives the queues that have something
/// new.
pub(super) async fn release<'s>(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    shares: impl IntoIterator<Item = &'s str>,
) -> Result<Queued> {
    let mut freed: BTreeMap<&str, usize> = BTreeMap::new();
    for share in shares {
        *freed.entry(share).or_default() += 1;
    }
    let mut queues = Queued::new();
    for (share, places) in freed {
        let left = taken(tx, share).await?.saturating_sub(places);
        // Whoever does not know how large it is keeps it as it is.
        let room = most(process, share).map_or(places, |most| most.saturating_sub(left));
        for (queue, tasks) in promote(process, tx, share, left, room).await? {
            add(&mut queues, &queue, tasks);
        }
    }
    Ok(queues)
}

/// Lets so many jobs of a share start beside those that do.
async fn promote(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    share: &str,
    taken: usize,
    room: usize,
) -> Result<Queued> {
    let (room, mut started) = (room.min(TOGETHER), Queued::new());
    let find = format!(
        "SELECT {COLUMNS} FROM mediaflow_jobs WHERE held = 'share' AND share = $1
         ORDER BY priority DESC, id LIMIT $2{}",
        process.db.skip_locked()
    );
    let mut left = room;
    for _ in 0..TURNS {
        if left == 0 {
            break;
        }
        let rows = tx.rows(AssertSqlSafe(find.clone()), values![share, left as i64]).await?;
        let mut candidates = Vec::with_capacity(rows.len());
        for row in &rows {
            match Candidate::read(process, row)? {
                Some(candidate) => candidates.push(candidate),
                None => park_again(tx, row).await?,
            }
        }
        let tasks = candidates.iter().map(task).collect::<Result<Vec<_>>>()?;
        let rivers = tx.enqueue_many(&process.db, &tasks).await?;
        write(process, tx, &candidates, &rivers.into_iter().map(Some).collect::<Vec<_>>()).await?;
        left -= candidates.len();
        // Those that were parked have left their places to others.
        let parked = rows.len() - candidates.len();
        candidates.iter().for_each(|candidate| add(&mut started, &candidate.queue, 1));
        if parked == 0 {
            break;
        }
    }
    note(tx, share, taken + room - left).await?;
    Ok(started)
}

/// How many places of a share are taken. Locks it.
async fn taken(tx: &mut Tx<'_, '_>, share: &str) -> Result<usize> {
    let lock = "INSERT INTO mediaflow_shares (share, taken) VALUES ($1, 0)
                ON CONFLICT (share) DO UPDATE SET taken = mediaflow_shares.taken RETURNING taken";
    let row = tx.row(lock, values![share]).await?;
    let taken = row.map_or(Ok(0), |row| row.int("taken"))?;
    Ok(usize::try_from(taken).unwrap_or_default())
}

async fn note(tx: &mut Tx<'_, '_>, share: &str, taken: usize) -> Result<()> {
    let note = "UPDATE mediaflow_shares SET taken = $2 WHERE share = $1";
    let taken = i64::try_from(taken).unwrap_or(i64::MAX);
    tx.run(note, values![share, taken]).await.map(drop)
}

/// Lets those start whose moment has come. The next one is looked at when its moment comes, if that is not within `soon`.
pub(crate) async fn start_due(process: &Process, soon: Duration) -> Result<Left> {
    let next = "SELECT due FROM mediaflow_jobs WHERE held = 'due' ORDER BY due LIMIT 1";
    let find = format!(
        "SELECT {COLUMNS} FROM mediaflow_jobs WHERE held = 'due' AND due <= $1 ORDER BY due, id LIMIT {TOGETHER}{}",
        process.db.skip_locked()
    );
    for _ in 0..TURNS {
        let Some(row) = process.db.row(next, &[]).await? else { return Ok(Left::Nothing) };
        let due = row.time("due")?;
        if due > process.now() {
            process.look_at(due.max(process.now().plus(soon)));
            return Ok(Left::Nothing);
        }
        let mut transaction = process.db.begin().await?;
        let mut tx = transaction.tx();
        let rows = tx.rows(AssertSqlSafe(find.clone()), values![process.now()]).await?;
        if rows.is_empty() {
            return Ok(Left::Locked);
        }
        let queues = start(process, &mut tx, &rows).await?;
        transaction.commit().await?;
        process.all_queued(&queues);
    }
    Ok(Left::More)
}

/// Counts anew what is taken of shares, and lets those start that wait although there is room: the share has grown, or an
/// older version has ended a job without giving its place back. Looks at a page of the shares after `last`, and gives the
/// last of them; it writes only where something is wrong.
pub(crate) async fn recount_shares(process: &Process, last: &str) -> Result<String> {
    let find = format!(
        "SELECT s.share, s.taken, ({}) AS jobs,
           CAST(CASE WHEN ({} LIMIT 1) IS NULL THEN 0 ELSE 1 END AS BIGINT) AS waits
         FROM mediaflow_shares s WHERE s.share > $1 ORDER BY s.share LIMIT {TOGETHER}",
        count("s.share"),
        waits("s.share")
    );
    let mut seen = String::new();
    for row in process.db.rows(AssertSqlSafe(find), values![last]).await? {
        seen = row.text("share")?;
        let (jobs, waits) = (row.int("jobs")?, row.int("waits")? != 0);
        let most = most(process, &seen).and_then(|most| i64::try_from(most).ok());
        // If nothing is said of it any more, one at a time goes on.
        let free = jobs < most.unwrap_or(1);
        if row.int("taken")? != jobs || waits && free || !waits && jobs == 0 {
            recount(process, &seen).await?;
        }
    }
    Ok(seen)
}

async fn recount(process: &Process, share: &str) -> Result<()> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    taken(&mut tx, share).await?;
    let jobs = tx.row(AssertSqlSafe(count("$1")), values![share]).await?;
    let jobs = jobs.map_or(Ok(0), |row| row.int("jobs"))?;
    let jobs = usize::try_from(jobs).unwrap_or(0);
    let room = most(process, share).unwrap_or(1).saturating_sub(jobs);
    let queues = promote(process, &mut tx, share, jobs, room).await?;
    // Nobody of its tenant is here any more. One that waits may have been passed over, because somebody had it locked.
    let unused = format!(
        "DELETE FROM mediaflow_shares WHERE share = $1 AND taken = 0 AND ({} LIMIT 1) IS NULL",
        waits("$1")
    );
    tx.run(AssertSqlSafe(unused), values![share]).await?;
    transaction.commit().await?;
    process.all_queued(&queues);
    Ok(())
}

/// How many jobs have a place of a share.
fn count(share: &str) -> String {
    format!(
        "SELECT count(*) AS jobs FROM mediaflow_jobs WHERE share = {share} AND shared = 1 AND ended_at IS NULL"
    )
}

/// Those that wait for a place of a share.
fn waits(share: &str) -> String {
    format!("SELECT 1 FROM mediaflow_jobs WHERE held = 'share' AND share = {share}")
}

/// The values of names, for a list.
pub(super) fn names<'j>(jobs: impl IntoIterator<Item = &'j JobId>) -> Vec<Value> {
    jobs.into_iter().copied().map(Value::from).collect()
}
