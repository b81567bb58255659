//! What readers of events hear of other processes.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use database::{Database, builder, shut, work};
use futures_util::StreamExt as _;
use mediaflow_core::engine::EventStream;
use mediaflow_core::event::EventData;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::Pipeline;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, FakeWork, dot, soon};
use mediaflow_core::{EventKind, JobId, Mediaflow};
use mediaflow_queue::Queue;

on_both! {
    a_flood_elsewhere_is_read_to_its_end
    a_reader_that_falls_behind_misses_nothing
    a_batch_of_many_jobs_ends_no_stream
    progress_elsewhere_is_heard_and_not_kept
    what_has_ended_is_counted_by_the_minute
    an_end_is_seen_without_its_event
    what_is_queued_elsewhere_begins_at_once
}

/// A process that only takes jobs, and hears of others'.
async fn process(queue: Queue) -> Mediaflow {
    let fake = FakeBackend::new();
    let builder = builder(queue, &fake).storage_with("out", MemoryStorage::new());
    builder.submit_only().start().await.unwrap()
}

async fn hears_of(events: &mut EventStream, job: JobId) {
    let next = async |events: &mut EventStream| events.next().await.unwrap().unwrap();
    let heard = async { while next(events).await.job != Some(job) {} };
    soon("event of a job", heard).await;
}

async fn a_flood_elsewhere_is_read_to_its_end(database: Database) {
    let (here, elsewhere) = (process(database.queue()).await, process(database.queue()).await);
    let mut events = here.events();
    // From its first event on, a reader is surely listening.
    let job = elsewhere.submit(work("first")).await.unwrap().id();
    hears_of(&mut events, job).await;
    const FLOOD: usize = 4000;
    database
        .run(&format!(
            "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {FLOOD})
             INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, body)
             SELECT id || number, kind, job, batch, at, origin, body FROM mediaflow_events, numbers"
        ))
        .await;
    let flood = events.by_ref().take(FLOOD).for_each(|_| std::future::ready(()));
    soon("last of the flood", flood).await;
    let last = elsewhere.submit(work("last")).await.unwrap().id();
    hears_of(&mut events, last).await;
    shut(here).await;
    shut(elsewhere).await;
}

/// It reads nothing while more happens than is kept for it.
async fn a_reader_that_falls_behind_misses_nothing(database: Database) {
    let (here, elsewhere) = (process(database.queue()).await, process(database.queue()).await);
    let mut events = here.events();
    let job = elsewhere.submit(work("first")).await.unwrap().id();
    hears_of(&mut events, job).await;
    let mut live = here.events();
    const FLOOD: usize = 9000;
    database
        .run(&format!(
            "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < {FLOOD})
             INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, body)
             SELECT replace(id, '-7', '-8') || number, kind, job, batch, at, origin,
               replace(body, id, substr(id, 1, 24) || (100000000000 + number))
             FROM mediaflow_events, numbers"
        ))
        .await;
    // A second one reads, so that all of it has been told.
    let mut read = std::collections::HashSet::new();
    while read.len() < FLOOD {
        read.insert(soon("event", live.next()).await.unwrap().unwrap().id);
    }
    let mut heard = std::collections::HashSet::new();
    while heard.len() < FLOOD {
        heard.insert(soon("event", events.next()).await.unwrap().unwrap().id);
    }
    let last = elsewhere.submit(work("last")).await.unwrap().id();
    hears_of(&mut events, last).await;
    shut(here).await;
    shut(elsewhere).await;
}

/// More of them than events are kept for a reader.
async fn a_batch_of_many_jobs_ends_no_stream(database: Database) {
    let here = process(database.queue()).await;
    let mut events = here.events();
    const JOBS: usize = 5000;
    let batch = here.eager((0..JOBS).map(|_| work("many"))).await.unwrap();
    let mut created = std::collections::HashSet::new();
    while created.len() < JOBS {
        created.extend(soon("event", events.next()).await.unwrap().unwrap().job);
    }
    let first = batch.jobs().next().unwrap();
    let ended = first.ended();
    first.cancel().await.unwrap();
    assert_eq!(soon("end", ended).await.unwrap().state, JobState::Cancelled);
    shut(here).await;
}

