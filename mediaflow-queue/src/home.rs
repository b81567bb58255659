use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use mediaflow_core::executor::Executor;
use mediaflow_core::{CancellationToken, Event, Result, Timestamp};
use tokio::sync::Notify;

use crate::db::{Db, values};
use crate::jobs::Lines;
use crate::outbox::Destinations;
use crate::queue::Settings;
use crate::stream::Stream;

/// An open queue in this process: what everything else works with.
pub(crate) struct Home {
    pub(crate) db: Db,
    pub(crate) executor: Executor,
    pub(crate) settings: Settings,
    /// This process among the workers, and as a client of River. Another one with each start.
    pub(crate) id: String,
    pub(crate) river: riverqueue::Client,
    pub(crate) stream: Stream,
    pub(crate) destinations: Destinations,
    pub(crate) lines: Lines,
    /// Wakes the dispatcher of deliveries.
    pub(crate) deliver: Notify,
    active: Mutex<HashMap<i64, Active>>,
    /// Cancelled when this process has to stop at once.
    pub(crate) halt: OnceLock<CancellationToken>,
    /// Cancelled when nobody holds the home any more.
    closed: CancellationToken,
}

/// Where River's workers find the home, once it is there.
pub(crate) type Door = Arc<OnceLock<Weak<Home>>>;

/// Something that this process is working on, by River's number.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    /// Ends the attempt.
    pub(crate) stop: CancellationToken,
}

impl Home {
    pub(crate) fn new(
        db: Db,
        executor: Executor,
        settings: Settings,
        stream: Stream,
    ) -> Result<Arc<Self>> {
        let id = format!("mediaflow-{}", uuid::Uuid::now_v7().simple());
        // River's workers need the home, and the home needs River's client.
        let door = Arc::new(OnceLock::new());
        let river = crate::work::client(&door, &db, &executor, &id)?;
        let home = Arc::new(Self {
            db,
            executor,
            settings,
            id,
            river,
            stream,
            destinations: Destinations::default(),
            lines: Lines::default(),
            deliver: Notify::new(),
            active: Mutex::default(),
            halt: OnceLock::new(),
            closed: CancellationToken::new(),
        });
        // It was made a moment ago and is set only here.
        let _ = door.set(Arc::downgrade(&home));
        let (reader, stream) = (Arc::downgrade(&home), home.stream.clone());
        tokio::spawn(crate::stream::tail(reader, stream, home.closed.clone()));
        Ok(home)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.executor.clock().now()
    }

    /// Tells this process what a committed transaction has brought: readers of events, the dispatcher, River.
    pub(crate) fn settled(&self, events: Vec<Event>) {
        crate::stats::count(&events);
        self.stream.tell(events);
        self.deliver.notify_one();
    }

    /// Lets River look for work of a class now, without waiting for its next poll: something was queued here.
    pub(crate) fn queued(&self, class: &str) {
        crate::work::wake(self, class);
    }

    /// Whether this process has to stop at once, and hand back what it holds.
    pub(crate) fn halting(&self) -> bool {
        self.halt.get().is_some_and(CancellationToken::is_cancelled)
    }

    /// Makes sure that River knows a queue, before a worker has ever started.
    pub(crate) async fn river_queue(&self, name: &str) -> Result<()> {
        let add = self.db.river_queue();
        self.db.run(add, values![name]).await.map(drop)
    }

    pub(crate) fn active(&self) -> MutexGuard<'_, HashMap<i64, Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

impl fmt::Debug for Home {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Home").field("id", &self.id).finish_non_exhaustive()
    }
}
