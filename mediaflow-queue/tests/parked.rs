//! Jobs of which a worker does not know what they need: a newer build, or another configuration, is at work beside it.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::Duration;

use database::{Database, many, shut, work};
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{IntoSpec as _, JobOptions, JobSpec, Pipeline};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{
    Behaviour, FakeBackend, FakeEncode, FakeVendor, FakeWork, ManualClock, ScriptedNotifier, dot,
    soon,
};
use mediaflow_core::{Builder, EventKind, Mediaflow};
use mediaflow_queue::Queue;

on_both! {
    what_nobody_knows_harms_nothing_else
    parts_are_left_to_those_who_know
    a_storage_is_needed_too
    a_channel_is_needed_too
    an_assembly_is_left_to_those_who_know
    what_nobody_knows_is_told_once
    what_nobody_has_places_for_is_told_too
    parts_that_nobody_knows_are_told_too
    what_waits_for_workers_that_are_gone_is_for_others
    a_parked_job_is_cancelled
}

const PARKED: &str = "SELECT count(*) FROM mediaflow_jobs WHERE state = 'parked'";

/// Knows no operation.
fn ignorant(queue: Queue) -> Builder {
    Mediaflow::builder().engine(queue).storage_with("out", MemoryStorage::new())
}

fn knowing(queue: Queue, fake: &FakeBackend) -> Builder {
    database::builder(queue, fake).storage_with("out", MemoryStorage::new())
}

/// Has a step less than [`work`].
fn copy(name: &str) -> JobSpec {
    let pipeline = Pipeline::from(dot()).output(format!("out/{name}.gif"), |dot| dot);
    pipeline.build().unwrap().into_spec().unwrap()
}

async fn what_nobody_knows_harms_nothing_else(database: Database) {
    let old = ignorant(database.queue()).places("image", 4).start().await.unwrap();
    let fake = FakeBackend::new();
    let client = knowing(database.queue(), &fake).submit_only().start().await.unwrap();
    let jobs = (0..100).flat_map(|n| [work(&format!("new-{n}")), copy(&format!("copy-{n}"))]);
    let batch = client.eager(jobs).await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'succeeded'", 100).await;
    database.until(PARKED, 100).await;
    // Each was claimed once: none was rolled back, and none is asked for again and again.
    let claims = "SELECT CAST(sum(fence) AS BIGINT) FROM mediaflow_jobs";
    assert_eq!(database.int(claims).await, 200);
    // River has nothing that can not run; it writes the ends of its own rows a moment after ours.
    database.until("SELECT count(*) FROM river_job WHERE state <> 'completed'", 0).await;
    let status = batch.jobs().next().unwrap().status().await.unwrap();
    assert_eq!((status.state, status.attempts), (JobState::Queued, 0));

    let new = knowing(database.queue(), &fake).places("image", 4).start().await.unwrap();
    let report = soon("batch", batch.done()).await.unwrap();
    assert!(report.jobs.iter().all(|job| (job.state, job.attempts) == (JobState::Succeeded, 1)));
    assert_eq!((fake.runs().len(), database.int(claims).await), (100, 300));
    for media in [old, client, new] {
        shut(media).await;
    }
}

async fn parts_are_left_to_those_who_know(database: Database) {
    let fake = FakeBackend::new();
    fake.script("00", [Behaviour::Block]);
    let new = knowing(database.queue(), &fake).places("image", 1).start().await.unwrap();
    let job = new.submit(many(24)).await.unwrap();
    soon("first part", fake.begun("00", 1)).await;
    let old = ignorant(database.queue()).start().await.unwrap();
    // Parked by the one, and queued again by the other for those who know the same.
    let own = "SELECT count(*) FROM river_job WHERE kind = 'mediaflow.part' AND state IN ('available', 'running')
               AND queue LIKE 'mediaflow_image%' AND queue <> 'mediaflow_image'";
    database.until(own, 2).await;
    fake.release();
    let report = soon("success", job.done()).await.unwrap();
    assert_eq!((report.state, report.outputs.len()), (JobState::Succeeded, 24));
    shut(old).await;
    shut(new).await;
}

