//! What one open queue shares in this process: the database, River's client, the attempts under way, and who is told
//! of what was committed.
//!
//! Uses: broadcast, calls, clock, db, metrics, settings.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use mediaflow_core::executor::Executor;
use mediaflow_core::inspect::Ended;
use mediaflow_core::{CancellationToken, Clock, Event, Result, Timestamp};
use riverqueue::QueueConfig;
use tokio::sync::{Notify, OnceCell, Semaphore};
use tokio::time::Instant;

use crate::broadcast::EventBroadcast;
use crate::calls::{Calls, PASSES};
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
    /// The places of each class that this process works on, by its queue. River counts them for each queue by itself, and a
    /// class has two here: one for whoever works on it, and one for those who know the same.
    places: BTreeMap<String, Places>,
    /// Tells the loop that looks at what waits in our tables to look.
    pub(crate) looking: Notify,
    /// When it is to look next, in milliseconds.
    look_at: AtomicU64,
    pub(crate) calls: Arc<Calls>,
    /// Whether it takes work at this moment, and whether it hears calls.
    pub(crate) working: AtomicBool,
    pub(crate) listening: AtomicBool,
    /// How many workers there are, as far as this one knows, and how many of them know the same.
    fleet: AtomicUsize,
    peers: AtomicUsize,
    /// Whether it is the oldest worker, which does what one is enough for.
    oldest: AtomicBool,
    /// Cancelled when this process has to stop at once.
    pub(crate) halt: OnceLock<CancellationToken>,
    /// Cancelled when nobody uses this any more.
    pub(crate) closed: CancellationToken,
}

/// The places of a class.
struct Places {
    all: usize,
    free: Semaphore,
}

/// How much was put into each queue.
pub(crate) type Queued = BTreeMap<String, usize>;

/// Adds what was put into a queue.
pub(crate) fn add(queued: &mut Queued, queue: &str, tasks: usize) {
    match queued.get_mut(queue) {
        Some(known) => *known += tasks,
        None => drop(queued.insert(queue.to_owned(), tasks)),
    }
}

/// Something that this process is working on, by River's number.
#[derive(Clone, Debug)]
pub(crate) struct ActiveAttempt {
    /// Ends the attempt.
    pub(crate) stop: CancellationToken,
}

/// How much later than it is due a look at the signs of life may come.
const LATE: Duration = Duration::from_secs(1);

