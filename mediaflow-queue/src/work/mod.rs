//! Working on jobs: River hands out what is due, and this runs it.

mod assembly;
mod attempt;
mod part;
mod scribe;
mod watch;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mediaflow_core::engine::Shutdown;
use mediaflow_core::executor::Executor;
use mediaflow_core::outbox::Dispatcher;
use mediaflow_core::{Error, ErrorKind, Result};
use riverqueue::{
    Client, MaintenanceConfig, QueueConfig, QueueSelector, WorkCancelled, WorkOutcome, Workers,
};

use crate::db::{Assemble, Db, Part, Run, classes, river_failed};
use crate::outbox::Outbox;
use crate::process::{Door, Process};
use crate::workers;

/// What River is told about something that it handed out.
type Told = std::result::Result<WorkOutcome, WorkCancelled>;

/// How often River looks by itself for work that nobody has told it of. A [file](watch::Watch) is watched anyway, and each
/// look has SQLite compile its query again.
fn poll(db: &Db) -> Duration {
    Duration::from_secs(if db.file().is_some() { 2 } else { 1 })
}

/// How often River looks for what has become due.
const DUE: Duration = Duration::from_secs(1);

/// How soon River may look again.
const COOLDOWN: Duration = Duration::from_millis(4);

/// When a job that is for a worker that knows more is offered again: soon, and at random, so that of workers that look
/// at the same pace not always the same one is first.
fn foreign() -> WorkOutcome {
    WorkOutcome::Snooze(Duration::from_millis(fastrand::u64(50..250)))
}

/// After something was given back untouched, somebody else shall have the first look at it.
const LATER: Duration = Duration::from_secs(5);

/// River's client: submits, and works once it is started.
pub(crate) fn client(door: &Door, db: &Db, executor: &Executor, id: &str) -> Result<Client> {
    let builder = match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(db) => Client::builder(db.write.clone()),
        #[cfg(feature = "postgres")]
        Db::Postgres(pool) => Client::builder(pool.clone()),
    };
    let maintenance = MaintenanceConfig::default().with_scheduler_interval(DUE);
    let builder = builder
        .id(id)
        .workers(kinds(door).map_err(river_failed)?)
        .fetch_only_known_kinds(true)
        // River tells other processes of a new job at most this often, and what it does not tell waits for their poll.
        .fetch_cooldown(COOLDOWN)
        // Deadlines are ours, and so is the takeover of what a dead worker held.
        .without_job_timeout()
        .maintenance(maintenance);
    classes()
        .into_iter()
        .fold(builder, |builder, class| builder.queue(class, places(executor, class, poll(db))))
        .build()
        .map_err(river_failed)
}

fn kinds(door: &Door) -> std::result::Result<Workers, riverqueue::Error> {
    let mut workers = Workers::new();
    let open = || {
        let door = Arc::clone(door);
        move || door.get().and_then(std::sync::Weak::upgrade).ok_or(WorkCancelled)
    };
    let process = open();
    workers.add_fn(move |context, job: riverqueue::Job<Run>| {
        let process = process();
        async move { attempt::run(&process?, &context, &job).await }
    })?;
    let process = open();
    workers.add_fn(move |context, job: riverqueue::Job<Part>| {
        let process = process();
        async move { part::run(&process?, &context, &job).await }
    })?;
    let process = open();
    workers.add_fn(move |context, job: riverqueue::Job<Assemble>| {
        let process = process();
        async move { assembly::run(&process?, &context, &job).await }
    })?;
    Ok(workers)
}

/// How many of a class run at once here.
fn places(executor: &Executor, class: &str, poll: Duration) -> QueueConfig {
    let [image, _] = classes();
    let places = if class == image { executor.concurrency() } else { executor.videos() };
    QueueConfig::new(places.clamp(1, riverqueue::QUEUE_NUM_WORKERS_MAX))
        .with_fetch_cooldown(COOLDOWN)
        .with_fetch_poll_interval(poll)
}