async fn progress_elsewhere_is_heard_and_not_kept(database: Database) {
    let (here, fake) = (process(database.queue()).await, FakeBackend::new());
    fake.script("fast", [Behaviour::Progress(vec![0.5])]);
    fake.script("slow", [Behaviour::Block]);
    let builder = builder(database.queue(), &fake).storage_with("out", MemoryStorage::new());
    let elsewhere = builder.start().await.unwrap();
    let mut events = here.events();
    let two = Pipeline::from(dot())
        .output("out/a.gif", |dot| dot.then(FakeWork::new("fast")).then(FakeWork::new("slow")));
    let job = here.submit(two.build().unwrap()).await.unwrap();
    let told = async {
        loop {
            let event = events.next().await.unwrap().unwrap();
            if event.kind == EventKind::JobProgress && event.job == Some(job.id()) {
                return event;
            }
        }
    };
    let EventData::Progress(done) = soon("progress", told).await.data else { panic!("no number") };
    assert!(done > 0.0 && done < 1.0, "{done}");
    fake.release();
    soon("success", job.done()).await.unwrap();
    let kept = "SELECT count(*) FROM mediaflow_events WHERE kind = 'job.progress'";
    assert_eq!(database.int(kept).await, 0);
    shut(here).await;
    shut(elsewhere).await;
}

async fn what_has_ended_is_counted_by_the_minute(database: Database) {
    let fake = FakeBackend::new();
    let builder = builder(database.queue(), &fake).storage_with("out", MemoryStorage::new());
    let media = builder.start().await.unwrap();
    for number in 0..3 {
        let job = media.submit(work(&format!("job-{number}"))).await.unwrap();
        soon("success", job.done()).await.unwrap();
    }
    database.run("UPDATE mediaflow_jobs SET ended_at = ended_at - 600000").await;
    database.run("DELETE FROM mediaflow_facts WHERE name = 'counted'").await;
    // A worker counts some minutes in one turn, and looks once a second here.
    let counted = "SELECT CAST(coalesce(sum(jobs), 0) AS BIGINT) FROM mediaflow_ended WHERE state = 'succeeded'";
    database.until(counted, 3).await;
    // It may have counted between the two statements, and then does it again.
    database.until("SELECT count(*) FROM mediaflow_facts WHERE name = 'counted'", 1).await;
    // The rows themselves are not asked any more.
    database.run("UPDATE mediaflow_jobs SET ended_at = ended_at - 86400000").await;
    let counts = media.inspect().counts().await.unwrap();
    assert_eq!((counts.minute.jobs(), counts.hour.jobs(), counts.day.jobs()), (0, 3, 3));
    shut(media).await;
}

async fn an_end_is_seen_without_its_event(database: Database) {
    let here = process(database.queue()).await;
    let job = here.submit(work("ended")).await.unwrap();
    let (ended, id) = (job.ended(), job.id());
    database
        .run(&format!("UPDATE mediaflow_jobs SET state = 'failed', ended_at = 1 WHERE id = '{id}'"))
        .await;
    assert_eq!(soon("end", ended).await.unwrap().state, JobState::Failed);
    shut(here).await;
}

/// Without the look that River takes by itself, every second or two: many of them would take longer than anybody waits.
async fn what_is_queued_elsewhere_begins_at_once(database: Database) {
    let (elsewhere, fake) = (process(database.queue()).await, FakeBackend::new());
    let builder = builder(database.queue(), &fake).storage_with("out", MemoryStorage::new());
    let here = builder.start().await.unwrap();
    for number in 0..40 {
        let name = format!("job-{number}");
        elsewhere.submit(work(&name)).await.unwrap();
        soon("beginning", fake.begun(&name, 1)).await;
    }
    shut(elsewhere).await;
    shut(here).await;
}

/// On SQLite nobody else writes meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transaction_that_commits_after_its_successor_is_heard_of() {
    let database = Database::postgres("late").await;
    let Database::Postgres { pool, .. } = &database else { panic!("it is on PostgreSQL") };
    let queue = database.queue();
    let (here, elsewhere) = (process(database.queue()).await, process(queue.clone()).await);
    let mut events = here.events();
    let mut transaction = pool.begin().await.unwrap();
    let late = queue.submit_in(&mut transaction, work("late")).await.unwrap();
    let early = elsewhere.submit(work("early")).await.unwrap().id();
    hears_of(&mut events, early).await;
    transaction.commit().await.unwrap();
    hears_of(&mut events, late).await;
    shut(here).await;
    shut(elsewhere).await;
}
