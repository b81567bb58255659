use std::time::Duration;

use super::super::{Behaviour, soon};
use super::host::{Host, spec};
use crate::event::{Event, EventKind};
use crate::report::JobState;
use crate::spec::JobOptions;
use crate::{Error, ErrorKind, Failure, JobId};

pub(super) async fn an_idempotency_key_stands_for_one_job(host: Host) {
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

pub(super) async fn a_key_is_bound_to_what_was_asked_for(host: Host) {
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

pub(super) async fn a_key_is_free_after_a_failure(host: Host) {
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

pub(super) async fn a_batch_ends_with_its_last_job(host: Host) {
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

pub(super) async fn an_ended_job_can_be_replayed(host: Host) {
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

pub(super) async fn urgent_jobs_go_first(host: Host) {
    host.fake.script("holds", [Behaviour::Block]);
    host.media.submit(spec("holds")).await.expect("submit");
    host.fake.begun("holds", 1).await;
    let at = |name: &str, priority| spec(name).with_options(JobOptions::new().priority(priority));
    for (name, priority) in [
        ("usual", 0),
        ("late", -5),
        ("urgent", 5),
        ("last", i16::MIN),
        ("more", 300),
        ("most", i16::MAX),
        ("less", 299),
    ] {
        host.media.submit(at(name, priority)).await.expect("submit");
    }
    host.fake.release();
    host.fake.begun("last", 1).await;
    let order = ["holds", "most", "more", "less", "urgent", "usual", "late", "last"];
    assert_eq!(host.fake.runs(), order);
    host.done().await;
}

pub(super) async fn a_job_waits_for_its_moment(host: Host) {
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

pub(super) async fn a_pause_holds_jobs_back(host: Host) {
    host.media.pause().await.expect("pause");
    let job = host.media.submit(spec("held")).await.expect("a paused engine accepts jobs");
    let begun = tokio::time::timeout(Duration::from_millis(300), host.fake.begun("held", 1)).await;
    assert!(begun.is_err(), "a paused engine takes no jobs");
    assert_eq!(job.status().await.expect("status").state, JobState::Queued);
    host.media.resume().await.expect("resume");
    soon("end", job.done()).await.expect("success");
    host.done().await;
}

pub(super) async fn a_shutdown_hands_back_what_runs(host: Host) {
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

pub(super) async fn a_batch_has_a_limit(host: Host) {
    let most = crate::Limits::default().batch_jobs;
    let error = host.media.eager((0..=most).map(|_| spec("one"))).await.expect_err("too many");
    assert_eq!(error.code(), "limit.batch_jobs");
    let counts = host.media.inspect().counts().await.expect("counts");
    assert!(counts.live.is_empty(), "all or none: {counts:?}");
    host.done().await;
}

pub(super) async fn unknown_names_are_errors(host: Host) {
    let job = host.media.submit(spec("known")).await.expect("submit");
    let other: JobId = "00000000-0000-7000-8000-000000000000".parse().expect("an id");
    let error = host.media.handle(other).status().await.expect_err("there is no such job");
    assert_eq!(error.code(), "job.unknown");
    soon("end", job.done()).await.expect("success");
    host.done().await;
}
