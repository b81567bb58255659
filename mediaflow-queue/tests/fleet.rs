//! Who looks for work in a fleet of workers on a server: as many as are needed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::Mediaflow;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, soon};
use mediaflow_queue::Queue;
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber, span};

/// How often workers of this process have looked for work. Tests that count take turns.
static LOOKS: AtomicUsize = AtomicUsize::new(0);
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Counts River's look for work among the statements that are logged.
struct CountLooks;

impl Subscriber for CountLooks {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut found = IsLook(false);
        event.record(&mut found);
        LOOKS.fetch_add(usize::from(found.0), Ordering::SeqCst);
    }
}

struct IsLook(bool);

impl Visit for IsLook {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0 |= field.name() == "summary" && value.starts_with("WITH locked AS (SELECT");
    }
    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// With a lease that does not end while a busy machine holds things up.
fn queue(database: &Database) -> Queue {
    Database::queue_at(&database.address()).lease(Duration::from_secs(8))
}

async fn worker(database: &Database, fake: &FakeBackend, places: usize) -> Mediaflow {
    let builder = builder(queue(database), fake).storage_with("out", MemoryStorage::new());
    builder.places("image", places).start().await.unwrap()
}

/// As many workers, each of which can be called.
async fn fleet(
    database: &Database,
    fake: &FakeBackend,
    workers: usize,
    places: usize,
) -> Vec<Mediaflow> {
    let mut fleet = Vec::new();
    for _ in 0..workers {
        fleet.push(worker(database, fake, places).await);
    }
    let open = "SELECT count(*) FROM mediaflow_workers WHERE open IS NOT NULL";
    database.until(open, i64::try_from(workers).unwrap()).await;
    fleet
}

async fn submitter(database: &Database, fake: &FakeBackend) -> Mediaflow {
    let builder = builder(queue(database), fake).storage_with("out", MemoryStorage::new());
    builder.submit_only().start().await.unwrap()
}

/// So many workers of an older build, which can not be called. The more there are, the more rarely each looks by itself: what
/// begins soon was called for.
async fn crowd(database: &Database, workers: usize) {
    let now = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)";
    database
        .run(&format!(
            "INSERT INTO mediaflow_workers (id, host, pid, started_at, beat_at)
             SELECT 'z-' || n, 'elsewhere', 1, 0, {now} + 3000000 FROM generate_series(1, {workers}) AS n"
        ))
        .await;
}

async fn all(media: Vec<Mediaflow>) {
    for media in media {
        shut(media).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_submit_has_one_worker_look() {
    let _turn = TURN.lock().await;
    let _ = tracing::subscriber::set_global_default(CountLooks);
    let (database, fake) = (Database::postgres("looks").await, FakeBackend::new());
    let submitter = submitter(&database, &fake).await;
    // Otherwise each would look once a second.
    crowd(&database, 200).await;
    let workers = fleet(&database, &fake, 8, 4).await;
    soon("a first job", submitter.submit(work("first")).await.unwrap().done()).await.unwrap();
    let before = LOOKS.load(Ordering::SeqCst);
    for number in 0..100 {
        let job = submitter.submit(work(&number.to_string())).await.unwrap();
        soon("a job", job.done()).await.unwrap();
    }
    let looks = LOOKS.load(Ordering::SeqCst) - before;
    // One that finds it, and one when it has ended, for each place that is free again. Some look by themselves meanwhile.
    assert!(looks < 300, "{looks} looks for 100 jobs");
    all(workers).await;
    shut(submitter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_no_place_passes_the_call_on() {
    let _turn = TURN.lock().await;
    let (database, fake) = (Database::postgres("passed_on").await, FakeBackend::new());
    fake.script("first", [Behaviour::Block]);
    let submitter = submitter(&database, &fake).await;
    crowd(&database, 200).await;
    let mut workers = fleet(&database, &fake, 1, 1).await;
    let first = submitter.submit(work("first")).await.unwrap();
    soon("the first", fake.begun("first", 1)).await;
    workers.extend(fleet_beside(&database, &fake).await);
    for number in 0..5 {
        // Whoever is at work is believed to be idle, and the other one to be at work.
        let believed = "UPDATE mediaflow_workers SET open = CASE WHEN id = (SELECT min(id) FROM mediaflow_workers WHERE id LIKE 'm%')
             THEN 'mediaflow_image' ELSE '' END WHERE open IS NOT NULL";
        database.run(believed).await;
        let job = submitter.submit(work(&number.to_string())).await.unwrap();
        soon("another", job.done()).await.unwrap();
    }
    fake.release();
    soon("the first", first.done()).await.unwrap();
    all(workers).await;
    shut(submitter).await;
}

/// A second worker.
async fn fleet_beside(database: &Database, fake: &FakeBackend) -> Vec<Mediaflow> {
    let second = worker(database, fake, 1).await;
    database.until("SELECT count(*) FROM mediaflow_workers WHERE open IS NOT NULL", 2).await;
    vec![second]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_that_nobody_hears_costs_a_look_of_the_others() {
    let _turn = TURN.lock().await;
    let (database, fake) = (Database::postgres("killed").await, FakeBackend::new());
    let submitter = submitter(&database, &fake).await;
    let workers = fleet(&database, &fake, 2, 4).await;
    // It was killed a moment ago.
    database.run("INSERT INTO mediaflow_workers (id, host, pid, started_at, beat_at, open) SELECT 'a-1', 'gone', 1, 0, max(beat_at), 'mediaflow_image' FROM mediaflow_workers").await;
    for number in 0..3 {
        database.run("UPDATE mediaflow_workers SET open = '' WHERE id <> 'a-1'").await;
        let job = submitter.submit(work(&number.to_string())).await.unwrap();
        soon("a job", job.done()).await.unwrap();
    }
    all(workers).await;
    shut(submitter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_many_look_as_there_is_work_for() {
    let _turn = TURN.lock().await;
    let (database, fake) = (Database::postgres("many").await, FakeBackend::new());
    let names: Vec<_> = (0..16).map(|number| format!("{number:02}")).collect();
    names.iter().for_each(|name| fake.script(name, [Behaviour::Block]));
    let submitter = submitter(&database, &fake).await;
    crowd(&database, 200).await;
    let workers = fleet(&database, &fake, 4, 4).await;
    // Half of them at once, from elsewhere; and half one by one, by a worker that has not places enough.
    let (together, apart) = names.split_at(8);
    let batch = submitter.eager(together.iter().map(|name| work(name))).await.unwrap();
    let mut jobs = Vec::new();
    for name in apart {
        jobs.push(workers[0].submit(work(name)).await.unwrap());
    }
    for name in &names {
        soon("all at once", fake.begun(name, 1)).await;
    }
    fake.release();
    soon("the batch", batch.done()).await.unwrap();
    for job in jobs {
        soon("a job", job.done()).await.unwrap();
    }
    all(workers).await;
    shut(submitter).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_commits_is_called_for() {
    let _turn = TURN.lock().await;
    let (database, fake) = (Database::postgres("hosts").await, FakeBackend::new());
    let queue = queue(&database);
    let builder = builder(queue.clone(), &fake).storage_with("out", MemoryStorage::new());
    let host = builder.submit_only().start().await.unwrap();
    crowd(&database, 200).await;
    let workers = fleet(&database, &fake, 2, 4).await;
    let host_transaction = database.submit_in(&queue, [work("host")]).await;
    host_transaction.commit().await;
    soon("the host's job", fake.begun("host", 1)).await;
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE ended_at IS NOT NULL", 1).await;
    all(workers).await;
    shut(host).await;
}
