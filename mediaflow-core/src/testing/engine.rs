use std::collections::HashMap;
use std::time::Duration;

use futures_util::StreamExt as _;

use super::{Behaviour, FakeBackend, FakeWork, FaultyStorage, RecordingNotifier, dot, soon};
use crate::engine::Engine;
use crate::event::{DeliveryFailure, Event, EventData, EventKind};
use crate::executor::{DeliveryPolicy, RetryPolicy};
use crate::notify::{DeliveryContext, Message, NotifyError};
use crate::report::{JobState, OutputState};
use crate::spec::{JobOptions, JobSpec, Pipeline, PipelineBuilder};
use crate::storage::{MemoryStorage, Storage};
use crate::{Error, ErrorKind, Failure, JobId, Mediaflow};

/// The conformance suite of [`Engine`]: `make` gives a new, empty engine each time.
///
/// # Panics
/// With what is wrong.
pub async fn exercise_engine<E: Engine>(make: impl AsyncFn() -> E) {
    a_job_succeeds_with_one_terminal_event(Host::new(make().await).await).await;
    failures_are_retried_and_then_final(Host::new(make().await).await).await;
    input_errors_are_not_retried(Host::new(make().await).await).await;
    a_panic_fails_the_job_and_not_the_engine(Host::new(make().await).await).await;
    queued_and_running_jobs_can_be_cancelled(Host::new(make().await).await).await;
    work_that_does_not_listen_is_dropped(Host::new(make().await).await).await;
    progress_only_grows(Host::new(make().await).await).await;
    an_idempotency_key_stands_for_one_job(Host::new(make().await).await).await;
    a_key_is_bound_to_what_was_asked_for(Host::new(make().await).await).await;
    a_key_is_free_after_a_failure(Host::new(make().await).await).await;
    a_batch_ends_with_its_last_job(Host::new(make().await).await).await;
    an_ended_job_can_be_replayed(Host::new(make().await).await).await;
    policies_decide_on_failed_steps(Host::new(make().await).await).await;
    a_failed_publication_is_repeated(Host::new(make().await).await).await;
    what_a_failed_job_has_published_is_told(Host::new(make().await).await).await;
    deadlines_end_jobs(Host::new(make().await).await).await;
    urgent_jobs_go_first(Host::new(make().await).await).await;
    a_job_waits_for_its_moment(Host::new(make().await).await).await;
    a_pause_holds_jobs_back(Host::new(make().await).await).await;
    a_job_of_many_outputs_is_one_job(Host::new(make().await).await).await;
    deliveries_are_repeated_with_the_same_id(Host::new(make().await).await).await;
    lost_deliveries_are_told_elsewhere(Host::new(make().await).await).await;
    a_shutdown_hands_back_what_runs(Host::new(make().await).await).await;
    unknown_names_are_errors(Host::new(make().await).await).await;
}

/// An engine with everything around it that a test looks at.
struct Host {
    media: Mediaflow,
    fake: FakeBackend,
    storage: MemoryStorage,
    faults: FaultyStorage,
    first: RecordingNotifier,
    second: RecordingNotifier,
}

impl Host {
    async fn new(engine: impl Engine) -> Self {
        let (fake, storage) = (FakeBackend::new(), MemoryStorage::new());
        let faults = FaultyStorage::new(storage.clone());
        let (first, second) = (RecordingNotifier::new("first"), RecordingNotifier::new("second"));
        let soon = Duration::from_millis(5);
        let media = Mediaflow::builder()
            .engine(engine)
            .with(fake.operations())
            .storage_with("out", faults.clone())
            .notify(first.clone())
            .notify(second.clone())
            .retry(RetryPolicy { first: soon, longest: soon, ..RetryPolicy::default() })
            .delivery(DeliveryPolicy::every(soon, 3))
            .concurrency(1)
            .start()
            .await
            .expect("start");
        Self { media, fake, storage, faults, first, second }
    }

    async fn kept(&self) -> usize {
        self.storage.list("").await.expect("list").len()
    }

    async fn done(self) {
        self.fake.release();
        soon("shutdown", self.media.shutdown(Duration::from_secs(10))).await.expect("shutdown");
    }
}

