//! River's tables: in a schema of their own, apart from those of a host that works with River itself.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::report::JobState;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, soon};
use mediaflow_core::{ErrorKind, Mediaflow};
use mediaflow_queue::Queue;
use riverqueue::migrate::{PostgresMigrator, SqliteMigrator};
use riverqueue::{
    BoxError, Client, JobArgs, MaintenanceConfig, QueueConfig, Retention, WorkOutcome, Workers,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

/// What a host has River do for itself.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "host.letter")]
struct Letter {
    to: String,
}

/// A host that works with River itself, in the schema where its connection leads.
struct Host {
    client: Client,
    running: riverqueue::RunHandle,
    /// Lets its jobs end.
    go_on: Arc<Notify>,
}

impl Host {
    async fn start(url: &str) -> Self {
        let pool = sqlx::PgPool::connect(url).await.unwrap();
        PostgresMigrator::new(pool.clone()).migrate_up().await.unwrap();
        let go_on = Arc::new(Notify::new());
        let mut workers = Workers::new();
        let wait = Arc::clone(&go_on);
        workers
            .add_fn(move |_, _: riverqueue::Job<Letter>| {
                let wait = Arc::clone(&wait);
                async move {
                    wait.notified().await;
                    Ok::<_, BoxError>(WorkOutcome::Complete)
                }
            })
            .unwrap();
        let year = Duration::from_secs(365 * 86_400);
        let kept = Retention::DeleteAfter(year);
        let maintenance = MaintenanceConfig::default()
            .with_rescue_after(year)
            .with_completed_job_retention(kept)
            .with_cancelled_job_retention(kept)
            .with_discarded_job_retention(kept);
        let client = Client::builder(pool)
            .workers(workers)
            .queue("letters", QueueConfig::new(4))
            .without_job_timeout()
            .maintenance(maintenance)
            .build()
            .unwrap();
        let running = client.start().unwrap();
        Self { client, running, go_on }
    }

    async fn insert(&self, to: &str) -> i64 {
        let options = riverqueue::InsertOpts::default().with_queue("letters");
        let letter = Letter { to: to.to_owned() };
        self.client.insert(letter).opts(options).await.unwrap().id()
    }
}

async fn postgres(name: &str) -> Database {
    Database::postgres(name).await
}

async fn start(queue: Queue) -> Mediaflow {
    builder(queue, &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .start()
        .await
        .unwrap()
}

async fn succeed(media: &Mediaflow, names: impl IntoIterator<Item = String>) {
    for name in names {
        let job = media.submit(work(&name)).await.unwrap();
        assert_eq!(soon("end", job.ended()).await.unwrap().state, JobState::Succeeded);
    }
}

/// Every row of a table, as text.
async fn rows(database: &Database, table: &str) -> Vec<String> {
    database.texts(&format!("SELECT CAST(t AS TEXT) FROM {table} t ORDER BY t.id")).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_works_with_river_itself_loses_none_of_its_jobs() {
    let database = postgres("beside_a_host").await;
    let mut host = Host::start(&database.address()).await;
    let long = host.insert("somebody far away").await;
    let running =
        format!("SELECT count(*) FROM public.river_job WHERE id = {long} AND state = 'running'");
    database.until(&running, 1).await;
    database
        .run("UPDATE public.river_job SET attempted_at = now() - interval '3 hours', created_at = now() - interval '3 hours'")
        .await;
    // Ended long ago, and kept for a year: River's own defaults are a day, and a week.
    for state in ["completed", "cancelled", "discarded"] {
        database
            .run(&format!(
                "INSERT INTO public.river_job (state, kind, queue, args, attempt, max_attempts, attempted_at, finalized_at, tags)
                 SELECT '{state}', 'host.letter', 'letters', '{{}}', 1, 5, now() - interval '30 days', now() - interval '30 days', '{{}}'
                 FROM generate_series(1, 20)"
            ))
            .await;
    }
    let before = rows(&database, "public.river_job").await;
    assert_eq!(before.len(), 61);

    let media = start(database.queue()).await;
    // What our leader clears away, and what it gives up, show that it has looked after its own schema.
    database
        .run(
            "INSERT INTO mediaflow_river.river_job (state, kind, queue, args, attempt, max_attempts, attempted_at, finalized_at, tags)
             VALUES ('completed', 'mediaflow.swept', 'mediaflow_image', '{}', 1, 5, now() - interval '30 days', now() - interval '30 days', '{}')",
        )
        .await;
    succeed(&media, (0..20).map(|number| format!("job-{number}"))).await;
    database.until("SELECT count(*) FROM mediaflow_river.river_leader", 1).await;
    shut(media).await;
    // The next leader sweeps as soon as it is one.
    let media = start(database.queue()).await;
    let swept = "SELECT count(*) FROM mediaflow_river.river_job WHERE kind = 'mediaflow.swept'";
    database.until(swept, 0).await;
    media.pause().await.unwrap();
    media.resume().await.unwrap();
    succeed(&media, (0..5).map(|number| format!("more-{number}"))).await;
    assert_eq!(rows(&database, "public.river_job").await, before);

    // The host's own work goes on as if nobody else were there.
    host.go_on.notify_one();
    let done =
        format!("SELECT count(*) FROM public.river_job WHERE id = {long} AND state = 'completed'");
    database.until(&done, 1).await;
    assert_eq!(rows(&database, "public.river_job").await.len(), before.len());
    soon("end of the host", host.running.stop()).await.unwrap();
    shut(media).await;
}

/// What starting on this queue says.
async fn refused(queue: Queue) -> mediaflow_core::Error {
    let error = builder(queue, &FakeBackend::new()).start().await.expect_err("foreign jobs");
    assert!(error.to_string().contains(": "), "no help: {error}");
    error
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schema_with_the_jobs_of_somebody_else_is_refused() {
    let database = postgres("a_foreign_schema").await;
    let mut host = Host::start(&database.address()).await;
    let letter = host.insert("somebody").await;
    let tables = database.tables().await;

    let error = refused(database.queue().river_schema("public")).await;
    assert_eq!((error.code(), error.kind()), ("queue.foreign_jobs", ErrorKind::Input));
    assert_eq!((error.fact("kind"), error.fact("schema")), (Some("host.letter"), Some("public")));
    assert!(error.to_string().contains("Queue::river_schema"), "{error}");
    assert_eq!(database.tables().await, tables, "nothing was changed");

    // Between two of its jobs, its queue is still there.
    host.go_on.notify_one();
    let done = format!(
        "SELECT count(*) FROM public.river_job WHERE id = {letter} AND state = 'completed'"
    );
    database.until(&done, 1).await;
    database.run("DELETE FROM public.river_job").await;
    let error = refused(database.queue().river_schema("public")).await;
    assert_eq!(error.fact("queue"), Some("letters"));
    soon("end of the host", host.running.stop()).await.unwrap();
    shut(start(database.queue()).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_with_the_jobs_of_somebody_else_is_refused() {
    let database = Database::sqlite().await;
    let Database::Sqlite { pool, .. } = &database else { panic!("it is a file") };
    SqliteMigrator::new(pool.clone()).migrate_up().await.unwrap();
    let host = Client::builder(pool.clone()).build().unwrap();
    host.insert(Letter { to: "somebody".to_owned() }).await.unwrap();
    let tables = database.tables().await;

    let error = refused(database.queue()).await;
    assert_eq!((error.code(), error.kind()), ("queue.foreign_jobs", ErrorKind::Input));
    assert_eq!(error.fact("kind"), Some("host.letter"));
    assert!(error.to_string().contains("a file of its own"), "{error}");
    assert_eq!(database.tables().await, tables, "nothing was changed");
}

#[tokio::test]
async fn a_name_that_no_schema_can_have_is_refused() {
    for name in ["", "a\0b", &"a".repeat(47)] {
        let queue = mediaflow_queue::Postgres::connect("postgres://nobody@127.0.0.1:9/none");
        let error = refused(queue.river_schema(name)).await;
        assert_eq!((error.code(), error.kind()), ("queue.river_schema", ErrorKind::Input));
    }
}

/// Leaves a database as the earlier layout had it: River's tables beside ours, in one schema.
async fn earlier_layout(database: &Database) -> Vec<mediaflow_core::JobId> {
    let queue = || database.queue().river_schema("public");
    let media = start(queue()).await;
    succeed(&media, ["ended".to_owned()]).await;
    media.pause().await.unwrap();
    shut(media).await;
    let media = builder(queue(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .submit_only()
        .start()
        .await
        .unwrap();
    let mut jobs = Vec::new();
    for name in ["held", "one", "two"] {
        jobs.push(media.submit(work(name)).await.unwrap().id());
    }
    shut(media).await;
    database.run("DROP TABLE public.mediaflow_owner").await;
    // The earlier layout had a queue for each class, and no others.
    database
        .run("DELETE FROM public.river_queue WHERE name NOT IN ('mediaflow_image', 'mediaflow_video')")
        .await;
    for column in ["compatible_from", "finished_at"] {
        database.run(&format!("ALTER TABLE mediaflow_schema DROP COLUMN {column}")).await;
    }
    jobs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_earlier_layout_loses_nothing() {
    let database = postgres("an_earlier_layout").await;
    let jobs = earlier_layout(&database).await;
    // One was being worked on by a process that died, and one that was the host's stands beside them.
    database.register_dead("mediaflow-dead").await;
    database.abandon(jobs[0], "mediaflow-dead").await;
    let mut host = Host::start(&database.address()).await;
    let letter = host.insert("somebody").await;
    let running =
        "SELECT count(*) FROM public.river_job WHERE state = 'running' AND kind = 'host.letter'";
    database.until(running, 1).await;
    let foreign = "public.river_job WHERE kind NOT LIKE 'mediaflow.%'";
    let before = database.texts(&format!("SELECT CAST(river_job AS TEXT) FROM {foreign}")).await;

    let media = start(database.queue()).await;
    let ours = "SELECT count(*) FROM public.river_job WHERE kind LIKE 'mediaflow.%'";
    assert_eq!(database.int(ours).await, 0);
    let queues = "SELECT count(*) FROM public.river_queue WHERE name LIKE 'mediaflow%'";
    assert_eq!(database.int(queues).await, 0);
    let paused = "SELECT count(*) FROM mediaflow_river.river_queue WHERE paused_at IS NOT NULL";
    assert_eq!(database.int(paused).await, 2, "what was paused stays so");
    let same = "SELECT count(*) FROM mediaflow_river.river_job r JOIN mediaflow_jobs j ON j.river = r.id AND r.args ->> 'job' = j.id
                WHERE j.ended_at IS NULL";
    assert_eq!(database.int(same).await, 3);
    media.resume().await.unwrap();
    for job in jobs {
        let status = soon("end", media.handle(job).ended()).await.unwrap();
        assert_eq!(status.state, JobState::Succeeded);
        assert_eq!(database.ends(job).await, 1);
    }
    // New numbers do not meet those that were given out before.
    succeed(&media, ["new".to_owned()]).await;
    let numbers = "SELECT count(*) - count(DISTINCT river) FROM mediaflow_jobs";
    assert_eq!(database.int(numbers).await, 0);
    assert_eq!(
        database.texts(&format!("SELECT CAST(river_job AS TEXT) FROM {foreign}")).await,
        before
    );
    host.go_on.notify_one();
    let done = format!(
        "SELECT count(*) FROM public.river_job WHERE id = {letter} AND state = 'completed'"
    );
    database.until(&done, 1).await;
    soon("end of the host", host.running.stop()).await.unwrap();
    shut(media).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rivers_tables_are_not_moved_away_from_processes_that_use_them() {
    let database = postgres("processes_of_an_earlier_layout").await;
    let jobs = earlier_layout(&database).await;
    database.register_dead("mediaflow-alive").await;
    database
        .run("UPDATE mediaflow_workers SET beat_at = CAST(extract(epoch FROM now()) * 1000 AS BIGINT)")
        .await;
    let error = refused(database.queue()).await;
    assert_eq!((error.code(), error.kind()), ("queue.earlier_workers", ErrorKind::Transient));
    let ours = "SELECT count(*) FROM public.river_job WHERE kind LIKE 'mediaflow.%' AND finalized_at IS NULL";
    assert_eq!(database.int(ours).await, 3);
    database.run("DELETE FROM mediaflow_workers").await;
    let media = start(database.queue()).await;
    media.resume().await.unwrap();
    for job in jobs {
        assert_eq!(
            soon("end", media.handle(job).ended()).await.unwrap().state,
            JobState::Succeeded
        );
    }
    shut(media).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_in_one_database_do_not_share_rivers_tables() {
    let database = postgres("two_in_one").await;
    let first = start(database.queue()).await;
    database.run("CREATE SCHEMA tenant").await;
    let url = format!("{}?options=-csearch_path%3Dtenant", database.address());
    let second = || mediaflow_queue::Postgres::connect(&*url).lease(Duration::from_secs(1));
    let error = refused(second()).await;
    assert_eq!((error.code(), error.kind()), ("queue.river_schema", ErrorKind::Input));
    assert_eq!(error.fact("its_tables_are_in"), Some("public"));
    assert!(error.to_string().contains("Queue::river_schema"), "{error}");

    let second = start(second().river_schema("tenant_river")).await;
    for number in 0..5 {
        succeed(&first, [format!("first-{number}")]).await;
        succeed(&second, [format!("second-{number}")]).await;
    }
    assert_eq!(database.int("SELECT count(*) FROM public.mediaflow_jobs").await, 5);
    assert_eq!(database.int("SELECT count(*) FROM tenant.mediaflow_jobs").await, 5);
    shut(first).await;
    shut(second).await;
}

/// Nothing of ours depends on where a host's own transaction looks for its tables, but our own tables.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hosts_transaction_finds_rivers_tables_whatever_its_search_path() {
    let database = postgres("a_host_elsewhere").await;
    let queue = database.queue();
    let media = start(queue.clone()).await;
    let Database::Postgres { url, .. } = &database else { panic!("it is a server") };
    let pool = sqlx::PgPool::connect(url).await.unwrap();
    sqlx::query("CREATE SCHEMA shop").execute(&pool).await.unwrap();
    let mut tx = riverqueue::database::begin_postgres(&pool).await.unwrap();
    sqlx::query("SET LOCAL search_path = shop, public").execute(&mut *tx).await.unwrap();
    let job = queue.submit_in(&mut tx, work("within")).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(soon("end", media.handle(job).ended()).await.unwrap().state, JobState::Succeeded);
    shut(media).await;
}

/// The leader may be of an older build, which does not know what a newer one has queued.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_newer_build_works_on_for_hours_is_left_to_it() {
    let database = postgres("a_newer_build_at_work").await;
    shut(start(database.queue()).await).await;
    database.register_dead("newer").await;
    database
        .run("UPDATE mediaflow_workers SET beat_at = CAST(extract(epoch FROM now()) * 1000 AS BIGINT)")
        .await;
    for (kind, time) in [("mediaflow.invented", "3 hours"), ("mediaflow.forgotten", "20 years")] {
        database
            .run(&format!(
                "INSERT INTO river_job (state, kind, queue, args, attempt, max_attempts, attempted_at, attempted_by)
                 VALUES ('running', '{kind}', 'mediaflow_image', '{{}}', 1, 5, now() - interval '{time}', ARRAY['newer'])"
            ))
            .await;
    }
    // The worker counts as alive for longer than this takes.
    let media = start(database.queue().lease(Duration::from_secs(600))).await;
    let runs = |kind: &str| {
        format!("SELECT count(*) FROM river_job WHERE kind = '{kind}' AND state = 'running'")
    };
    // The leader has looked for what is stuck.
    database.until(&runs("mediaflow.forgotten"), 0).await;
    assert_eq!(database.int(&runs("mediaflow.invented")).await, 1);
    shut(media).await;
}
