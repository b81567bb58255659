//! Who looks for work when something was queued on a server: as many workers as are needed, and not all that there are.
//!
//! Every look is a transaction, and in a fleet all but one would find nothing. So River is not told of what is queued. Whoever
//! queues something and has places for it looks; for what is left, workers are called by their names, those first that had
//! places free at their last sign of life. Who is called and has no place any more passes the call on, a few times; and who
//! takes as much as it has places for passes it on as well, because there may be more. A call that is lost costs the time
//! until the next worker looks by itself.
//!
//! Uses: db.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mediaflow_core::Result;
use sqlx::AssertSqlSafe;

use crate::db::{Db, PREFIX, Tx, Value, class_and_capability, values};

/// How often a call is passed on by workers that have no place.
pub(crate) const PASSES: u32 = 3;

/// What this process has to tell other workers.
pub(crate) struct Calls {
    db: Db,
    /// This worker, which is not called.
    worker: String,
    lease: Duration,
    waiting: Mutex<Waiting>,
    /// Queues in which there may be more than this process has places for.
    more: Mutex<BTreeSet<String>>,
}

#[derive(Default)]
struct Waiting {
    calls: BTreeMap<String, Call>,
    busy: bool,
}

/// So many workers are to look.
#[derive(Clone, Copy, Debug, Default)]
struct Call {
    workers: usize,
    passes: u32,
}

impl Calls {
    pub(crate) fn new(db: Db, worker: String, lease: Duration) -> Arc<Self> {
        let (waiting, more) = (Mutex::default(), Mutex::default());
        Arc::new(Self { db, worker, lease, waiting, more })
    }

    /// Has so many workers look for work in a queue. Nobody waits for that: what is wanted while a statement is under way
    /// shares the next.
    pub(crate) fn call(self: &Arc<Self>, queue: &str, workers: usize, passes: u32) {
        // A file is watched by everybody.
        if workers == 0 || self.db.file().is_some() {
            return;
        }
        let idle = {
            let mut waiting = lock(&self.waiting);
            let call = waiting.calls.entry(queue.to_owned()).or_default();
            call.workers = call.workers.saturating_add(workers);
            call.passes = call.passes.max(passes);
            !std::mem::replace(&mut waiting.busy, true)
        };
        if idle {
            tokio::spawn(Arc::clone(self).send());
        }
    }

    async fn send(self: Arc<Self>) {
        loop {
            let calls = {
                let mut waiting = lock(&self.waiting);
                waiting.busy = !waiting.calls.is_empty();
                std::mem::take(&mut waiting.calls)
            };
            if calls.is_empty() {
                return;
            }
            for (queue, call) in calls {
                let sent = self.name(&queue, call).await;
                if let Err(error) = sent {
                    tracing::debug!(%error, queue, "no worker can be called; they will look by themselves");
                }
            }
        }
    }

    async fn name(&self, queue: &str, call: Call) -> Result<()> {
        let (tell, values) = self.statement(&self.worker, queue, call);
        self.db.run(AssertSqlSafe(tell), &values).await.map(drop)
    }

    /// Has one worker look, once somebody else's transaction is committed.
    pub(crate) async fn call_in(&self, tx: &mut Tx<'_, '_>, queue: &str) -> Result<()> {
        if self.db.file().is_some() {
            return Ok(());
        }
        let call = Call { workers: 1, passes: PASSES };
        let (tell, values) = self.statement("", queue, call);
        tx.run(AssertSqlSafe(tell), &values).await.map(drop)
    }

    /// Tells some, at random: whoever was called last may be at work on what it has found.
    fn statement(&self, but: &str, queue: &str, call: Call) -> (String, [Value; 5]) {
        let (class, capability) = class_and_capability(queue).unwrap_or_default();
        let (class, capability) = (format!(" {PREFIX}{class} "), capability.unwrap_or_default());
        let alive = format!("{} - {}", self.db.clock(), self.lease.as_millis());
        let tell = format!(
            "SELECT CAST(pg_notify(id, $1) AS TEXT) AS told FROM (
               SELECT id FROM mediaflow_workers
               WHERE id <> $2 AND open IS NOT NULL AND ($3 = '' OR capability = $3) AND beat_at > {alive}
                 AND position($4 IN ' ' || coalesce(classes, '') || ' ') > 0
               ORDER BY position($4 IN ' ' || open || ' ') = 0, random() LIMIT $5) AS named"
        );
        let payload = format!("{} {queue}", call.passes);
        let most = i64::try_from(call.workers).unwrap_or(i64::MAX);
        (tell, values![payload, but, capability, class, most].clone())
    }

    /// Notes that there may be more in a queue than this process takes.
    pub(crate) fn note_more(&self, queue: &str) {
        let mut more = lock(&self.more);
        if !more.contains(queue) {
            more.insert(queue.to_owned());
        }
    }

    /// The queues of a class in which there may be more, of which somebody else is to be told now.
    pub(crate) fn take_more(&self, class: &str) -> BTreeSet<String> {
        let mut more = lock(&self.more);
        let (taken, kept) = std::mem::take(&mut *more)
            .into_iter()
            .partition(|queue| class_and_capability(queue).is_some_and(|(of, _)| of == class));
        *more = kept;
        taken
    }
}

/// What a call says: the queue, and how often it may be passed on.
#[cfg(feature = "postgres")]
pub(crate) fn read(payload: &str) -> Option<(&str, u32)> {
    let (passes, queue) = payload.split_once(' ')?;
    Some((queue, passes.parse().ok()?))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