/// A pipeline with one fake step and one output.
fn work(name: &str) -> PipelineBuilder {
    Pipeline::from(dot()).output(format!("out/{name}.gif"), |dot| dot.then(FakeWork::new(name)))
}

fn spec(name: &str) -> JobSpec {
    work(name).build().and_then(crate::spec::IntoSpec::into_spec).expect("a valid spec")
}

fn transient() -> Behaviour {
    Behaviour::Fail(Failure::from(&Error::transient("fake.transient", "it may pass")))
}

fn of_job(told: &[(Message, DeliveryContext)], job: JobId) -> Vec<EventKind> {
    told.iter()
        .map(|(message, _)| message.event())
        .filter(|event| event.job == Some(job))
        .map(|event| event.kind)
        .collect()
}

async fn a_job_succeeds_with_one_terminal_event(host: Host) {
    let job = host.media.submit(spec("plain")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("success");
    assert_eq!((report.state, report.attempts, report.outputs.len()), (JobState::Succeeded, 1, 1));
    let output = &report.outputs[0];
    assert_eq!(
        (output.output.as_str(), output.state, output.bytes),
        ("out/plain.gif", OutputState::Published, 14)
    );
    assert_eq!(
        (output.sha256.len(), output.md5.len(), output.mime.as_str()),
        (64, 32, "image/gif")
    );
    assert_eq!(host.kept().await, 1);
    let status = job.status().await.expect("status");
    assert_eq!((status.state, status.progress), (JobState::Succeeded, 1.0));
    let told = of_job(&host.first.attempted(5).await, job.id());
    use EventKind::{JobCompleted, JobCreated, JobStarted, OutputReady, StepCompleted};
    assert_eq!(told.len(), 5, "{told:?}");
    for kind in [JobCreated, JobStarted, StepCompleted, OutputReady, JobCompleted] {
        assert_eq!(told.iter().filter(|told| **told == kind).count(), 1, "one {kind} in {told:?}");
    }
    host.done().await;
}

async fn failures_are_retried_and_then_final(host: Host) {
    host.fake.script("passes", [transient(), transient()]);
    let job = host.media.submit(spec("passes")).await.expect("submit");
    assert_eq!(soon("end", job.done()).await.expect("success in the third attempt").attempts, 3);

    host.fake.script("stays", [transient(), transient(), transient(), Behaviour::Succeed]);
    let job = host.media.submit(spec("stays")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("no attempt is left");
    assert_eq!(
        (error.code(), error.fact("op").is_some() || error.fact("step").is_some()),
        ("fake.transient", true)
    );
    let status = job.status().await.expect("status");
    assert_eq!((status.state, status.attempts), (JobState::Failed, 3));
    assert!(status.progress < 1.0, "only success reaches 1");
    assert_eq!(host.kept().await, 1, "a failed job leaves nothing");
    host.done().await;
}

async fn input_errors_are_not_retried(host: Host) {
    host.fake.script(
        "wrong",
        [Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")))],
    );
    let job = host.media.submit(spec("wrong")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("wrong input fails");
    assert_eq!((error.kind(), error.code()), (ErrorKind::Input, "fake.wrong"));
    assert_eq!(job.status().await.expect("status").attempts, 1);
    host.done().await;
}

async fn a_panic_fails_the_job_and_not_the_engine(host: Host) {
    host.fake.script("panics", [Behaviour::Panic]);
    let job = host.media.submit(spec("panics")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("a panic fails the job");
    assert_eq!(error.kind(), ErrorKind::Internal);
    let job = host.media.submit(spec("after")).await.expect("submit");
    soon("end", job.done()).await.expect("the engine goes on");
    host.done().await;
}

async fn queued_and_running_jobs_can_be_cancelled(host: Host) {
    host.fake.script("runs", [Behaviour::Block]);
    let runs = host.media.submit(spec("runs")).await.expect("submit");
    let waits = host.media.submit(spec("waits")).await.expect("submit");
    host.fake.begun("runs", 1).await;
    waits.cancel().await.expect("cancel");
    runs.cancel().await.expect("cancel");
    for job in [&runs, &waits] {
        let error = soon("end", job.done()).await.expect_err("a cancelled job has no report");
        assert_eq!(error.kind(), ErrorKind::Cancelled);
        assert_eq!(job.status().await.expect("status").state, JobState::Cancelled);
        job.cancel().await.expect("cancelling an ended job changes nothing");
    }
    assert!(
        !host.fake.runs().contains(&"waits".to_owned()),
        "a job that was cancelled in the queue never runs"
    );
    assert_eq!(host.kept().await, 0);
    host.done().await;
}

async fn work_that_does_not_listen_is_dropped(host: Host) {
    host.fake.script("deaf", [Behaviour::Hang]);
    let job = host.media.submit(spec("deaf")).await.expect("submit");
    host.fake.begun("deaf", 1).await;
    job.cancel().await.expect("cancel");
    let error = soon("end", job.done()).await.expect_err("it was cancelled");
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    let job = host.media.submit(spec("next")).await.expect("submit");
    soon("end", job.done()).await.expect("its place is free again");
    host.done().await;
}

async fn progress_only_grows(host: Host) {
    let zigzag = vec![0.2, 0.1, 0.6, 0.3, f32::NAN, 7.0, 0.5];
    host.fake.script("zigzag", [Behaviour::Progress(zigzag), transient()]);
    let mut events = host.media.events();
    let job = host.media.submit(spec("zigzag")).await.expect("submit");
    let mut last = 0.0;
    loop {
        let event = soon("event", events.next()).await.expect("a stream that goes on");
        match (event.kind, &event.data) {
            (EventKind::JobProgress, EventData::Progress(done)) => {
                assert!(*done > last && *done < 1.0, "progress went from {last} to {done}");
                last = *done;
            }
            (kind, _) if kind.is_terminal() => break,
            _ => {}
        }
    }
    assert!(last > 0.5, "progress reached only {last}");
    let told: Vec<f32> = soon("end", job.progress().collect()).await;
    assert_eq!(told.last(), Some(&1.0));
    host.done().await;
}

async fn an_idempotency_key_stands_for_one_job(host: Host) {
    let keyed = || spec("keyed").with_options(JobOptions::new().idempotency_key("upload-1"));
    let first = host.media.submit(keyed()).await.expect("submit");
    let second = host.media.submit(keyed()).await.expect("submit");
    assert_eq!(first.id(), second.id());
    soon("end", second.done()).await.expect("success");
    let third = host.media.submit(keyed()).await.expect("submit");
    assert_eq!(first.id(), third.id(), "also after its end");
    assert_eq!(host.fake.runs(), ["keyed"]);
    host.done().await;
}

async fn a_key_is_bound_to_what_was_asked_for(host: Host) {
    let keyed = |name: &str| spec(name).with_options(JobOptions::new().idempotency_key("bound"));
    let first = host.media.submit(keyed("one")).await.expect("submit");
    let error = host.media.submit(keyed("two")).await.expect_err("another job under this key");
    assert_eq!((error.code(), error.kind()), ("job.key_reused", ErrorKind::Input));
    assert_eq!(error.fact("job"), Some(&*first.id().to_string()));
    let error = host.media.eager([spec("free"), keyed("two")]).await.expect_err("all or none");
    assert_eq!(error.code(), "job.key_reused");
    let error = host.media.eager([
        spec("x").with_options(JobOptions::new().idempotency_key("twice")),
        spec("y").with_options(JobOptions::new().idempotency_key("twice")),
    ]);
    assert_eq!(error.await.expect_err("two jobs under one key").code(), "job.key_reused");
    // When and how urgently it runs is not what was asked for.
    let urgent = JobOptions::new().idempotency_key("bound").priority(5).tag("again");
    let again = host.media.submit(spec("one").with_options(urgent)).await.expect("submit");
    assert_eq!(again.id(), first.id());
    soon("end", first.done()).await.expect("success");
    assert_eq!(host.fake.runs(), ["one"]);
    host.done().await;
}

async fn a_key_is_free_after_a_failure(host: Host) {
    let wrong = || Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")));
    host.fake.script("keyed", [wrong(), Behaviour::Block]);
    let keyed = || spec("keyed").with_options(JobOptions::new().idempotency_key("upload-2"));
    let failed = host.media.submit(keyed()).await.expect("submit");
    soon("end", failed.done()).await.expect_err("it fails");
    let cancelled = host.media.submit(keyed()).await.expect("submit");
    assert_ne!(failed.id(), cancelled.id(), "a retry can run");
    host.fake.begun("keyed", 2).await;
    let running = host.media.submit(keyed()).await.expect("submit");
    assert_eq!(running.id(), cancelled.id(), "while it runs, the key stands for it");
    cancelled.cancel().await.expect("cancel");
    soon("end", cancelled.done()).await.expect_err("it was cancelled");
    let third = host.media.submit(keyed()).await.expect("submit");
    assert_ne!(third.id(), cancelled.id());
    soon("end", third.done()).await.expect("success");
    assert_eq!(host.media.submit(keyed()).await.expect("submit").id(), third.id());
    host.done().await;
}

async fn a_batch_ends_with_its_last_job(host: Host) {
    host.fake
        .script("b", [Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")))]);
    let batch = host.media.eager([spec("a"), spec("b"), spec("c")]).await.expect("submit");
    assert_eq!(batch.ticket().status, "processing");
    let report = soon("end", batch.done()).await.expect("a report");
    let states: Vec<_> = report.jobs.iter().map(|job| job.state).collect();
    assert_eq!(states, [JobState::Succeeded, JobState::Failed, JobState::Succeeded]);
    assert_eq!(report.state, JobState::Partial);
    let ids: Vec<_> = batch.jobs().map(|job| job.id()).collect();
    assert_eq!(report.jobs.iter().map(|job| job.job).collect::<Vec<_>>(), ids);
    let all =
        || host.first.attempts().iter().map(|(told, _)| told.event().clone()).collect::<Vec<_>>();
    let ended =
        |events: &[Event]| events.iter().filter(|e| e.kind == EventKind::BatchCompleted).count();
    let mut seen = 0;
    while ended(&all()) == 0 {
        seen = host.first.attempted(seen + 1).await.len();
    }
    assert_eq!(ended(&all()), 1);
    host.done().await;
}

async fn an_ended_job_can_be_replayed(host: Host) {
    host.fake.script(
        "again",
        [
            Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong"))),
            Behaviour::Block,
        ],
    );
    let job = host.media.submit(spec("again")).await.expect("submit");
    soon("end", job.done()).await.expect_err("fails first");
    let second = host.media.replay(job.id(), None).await.expect("replay");
    assert_ne!(job.id(), second.id());
    host.fake.begun("again", 2).await;
    let error = host.media.replay(second.id(), None).await.expect_err("it still runs");
    assert_eq!(error.code(), "job.not_ended");
    host.fake.release();
    soon("end", second.done()).await.expect("success");
    let changed = host.media.replay(job.id(), Some(spec("changed"))).await.expect("replay");
    let report = soon("end", changed.done()).await.expect("success");
    assert_eq!(report.outputs[0].output, "out/changed.gif");
    host.done().await;
}

async fn policies_decide_on_failed_steps(host: Host) {
    let wrong = || Behaviour::Fail(Failure::from(&Error::input("fake.wrong", "it is wrong")));
    host.fake.script("bad", [wrong(), wrong(), wrong()]);
    let good = |pipeline: PipelineBuilder| {
        pipeline.output("out/good.gif", |dot| dot.then(FakeWork::new("good")))
    };

    let skip = work("x").output("out/bad.gif", |dot| dot.then(FakeWork::new("bad")).or_skip());
    let job = host.media.submit(skip.build().expect("valid")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("partial is no error");
    assert_eq!(report.state, JobState::Partial);
    let bad =
        report.outputs.iter().find(|output| output.output == "out/bad.gif").expect("reported");
    assert_eq!(bad.state, OutputState::Failed);
    assert_eq!(bad.failure.as_ref().map(|failure| failure.code.as_str()), Some("fake.wrong"));

    let instead = good(Pipeline::from(dot())).output("out/bad.gif", |dot| {
        dot.clone().then(FakeWork::new("bad")).or_else(dot.then(FakeWork::new("spare")))
    });
    let job = host.media.submit(instead.build().expect("valid")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("success by the fallback");
    assert_eq!((report.state, report.outputs.len()), (JobState::Succeeded, 2));
    assert!(
        report.warnings.iter().any(|warning| warning.contains("was used for out/bad.gif")),
        "{:?}",
        report.warnings
    );

    let before = host.kept().await;
    let fail =
        good(Pipeline::from(dot())).output("out/new.gif", |dot| dot.then(FakeWork::new("bad")));
    let job = host.media.submit(fail.build().expect("valid")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("by default the job fails");
    assert_eq!(error.fact("output"), Some("out/new.gif"));
    assert_eq!(host.kept().await, before, "a failed job publishes nothing");
    host.done().await;
}

async fn a_failed_publication_is_repeated(host: Host) {
    host.faults.fail_publishes(1);
    let two = work("one").output("out/two.gif", |dot| dot.then(FakeWork::new("two")));
    let job = host.media.submit(two.build().expect("valid")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("success in the second attempt");
    assert_eq!((report.attempts, host.kept().await), (2, 2));
    host.faults.fail_stages(3);
    let job = host.media.submit(spec("never")).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("the disk stays full");
    assert_eq!((error.code(), host.kept().await), ("storage.io", 2));
    host.done().await;
}

async fn what_a_failed_job_has_published_is_told(host: Host) {
    // The first attempt publishes one of two; the second fails before it publishes anything, for good.
    host.faults.block("two.gif");
    let wrong = Failure::from(&Error::input("fake.wrong", "it can not be done"));
    host.fake.script("two", [Behaviour::Succeed, Behaviour::Fail(wrong)]);
    let two = work("one").output("out/two.gif", |dot| dot.then(FakeWork::new("two")));
    let job = host.media.submit(two.build().expect("valid")).await.expect("submit");
    let status = soon("end", job.ended()).await.expect("an end");
    assert_eq!((status.state, status.attempts, host.kept().await), (JobState::Failed, 2, 1));
    let report = status.report.expect("a report");
    let failure = report.failure.as_ref().expect("a failure");
    assert_eq!(failure.code, "fake.wrong");
    let states: Vec<_> = report.outputs.iter().map(|o| (o.output.as_str(), o.state)).collect();
    assert_eq!(
        states,
        [("out/one.gif", OutputState::Published), ("out/two.gif", OutputState::Failed)]
    );
    host.done().await;
}

async fn deadlines_end_jobs(host: Host) {
    host.fake.script("slow", [Behaviour::Block]);
    let slow = spec("slow").with_options(JobOptions::new().deadline(Duration::from_millis(50)));
    let job = host.media.submit(slow).await.expect("submit");
    let error = soon("end", job.done()).await.expect_err("too slow");
    assert_eq!((error.code(), error.kind()), ("job.deadline", ErrorKind::Limit));
    host.done().await;
}

async fn urgent_jobs_go_first(host: Host) {
    host.fake.script("holds", [Behaviour::Block]);
    host.media.submit(spec("holds")).await.expect("submit");
    host.fake.begun("holds", 1).await;
    let at = |name: &str, priority| spec(name).with_options(JobOptions::new().priority(priority));
    for (name, priority) in [("usual", 0), ("late", -5), ("urgent", 5)] {
        host.media.submit(at(name, priority)).await.expect("submit");
    }
    host.fake.release();
    host.fake.begun("late", 1).await;
    assert_eq!(host.fake.runs(), ["holds", "urgent", "usual", "late"]);
    host.done().await;
}

async fn a_job_waits_for_its_moment(host: Host) {
    let now = || crate::Timestamp::from(std::time::SystemTime::now());
    let due = now().plus(Duration::from_millis(400));
    let later = spec("later").with_options(JobOptions::new().run_at(due));
    let later = host.media.submit(later).await.expect("submit");
    let first = host.media.submit(spec("first")).await.expect("submit");
    soon("end", first.done()).await.expect("success");
    let report = soon("end", later.done()).await.expect("success");
    assert!(report.started_at >= Some(due), "{:?} is before {due}", report.started_at);
    host.done().await;
}

async fn a_pause_holds_jobs_back(host: Host) {
    host.media.pause().await.expect("pause");
    let job = host.media.submit(spec("held")).await.expect("a paused engine accepts jobs");
    let begun = tokio::time::timeout(Duration::from_millis(300), host.fake.begun("held", 1)).await;
    assert!(begun.is_err(), "a paused engine takes no jobs");
    assert_eq!(job.status().await.expect("status").state, JobState::Queued);
    host.media.resume().await.expect("resume");
    soon("end", job.done()).await.expect("success");
    host.done().await;
}

async fn a_job_of_many_outputs_is_one_job(host: Host) {
    let many = (0..40).fold(Pipeline::from(dot()), |many, n| {
        many.output(format!("out/{n}.gif"), |dot| dot.then(FakeWork::new(format!("o{n}"))))
    });
    let job = host.media.submit(many.build().expect("valid")).await.expect("submit");
    let report = soon("end", job.done()).await.expect("success");
    let published = |output: &&crate::report::OutputReport| output.state == OutputState::Published;
    assert_eq!(report.outputs.iter().filter(published).count(), 40);
    assert_eq!((report.state, host.kept().await), (JobState::Succeeded, 40));
    // Created, started, at least one step, each output, and the end.
    let told = of_job(&host.first.attempted(44).await, job.id());
    let ready = told.iter().filter(|kind| **kind == EventKind::OutputReady).count();
    let ends = told.iter().filter(|kind| kind.is_terminal()).count();
    assert!(ready <= 40 && ends <= 1, "{told:?}");
    host.done().await;
}

async fn deliveries_are_repeated_with_the_same_id(host: Host) {
    host.first.fail([NotifyError::retryable("busy"), NotifyError::ambiguous("no answer")]);
    let job = host.media.submit(spec("told")).await.expect("submit");
    soon("end", job.done()).await.expect("success");
    let attempts = host.first.attempted(7).await;
    let mut by_id: HashMap<_, Vec<u32>> = HashMap::new();
    for (message, cx) in &attempts {
        assert_eq!(message.id, message.event().id.into());
        by_id.entry(message.id).or_default().push(cx.attempt);
    }
    assert_eq!(by_id.len(), 5, "five events: {by_id:?}");
    assert!(
        by_id.values().all(|attempts| attempts.iter().copied().eq((1..).take(attempts.len()))),
        "{by_id:?}"
    );
    assert_eq!(host.second.attempted(5).await.len(), 5, "another channel is not disturbed");
    host.done().await;
}

async fn lost_deliveries_are_told_elsewhere(host: Host) {
    host.first.fail([NotifyError::rejected("never")]);
    let job = host.media.submit(spec("told")).await.expect("submit");
    soon("end", job.done()).await.expect("success");
    let told = host.second.attempted(6).await;
    let failures = told.iter().filter_map(|(message, _)| match &message.event().data {
        EventData::Delivery(failure) => Some(failure),
        _ => None,
    });
    let failures: Vec<_> = failures.collect();
    let [lost] = *failures else { panic!("{failures:?}") };
    let DeliveryFailure { channel, attempts, reason, dead, .. } = &**lost;
    assert_eq!((channel.as_str(), *attempts, reason.as_str(), *dead), ("first", 1, "never", 1));
    host.done().await;
}

async fn a_shutdown_hands_back_what_runs(host: Host) {
    host.fake.script("endless", [Behaviour::Block]);
    let job = host.media.submit(spec("endless")).await.expect("submit");
    host.fake.begun("endless", 1).await;
    soon("shutdown", host.media.shutdown(Duration::from_millis(20))).await.expect("shutdown");
    let status = job.status().await.expect("status");
    assert_eq!(
        (status.state, status.attempts),
        (JobState::Queued, 0),
        "an interrupted attempt does not count"
    );
    let error = soon("answer", job.done()).await.expect_err("nobody works on it any more");
    assert_eq!(error.code(), "engine.stopped");
    let error = host.media.submit(spec("late")).await.expect_err("no jobs after a shutdown");
    assert_eq!(error.code(), "engine.stopped");
}

async fn unknown_names_are_errors(host: Host) {
    let job = host.media.submit(spec("known")).await.expect("submit");
    let other: JobId = "00000000-0000-7000-8000-000000000000".parse().expect("an id");
    let error = host.media.job(other).status().await.expect_err("there is no such job");
    assert_eq!(error.code(), "job.unknown");
    soon("end", job.done()).await.expect("success");
    host.done().await;
}
