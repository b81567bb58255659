//! A job can be submitted in the host's own transaction: both are there after its commit, and neither after a rollback.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

use mediaflow_core::report::JobState;
use mediaflow_core::spec::{JobOptions, JobSpec, Pipeline};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, FakeWork, dot, soon};
use mediaflow_core::{JobId, Mediaflow};
use mediaflow_queue::Queue;

async fn start(queue: &Queue) -> Mediaflow {
    Mediaflow::builder()
        .engine(queue.clone())
        .with(FakeBackend::new().operations())
        .storage_with("out", MemoryStorage::new())
        .start()
        .await
        .unwrap()
}

fn work(name: &str) -> JobSpec {
    let pipeline = Pipeline::from(dot())
        .output(format!("out/{name}.gif"), |dot| dot.then(FakeWork::new(name)))
        .build()
        .unwrap();
    let spec = mediaflow_core::spec::IntoSpec::into_spec(pipeline).unwrap();
    spec.with_options(JobOptions::new().idempotency_key(name))
}

async fn is_unknown(media: &Mediaflow, job: JobId) {
    let error = media.handle(job).status().await.expect_err("there must be no such job");
    assert_eq!(error.code(), "job.unknown");
}

async fn succeeds(media: &Mediaflow, job: JobId) {
    let status = soon("end", media.handle(job).ended()).await.unwrap();
    assert_eq!(status.state, JobState::Succeeded);
}

/// The same on both databases; sqlx has no type for "either".
macro_rules! host_transactions {
    ($queue:expr, $pool:expr, $begin:expr, $river:expr) => {
        let (queue, pool) = ($queue, $pool);
        let media = start(&queue).await;
        sqlx::query("CREATE TABLE photos (name TEXT NOT NULL)").execute(&pool).await.unwrap();
        let insert = "INSERT INTO photos (name) VALUES ('cat')";

        let mut tx = $begin(&pool).await.unwrap();
        sqlx::query(insert).execute(&mut *tx).await.unwrap();
        let lost = queue.submit_in(&mut tx, work("rolled-back")).await.unwrap();
        tx.rollback().await.unwrap();
        is_unknown(&media, lost).await;

        let mut tx = $begin(&pool).await.unwrap();
        sqlx::query(insert).execute(&mut *tx).await.unwrap();
        let kept = queue.submit_in(&mut tx, work("committed")).await.unwrap();
        is_unknown(&media, kept).await;
        let again = queue.submit_in(&mut tx, work("committed")).await.unwrap();
        assert_eq!(kept, again, "one key, one job");
        tx.commit().await.unwrap();
        succeeds(&media, kept).await;

        // What is refused outside of a transaction is refused here.
        let mut tx = $begin(&pool).await.unwrap();
        let tagged = work("tagged").with_options(JobOptions::new().tag("t".repeat(256)));
        let error = queue.submit_in(&mut tx, tagged).await.unwrap_err();
        assert_eq!(error.code(), "limit.option_bytes");
        let unknown = work("told").with_options(JobOptions::new().notify("nobody", "x"));
        let error = queue.submit_in(&mut tx, unknown).await.unwrap_err();
        assert_eq!(error.code(), "notify.unknown");
        tx.commit().await.unwrap();

        // The key of the job that was rolled back stands for nothing.
        let second = media.submit(work("rolled-back")).await.unwrap();
        assert_ne!(second.id(), lost);
        succeeds(&media, second.id()).await;

        for (table, expected) in [("photos", 1), ("mediaflow_jobs", 2), ($river, 2)] {
            let count: i64 =
                sqlx::query_scalar(sqlx::AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
                    .fetch_one(&pool)
                    .await
                    .unwrap();
            assert_eq!(count, expected, "{table}");
        }
        soon("shutdown", media.shutdown(std::time::Duration::from_secs(5))).await.unwrap();
    };
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(&path)
        .create_if_missing(true)
        .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
        .busy_timeout(std::time::Duration::from_secs(10));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    host_transactions!(
        mediaflow_queue::Sqlite::open(&path),
        pool,
        riverqueue::database::begin_sqlite_write,
        "river_job"
    );
}

#[cfg(feature = "postgres")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres() {
    let server = mediaflow_queue::testing::PrivatePostgres::shared().await.unwrap();
    let url = server.database("host").await.unwrap();
    let pool = sqlx::PgPool::connect(&url).await.unwrap();
    host_transactions!(
        mediaflow_queue::Postgres::connect(url),
        pool,
        riverqueue::database::begin_postgres,
        "mediaflow_river.river_job"
    );
}