/// How soon River may look again: what is queued within this time by others, or by those who are called, is found by one look.
/// It is also how long a job that was queued alone may wait for its look.
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
            .map(|(queue, all)| (queue, Places { all, free: Semaphore::new(all) }))
            .collect();
        let calls = Calls::new(db.clone(), id.clone(), settings.lease);
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
            looking: Notify::new(),
            look_at: AtomicU64::new(u64::MAX),
            calls,
            working: AtomicBool::new(false),
            listening: AtomicBool::new(false),
            fleet: AtomicUsize::new(1),
            peers: AtomicUsize::new(1),
            oldest: AtomicBool::new(false),
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

    /// Lets River look for work in a queue now, without waiting for its next poll. A look costs a transaction. River looks
    /// whenever the configuration of the queue changes, and is given one that differs by a millisecond from the last ones.
    pub(crate) fn wake(&self, queue: &str) {
        static TURN: AtomicU64 = AtomicU64::new(0);
        let odd = TURN.fetch_add(1, Ordering::Relaxed) % 64;
        let poll = poll(&self.db, queue, self.fleet()) + Duration::from_millis(odd);
        // What another process works on is none of this one's.
        let Some(places) = self.of_class(queue) else { return };
        let config = queue_config(places.all, poll);
        if let Err(error) = self.river.local_queues().update(queue, config) {
            tracing::debug!(%error, queue, "River can not be woken; it will look by itself");
        }
    }

    /// The same for everything that was put into queues.
    pub(crate) fn all_queued(&self, queued: &Queued) {
        queued.iter().for_each(|(queue, tasks)| self.queued(queue, *tasks));
    }

    /// Has as many workers look for work as are needed for so much that was put into a queue, this one first.
    pub(crate) fn queued(&self, queue: &str, tasks: usize) {
        if tasks == 0 {
            return;
        }
        if self.db.file().is_some() {
            self.wake(queue);
            return;
        }
        let here = if self.takes(queue) { self.free(queue).min(tasks) } else { 0 };
        let left = tasks - here;
        // Others probably have as many places as this one.
        let each = self.of_class(queue).map_or(1, |places| places.all);
        // Alone, it looks again whenever something has ended.
        if left > 0 && !(self.fleet() == 1 && self.working()) {
            self.calls.call(queue, left.div_ceil(each), PASSES);
        }
    }

    /// Somebody else has queued something, and this worker is to look. If it has no place, another one is; so often.
    #[cfg(feature = "postgres")]
    pub(crate) fn called(&self, queue: &str, passes: u32) {
        if !self.takes(queue) && passes > 0 {
            self.calls.call(queue, 1, passes - 1);
        }
    }

    /// Looks for work in a queue, if there is a place for it. There may be more than that.
    fn takes(&self, queue: &str) -> bool {
        let ours = |class: &str| queue == class || queue == self.own_queue(class);
        if !self.working() || !self.classes().any(ours) {
            return false;
        }
        // First this: whoever takes the last place meanwhile sees it.
        self.calls.note_more(queue);
        let free = self.free(queue) > 0;
        if free {
            self.wake(queue);
        } else if let Some((class, _)) = class_and_capability(queue) {
            self.calls.take_more(class);
        }
        free
    }

    /// A place was taken for something from a queue. If it was the last one, another worker is to take what is left.
    pub(crate) fn taken(&self, queue: &str) {
        if self.free(queue) == 0 {
            let class = class_and_capability(queue).map(|(class, _)| class);
            for queue in class.map(|class| self.calls.take_more(class)).unwrap_or_default() {
                self.calls.call(&queue, 1, PASSES);
            }
        }
    }

    fn free(&self, queue: &str) -> usize {
        self.places(queue).map_or(0, Semaphore::available_permits)
    }

    /// Whether this process works at this moment, and does not only submit.
    pub(crate) fn working(&self) -> bool {
        self.working.load(Ordering::SeqCst)
    }

    /// The classes for which this worker has a place and can be called; nothing if it does not hear calls.
    pub(crate) fn open(&self) -> Option<String> {
        let heard = self.working() && self.listening.load(Ordering::SeqCst);
        let open = || self.classes().filter(|class| self.free(class) > 0);
        heard.then(|| open().collect::<Vec<_>>().join(" "))
    }

    /// How many workers there are, as far as this one knows.
    pub(crate) fn fleet(&self) -> usize {
        self.fleet.load(Ordering::Relaxed)
    }

    /// How many workers there are that know the same.
    pub(crate) fn peers(&self) -> usize {
        self.peers.load(Ordering::Relaxed)
    }

    pub(crate) fn is_oldest(&self) -> bool {
        self.oldest.load(Ordering::Relaxed)
    }

    /// Notes how many workers there are, and how many of them know the same. The more there are, the more rarely each looks
    /// by itself.
    pub(crate) fn note_fleet(&self, workers: usize, peers: usize, oldest: bool) {
        self.peers.store(peers.max(1), Ordering::Relaxed);
        self.oldest.store(oldest, Ordering::Relaxed);
        let before = self.fleet.swap(workers.max(1), Ordering::Relaxed);
        if shared(before) != shared(workers) {
            let queues = self.classes().flat_map(|class| [class.to_owned(), self.own_queue(class)]);
            queues.for_each(|queue| self.wake(&queue));
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

    fn of_class(&self, queue: &str) -> Option<&Places> {
        let (class, _) = class_and_capability(queue)?;
        let own = |queue: &str| class_and_capability(queue).is_some_and(|(own, _)| own == class);
        self.places.iter().find(|(queue, _)| own(queue)).map(|(_, places)| places)
    }

    /// The places for what comes from a queue; nothing if it is none of this process's.
    pub(crate) fn places(&self, queue: &str) -> Option<&Semaphore> {
        self.of_class(queue).map(|places| &places.free)
    }

    /// Has what waits in our tables looked at at this moment, if that is not done sooner.
    pub(crate) fn look_at(&self, moment: Timestamp) {
        if self.look_at.fetch_min(moment.millis(), Ordering::SeqCst) > moment.millis() {
            self.looking.notify_one();
        }
    }

    /// When what waits is to be looked at next.
    pub(crate) fn next_look(&self) -> Option<Timestamp> {
        let next = self.look_at.load(Ordering::SeqCst);
        (next < u64::MAX).then(|| Timestamp::from_millis(next))
    }

    /// What waits is looked at now: what was to be looked at until now need not be any more.
    pub(crate) fn looks(&self) {
        let now = self.now().millis();
        let over = |next| (next <= now).then_some(u64::MAX);
        // Nothing is to be changed if it is later.
        let _ = self.look_at.fetch_update(Ordering::SeqCst, Ordering::SeqCst, over);
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

/// How many workers look as often as one does alone: so many looks a second cost a server next to nothing.
const ALONE: usize = 3;

/// How much more rarely each of so many workers looks, so that all together do not look more often than a few would. Found
/// work does not wait for that: whoever queues it calls somebody.
pub(crate) fn shared(workers: usize) -> u32 {
    u32::try_from(workers.div_ceil(ALONE)).unwrap_or(u32::MAX).max(1)
}

/// How often River looks by itself for work that nobody has told it of. A file is watched anyway, and each look has
/// SQLite compile its query again. What was parked before, and whoever took it up is not told of, can wait a little more.
pub(crate) fn poll(db: &Db, queue: &str, fleet: usize) -> Duration {
    let every = match db.file() {
        Some(_) => Duration::from_secs(2),
        None => Duration::from_secs(1) * shared(fleet),
    };
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
