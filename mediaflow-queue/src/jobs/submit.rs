use std::collections::{BTreeMap, BTreeSet, HashSet};

use mediaflow_core::engine::{Record, Submission, Submitted};
use mediaflow_core::event::EventData;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{BatchId, Error, Event, EventKind, JobId, Result, Timestamp, codes};
use sqlx::AssertSqlSafe;

use super::after::settle;
use super::lock::update_in_order;
use super::ready::{Candidate, place, share_of};
use super::row::{NOT_WHOLE, own, unknown};
use crate::db::{
    Name, Tx, Value, class_queue, places, through_conflicts, to_json, together, values,
};
use crate::events;
use crate::failpoint::failpoint;
use crate::process::{Process, Queued, add};

/// Jobs that were taken, and what follows from that once it is committed.
pub(super) struct Taken {
    /// Each with whether it is new.
    pub(super) jobs: Vec<(JobId, bool)>,
    pub(super) events: Vec<Event>,
}

/// Takes jobs, each of which was submitted by itself, in a transaction that may do more, and that stores the events.
pub(super) async fn each<'s>(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    specs: impl Iterator<Item = &'s JobSpec>,
) -> Result<Taken> {
    let mut events = Vec::new();
    let together = Together { batch: None, now: process.now(), later: false, held: false };
    let jobs = take(process, tx, specs, &together, &mut events).await?;
    failpoint("submit.rows");
    Ok(Taken { jobs, events })
}

/// Takes jobs that are submitted together, all or none. What is in the way of another transaction is done again.
pub(super) async fn several(process: &Process, submission: &Submission) -> Result<Submitted> {
    through_conflicts(move || all(process, submission)).await
}

async fn all(process: &Process, submission: &Submission) -> Result<Submitted> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    let (now, mut events) = (process.now(), Vec::new());
    let batch = submission.batch.then(BatchId::new);
    if let (Some(batch), Some(first)) = (batch, submission.jobs.first()) {
        let add = "INSERT INTO mediaflow_batches (id, options, jobs_left, created_at) VALUES ($1, $2, 0, $3)";
        tx.run(add, values![batch, to_json(&first.options)?, now]).await?;
    }
    let specs = || submission.jobs.iter();
    let keys = keys(specs());
    for key in &keys {
        if !tx.try_name(Name::Key(key)).await? {
            return Err(key_is_taken().help("submit again when it has ended"));
        }
    }
    let submitted = Together { batch, now, later: !keys.is_empty(), held: false };
    let jobs = take(process, &mut tx, specs(), &submitted, &mut events).await?;
    if let Some(batch) = batch {
        events.extend(fill(&mut tx, batch, &jobs, now).await?);
    }
    failpoint("submit.rows");
    events::record(process, &mut tx, &events).await?;
    failpoint("submit.outbox");
    transaction.commit().await?;
    tell(process, Taken { jobs: jobs.clone(), events }, specs()).await;
    Ok(Submitted::new(names(&jobs), batch))
}

fn names(jobs: &[(JobId, bool)]) -> Vec<JobId> {
    jobs.iter().map(|(job, _)| *job).collect()
}

fn key_is_taken() -> Error {
    Error::transient(
        codes::QUEUE_CONFLICT,
        "another transaction is submitting a job under the same idempotency key",
    )
}

/// The idempotency keys of jobs, in order.
fn keys<'s>(specs: impl Iterator<Item = &'s JobSpec>) -> BTreeSet<String> {
    specs.filter_map(key_of).collect()
}

/// An idempotency key, which is its tenant's own.
fn key_of(spec: &JobSpec) -> Option<String> {
    let options = &spec.options;
    options.idempotency_key.as_deref().map(|key| own(options.tenant.as_deref(), key))
}

/// Tells of what was taken, once that is committed.
pub(super) async fn tell<'s>(
    process: &Process,
    Taken { jobs, events }: Taken,
    specs: impl Iterator<Item = &'s JobSpec> + Clone,
) {
    failpoint("submit.commit");
    process.committed(events);
    let mut queues = Queued::new();
    for spec in specs.clone() {
        add(&mut queues, &class_queue(process.executor.class_of(spec)), 1);
    }
    process.all_queued(&queues);
    let due = specs.clone().filter_map(|spec| spec.options.run_at).min();
    due.into_iter().for_each(|due| process.look_at(due));
    look(process, specs.zip(&jobs)).await;
}

