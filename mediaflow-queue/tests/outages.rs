//! What a database does at a bad time is waited out, and what was made meanwhile is kept.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;
mod small_disk;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use database::{Database, builder, many, shut, work};
use mediaflow_core::report::JobState;
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, soon};
use mediaflow_core::{EventKind, JobId, Mediaflow, Timestamp};
use mediaflow_queue::testing::{PrivatePostgres, Proxy};
use mediaflow_queue::{DeliveryFilter, DeliveryState, Queue};
use small_disk::SmallDisk;

async fn start(queue: Queue, fake: &FakeBackend) -> Mediaflow {
    builder(queue, fake).storage_with("out", MemoryStorage::new()).start().await.unwrap()
}

/// A job whose only step has begun, and ends with [`FakeBackend::release`].
async fn begun(media: &Mediaflow, fake: &FakeBackend, name: &str) -> JobId {
    fake.script(name, [Behaviour::Block]);
    let job = media.submit(work(name)).await.unwrap().id();
    fake.begun(name, 1).await;
    job
}

async fn succeeds_at_once(media: &Mediaflow, job: JobId) {
    let status = soon("end", media.handle(job).ended()).await.unwrap();
    assert_eq!((status.state, status.attempts), (JobState::Succeeded, 1), "{status:?}");
}

/// A host's transaction that stays open on a row holds up what concerns that row, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_for_long_stops_nobody_else() {
    let database = Database::postgres("held_lock").await;
    let fake = FakeBackend::new();
    let media = start(database.queue(), &fake).await;
    let job = begun(&media, &fake, "held").await;
    let Database::Postgres { pool, .. } = &database else { panic!("it is a server") };
    let mut host = pool.begin().await.unwrap();
    let lock = format!("SELECT 1 FROM mediaflow_jobs WHERE id = '{job}' FOR UPDATE");
    sqlx::query(sqlx::AssertSqlSafe(lock)).execute(&mut *host).await.unwrap();

    fake.release();
    let began = Instant::now();
    for number in 0..8 {
        let other = media.submit(work(&format!("other-{number}"))).await.unwrap().id();
        succeeds_at_once(&media, other).await;
    }
    // The first of them may share a transaction with it; none does again.
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(media.handle(job).status().await.unwrap().state, JobState::Running);
    host.rollback().await.unwrap();
    succeeds_at_once(&media, job).await;
    assert_eq!(database.ends(job).await, 1);
    shut(media).await;
}

/// As after a failover to a server that only reads: connections stay, and writes are refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_reads_is_waited_for() {
    let database = Database::postgres("read_only").await;
    let fake = FakeBackend::new();
    let media = start(database.queue(), &fake).await;
    let job = begun(&media, &fake, "held").await;
    let server = PrivatePostgres::shared().await.unwrap();
    let operator = sqlx::PgPool::connect(&server.url()).await.unwrap();
    let name = database.texts("SELECT CAST(current_database() AS TEXT)").await.remove(0);
    let switch = async |to: &str| {
        for sql in [
            format!("ALTER DATABASE {name} SET default_transaction_read_only = {to}"),
            format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'mediaflow'"
            ),
        ] {
            sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&operator).await.unwrap();
            if to == "off" {
                // Nobody closes the connections to a server that has become a standby.
                return;
            }
        }
    };
    switch("on").await;
    fake.release();
    let refused = async {
        loop {
            match media.submit(work("refused")).await {
                Err(error) if error.code() == "queue.standby" => return,
                Err(error) => assert_eq!(error.code(), "queue.unavailable", "{error}"),
                Ok(job) => panic!("{} was written to a server that only reads", job.id()),
            }
        }
    };
    soon("refusal", refused).await;
    // Longer than any of the pauses at the beginning.
    tokio::time::sleep(Duration::from_secs(3)).await;
    switch("off").await;
    succeeds_at_once(&media, job).await;
    assert_eq!(database.ends(job).await, 1);
    let other = async {
        while media.submit(work("other")).await.is_err() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    soon("submission", other).await;
    shut(media).await;
}

/// The end of an attempt is written after an outage; and a process that has to end does not wait for the end of one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_ends_during_an_outage() {
    let server = PrivatePostgres::shared().await.unwrap();
    let url = server.database("away").await.unwrap();
    let network = Proxy::start(server.addr()).await.unwrap();
    let fake = FakeBackend::new();
    let queue = mediaflow_queue::Postgres::connect(network.url(&url)).lease(Duration::from_secs(1));
    let media = start(queue, &fake).await;
    let job = begun(&media, &fake, "back").await;
    network.cut();
    fake.release();
    tokio::time::sleep(Duration::from_secs(3)).await;
    network.resume();
    succeeds_at_once(&media, job).await;

    fake.script("away", [Behaviour::Hang]);
    media.submit(work("away")).await.unwrap();
    fake.begun("away", 1).await;
    network.cut();
    let began = Instant::now();
    // It tells that not everything was handed back.
    let _ = soon("shutdown", media.shutdown(Duration::from_millis(500))).await;
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

