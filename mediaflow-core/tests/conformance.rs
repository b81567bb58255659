//! The suites of core's own contracts, on core's own implementations and decorators.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use mediaflow_core::engine::{Engine, EventStream, MemoryEngine, Shutdown, Submission, Submitted};
use mediaflow_core::event::EventData;
use mediaflow_core::executor::{DeliveryPolicy, Executor};
use mediaflow_core::inspect::Inspect;
use mediaflow_core::media::{Facts, MediaInfo, Medium};
use mediaflow_core::notify::{
    Acknowledged, Address, DeliveryContext, Message, Receipt, Terms, notify_fn,
};
use mediaflow_core::plan::Estimate;
use mediaflow_core::report::{BatchReport, JobStatus};
use mediaflow_core::schedule::{Schedule, Scheduled};
use mediaflow_core::spec::{JobSpec, Pipeline};
use mediaflow_core::storage::{FileStorage, MemoryStorage};
use mediaflow_core::testing::{
    self, Behaviour, FakeBackend, FakeEncode, FakeVendor, FakeWork, FaultyStorage, ManualClock,
    RecordingNotifier, ScriptedNotifier,
};
use mediaflow_core::wait::{Signal, Signalled};
use mediaflow_core::{
    BatchId, Event, EventKind, Inputs, JobId, Mediaflow, Notifier, NotifyError, OpContext,
    Operation, Outputs, Result, Run, Takes, async_trait,
};
use proptest::prelude::{ProptestConfig, any, prop, proptest};

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_engine_is_an_engine() {
    testing::exercise_engine(async || MemoryEngine::new()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_memory_engine_has_an_outbox() {
    testing::exercise_outbox(async |clock| MemoryEngine::with_clock(Arc::new(clock))).await;
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 16, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn no_composed_notification_is_lost_or_doubled(
        life in prop::collection::vec((0_u8..20, any::<u8>()), 20..60),
        seed: u64,
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let engine = async |clock: ManualClock| MemoryEngine::with_clock(Arc::new(clock));
        runtime.block_on(testing::exercise_composition(engine, 1, &life, seed));
    }
}

#[tokio::test]
async fn every_storage_is_a_storage() {
    let folder = tempfile::tempdir().unwrap();
    testing::exercise_storage(&MemoryStorage::new()).await;
    testing::exercise_storage(&FileStorage::new(folder.path()).unwrap()).await;
    testing::exercise_storage(&FaultyStorage::new(MemoryStorage::new())).await;
}

#[tokio::test]
async fn every_notifier_is_a_notifier() {
    testing::exercise_notifier(&RecordingNotifier::new("recording"), &[]).await;
    testing::exercise_notifier(&notify_fn("log", async |_event| Ok(())), &[]).await;
}

/// Its receiver repeats what it was asked, and it repeats what its receiver says.
#[derive(Debug)]
struct Echo;

#[async_trait]
impl Notifier for Echo {
    fn name(&self) -> &str {
        "echo"
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind == EventKind::JobCompleted
    }

    fn own_address(&self) -> Option<Address> {
        Some(Address::at("https://h.example:443", "https://h.example/T0/own-canary"))
    }

    async fn notify(
        &self,
        message: &Message,
        _cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let address = message.address.clone().or_else(|| self.own_address());
        let path = address.map(|address| address.reveal().replace("https://h.example", ""));
        Err(NotifyError::rejected(format!("Cannot POST {}", path.unwrap_or_default())))
    }
}

#[tokio::test]
async fn the_address_of_one_channel_is_not_told_through_another() {
    let told = RecordingNotifier::new("told");
    let builder = Mediaflow::builder().storage("out", "memory:");
    let media = builder.notify(Echo).notify(told.clone()).start().await.unwrap();
    let copy = Pipeline::from(testing::dot()).output("out/dot.gif", |dot| dot).build().unwrap();
    media.submit(copy).await.unwrap().done().await.unwrap();
    let attempts = told.attempted(5).await;
    let mut events = attempts.iter().flat_map(|(message, _)| message.events());
    let lost = events.find_map(|event| match &event.data {
        EventData::Delivery(lost) => Some(lost),
        _ => None,
    });
    let lost = lost.unwrap();
    assert_eq!(lost.destination, "https://h.example:443");
    assert_eq!(lost.reason, "Cannot POST [REDACTED]");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Its terms can not be asked for one time.
#[derive(Debug)]
struct Defective {
    told: RecordingNotifier,
    asked: AtomicUsize,
    panics_at: AtomicUsize,
    sent: AtomicUsize,
    /// Its first attempt never ends, and its terms can not be asked for after the second.
    hangs: bool,
}

impl Defective {
    fn new(told: &RecordingNotifier, panics_at: usize) -> Self {
        let (panics_at, hangs) = (AtomicUsize::new(panics_at), panics_at == 0);
        let (asked, sent) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { told: told.clone(), asked, panics_at, sent, hangs }
    }
}

#[async_trait]
impl Notifier for Defective {
    fn name(&self) -> &str {
        self.told.name()
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind == EventKind::JobCompleted
    }

    fn terms(&self) -> Terms {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        assert_ne!(asked, self.panics_at.load(Ordering::Relaxed), "on demand");
        Terms::default()
    }

    async fn notify(
        &self,
        message: &Message,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        match self.sent.fetch_add(1, Ordering::Relaxed) {
            0 if self.hangs => std::future::pending::<()>().await,
            1 if self.hangs => {
                let next = self.asked.load(Ordering::Relaxed) + 1;
                self.panics_at.store(next, Ordering::Relaxed);
            }
            _ => {}
        }
        self.told.notify(message, cx).await
    }
}

/// From the first question to the one after the first attempt: each is in another place. And one with another message
/// under way.
#[tokio::test]
async fn a_panic_in_a_notifiers_terms_silences_nobody() {
    for panics_at in 0..=6 {
        let told = RecordingNotifier::new("told");
        let policy = DeliveryPolicy::every(Duration::from_millis(20), 9);
        let builder = Mediaflow::builder().storage("out", "memory:").delivery(policy);
        let media = builder.notify(Defective::new(&told, panics_at)).start().await.unwrap();
        let mut jobs = Vec::new();
        for name in ["a", "b", "c"] {
            let copy = Pipeline::from(testing::dot()).output(format!("out/{name}.gif"), |dot| dot);
            let job = media.submit(copy.build().unwrap()).await.unwrap();
            job.done().await.unwrap();
            jobs.push(Some(job.id()));
        }
        let all_told = async || loop {
            let of: Vec<_> = told.attempts().iter().map(|(told, _)| told.event().job).collect();
            if jobs.iter().all(|job| of.contains(job)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        testing::soon(&format!("message, with a panic at {panics_at}"), all_told()).await;
        media.shutdown(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn a_batch_that_runs_is_not_forgotten() {
    let (fake, told) = (FakeBackend::new(), ScriptedNotifier::new([EventKind::BatchCompleted]));
    fake.script("slow", [Behaviour::Block]);
    let media = Mediaflow::builder()
        .storage("out", "memory:")
        .with(fake.operations())
        .notify(told.clone())
        .start()
        .await
        .unwrap();
    let work = |name: &str| {
        let pipeline = Pipeline::from(testing::dot())
            .output(format!("out/{name}.gif"), |dot| dot.then(FakeWork::new(name)));
        pipeline.build().unwrap()
    };
    let batch = media.eager([work("quick"), work("slow")]).await.unwrap();
    let quick = batch.jobs().next().unwrap();
    quick.done().await.unwrap();
    fake.begun("slow", 1).await;
    // More jobs end meanwhile than are remembered.
    media.pause().await.unwrap();
    for _ in 0..=MemoryEngine::HISTORY {
        media.submit(work("other")).await.unwrap().cancel().await.unwrap();
    }
    fake.release();
    let report = testing::soon("the end of the batch", batch.done()).await.unwrap();
    assert_eq!(report.jobs.iter().map(|job| job.job).next(), Some(quick.id()));
    assert_eq!(told.told(1).await[0].event.batch, Some(batch.id()));
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn work_that_can_never_fit_is_refused_instead_of_waiting_for_ever() {
    let fake = FakeBackend::new();
    let media = Mediaflow::builder()
        .memory(1 << 16)
        .storage("out", "memory:")
        .with(fake.operations())
        .with(|registry| {
            registry.operation::<Huge>();
        })
        .start()
        .await
        .unwrap();
    let job = Pipeline::from(testing::dot()).output("out/x.gif", |dot| dot.then(Huge {})).build();
    let error = media.submit(job.unwrap()).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "limit.memory");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Huge {}

impl Operation for Huge {
    const KIND: &'static str = "test.huge";
}

#[async_trait]
impl Run for Huge {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        Ok(Outputs::one(inputs.into_first()?))
    }

    fn estimate(&self, _inputs: &[MediaInfo]) -> Estimate {
        Estimate::cpu(1 << 40)
    }
}

#[tokio::test]
async fn waits_follow_the_clock_of_the_host() {
    let (clock, told) = (ManualClock::new(), RecordingNotifier::new("told"));
    told.fail([NotifyError::retryable("busy")]);
    let media = Mediaflow::builder()
        .clock(Arc::new(clock.clone()))
        .storage("out", "memory:")
        .notify(told.clone())
        .start()
        .await
        .unwrap();
    let copy = Pipeline::from(testing::dot()).output("out/dot.gif", |dot| dot).build().unwrap();
    media.submit(copy).await.unwrap().done().await.unwrap();
    told.attempted(4).await;
    // Nothing is repeated before its time, which the test alone decides.
    clock.advance(Duration::from_secs(6));
    let attempts = told.attempted(5).await;
    assert_eq!(attempts.iter().filter(|(_, cx)| cx.attempt == 2).count(), 1);
    let shutdown = media.shutdown(Duration::from_secs(5));
    shutdown.await.unwrap();
}

/// The engine once looked twice whether it was to stop, and slept for ever when the answer changed in between.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_is_seen_at_every_moment() {
    for round in 0..100 {
        let media = Mediaflow::builder().storage("out", "memory:").start().await.unwrap();
        let copy = Pipeline::from(testing::dot()).output("out/dot.gif", |dot| dot).build().unwrap();
        let job = media.submit(copy).await.unwrap();
        testing::soon(&format!("job of round {round}"), job.done()).await.unwrap();
        let shutdown = media.shutdown(Duration::from_secs(60));
        testing::soon(&format!("end of round {round}"), shutdown).await.unwrap();
    }
}

/// The engine in memory for one who hears of nothing, or of nothing any more.
#[derive(Debug)]
struct Deaf {
    engine: MemoryEngine,
    ends: bool,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Engine for Deaf {
    async fn open(&self, executor: &Executor) -> Result<()> {
        self.engine.open(executor).await
    }

    async fn submit(&self, submission: Submission) -> Result<Submitted> {
        self.engine.submit(submission).await
    }

    async fn status(&self, job: JobId) -> Result<JobStatus> {
        self.engine.status(job).await
    }

    async fn batch(&self, batch: BatchId) -> Result<Option<BatchReport>> {
        self.engine.batch(batch).await
    }

    async fn cancel(&self, job: JobId) -> Result<()> {
        self.engine.cancel(job).await
    }

    async fn replay(&self, job: JobId, spec: Option<JobSpec>) -> Result<JobId> {
        self.engine.replay(job, spec).await
    }

    async fn signal(&self, signal: Signal) -> Result<Signalled> {
        self.engine.signal(signal).await
    }

    async fn schedule(&self, schedule: Schedule) -> Result<()> {
        self.engine.schedule(schedule).await
    }

    async fn unschedule(&self, name: &str) -> Result<bool> {
        self.engine.unschedule(name).await
    }

    async fn schedules(&self) -> Result<Vec<Scheduled>> {
        self.engine.schedules().await
    }

    async fn acknowledge(&self, what: Acknowledged) -> Result<u64> {
        self.engine.acknowledge(what).await
    }

    async fn pause(&self) -> Result<()> {
        self.engine.pause().await
    }

    async fn resume(&self) -> Result<()> {
        self.engine.resume().await
    }

    fn events(&self) -> EventStream {
        if self.ends { stream::empty().boxed() } else { stream::pending().boxed() }
    }

    fn inspect(&self) -> &dyn Inspect {
        self.engine.inspect()
    }

    async fn run(&self, executor: Executor, shutdown: Shutdown) -> Result<()> {
        self.engine.run(executor, shutdown).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_hears_of_nothing_sees_every_end() {
    for ends in [true, false] {
        let fake = FakeBackend::new();
        fake.script("slow", [Behaviour::Block]);
        let media = Mediaflow::builder()
            .engine(Deaf { engine: MemoryEngine::new(), ends })
            .with(fake.operations())
            .storage_with("out", MemoryStorage::new())
            .start()
            .await
            .unwrap();
        let slow = Pipeline::from(testing::dot())
            .output("out/slow.gif", |dot| dot.then(FakeWork::new("slow")));
        let batch = media.eager([slow.build().unwrap()]).await.unwrap();
        let job = batch.jobs().next().unwrap();
        let watched = tokio::spawn(job.progress().collect::<Vec<_>>());
        let done = tokio::spawn(async move { batch.done().await });
        fake.begun("slow", 1).await;
        fake.release();
        let progress = testing::soon("the end of progress", watched).await.unwrap();
        assert_eq!(progress.last(), Some(&1.0), "{progress:?}");
        assert!(progress.is_sorted());
        testing::soon("the end of the batch", done).await.unwrap().unwrap();
        media.shutdown(Duration::ZERO).await.unwrap();
    }
    // One that stops before the end of its job.
    let media = Mediaflow::builder().engine(Deaf { engine: MemoryEngine::new(), ends: false });
    let media = media.storage_with("out", MemoryStorage::new()).start().await.unwrap();
    media.pause().await.unwrap();
    let copy = Pipeline::from(testing::dot()).output("out/copy.gif", |dot| dot);
    let job = media.submit(copy.build().unwrap()).await.unwrap();
    let watched = tokio::spawn(job.progress().collect::<Vec<_>>());
    media.shutdown(Duration::ZERO).await.unwrap();
    let progress = testing::soon("the end of progress", watched).await.unwrap();
    assert!(progress.len() <= 1, "{progress:?}");
}

/// Says how many bytes its input has.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Size {}

impl Operation for Size {
    const KIND: &'static str = "test.size";

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Facts
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(Facts::info())
    }
}

#[async_trait]
impl Run for Size {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        let file = inputs.into_first()?.into_file()?;
        Ok(Outputs::one(Facts::new(file.blob().len())?))
    }
}

#[tokio::test]
async fn facts_wait_for_what_they_are_about_and_for_nothing_else() {
    let vendor = FakeVendor::new();
    let media = Mediaflow::builder()
        .storage("out", "memory:")
        .with(vendor.operations())
        .with(|registry| {
            registry.operation::<Size>();
        })
        .start()
        .await
        .unwrap();
    let job = Pipeline::from(testing::dot())
        .output("out/there.gif", |dot| dot.then(FakeEncode::new("there")))
        .fact("here", |dot| dot.then(Size {}))
        .fact("there", |dot| dot.then(FakeEncode::new("there")).then(Size {}))
        .build()
        .unwrap();
    let job = media.submit(job).await.unwrap();
    let begun = vendor.begun("there").await;
    media.signal(&begun.key, testing::vendor_done(), "done").await.unwrap();
    let report = job.done().await.unwrap();
    assert_eq!(serde_json::json!(report.facts), serde_json::json!({ "here": 14, "there": 14 }));
    assert_eq!((report.outputs.len(), vendor.jobs().len()), (1, 1), "and the vendor worked once");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}