/// Has it found out what new jobs wait for. Whoever works on none looks here: those who do look once a second.
async fn look<'s, 'j>(
    process: &Process,
    jobs: impl Iterator<Item = (&'s JobSpec, &'j (JobId, bool))> + Clone,
) {
    let keyed = jobs.clone().any(|(spec, _)| spec.options.idempotency_key.is_some());
    let waits =
        |spec: &JobSpec| keyed && spec.options.tenant.is_some() || !spec.predecessors().is_empty();
    let new = jobs.filter(|(spec, (_, new))| *new && waits(spec)).map(|(_, (job, _))| *job);
    let new: BTreeSet<_> = new.take(INLINE).collect();
    if new.is_empty() {
        return;
    }
    if process.working() {
        process.look_at(process.now());
    } else if let Err(error) = settle(process, &new).await {
        tracing::debug!(%error, "new jobs can not be looked at here");
    }
}

/// Takes a job within the host's transaction. Nobody is told before the host commits: the tail finds it then.
pub(crate) async fn submit_in(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    spec: JobSpec,
) -> Result<JobId> {
    let queue = class_queue(process.executor.class_of(&spec));
    let job = take_one(process, tx, spec).await?;
    process.calls.call_in(tx, &queue).await?;
    Ok(job)
}

/// Takes a job within somebody else's transaction.
pub(super) async fn take_one(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    spec: JobSpec,
) -> Result<JobId> {
    let mut events = Vec::new();
    // Whoever else needs the key sees that it is taken, and does not wait for this transaction inside of theirs.
    if let Some(key) = key_of(&spec)
        && !tx.try_name(Name::Key(&key)).await?
    {
        return Err(key_is_taken().help("roll back, and try again"));
    }
    let submitted = Together { batch: None, now: process.now(), later: true, held: false };
    let jobs = take(process, tx, std::iter::once(&spec), &submitted, &mut events).await?;
    events::record(process, tx, &events).await?;
    Submitted::new(names(&jobs), None).job()
}

/// Takes jobs. What has no key is stored many at a time; what has one comes after it, in the order of the keys: two who
/// submit the same keys do not wait for one another. Gives the jobs, and which of them are new.
pub(super) async fn take<'s>(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    specs: impl Iterator<Item = &'s JobSpec>,
    submitted: &Together,
    events: &mut Vec<Event>,
) -> Result<Vec<(JobId, bool)>> {
    let (mut taken, mut keyed, mut fresh) = (Vec::new(), Vec::new(), Vec::new());
    let (mut jobs, mut candidates) = (Vec::new(), Vec::new());
    for (place, spec) in specs.enumerate() {
        if let Some(key) = key_of(spec) {
            keyed.push((key, place, spec));
            continue;
        }
        let job = prepare(process, spec, submitted, events)?;
        taken.push((place, job.id, true));
        fresh.push((job.id, spec));
        candidates.extend(job.candidate.clone());
        jobs.push(job);
    }
    let mut rivers = place(process, tx, &candidates).await?.into_iter();
    let mut rows = Vec::with_capacity(jobs.len() * COLUMNS);
    for mut job in jobs {
        if job.candidate.is_some() {
            job.placed(rivers.next().flatten());
        }
        rows.extend(job.row);
    }
    for rows in together(&rows, COLUMNS) {
        tx.run(AssertSqlSafe(insert(rows)), rows).await?;
    }
    keyed.sort_by(|(one, at, _), (other, then, _)| (one, at).cmp(&(other, then)));
    for (key, place, spec) in keyed {
        let told = events.len();
        let job = one(process, tx, spec, &key, submitted, events).await?;
        let new = events.len() > told;
        taken.push((place, job, new));
        // One that was known keeps the tags that it has.
        if new {
            fresh.push((job, spec));
        }
    }
    tag(tx, &fresh).await?;
    follow(tx, &fresh).await?;
    taken.sort_unstable();
    Ok(taken.into_iter().map(|(_, job, new)| (job, new)).collect())
}

/// Writes down which jobs come after which. Whether these have ended is found out later.
async fn follow(tx: &mut Tx<'_, '_>, jobs: &[(JobId, &JobSpec)]) -> Result<()> {
    let (mut rows, mut earlier) = (Vec::new(), BTreeMap::new());
    for (job, spec) in jobs {
        for after in spec.predecessors() {
            rows.extend_from_slice(values![*job, after.job]);
            earlier.entry(after.job).or_insert_with(Vec::new).push(*spec);
        }
    }
    for (job, later) in earlier {
        // One of a batch that is not whole may be deleted with it, and nobody would hear of that.
        let find = format!(
            "SELECT tenant FROM mediaflow_jobs WHERE id = $1 AND (held IS NULL OR held <> 'batch' OR batch NOT IN ({NOT_WHOLE}))"
        );
        let tenant = tx
            .row(AssertSqlSafe(find), values![job])
            .await?
            .map(|row| row.opt_text("tenant"))
            .transpose()?;
        let known = tenant
            .is_some_and(|tenant| later.iter().all(|spec| spec.may_follow(tenant.as_deref())));
        if !known {
            return Err(unknown(job).with("option", "after"));
        }
    }
    for rows in together(&rows, 2) {
        let insert = format!(
            "INSERT INTO mediaflow_after (job, before) VALUES {}",
            places(rows.len() / 2, 2)
        );
        tx.run(AssertSqlSafe(insert), rows).await?;
    }
    Ok(())
}

