//! Batches that are too large for one transaction: all of them or nothing, however their process ends.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use database::{Database, builder, shut, work};
use mediaflow_core::inspect::{JobFilter, Paging};
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{JobOptions, JobSpec};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, soon};
use mediaflow_core::{JobId, Mediaflow};
use mediaflow_queue::Queue;

on_both! {
    a_large_batch_is_written_and_let_go_a_part_at_a_time
    nothing_is_left_of_a_batch_that_is_refused_at_its_end
    what_a_process_has_left_of_a_batch_is_deleted_or_let_go
    a_job_that_is_not_let_go_yet_can_be_cancelled
    nobody_sees_a_job_of_a_batch_that_is_not_whole
}

/// More than one transaction writes.
const JOBS: usize = 300;

fn jobs() -> Vec<JobSpec> {
    (0..JOBS).map(|number| work(&format!("job-{number}"))).collect()
}

async fn start(database: &Database) -> Mediaflow {
    let storage = MemoryStorage::new();
    let builder = builder(database.queue(), &FakeBackend::new()).storage_with("out", storage);
    builder.start().await.unwrap()
}

async fn submitter(database: &Database) -> Mediaflow {
    submits(database.queue()).await
}

async fn submits(queue: Queue) -> Mediaflow {
    let builder = builder(queue, &FakeBackend::new());
    builder.storage_with("out", MemoryStorage::new()).submit_only().start().await.unwrap()
}

const CREATED: &str = "SELECT count(DISTINCT job) FROM mediaflow_events WHERE kind = 'job.created'";
const OPEN: &str = "SELECT count(*) FROM mediaflow_open_batches";

async fn a_large_batch_is_written_and_let_go_a_part_at_a_time(database: Database) {
    let media = start(&database).await;
    let later = work("later").with_options(JobOptions::new().tenant("a"));
    let first = media.submit(later).await.unwrap().id();
    // What its jobs wait for by themselves is found out as of any other.
    let mut all = jobs();
    all[290] = work("after").with_options(JobOptions::new().tenant("a").after(first));
    let batch = media.eager(all).await.unwrap();
    let report = soon("batch", batch.done()).await.unwrap();
    let ids: Vec<JobId> = batch.jobs().map(|job| job.id()).collect();
    assert_eq!(report.jobs.iter().map(|job| job.job).collect::<Vec<_>>(), ids);
    assert!(report.jobs.iter().all(|job| job.state == JobState::Succeeded));
    database.until(OPEN, 0).await;
    let events = "SELECT count(*) FROM mediaflow_events WHERE kind = 'job.created'";
    assert_eq!(database.int(events).await, JOBS as i64 + 1);
    assert_eq!(database.int(CREATED).await, JOBS as i64 + 1);
    shut(media).await;
}

async fn nothing_is_left_of_a_batch_that_is_refused_at_its_end(database: Database) {
    let media = submitter(&database).await;
    let mut all = jobs();
    all[JOBS - 1] = work("after").with_options(JobOptions::new().after(JobId::new()));
    let error = media.eager(all).await.expect_err("all or none");
    assert_eq!(error.code(), "job.unknown");
    for table in ["jobs", "batches", "batch_jobs", "after", "events", "open_batches"] {
        let left = format!("SELECT count(*) FROM mediaflow_{table}");
        assert_eq!(database.int(&left).await, 0, "{table}");
    }
    shut(media).await;
}

/// As a process leaves it that ends on the way: `whole` says whether all of it was written.
async fn leave(database: &Database, batch: &str, whole: i64) {
    let jobs = format!("SELECT job FROM mediaflow_batch_jobs WHERE batch = '{batch}'");
    database.run(&format!("DELETE FROM mediaflow_events WHERE job IN ({jobs})")).await;
    let river = format!("SELECT river FROM mediaflow_jobs WHERE batch = '{batch}'");
    database.run(&format!("DELETE FROM river_job WHERE id IN ({river})")).await;
    let hold = "UPDATE mediaflow_jobs SET state = 'held', held = 'batch', river = 0";
    database.run(&format!("{hold} WHERE batch = '{batch}'")).await;
    let open = format!(
        "INSERT INTO mediaflow_open_batches (batch, whole, touched_at) VALUES ('{batch}', {whole}, 0)"
    );
    database.run(&open).await;
}

async fn what_a_process_has_left_of_a_batch_is_deleted_or_let_go(database: Database) {
    let client = submitter(&database).await;
    let (lost, whole) = (client.eager(jobs()).await.unwrap(), client.eager(jobs()).await.unwrap());
    database.until(OPEN, 0).await;
    leave(&database, &lost.id().to_string(), 0).await;
    leave(&database, &whole.id().to_string(), 1).await;
    let media = start(&database).await;
    soon("batch", whole.done()).await.unwrap();
    database.until(OPEN, 0).await;
    assert_eq!(database.int("SELECT count(*) FROM mediaflow_jobs").await, JOBS as i64);
    assert_eq!(database.int("SELECT count(*) FROM mediaflow_batches").await, 1);
    assert_eq!(database.int(CREATED).await, JOBS as i64);
    shut(client).await;
    shut(media).await;
}

async fn a_job_that_is_not_let_go_yet_can_be_cancelled(database: Database) {
    let client = submitter(&database).await;
    let batch = client.eager(jobs()).await.unwrap();
    database.until(OPEN, 0).await;
    leave(&database, &batch.id().to_string(), 1).await;
    let job = batch.jobs().next().unwrap().id();
    client.handle(job).cancel().await.unwrap();
    let media = start(&database).await;
    let report = soon("batch", batch.done()).await.unwrap();
    let cancelled = report.jobs.iter().filter(|job| job.state == JobState::Cancelled);
    assert_eq!(cancelled.map(|job| job.job).collect::<Vec<_>>(), [job]);
    assert_eq!(database.int(CREATED).await, JOBS as i64);
    shut(client).await;
    shut(media).await;
}

async fn nobody_sees_a_job_of_a_batch_that_is_not_whole(database: Database) {
    let queue = database.queue();
    let client = submits(queue.clone()).await;
    let batch = client.eager(jobs()).await.unwrap();
    database.until(OPEN, 0).await;
    leave(&database, &batch.id().to_string(), 0).await;
    let job = batch.jobs().next().unwrap();
    let after = || work("after").with_options(JobOptions::new().after(job.id()));
    assert_eq!(client.submit(after()).await.unwrap_err().code(), "job.unknown");
    assert_eq!(job.cancel().await.unwrap_err().code(), "job.unknown");
    assert_eq!(job.status().await.unwrap_err().code(), "job.unknown");
    let inspect = client.inspect();
    assert_eq!(inspect.job(job.id()).await.unwrap_err().code(), "job.unknown");
    let jobs = inspect.jobs(&JobFilter::new(), &Paging::first(100)).await.unwrap();
    assert!(jobs.items.is_empty() && jobs.more, "{jobs:?}");
    assert!(inspect.counts().await.unwrap().live.is_empty());
    assert_eq!(queue.stats().await.unwrap().jobs.queued, 0);
    let told = "SELECT count(*) FROM mediaflow_events WHERE kind = 'job.cancelled'";
    assert_eq!(database.int(told).await, 0);

    database.run("UPDATE mediaflow_open_batches SET whole = 1").await;
    let after = client.submit(after()).await.unwrap();
    let media = start(&database).await;
    soon("batch", batch.done()).await.unwrap();
    soon("what comes after", media.handle(after.id()).done()).await.unwrap();
    shut(client).await;
    shut(media).await;
}