/// Lets River look for work of a class now: a look costs a transaction. It looks whenever the configuration of the
/// queue changes, and is given one that differs by a millisecond from the last ones.
pub(crate) fn wake(process: &Process, class: &str) {
    static TURN: AtomicU64 = AtomicU64::new(0);
    let odd = TURN.fetch_add(1, Ordering::Relaxed) % 64;
    let config = places(&process.executor, class, poll(&process.db) + Duration::from_millis(odd));
    if let Err(error) = process.river.local_queues().update(class, config) {
        tracing::debug!(%error, class, "River can not be woken; it will look by itself");
    }
}

/// Stops what this process does for a job, if anything. Another process learns of it from River.
pub(crate) fn stop(process: &Process, river: i64) {
    if let Some(active) = process.active().get(&river) {
        active.stop.cancel();
    }
}

/// Lets no process take jobs, or lets all take them again.
pub(crate) async fn pause(process: &Process, paused: bool) -> Result<()> {
    for class in classes() {
        process.river_queue(class).await?;
        let queues = process.river.queues();
        let selector = QueueSelector::from(class);
        let done =
            if paused { queues.pause(selector).await } else { queues.resume(selector).await };
        done.map_err(river_failed)?;
    }
    Ok(())
}

/// Registers this process, however long the database is away at that moment. Gives nothing if it is to stop before.
async fn begin(process: &Arc<Process>, shutdown: &Shutdown) -> Result<Option<workers::Life>> {
    loop {
        let begun = process.db.patiently(|| workers::Life::begin(process));
        match shutdown.drain.run_until_cancelled(begun).await {
            Some(Err(error)) if error.kind() == ErrorKind::Transient => {}
            begun => return begun.transpose(),
        }
    }
}

/// Works on jobs and deliveries until it is told to stop.
pub(crate) async fn run(process: &Arc<Process>, shutdown: Shutdown) -> Result<()> {
    let _ = process.halt.set(shutdown.now.clone());
    let Some(life) = begin(process, &shutdown).await? else { return Ok(()) };
    let sweeping = tokio_util::task::AbortOnDropHandle::new(tokio::spawn(workers::sweep(
        Arc::clone(process),
        shutdown.now.child_token(),
    )));
    let watching = process.db.file().map(|file| watch::Watch::begin(process, file));
    // The outbox drains last: jobs that end during the shutdown have something to tell.
    let deliver = Shutdown::new();
    let delivering = tokio::spawn({
        let (process, deliver) = (Arc::clone(process), deliver.clone());
        async move {
            let outbox = Arc::new(Outbox::new(Arc::clone(&process)));
            let executor = process.executor.clone();
            Dispatcher::new(Arc::clone(&outbox) as _, executor).run(&deliver).await;
            outbox.close().await;
        }
    });
    let mut river = process.river.start().map_err(river_failed)?;
    let stopper = river.stopper();
    let ended = {
        let mut waiting = std::pin::pin!(river.wait());
        let mut stage = 0;
        loop {
            tokio::select! {
                ended = &mut waiting => break ended,
                () = shutdown.drain.cancelled(), if stage == 0 => {
                    stage = 1;
                    stopper.stop();
                }
                () = shutdown.now.cancelled(), if stage < 2 => {
                    stage = 2;
                    stopper.stop_and_cancel();
                    process.active().values().for_each(|active| active.stop.cancel());
                }
            }
        }
    };
    deliver.drain.cancel();
    let mut delivering = delivering;
    let delivered = tokio::select! {
        delivered = &mut delivering => delivered,
        () = shutdown.now.cancelled() => {
            deliver.now.cancel();
            delivering.await
        }
    };
    drop((sweeping, watching));
    life.end().await;
    ended.map_err(river_failed)?;
    delivered.map_err(|e| {
        Error::internal("engine.panicked", "the dispatcher of messages panicked").because(e)
    })
}
