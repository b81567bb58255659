use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::Inner;
use crate::engine::Shutdown;
use crate::event::{Event, EventData, EventKind};
use crate::executor::Executor;
use crate::notify::{DeliveryContext, NotifyError, Receipt};
use crate::time::Clock;
use crate::{CancellationToken, Timestamp};

/// Events on their way out: stored before they are sent, one row per event and destination.
#[derive(Default)]
pub(super) struct Outbox {
    /// Held while events are handed over, so that their order is the order of the changes.
    order: Mutex<Option<Opened>>,
}

struct Opened {
    executor: Executor,
    clock: Arc<dyn Clock>,
    channels: Vec<Arc<Channel>>,
}

/// What waits for one notifier.
pub(super) struct Channel {
    name: String,
    rows: Mutex<Rows>,
    changed: Notify,
    /// No further events will come.
    closed: CancellationToken,
}

#[derive(Default)]
struct Rows {
    due: BTreeMap<(Timestamp, u64), Row>,
    numbered: u64,
    /// The whole channel waits until then, because the receiver was asked too often.
    blocked_until: Timestamp,
    /// Addresses that are gone.
    gone: HashSet<Option<String>>,
}

struct Row {
    event: Event,
    to: Option<String>,
    attempts: u32,
}

impl Outbox {
    /// Gives each notifier its channel. Events from before wait in the engine's state until then.
    pub(super) fn open(&self, executor: &Executor, clock: Arc<dyn Clock>) {
        let channels = executor.channels().map(|name| Arc::new(Channel::new(name))).collect();
        *lock(&self.order) = Some(Opened { executor: executor.clone(), clock, channels });
    }

    pub(super) fn channels(&self) -> Vec<Arc<Channel>> {
        lock(&self.order).as_ref().map(|opened| opened.channels.clone()).unwrap_or_default()
    }

    /// How many deliveries wait.
    pub(super) fn len(&self) -> usize {
        self.channels().iter().map(|channel| lock(&channel.rows).due.len()).sum()
    }

    /// No further events will come.
    pub(super) fn close(&self) {
        for channel in self.channels() {
            channel.closed.cancel();
        }
    }

    /// Stores the events that `take` gives, one row per destination, and then shows them to `tell`.
    pub(super) fn accept(
        &self,
        take: impl FnOnce() -> VecDeque<Event>,
        mut tell: impl FnMut(Event),
    ) {
        let opened = lock(&self.order);
        let Some(opened) = opened.as_ref() else { return };
        for event in take() {
            for destination in opened.executor.destinations(&event) {
                if let Some(channel) =
                    opened.channels.iter().find(|channel| channel.name == destination.channel)
                {
                    channel.push(
                        Row { event: event.clone(), to: destination.to, attempts: 0 },
                        opened.clock.now(),
                    );
                }
            }
            tell(event);
        }
    }
}

impl Channel {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            rows: Mutex::default(),
            changed: Notify::new(),
            closed: CancellationToken::new(),
        }
    }

    fn push(&self, row: Row, due: Timestamp) {
        let mut rows = lock(&self.rows);
        if rows.gone.contains(&row.to) {
            return;
        }
        let number = rows.numbered;
        rows.numbered += 1;
        rows.due.insert((due, number), row);
        drop(rows);
        self.changed.notify_one();
    }

    fn take_due(&self, now: Timestamp) -> Option<Row> {
        let mut rows = lock(&self.rows);
        let blocked = rows.blocked_until > now;
        let first = rows.due.first_entry().filter(|row| !blocked && row.key().0 <= now)?;
        Some(first.remove())
    }

    /// When there may be something to do; `None` if nothing waits.
    fn next_due(&self) -> Option<Timestamp> {
        let rows = lock(&self.rows);
        rows.due.first_key_value().map(|((due, _), _)| (*due).max(rows.blocked_until))
    }
}

/// Sends what is due through one channel, a bounded number at a time, so that a slow one holds up nobody else.
pub(super) async fn run(
    inner: Arc<Inner>,
    channel: Arc<Channel>,
    executor: Executor,
    shutdown: Shutdown,
) {
    let mut sending = JoinSet::new();
    loop {
        // Looked at once a round: what is closed after this wakes the wait below.
        let closed = channel.closed.is_cancelled();
        let limit = executor.delivery().concurrency.max(1);
        while sending.len() < limit {
            let Some(row) = channel.take_due(inner.clock.now()) else { break };
            sending.spawn(send(Arc::clone(&inner), Arc::clone(&channel), executor.clone(), row));
        }
        let (next_due, has_room) = (channel.next_due(), sending.len() < limit);
        if closed && next_due.is_none() && sending.is_empty() {
            return;
        }
        tokio::select! {
            () = shutdown.now.cancelled() => return,
            () = channel.closed.cancelled(), if !closed => {}
            () = channel.changed.notified() => {}
            Some(_) = sending.join_next() => {}
            () = inner.clock.sleep_until(next_due.unwrap_or_default()), if next_due.is_some() && has_room => {}
        }
    }
}

async fn send(inner: Arc<Inner>, channel: Arc<Channel>, executor: Executor, mut row: Row) {
    row.attempts += 1;
    let now = inner.clock.now();
    let mut cx = DeliveryContext::first(row.event.id, now);
    (cx.attempt, cx.to) = (row.attempts, row.to.clone());
    let result = executor.deliver(&row.event, &channel.name, &cx).await;
    let (event, attempt) = (row.event.id, row.attempts);
    match result {
        Ok(Receipt { status, .. }) => {
            tracing::debug!(channel = %channel.name, %event, attempt, status, "delivered");
        }
        Err(error) => {
            tracing::warn!(channel = %channel.name, %event, attempt, %error, "a delivery failed");
            failed(&inner, &channel, &executor, row, &error);
        }
    }
}

fn failed(inner: &Inner, channel: &Channel, executor: &Executor, row: Row, error: &NotifyError) {
    let now = inner.clock.now();
    let wait = error.retry().and_then(|asked| executor.delivery().wait(row.attempts, asked));
    match error {
        NotifyError::Throttled { after, .. } => {
            let pause = after.or(wait).unwrap_or(Duration::ZERO).min(executor.delivery().longest);
            let mut rows = lock(&channel.rows);
            rows.blocked_until = rows.blocked_until.max(now.plus(pause));
        }
        NotifyError::Gone { .. } => {
            let mut rows = lock(&channel.rows);
            rows.gone.insert(row.to.clone());
            rows.due.retain(|_, other| other.to != row.to);
        }
        NotifyError::Retryable { .. }
        | NotifyError::Rejected { .. }
        | NotifyError::Auth { .. }
        | NotifyError::Ambiguous { .. } => {}
    }
    match wait {
        Some(wait) => channel.push(row, now.plus(wait)),
        None if row.event.kind != EventKind::DeliveryFailed => {
            let data = EventData::Delivery {
                channel: channel.name.clone(),
                event: row.event.id,
                attempts: row.attempts,
                reason: error.reason().to_owned(),
            };
            let mut event = Event::new(EventKind::DeliveryFailed, now, data);
            (event.job, event.batch) = (row.event.job, row.event.batch);
            inner.lock().push_event(event);
            inner.settle();
        }
        // A failure to tell of a failure is logged, and ends there.
        None => {}
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