/// The worker that has made the last part ends before it puts them together, and the next one is an older build.
async fn an_assembly_is_left_to_those_who_know(database: Database) {
    let (fake, storage) = (FakeBackend::new(), MemoryStorage::new());
    let host = || database::builder(database.queue(), &fake).storage_with("out", storage.clone());
    fake.script("23", [Behaviour::Block]);
    let first = host().places("image", 4).start().await.unwrap();
    let job = first.submit(many(24)).await.unwrap();
    fake.begun("23", 1).await;
    let last = "SELECT count(*) FROM mediaflow_parts WHERE state <> 'done'";
    database.until(last, 1).await;
    // It takes nothing any more, and goes on with what it has.
    let ends = tokio::spawn({
        let first = first.clone();
        async move { first.shutdown(Duration::from_secs(30)).await }
    });
    let error = async {
        while first.submit(work("late")).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    soon("the begin of the end", error).await;
    fake.release();
    soon("the end", ends).await.unwrap().unwrap();
    let made = "SELECT count(*) FROM mediaflow_jobs WHERE parts_left = 0 AND worker IS NULL AND ended_at IS NULL";
    database.until(made, 1).await;
    let old = ignorant(database.queue()).start().await.unwrap();
    database
        .until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'parked' AND parts_left = 0", 1)
        .await;
    assert_eq!(old.handle(job.id()).status().await.unwrap().state, JobState::Running);
    let next = host().start().await.unwrap();
    let report = soon("success", next.handle(job.id()).done()).await.unwrap();
    assert_eq!(report.outputs.len(), 24);
    assert_eq!(fake.runs().iter().filter(|run| *run == "23").count(), 1);
    shut(old).await;
    shut(next).await;
}

async fn a_storage_is_needed_too(database: Database) {
    let fake = FakeBackend::new();
    let archive = || knowing(database.queue(), &fake).storage_with("archive", MemoryStorage::new());
    let client = archive().submit_only().start().await.unwrap();
    let without = knowing(database.queue(), &fake).start().await.unwrap();
    let kept = Pipeline::from(dot()).output("archive/kept.gif", |dot| dot.then(FakeWork::new("k")));
    let job = client.submit(kept.build().unwrap()).await.unwrap();
    database.until(PARKED, 1).await;
    let with = archive().start().await.unwrap();
    assert_eq!(soon("success", job.done()).await.unwrap().attempts, 1);
    for media in [client, without, with] {
        shut(media).await;
    }
}

async fn a_channel_is_needed_too(database: Database) {
    let fake = FakeBackend::new();
    let hooks = ScriptedNotifier::new([EventKind::JobCompleted]);
    let telling = || knowing(database.queue(), &fake).notify(hooks.clone());
    let client = telling().submit_only().start().await.unwrap();
    let without = knowing(database.queue(), &fake).start().await.unwrap();
    let told = work("told").with_options(JobOptions::new().notify("hooks", "a"));
    let job = client.submit(told).await.unwrap();
    database.until(PARKED, 1).await;
    let with = telling().start().await.unwrap();
    assert_eq!(soon("success", job.done()).await.unwrap().attempts, 1);
    assert_eq!(hooks.told(1).await.remove(0).to, "a");
    for media in [client, without, with] {
        shut(media).await;
    }
}

async fn what_nobody_knows_is_told_once(database: Database) {
    let clock = ManualClock::new();
    let (queue, other) = (database.queue(), database.queue());
    let one = ignorant(queue.clone()).clock(Arc::new(clock.clone())).start().await.unwrap();
    let two = ignorant(other).clock(Arc::new(clock.clone())).start().await.unwrap();
    let fake = FakeBackend::new();
    let client = knowing(database.queue(), &fake)
        .clock(Arc::new(clock.clone()))
        .submit_only()
        .start()
        .await
        .unwrap();
    for name in ["a", "b"] {
        client.submit(work(name)).await.unwrap();
    }
    database.until(PARKED, 2).await;
    are_unclaimed(&database, &queue, &clock, UNKNOWN, 2).await;
    assert_eq!(queue.stats().await.unwrap().jobs.queued, 2);
    // And again as long as it lasts.
    clock.advance(Duration::from_secs(3601));
    database.until(TOLD, 2).await;
    for media in [one, two, client] {
        shut(media).await;
    }
}

const TOLD: &str = "SELECT count(*) FROM mediaflow_events WHERE kind = 'jobs.unclaimed'";

const UNKNOWN: &str = "job:pipeline@1 op:fake.work@1 storage:out";

/// After a while statistics and an event tell of so many jobs that no worker takes, because of what they need.
async fn are_unclaimed(
    database: &Database,
    queue: &Queue,
    clock: &ManualClock,
    needs: &str,
    jobs: u64,
) {
    let unclaimed = async || queue.stats().await.unwrap().unclaimed;
    assert!(unclaimed().await.is_empty(), "a worker may be on its way");
    clock.advance(Duration::from_secs(301));
    database.until(TOLD, 1).await;
    assert_eq!(unclaimed().await.into_iter().collect::<Vec<_>>(), [(needs.to_owned(), jobs)]);
    let body = "SELECT body FROM mediaflow_events WHERE kind = 'jobs.unclaimed'";
    let body: serde_json::Value = serde_json::from_str(&database.texts(body).await[0]).unwrap();
    assert_eq!(body["data"]["unclaimed"], serde_json::json!({ "needs": needs, "jobs": jobs }));
}

async fn what_nobody_has_places_for_is_told_too(database: Database) {
    let (clock, vendor) = (ManualClock::new(), FakeVendor::new());
    let host = |queue| {
        let host = ignorant(queue).with(vendor.operations());
        host.clock(Arc::new(clock.clone()))
    };
    let queue = database.queue();
    let without = host(queue.clone()).places("remote", 0).start().await.unwrap();
    let encode = Pipeline::from(dot())
        .output("out/a.gif", |dot| dot.then(FakeEncode::new("a")))
        .build()
        .unwrap();
    let job = without.submit(encode).await.unwrap();
    are_unclaimed(&database, &queue, &clock, "class:remote", 1).await;
    let with = host(database.queue()).start().await.unwrap();
    let waiting = "SELECT count(*) FROM mediaflow_jobs WHERE state = 'waiting'";
    database.until(waiting, 1).await;
    assert!(queue.stats().await.unwrap().unclaimed.is_empty());
    with.handle(job.id()).cancel().await.unwrap();
    shut(without).await;
    shut(with).await;
}

/// A newer build has split a job, and is taken back.
async fn parts_that_nobody_knows_are_told_too(database: Database) {
    let (clock, fake) = (ManualClock::new(), FakeBackend::new());
    for number in 0..24 {
        fake.script(format!("{number:02}"), [Behaviour::Block]);
    }
    let timed = |builder: Builder| builder.clock(Arc::new(clock.clone()));
    let new = timed(knowing(database.queue(), &fake)).places("image", 1).start().await.unwrap();
    let job = new.submit(many(24)).await.unwrap();
    let running = "SELECT count(*) FROM mediaflow_parts WHERE state = 'running'";
    database.until(running, 1).await;
    soon("shutdown", new.shutdown(Duration::from_millis(20))).await.unwrap();
    let parts = database.int("SELECT count(*) FROM mediaflow_parts").await;
    assert!(parts > 1);

    let queue = database.queue();
    let old = timed(ignorant(queue.clone())).start().await.unwrap();
    let parked = "SELECT count(*) FROM mediaflow_parts WHERE state = 'parked'";
    database.until(parked, parts).await;
    are_unclaimed(&database, &queue, &clock, UNKNOWN, 1).await;
    assert_eq!(queue.stats().await.unwrap().jobs.running, 1);

    // The release comes after all.
    fake.release();
    let new = timed(knowing(database.queue(), &fake)).start().await.unwrap();
    let report = soon("success", new.handle(job.id()).done()).await.unwrap();
    assert_eq!((report.state, report.outputs.len()), (JobState::Succeeded, 24));
    assert!(queue.stats().await.unwrap().unclaimed.is_empty());
    shut(old).await;
    shut(new).await;
}

async fn what_waits_for_workers_that_are_gone_is_for_others(database: Database) {
    let old = ignorant(database.queue()).start().await.unwrap();
    let fake = FakeBackend::new();
    for name in ["a", "b", "c"] {
        fake.script(name, [Behaviour::Block]);
    }
    let client = knowing(database.queue(), &fake).submit_only().start().await.unwrap();
    let mut jobs = Vec::new();
    for name in ["a", "b", "c"] {
        jobs.push(client.submit(work(name)).await.unwrap());
    }
    database.until(PARKED, 3).await;
    let short = knowing(database.queue(), &fake).places("image", 1).start().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'running'", 1).await;
    database.until(PARKED, 0).await;
    soon("shutdown", short.shutdown(Duration::from_millis(20))).await.unwrap();
    database.until(PARKED, 3).await;
    // Another one, which knows more than that one did.
    fake.release();
    let next = knowing(database.queue(), &fake).storage_with("more", MemoryStorage::new());
    let next = next.start().await.unwrap();
    for job in jobs {
        assert_eq!(soon("success", job.done()).await.unwrap().attempts, 1);
    }
    for media in [old, client, next] {
        shut(media).await;
    }
}

async fn a_parked_job_is_cancelled(database: Database) {
    let old = ignorant(database.queue()).start().await.unwrap();
    let client =
        knowing(database.queue(), &FakeBackend::new()).submit_only().start().await.unwrap();
    let job = client.submit(work("parked")).await.unwrap();
    database.until(PARKED, 1).await;
    job.cancel().await.unwrap();
    assert_eq!(job.status().await.unwrap().state, JobState::Cancelled);
    assert_eq!(database.ends(job.id()).await, 1);
    shut(old).await;
    shut(client).await;
}