/// Writes down the words by which jobs are found. Most have none.
async fn tag(tx: &mut Tx<'_, '_>, jobs: &[(JobId, &JobSpec)]) -> Result<()> {
    let words = |spec: &JobSpec| spec.options.tags.iter().cloned().collect::<BTreeSet<_>>();
    let rows: Vec<_> = jobs
        .iter()
        .flat_map(|(job, spec)| words(spec).into_iter().map(|word| values![word, *job].clone()))
        .flatten()
        .collect();
    for rows in together(&rows, 2) {
        let insert =
            format!("INSERT INTO mediaflow_tags (tag, job) VALUES {}", places(rows.len() / 2, 2));
        tx.run(AssertSqlSafe(insert), rows).await?;
    }
    Ok(())
}

/// Takes a job that has a key.
async fn one(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    spec: &JobSpec,
    key: &str,
    submitted: &Together,
    events: &mut Vec<Event>,
) -> Result<JobId> {
    if let Some(known) = known(tx, spec, key, submitted.now).await? {
        return Ok(known);
    }
    let mut job = prepare(process, spec, submitted, events)?;
    let mut river = None;
    if let Some(candidate) = job.candidate.take() {
        river = place(process, tx, &[candidate]).await?.into_iter().next().flatten();
        job.placed(river);
    }
    let unless = "ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING";
    let insert = format!("{} {unless}", insert(&job.row));
    for _ in 0..RACES {
        if tx.run(AssertSqlSafe(insert.clone()), &job.row).await? > 0 {
            return Ok(job.id);
        }
        if let Some(known) = known(tx, spec, key, submitted.now).await? {
            // Somebody else was first, a moment ago.
            if let Some(river) = river {
                tx.delete_task(&process.db, river.into()).await?;
            }
            events.pop();
            return Ok(known);
        }
        // Whoever was first does not hold the key any more.
    }
    Err(Error::transient(codes::QUEUE_CONFLICT, "others use the same idempotency key all the time"))
}

/// The last moment that a column can hold.
const LAST: Timestamp = Timestamp::from_millis(i64::MAX.unsigned_abs());

/// How many jobs are looked at by whoever submits them, and works on none.
const INLINE: usize = 100;

/// How often a key can be lost to somebody else who does not keep it.
const RACES: usize = 5;

/// Columns of a new row, and which of them say where it waits.
const COLUMNS: usize = 21;
pub(super) const NAMES: [&str; COLUMNS] = [
    "id",
    "river",
    "class",
    "state",
    "spec",
    "batch",
    "batched",
    "idempotency_key",
    "key_until",
    "queued_at",
    "due",
    "notify",
    "needs",
    "key_digest",
    "kind",
    "owner",
    "tenant",
    "priority",
    "share",
    "held",
    "shared",
];
pub(super) const RIVER: usize = 1;
const STATE: usize = 3;
const HELD: usize = 19;
const SHARED: usize = 20;

fn insert(rows: &[Value]) -> String {
    format!(
        "INSERT INTO mediaflow_jobs ({}) VALUES {}",
        NAMES.join(", "),
        places(rows.len() / COLUMNS, COLUMNS)
    )
}

/// What is the same of jobs that are submitted together.
pub(super) struct Together {
    pub(super) batch: Option<BatchId>,
    pub(super) now: Timestamp,
    /// Places of shares are not counted in this transaction: it is the host's and may stay open for long, or it locks jobs
    /// that are known under their keys, which come before shares.
    pub(super) later: bool,
    /// They are held until all of the batch is written.
    pub(super) held: bool,
}

/// A job that is about to be stored.
pub(super) struct Prepared {
    pub(super) id: JobId,
    /// It can start, if its tenant has room for it.
    pub(super) candidate: Option<Candidate>,
    pub(super) row: Vec<Value>,
}

impl Prepared {
    /// It has this number in River's queue, or is held until its tenant has room for it.
    fn placed(&mut self, river: Option<i64>) {
        if let Some(river) = river {
            let shared = matches!(&self.candidate, Some(Candidate { share: Some(_), .. }));
            (self.row[RIVER], self.row[SHARED]) = (river.into(), shared.into());
        } else {
            (self.row[STATE], self.row[HELD]) = ("held".into(), "share".into());
        }
    }
}

