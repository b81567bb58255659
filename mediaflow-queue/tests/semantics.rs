//! What the durable engines promise beyond the suite of all engines, on both databases and between processes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::time::Duration;

use database::{Database, many, shut, work};
use futures_util::StreamExt as _;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{IntoSpec as _, JobOptions, JobSpec, Pipeline, Source};
use mediaflow_core::storage::{MemoryStorage, StorageExt as _};
use mediaflow_core::testing::{Behaviour, FakeBackend, FakeWork, FaultyStorage, dot, soon};
use mediaflow_core::{
    Builder, EventKind, Inputs, Mediaflow, OpContext, Operation, Outputs, Result, Run, async_trait,
};
use mediaflow_queue::Queue;
use serde::{Deserialize, Serialize};
use serde_json::Value;

on_both! {
    a_key_has_its_time
    equal_work_is_done_once
    a_worker_leaves_what_it_does_not_know
    an_old_spec_is_brought_up_to_date
    a_submitter_sees_what_workers_do
    a_running_job_is_cancelled_from_elsewhere
    a_cancellation_that_was_not_heard_is_found
    a_batch_waits_for_jobs_that_were_known_before
    what_parts_have_staged_is_listed_once
}

/// A process: what it works with, around one database.
struct Process {
    fake: FakeBackend,
    storage: MemoryStorage,
}

impl Process {
    fn new() -> Self {
        Self { fake: FakeBackend::new(), storage: MemoryStorage::new() }
    }

    fn builder(&self, queue: Queue) -> Builder {
        Mediaflow::builder()
            .engine(queue)
            .with(self.fake.operations())
            .storage_with("out", self.storage.clone())
            .storage_with("uploads", self.storage.clone())
    }

    async fn start(&self, queue: Queue) -> Mediaflow {
        self.builder(queue).start().await.unwrap()
    }
}

async fn succeeded(media: &Mediaflow, spec: JobSpec) -> mediaflow_core::report::Report {
    let job = media.submit(spec).await.unwrap();
    soon("success", job.done()).await.unwrap()
}

async fn a_key_has_its_time(database: Database) {
    let time = Duration::from_millis(700);
    let media = Process::new().start(database.queue().idempotency(time)).await;
    let keyed = || work("keyed").with_options(JobOptions::new().idempotency_key("upload-1"));
    let first = media.submit(keyed()).await.unwrap();
    let second = media.submit(keyed()).await.unwrap();
    assert_eq!(first.id(), second.id());
    let queued = soon("success", first.done()).await.unwrap().queued_at;
    let clock = mediaflow_core::SystemClock::default();
    mediaflow_core::Clock::sleep_until(&clock, queued.plus(time)).await;
    let third = media.submit(keyed()).await.unwrap();
    assert_ne!(first.id(), third.id(), "its time is over");
    soon("success", third.done()).await.unwrap();
    shut(media).await;
}

async fn equal_work_is_done_once(database: Database) {
    let process = Process::new();
    let media = process.start(database.queue()).await;
    let at = |place: &str| {
        let pipeline = Pipeline::from(dot()).output(place, |dot| dot.then(FakeWork::new("made")));
        pipeline.build().unwrap().into_spec().unwrap()
    };
    let first = succeeded(&media, at("out/first.gif")).await;
    let second = succeeded(&media, at("out/second.gif")).await;
    assert_eq!(process.fake.runs(), ["made"], "the second is a copy");
    assert!(!first.outputs[0].reused && second.outputs[0].reused);
    assert_eq!(first.outputs[0].sha256, second.outputs[0].sha256);
    let anew = at("out/third.gif").with_options(JobOptions::new().reuse(false));
    succeeded(&media, anew).await;
    let again = media.replay(second.job, None).await.unwrap();
    soon("success", again.done()).await.unwrap();
    assert_eq!(process.fake.runs(), ["made"; 3], "who asks for it gets new work");
    shut(media).await;
}

async fn a_worker_leaves_what_it_does_not_know(database: Database) {
    let ignorant = Mediaflow::builder()
        .engine(database.queue())
        .storage_with("out", MemoryStorage::new())
        .start()
        .await
        .unwrap();
    let process = Process::new();
    let submitter = process.builder(database.queue()).submit_only().start().await.unwrap();
    let job = submitter.submit(work("known-elsewhere")).await.unwrap();
    // Something else that it knows goes through while the job waits.
    let copy = Pipeline::from(dot()).output("out/copy.gif", |dot| dot).build().unwrap();
    soon("success", ignorant.submit(copy).await.unwrap().done()).await.unwrap();
    let status = job.status().await.unwrap();
    assert_eq!((status.state, status.attempts), (JobState::Queued, 0), "no attempt is burnt");
    let knowing = process.start(database.queue()).await;
    let report = soon("success", job.done()).await.unwrap();
    assert_eq!(report.attempts, 1);
    for media in [ignorant, submitter, knowing] {
        shut(media).await;
    }
}

/// Version 1 had a strength from 0 to 10, version 2 has one from 0 to 1.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tint {
    opacity: f64,
}

impl Operation for Tint {
    const KIND: &'static str = "test.tint";

    const VERSION: u32 = 2;

