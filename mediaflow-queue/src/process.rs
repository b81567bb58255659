//! What one open queue shares in this process: the database, River's client, the attempts under way, and who is told
//! of what was committed.
//!
//! Uses: broadcast, clock, db, metrics, settings.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mediaflow_core::executor::Executor;
use mediaflow_core::inspect::Ended;
use mediaflow_core::{CancellationToken, Clock, Event, Result, Timestamp};
use riverqueue::QueueConfig;
use tokio::sync::{Notify, OnceCell, Semaphore};
use tokio::time::Instant;

use crate::broadcast::EventBroadcast;
use crate::clock::DatabaseClock;
use crate::db::{Db, classes, patiently, queue_of};
use crate::metrics;
use crate::settings::Settings;

/// An open queue in this process: what everything else works with.
pub(crate) struct Process {
    pub(crate) db: Db,
    pub(crate) executor: Executor,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<DatabaseClock>,
    /// This process among the workers, and as a client of River. Another one with each start.
    pub(crate) id: String,
    pub(crate) river: riverqueue::Client,
    pub(crate) events: EventBroadcast,
    /// The name of the database among all that there are, once it was asked for.
    pub(crate) store: OnceCell<String>,
    /// Wakes the dispatcher of deliveries.
    pub(crate) deliveries: Notify,
    /// More than events has changed for it.
    messages: AtomicBool,
    active: Mutex<HashMap<i64, ActiveAttempt>>,
    /// What ended from one minute to another, as it was read.
    counted: Mutex<HashMap<(i64, i64), Ended>>,
    /// Events of commits of which no answer came.
    unsure: Mutex<Vec<Event>>,
    /// Since when its own signs of life have arrived, and when that was seen last.
    heard: Mutex<Option<(Instant, Instant)>>,
    /// What it knows, by a short name.
    pub(crate) capability: String,
    /// The places of each class. River counts them for each queue by itself, and a class has two here: one for whoever
    /// works on it, and one for those who know the same.
    places: [Semaphore; 2],
    /// Cancelled when this process has to stop at once.
    pub(crate) halt: OnceLock<CancellationToken>,
    /// Cancelled when nobody uses this any more.
    pub(crate) closed: CancellationToken,
}

/// Something that this process is working on, by River's number.
#[derive(Clone, Debug)]
pub(crate) struct ActiveAttempt {
    /// Ends the attempt.
    pub(crate) stop: CancellationToken,
}

/// How much later than it is due a look at the signs of life may come.
const LATE: Duration = Duration::from_secs(1);

/// How soon River may look again.
pub(crate) const COOLDOWN: Duration = Duration::from_millis(4);

impl Process {
    pub(crate) fn new(
        db: Db,
        executor: Executor,
        settings: Settings,
        id: String,
        river: riverqueue::Client,
        events: EventBroadcast,
    ) -> Arc<Self> {
        let clock = Arc::new(DatabaseClock::new(Arc::clone(executor.clock())));
        let capability = executor.capability();
        let places = classes().map(|class| Semaphore::new(places(&executor, class)));
        Arc::new(Self {
            db,
            executor,
            settings,
            clock,
            id,
            river,
            events,
            store: OnceCell::new(),
            deliveries: Notify::new(),
            messages: AtomicBool::new(false),
            active: Mutex::default(),
            counted: Mutex::default(),
            unsure: Mutex::default(),
            heard: Mutex::default(),
            capability,
            places,
            halt: OnceLock::new(),
            closed: CancellationToken::new(),
        })
    }

    /// Time as the database has it.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Tells this process what a committed transaction has brought: readers of events, the dispatcher, metrics.
    pub(crate) fn committed(&self, events: Vec<Event>) {
        metrics::count(&events);
        self.events.send(events);
        self.deliveries.notify_one();
    }

    /// Wakes the dispatcher, because messages may wait that did not before.
    pub(crate) fn messages_changed(&self) {
        self.messages.store(true, Ordering::SeqCst);
        self.deliveries.notify_one();
    }

    /// Whether messages have changed since this was asked last.
    pub(crate) fn have_messages_changed(&self) -> bool {
        self.messages.swap(false, Ordering::SeqCst)
    }