/// SQLite itself waits for a file that is locked, and not for a disk that is full.
#[expect(clippy::print_stdout, reason = "what a machine can not test is said")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_while_the_disk_is_full_is_not_done_again() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("small");
    let disk = SmallDisk::mount(&place, 8);
    if let Err(why) = &disk {
        println!("no disk can be mounted to be filled: {why}");
        return;
    }
    let fake = FakeBackend::new();
    let queue = mediaflow_queue::Sqlite::open(place.join("jobs.db")).lease(Duration::from_secs(1));
    let media = start(queue, &fake).await;
    let job = begun(&media, &fake, "held").await;
    let ballast = place.join("ballast");
    let mut file = File::create(&ballast).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    drop(file);
    // The log of the database may have some room left.
    let mut others = 0;
    while media.submit(work(&format!("other-{others}"))).await.is_ok() {
        others += 1;
    }
    fake.release();
    // Longer than River tries to write what became of it.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(media.handle(job).status().await.unwrap().state, JobState::Running);
    std::fs::remove_file(&ballast).unwrap();
    succeeds_at_once(&media, job).await;
    assert_eq!(fake.runs().iter().filter(|run| *run == "held").count(), 1);
    shut(media).await;
}

/// While somebody reads, the log can not be begun anew. It is cut again when a burst is over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_of_a_file_shrinks_after_a_burst() {
    let database = Database::sqlite().await;
    let media = start(database.queue(), &FakeBackend::new()).await;
    let Database::Sqlite { path, pool, .. } = &database else { panic!("it is a file") };
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let size = |log: &Path| std::fs::metadata(log).map_or(0, |log| log.len());
    let mut reader = pool.begin().await.unwrap();
    sqlx::query("SELECT count(*) FROM mediaflow_jobs").execute(&mut *reader).await.unwrap();
    database.run("CREATE TABLE ballast (body BLOB)").await;
    const MEGABYTE: u64 = 1 << 20;
    for _ in 0..24 {
        database.run("INSERT INTO ballast VALUES (randomblob(1048576))").await;
    }
    assert!(size(&log) > 24 * MEGABYTE);
    reader.rollback().await.unwrap();
    let shrunk = async {
        while size(&log) > 16 * MEGABYTE {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("a shorter log", shrunk).await;
    let job = media.submit(work("after")).await.unwrap().id();
    succeeds_at_once(&media, job).await;
    shut(media).await;
}

/// As long as all statements of a connection stay prepared, none is parsed and planned twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_keeps_all_its_statements() {
    // The server writes down each statement under the name by which a connection keeps it.
    let server = PrivatePostgres::builder()
        .set("log_min_duration_statement", "0")
        .set("log_line_prefix", "@@%p ")
        .set("fsync", "off")
        .start()
        .await
        .unwrap();
    let url = server.database("statements").await.unwrap();
    let fake = FakeBackend::new();
    let queue =
        mediaflow_queue::Postgres::connect(url).connections(2).lease(Duration::from_secs(1));
    let media = start(queue.clone(), &fake).await;
    for jobs in 1..=16 {
        let specs = (0..jobs).map(|job| work(&format!("{jobs}-{job}")));
        let specs = specs.map(|spec| spec.with_options(JobOptions::new().priority(jobs)));
        let batch = media.eager(specs.collect::<Vec<_>>()).await.unwrap();
        soon("batch", batch.done()).await.unwrap();
    }
    let split = media.submit(many(24)).await.unwrap().id();
    soon("parts", media.handle(split).ended()).await.unwrap();
    let cancelled = begun(&media, &fake, "cancelled").await;
    media.handle(cancelled).cancel().await.unwrap();
    soon("cancel", media.handle(cancelled).ended()).await.unwrap();
    // Each filter is a statement of its own.
    let parts: [fn(DeliveryFilter) -> DeliveryFilter; 8] = [
        |filter| filter.id(1),
        |filter| filter.state(DeliveryState::Dead),
        |filter| filter.channel("mail"),
        |filter| filter.origin("o"),
        |filter| filter.job(JobId::new()),
        |filter| filter.kind(EventKind::JobFailed),
        |filter| filter.since(Timestamp::default()),
        |filter| filter.until(Timestamp::default()),
    ];
    for chosen in (0..2).flat_map(|_| 0..256_u32) {
        let parts = parts.iter().enumerate().filter(|(at, _)| chosen >> at & 1 == 1);
        let filter = parts.fold(DeliveryFilter::new(), |filter, (_, part)| part(filter));
        queue.deliveries(&filter).await.unwrap();
    }
    shut(media).await;

    let log = std::fs::read_to_string(server.folder().join("log")).unwrap();
    // By connection, and by the name under which it keeps them.
    let mut kept: HashMap<(&str, &str), HashSet<&str>> = HashMap::new();
    for entry in log.split("@@") {
        let Some((begin, rest)) = entry.split_once("execute sqlx_s_") else { continue };
        let Some((name, statement)) = rest.split_once(": ") else { continue };
        let connection = begin.split(' ').next().unwrap();
        kept.entry((connection, statement)).or_default().insert(name);
    }
    let statements: HashSet<_> = kept.keys().map(|(_, statement)| statement).collect();
    assert!((300..900).contains(&statements.len()), "{} statements", statements.len());
    let twice: Vec<_> = kept.iter().filter(|(_, names)| names.len() > 1).collect();
    assert!(twice.is_empty(), "{} were prepared again: {:?}", twice.len(), twice.first());
}