    fn upgrade(from: u32, with: Value) -> Result<Value> {
        assert_eq!(from, 1);
        let strength = with["strength"].as_f64().unwrap_or_default();
        Ok(serde_json::json!({ "opacity": strength / 10.0 }))
    }
}

#[async_trait]
impl Run for Tint {
    const TAKES: mediaflow_core::Takes = mediaflow_core::Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        assert!((self.opacity - 0.7).abs() < 1e-9, "{}", self.opacity);
        Ok(Outputs::one(inputs.into_first()?))
    }
}

async fn an_old_spec_is_brought_up_to_date(database: Database) {
    let process = Process::new();
    process.storage.put(&"dot.gif".parse().unwrap(), &dot_bytes()).await.unwrap();
    let tints = |builder: Builder| {
        builder.with(|registry| {
            registry.operation::<Tint>();
        })
    };
    let media = tints(process.builder(database.queue())).start().await.unwrap();
    let stored = JobSpec::from_json(include_str!("specs/tint-1.json")).unwrap();
    assert_eq!(succeeded(&media, stored).await.state, JobState::Succeeded);
    shut(media).await;
}

fn dot_bytes() -> mediaflow_core::media::Blob {
    match dot() {
        Source::Bytes(bytes) => mediaflow_core::media::Blob::bytes(bytes),
        other => panic!("{other}"),
    }
}

async fn a_submitter_sees_what_workers_do(database: Database) {
    let process = Process::new();
    process.fake.script("steps", [Behaviour::Progress(vec![0.2, 0.4, 0.8]), Behaviour::Succeed]);
    let submitter = process.builder(database.queue()).submit_only().start().await.unwrap();
    let mut events = submitter.events();
    let job = submitter.submit(work("steps")).await.unwrap();
    let worker = process.start(database.queue()).await;
    let mut seen = Vec::new();
    while seen.last() != Some(&EventKind::JobCompleted) {
        seen.push(soon("event", events.next()).await.unwrap().unwrap().kind);
    }
    assert!(
        seen.contains(&EventKind::JobCreated) && seen.contains(&EventKind::JobStarted),
        "{seen:?}"
    );
    soon("success", job.done()).await.unwrap();
    for media in [submitter, worker] {
        shut(media).await;
    }
}

async fn a_running_job_is_cancelled_from_elsewhere(database: Database) {
    let process = Process::new();
    process.fake.script("encode", [Behaviour::Block]);
    let worker = process.start(database.queue()).await;
    let submitter = process.builder(database.queue()).submit_only().start().await.unwrap();
    let job = submitter.submit(work("encode")).await.unwrap();
    soon("start", process.fake.begun("encode", 1)).await;
    job.cancel().await.unwrap();
    let status = soon("end", job.ended()).await.unwrap();
    assert_eq!(status.state, JobState::Cancelled);
    for media in [submitter, worker] {
        shut(media).await;
    }
}

/// The row says so, and River says nothing: as if the worker had not been listening.
async fn a_cancellation_that_was_not_heard_is_found(database: Database) {
    let process = Process::new();
    process.fake.script("encode", [Behaviour::Block]);
    let worker = process.start(database.queue().lease(Duration::from_secs(4))).await;
    let job = worker.submit(work("encode")).await.unwrap();
    soon("start", process.fake.begun("encode", 1)).await;
    database.run("UPDATE mediaflow_jobs SET cancelled = 1").await;
    let status = soon("end", job.ended()).await.unwrap();
    assert_eq!(status.state, JobState::Cancelled);
    shut(worker).await;
}

async fn a_batch_waits_for_jobs_that_were_known_before(database: Database) {
    let process = Process::new();
    process.fake.script("known", [Behaviour::Block]);
    let media = process.start(database.queue()).await;
    let known = || work("known").with_options(JobOptions::new().idempotency_key("known"));
    let first = media.submit(known()).await.unwrap();
    soon("start", process.fake.begun("known", 1)).await;
    let batch = media.eager([known(), work("new")]).await.unwrap();
    process.fake.release();
    let report = soon("batch", batch.done()).await.unwrap();
    assert_eq!(report.state, JobState::Succeeded);
    assert_eq!(report.jobs[0].job, first.id());
    // A batch of nothing but ended jobs has ended.
    let batch = media.eager([known()]).await.unwrap();
    soon("batch", batch.done()).await.unwrap();
    shut(media).await;
}

/// Each part that is under way when its job is cancelled takes its own along.
async fn what_parts_have_staged_is_listed_once(database: Database) {
    let process = Process::new();
    let storage = FaultyStorage::new(MemoryStorage::new());
    for number in 0..24 {
        process.fake.script(format!("{number:02}"), [Behaviour::Block]);
    }
    let media = Mediaflow::builder()
        .engine(database.queue())
        .with(process.fake.operations())
        .storage_with("out", storage.clone())
        .places("image", 3);
    let media = media.start().await.unwrap();
    let job = media.submit(many(24)).await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_parts WHERE state = 'running'", 3).await;
    job.cancel().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_parts WHERE state = 'running'", 0).await;
    shut(media).await;
    assert_eq!(storage.discards(), 1);
}
