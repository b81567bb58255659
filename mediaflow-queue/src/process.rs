//! What one open queue shares in this process: the database, River's client, the attempts under way, and who is told
//! of what was committed.
//!
//! Uses: broadcast, clock, db, metrics, settings.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mediaflow_core::executor::Executor;
use mediaflow_core::{CancellationToken, Clock, Event, Result, Timestamp};
use riverqueue::QueueConfig;
use tokio::sync::{Notify, OnceCell, Semaphore};
use tokio::time::Instant;

use crate::broadcast::EventBroadcast;
use crate::clock::DatabaseClock;
use crate::db::{Db, class_and_capability, class_queue, patiently, queue_of};
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
    active: Mutex<HashMap<i64, ActiveAttempt>>,
    /// Events of commits of which no answer came.
    unsure: Mutex<Vec<Event>>,
    /// Since when its own signs of life have arrived, and when that was seen last.
    heard: Mutex<Option<(Instant, Instant)>>,
    /// What it knows, by a short name.
    pub(crate) capability: String,
    /// The places of each class that this process works on, by its queue. River counts them for each queue by itself, and a
    /// class has two here: one for whoever works on it, and one for those who know the same.
    places: BTreeMap<String, Semaphore>,
    /// Tells the loop that looks at what waits in our tables to look.
    pub(crate) looking: Notify,
    /// When it is to look next, in milliseconds.
    look_at: AtomicU64,
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
        let places = class_places(&executor)
            .map(|(queue, places)| (queue, Semaphore::new(places)))
            .collect();
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
            active: Mutex::default(),
            unsure: Mutex::default(),
            heard: Mutex::default(),
            capability,
            places,
            looking: Notify::new(),
            look_at: AtomicU64::new(u64::MAX),
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
        // What another process works on is none of this one's.
        let Some(places) =
            class_places(&self.executor).find(|(class, _)| queue.starts_with(&**class))
        else {
            return;
        };
        let config = queue_config(places.1, poll);
        if let Err(error) = self.river.local_queues().update(queue, config) {
            tracing::debug!(%error, queue, "River can not be woken; it will look by itself");
        }
    }

    /// The queue of a class for those who know what this process knows.
    pub(crate) fn own_queue(&self, class: &str) -> String {
        queue_of(class, &self.capability)
    }

    /// The queues of the classes that this process works on.
    pub(crate) fn classes(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The places for what comes from a queue; nothing if it is none of this process's.
    pub(crate) fn places(&self, queue: &str) -> Option<&Semaphore> {
        let (class, _) = class_and_capability(queue)?;
        self.places
            .iter()
            .find(|(own, _)| class_and_capability(own).is_some_and(|(own, _)| own == class))
            .map(|(_, places)| places)
    }

    /// Has what waits in our tables looked at at this moment, if that is not done sooner.
    pub(crate) fn look_at(&self, moment: Timestamp) {
        if self.look_at.fetch_min(moment.millis(), Ordering::SeqCst) > moment.millis() {
            self.looking.notify_one();
        }
    }

    /// When what waits is to be looked at next. It is forgotten when that is over.
    pub(crate) fn next_look(&self) -> Option<Timestamp> {
        let next = self.look_at.load(Ordering::SeqCst);
        (next < u64::MAX).then(|| Timestamp::from_millis(next))
    }

    /// What waits is looked at now.
    pub(crate) fn looks(&self) {
        if self.look_at.load(Ordering::SeqCst) <= self.now().millis() {
            self.look_at.store(u64::MAX, Ordering::SeqCst);
        }
    }

    /// Stops what this process does for a job, if anything. Another process learns of it from River.
    pub(crate) fn stop(&self, river: i64) {
        if let Some(active) = self.active().get(&river) {
            active.stop.cancel();
        }
    }

    /// Whether this process works, and does not only submit.
    pub(crate) fn works(&self) -> bool {
        self.halt.get().is_some()
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
    let of_class = class_and_capability(queue).is_some_and(|(_, capability)| capability.is_none());
    if of_class { every } else { every * 4 }
}

/// The queues of the classes that are worked on here, and how many of each run at once.
pub(crate) fn class_places(executor: &Executor) -> impl Iterator<Item = (String, usize)> {
    let most = riverqueue::QUEUE_NUM_WORKERS_MAX;
    let here = executor.places().filter(|(_, places)| *places > 0);
    here.map(move |(class, places)| (class_queue(class), places.min(most)))
}

/// How many from a queue run at once here, and how often River looks for more.
pub(crate) fn queue_config(places: usize, poll: Duration) -> QueueConfig {
    QueueConfig::new(places).with_fetch_cooldown(COOLDOWN).with_fetch_poll_interval(poll)
}
