//! What a dispatcher holds, over a store that refuses an outcome.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::collections::HashSet;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use mediaflow_core::engine::{Engine, EventStream, MemoryEngine, Shutdown, Submission, Submitted};
use mediaflow_core::event::EventData;
use mediaflow_core::executor::Executor;
use mediaflow_core::notify::{Acknowledged, DeliveryContext, Message, Receipt};
use mediaflow_core::outbox::{
    Attempted, Claimed, DestinationKey, DestinationState, Dispatcher, Exchange, Exchanged,
    OutboxStore, Unrouted, Waiting,
};
use mediaflow_core::report::{BatchReport, JobStatus};
use mediaflow_core::schedule::{Schedule, Scheduled};
use mediaflow_core::spec::JobSpec;
use mediaflow_core::testing::soon;
use mediaflow_core::wait::{Signal, Signalled};
use mediaflow_core::{
    BatchId, Clock, Error, Event, EventKind, JobId, Mediaflow, Notifier, NotifyError, Result,
    SystemClock, Timestamp, async_trait,
};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// Keeps what an engine is given.
#[derive(Debug)]
struct Host(Arc<OnceLock<Executor>>, MemoryEngine);

#[async_trait]
impl Engine for Host {
    async fn open(&self, executor: &Executor) -> Result<()> {
        self.0.get_or_init(|| executor.clone());
        self.1.open(executor).await
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted> {
        self.1.submit(submission).await
    }

    async fn status(&self, job: JobId) -> Result<JobStatus> {
        self.1.status(job).await
    }

    async fn batch(&self, batch: BatchId) -> Result<Option<BatchReport>> {
        self.1.batch(batch).await
    }

    async fn cancel(&self, job: JobId) -> Result<()> {
        self.1.cancel(job).await
    }

    async fn replay(&self, job: JobId, spec: Option<JobSpec>) -> Result<JobId> {
        self.1.replay(job, spec).await
    }

    async fn signal(&self, signal: Signal) -> Result<Signalled> {
        self.1.signal(signal).await
    }

    async fn schedule(&self, schedule: Schedule) -> Result<()> {
        self.1.schedule(schedule).await
    }

    async fn unschedule(&self, name: &str) -> Result<bool> {
        self.1.unschedule(name).await
    }

    async fn schedules(&self) -> Result<Vec<Scheduled>> {
        self.1.schedules().await
    }

    async fn acknowledge(&self, what: Acknowledged) -> Result<u64> {
        self.1.acknowledge(what).await
    }

    async fn pause(&self) -> Result<()> {
        self.1.pause().await
    }

    async fn resume(&self) -> Result<()> {
        self.1.resume().await
    }

    fn events(&self) -> EventStream {
        self.1.events()
    }

    fn inspect(&self) -> &dyn mediaflow_core::inspect::Inspect {
        self.1.inspect()
    }

    async fn run(&self, executor: Executor, shutdown: Shutdown) -> Result<()> {
        self.1.run(executor, shutdown).await
    }
}

/// Delivers the first attempt, and is at the second one for ever.
#[derive(Debug)]
struct Slow;

#[async_trait]
impl Notifier for Slow {
    fn name(&self) -> &str {
        "slow"
    }

    fn wants(&self, _event: &Event) -> bool {
        true
    }

    async fn notify(&self, _: &Message, cx: &DeliveryContext) -> Result<Receipt, NotifyError> {
        if cx.attempt > 1 {
            pending::<()>().await;
        }
        Ok(Receipt::new())
    }
}

/// Has one message. It refuses the outcome of the first attempt, and has given the message away meanwhile: the next claim is
/// of the second attempt.
struct Stubborn {
    state: Mutex<State>,
    changed: Notify,
    /// What is held after the first outcome was left out.
    held: UnboundedSender<HashSet<i64>>,
}

#[derive(Default)]
struct State {
    claimed: u32,
    refused: bool,
    left_out: bool,
}

const MESSAGE: i64 = 7;

impl Stubborn {
    fn key() -> DestinationKey {
        DestinationKey::new("slow", "")
    }

    fn holds(&self, held: &HashSet<i64>) {
        if self.state.lock().unwrap().left_out {
            let _ = self.held.send(held.clone());
        }
    }
}

impl fmt::Debug for Stubborn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stubborn").finish_non_exhaustive()
    }
}

#[async_trait]
impl OutboxStore for Stubborn {
    async fn unrouted(&self, _: &[String], _: usize) -> Result<Vec<Unrouted>> {
        Ok(Vec::new())
    }

    async fn waiting(&self, _: &[String]) -> Result<Vec<Waiting>> {
        let state = self.state.lock().unwrap();
        let waits = state.claimed == 0 || state.claimed == 1 && state.refused;
        let waiting =
            || Waiting::new(Self::key(), DestinationState::default(), Timestamp::default());
        Ok(waits.then(waiting).into_iter().collect())
    }

    async fn exchange(&self, exchange: Exchange<'_>) -> Result<Exchanged> {
        let mut state = self.state.lock().unwrap();
        if !exchange.done.is_empty() {
            state.refused = true;
            state.left_out = state.claimed == 2 && exchange.claims.is_empty();
            return Err(Error::backend("store.refused", "this outcome can not be written"));
        }
        let mut exchanged = Exchanged::default();
        for request in exchange.claims {
            state.claimed += 1;
            let event = Event::new(EventKind::JobCreated, Timestamp::default(), EventData::None);
            let mut claimed =
                Claimed::new(MESSAGE, request.key.clone(), "", Ok(Message::of(event)));
            claimed.attempt = state.claimed;
            exchanged.claimed.push(vec![claimed]);
        }
        Ok(exchanged)
    }

    async fn reconcile(&self, held: &HashSet<i64>) -> Result<()> {
        self.holds(held);
        Ok(())
    }

    async fn expire(&self, held: &HashSet<i64>) -> Result<()> {
        self.holds(held);
        Ok(())
    }

    async fn give_back(&self, _: &[Attempted]) -> Result<()> {
        Ok(())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock::default())
    }

    fn changed(&self) -> &Notify {
        &self.changed
    }

    fn poll(&self) -> Duration {
        Duration::from_millis(20)
    }
}

#[tokio::test]
async fn a_later_attempt_is_held_when_the_outcome_of_an_earlier_one_is_left_out() {
    let executor = Arc::new(OnceLock::new());
    let host = Host(Arc::clone(&executor), MemoryEngine::new());
    let media = Mediaflow::builder().engine(host).notify(Slow).submit_only();
    let _media = media.start().await.unwrap();
    let executor = executor.get().unwrap().clone();
    let (held, mut holds) = unbounded_channel();
    let store = Stubborn { state: Mutex::default(), changed: Notify::new(), held };
    let shutdown = Shutdown::new();
    let dispatcher = tokio::spawn({
        let shutdown = shutdown.clone();
        async move { Dispatcher::new(Arc::new(store), executor).run(&shutdown).await }
    });
    // One look, and the next for what has run out.
    for _ in 0..2 {
        let held = soon("a look", holds.recv()).await.unwrap();
        assert_eq!(held.into_iter().collect::<Vec<_>>(), [MESSAGE], "it is being sent");
    }
    shutdown.now.cancel();
    soon("the end", dispatcher).await.unwrap();
}