    /// How many jobs ended from one minute to another, as it was read.
    pub(crate) fn counted(&self) -> MutexGuard<'_, HashMap<(i64, i64), Ended>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Events of commits of which nobody knows whether they were done.
    pub(crate) fn unsure(&self) -> MutexGuard<'_, Vec<Event>> {
        self.unsure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets River look for work in a queue now, without waiting for its next poll: something was queued here. A look
    /// costs a transaction. River looks whenever the configuration of the queue changes, and is given one that differs
    /// by a millisecond from the last ones.
    pub(crate) fn wake(&self, queue: &str) {
        static TURN: AtomicU64 = AtomicU64::new(0);
        let odd = TURN.fetch_add(1, Ordering::Relaxed) % 64;
        let poll = poll(&self.db, queue) + Duration::from_millis(odd);
        let config = queue_config(&self.executor, queue, poll);
        if let Err(error) = self.river.local_queues().update(queue, config) {
            tracing::debug!(%error, queue, "River can not be woken; it will look by itself");
        }
    }

    /// The queue of a class for those who know what this process knows.
    pub(crate) fn own_queue(&self, class: &str) -> String {
        queue_of(class, &self.capability)
    }

    /// The places for what comes from a queue.
    pub(crate) fn places(&self, queue: &str) -> &Semaphore {
        let [_, video] = classes();
        &self.places[usize::from(queue.starts_with(video))]
    }

    /// Stops what this process does for a job, if anything. Another process learns of it from River.
    pub(crate) fn stop(&self, river: i64) {
        if let Some(active) = self.active().get(&river) {
            active.stop.cancel();
        }
    }

    /// Whether this process has to stop at once, and hand back what it holds.
    pub(crate) fn halting(&self) -> bool {
        self.halt.get().is_some_and(CancellationToken::is_cancelled)
    }

    /// Does `work`, a whole transaction, again for as long as the database is away and this process has not to end.
    pub(crate) async fn patiently<T, F>(&self, work: impl Fn() -> F + Send + Sync) -> Result<T>
    where
        F: Future<Output = Result<T>> + Send,
    {
        patiently(self.halt.get(), work).await
    }

    /// The own signs of life arrive, or do not. While they do not, those of others need not either: it is not they who are
    /// dead. So after anything that failed at the database as well.
    pub(crate) fn heard(&self, arrive: bool) {
        let now = Instant::now();
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        *heard = arrive.then(|| (heard.map_or(now, |(since, _)| since), now));
    }

    /// Whether a worker without signs of life is dead: whoever was cut off together with us has had the time to come back.
    pub(crate) fn can_judge(&self) -> bool {
        let half = self.settings.lease / 2;
        let heard = *self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.is_some_and(|(since, last)| since.elapsed() >= half && last.elapsed() <= half + LATE)
    }

    pub(crate) fn active(&self) -> MutexGuard<'_, HashMap<i64, ActiveAttempt>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process").field("id", &self.id).finish_non_exhaustive()
    }
}

/// How often River looks by itself for work that nobody has told it of. A file is watched anyway, and each look has
/// SQLite compile its query again. What was parked before, and whoever took it up is not told of, can wait a little more.
pub(crate) fn poll(db: &Db, queue: &str) -> Duration {
    let every = Duration::from_secs(if db.file().is_some() { 2 } else { 1 });
    if classes().contains(&queue) { every } else { every * 4 }
}

/// How many of a class run at once here.
fn places(executor: &Executor, queue: &str) -> usize {
    let [_, video] = classes();
    let places = if queue.starts_with(video) { executor.videos() } else { executor.concurrency() };
    places.clamp(1, riverqueue::QUEUE_NUM_WORKERS_MAX)
}

/// How many from a queue run at once here, and how often River looks for more.
pub(crate) fn queue_config(executor: &Executor, queue: &str, poll: Duration) -> QueueConfig {
    QueueConfig::new(places(executor, queue))
        .with_fetch_cooldown(COOLDOWN)
        .with_fetch_poll_interval(poll)
}