pub(super) fn prepare(
    process: &Process,
    spec: &JobSpec,
    Together { batch, now, later, held }: &Together,
    events: &mut Vec<Event>,
) -> Result<Prepared> {
    let record = Record::new(spec.clone(), *batch, *now);
    let (id, options, class) = (record.id, &spec.options, process.executor.class_of(spec));
    let (share, queue) = (share_of(process, spec, class), class_queue(class));
    let key = key_of(spec);
    let due = options.run_at.map(|due| due.min(LAST)).filter(|due| due > now);
    let later = *later && share.is_some();
    let held = match due {
        _ if *held => Some("batch"),
        _ if later || !spec.predecessors().is_empty() => Some("new"),
        due => due.map(|_| "due"),
    };
    let priority = options.priority;
    let candidate =
        Candidate { job: id, queue: queue.clone(), priority, share: share.clone(), shared: false };
    events.push(record.event(EventKind::JobCreated, *now, EventData::None));
    let targets = Some(&options.notify).filter(|targets| !targets.is_empty());
    let notify = targets.map(to_json).transpose()?;
    let row: &[Value; COLUMNS] = values![
        id,
        0_i64,
        queue,
        if held.is_some() { "held" } else { JobState::Queued.as_str() },
        to_json(spec)?,
        *batch,
        batch.is_some(),
        key.clone(),
        key.as_ref().map(|_| now.plus(process.settings.idempotency)),
        *now,
        due.unwrap_or(*now),
        notify,
        spec.needs().to_string(),
        key.map(|_| spec.digest()),
        &spec.kind,
        options.owner.clone(),
        options.tenant.clone(),
        i64::from(priority),
        share,
        held.map(str::to_owned),
        false
    ];
    Ok(Prepared { id, candidate: Some(candidate).filter(|_| held.is_none()), row: row.to_vec() })
}

/// The job that a key stands for. It is free again when its time is over, or its job has failed or was cancelled.
async fn known(
    tx: &mut Tx<'_, '_>,
    spec: &JobSpec,
    key: &str,
    now: Timestamp,
) -> Result<Option<JobId>> {
    let expire = "UPDATE mediaflow_jobs SET idempotency_key = NULL
                  WHERE idempotency_key = $1 AND (key_until <= $2 OR state IN ('failed', 'cancelled'))";
    tx.run(expire, values![key, now]).await?;
    let find = "SELECT id, key_digest FROM mediaflow_jobs WHERE idempotency_key = $1";
    let Some(row) = tx.row(find, values![key]).await? else { return Ok(None) };
    let job = row.parsed("id")?;
    // One that an older version has taken has none.
    if row.opt_text("key_digest")?.is_some_and(|digest| digest != spec.digest()) {
        return Err(Error::key_reused().with("job", job));
    }
    Ok(Some(job))
}

/// Writes down the jobs of a batch from a place on.
pub(super) async fn list(
    tx: &mut Tx<'_, '_>,
    batch: BatchId,
    from: usize,
    jobs: &[JobId],
) -> Result<()> {
    let listed = |(at, job): (usize, &JobId)| values![batch, at as i64, *job].clone();
    let rows: Vec<_> = (from..).zip(jobs).flat_map(listed).collect();
    for rows in together(&rows, 3) {
        let insert = format!(
            "INSERT INTO mediaflow_batch_jobs (batch, position, job) VALUES {}",
            places(rows.len() / 3, 3)
        );
        tx.run(AssertSqlSafe(insert), rows).await?;
    }
    Ok(())
}

/// Writes down which jobs a batch waits for. Some may have ended before, under their idempotency keys.
async fn fill(
    tx: &mut Tx<'_, '_>,
    batch: BatchId,
    jobs: &[(JobId, bool)],
    now: Timestamp,
) -> Result<Vec<Event>> {
    list(tx, batch, 0, &names(jobs)).await?;
    // Nobody else knows a new one.
    let mut waits: HashSet<_> = jobs.iter().filter(|(_, new)| *new).map(|(job, _)| *job).collect();
    let known: BTreeSet<_> = names(jobs).into_iter().filter(|job| !waits.contains(job)).collect();
    let known: Vec<_> = known.into_iter().map(Value::from).collect();
    for jobs in together(&known, 1) {
        // The update also keeps a job from ending, elsewhere, before this batch is there to see it.
        let wait =
            update_in_order(tx, "batched = 1", (jobs.len(), 1), "ended_at IS NULL RETURNING id");
        for row in tx.rows(AssertSqlSafe(wait), jobs).await? {
            waits.insert(row.parsed::<JobId>("id")?);
        }
    }
    // A job that is twice in the batch is waited for twice, and ends twice.
    let left = jobs.iter().filter(|(job, _)| waits.contains(job)).count() as i64;
    tx.run("UPDATE mediaflow_batches SET jobs_left = $2 WHERE id = $1", values![batch, left])
        .await?;
    if left > 0 {
        return Ok(Vec::new());
    }
    super::end::batch_ended(tx, batch, now).await.map(|event| vec![event])
}
