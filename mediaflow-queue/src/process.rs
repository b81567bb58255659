use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use mediaflow_core::executor::Executor;
use mediaflow_core::{CancellationToken, Clock, Event, Result, Timestamp};
use tokio::sync::Notify;

use crate::clock::DatabaseClock;
use crate::db::{Db, values};
use crate::jobs::Lines;
use crate::queue::Settings;
use crate::stream::Stream;

/// An open queue in this process: what everything else works with.
pub(crate) struct Process {
    pub(crate) db: Db,
    pub(crate) executor: Executor,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<DatabaseClock>,
    /// This process among the workers, and as a client of River. Another one with each start.
    pub(crate) id: String,
    pub(crate) river: riverqueue::Client,
    pub(crate) stream: Stream,
    pub(crate) lines: Lines,
    /// Wakes the dispatcher of deliveries.
    pub(crate) deliver: Notify,
    active: Mutex<HashMap<i64, Active>>,
    /// Cancelled when this process has to stop at once.
    pub(crate) halt: OnceLock<CancellationToken>,
    /// Cancelled when nobody holds the process any more.
    closed: CancellationToken,
}

/// Where River's workers find the process, once it is there.
pub(crate) type Door = Arc<OnceLock<Weak<Process>>>;

/// Something that this process is working on, by River's number.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    /// Ends the attempt.
    pub(crate) stop: CancellationToken,
}

impl Process {
    pub(crate) fn new(
        db: Db,
        executor: Executor,
        settings: Settings,
        stream: Stream,
    ) -> Result<Arc<Self>> {
        let clock = Arc::new(DatabaseClock::new(Arc::clone(executor.clock())));
        let id = format!("mediaflow-{}", uuid::Uuid::now_v7().simple());
        // River's workers need the process, and the process needs River's client.
        let door = Arc::new(OnceLock::new());
        let river = crate::work::client(&door, &db, &executor, &id)?;
        let process = Arc::new(Self {
            db,
            executor,
            settings,
            clock,
            id,
            river,
            stream,
            lines: Lines::default(),
            deliver: Notify::new(),
            active: Mutex::default(),
            halt: OnceLock::new(),
            closed: CancellationToken::new(),
        });
        // It was made a moment ago and is set only here.
        let _ = door.set(Arc::downgrade(&process));
        let (reader, stream) = (Arc::downgrade(&process), process.stream.clone());
        tokio::spawn(crate::stream::tail(reader, stream, process.closed.clone()));
        Ok(process)
    }

    /// Time as the database has it.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock) as Arc<dyn Clock>
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
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
