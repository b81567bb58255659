#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::time::Duration;

use mediaflow_core::inspect::{EventFilter, JobFilter, MessageFilter, MessageState};
use mediaflow_core::report::JobState;
use mediaflow_core::{BatchId, EventKind, JobId, Timestamp};
use sqlx::AssertSqlSafe;

use super::walk::{Statement, Walk};
use super::{events, jobs, messages};
use crate::db::{Db, values};
use crate::testing::PrivatePostgres;

/// Every list that can be asked for by one thing, and the index that it walks along on SQLite and on PostgreSQL.
fn ways() -> Vec<(Walk, [&'static str; 2])> {
    let job = |filter: JobFilter| jobs::walk(&filter, Some(JobId::new()));
    let event = |filter: EventFilter| events::walk(&filter, 7, None);
    let message = |filter: MessageFilter| messages::walk(&filter, Some(7));
    let same = |name| [name, name];
    let by_id = ["sqlite_autoindex_mediaflow_jobs_1", "mediaflow_jobs_pkey"];
    let by_tag = ["sqlite_autoindex_mediaflow_tags_1", "mediaflow_tags_pkey"];
    let by_number = ["INTEGER PRIMARY KEY", "mediaflow_events_pkey"];
    let by_message = ["INTEGER PRIMARY KEY", "mediaflow_messages_pkey"];
    let at = Timestamp::from_millis;
    vec![
        (job(JobFilter::new()), by_id),
        (job(JobFilter::new().since(at(5)).until(at(9))), by_id),
        (job(JobFilter::new().state(JobState::Failed)), same("mediaflow_jobs_state")),
        (job(JobFilter::new().state(JobState::Queued)), same("mediaflow_jobs_state")),
        (job(JobFilter::new().kind("pipeline")), same("mediaflow_jobs_kind")),
        (job(JobFilter::new().owner("ada").state(JobState::Failed)), same("mediaflow_jobs_owner")),
        (job(JobFilter::new().tenant("ada")), same("mediaflow_jobs_tenant")),
        (job(JobFilter::new().tag("avatar").kind("pipeline")), by_tag),
        (job(JobFilter::new().batch(BatchId::new())), same("mediaflow_batch_jobs_listed")),
        (event(EventFilter::new()), by_number),
        (event(EventFilter::new().kinds([EventKind::JobFailed])), by_number),
        (event(EventFilter::new().job(JobId::new())), ["mediaflow_events_of_job"; 2]),
        (event(EventFilter::new().batch(BatchId::new())), same("mediaflow_events_of_batch")),
        (event(EventFilter::new().owner("ada")), same("mediaflow_events_owner")),
        (event(EventFilter::new().tenant("ada")), same("mediaflow_events_tenant")),
        (message(MessageFilter::new()), by_message),
        (message(MessageFilter::new().state(MessageState::Delivered)), by_message),
        (message(MessageFilter::new().state(MessageState::Dead)), same("mediaflow_messages_left")),
        (message(MessageFilter::new().destination("hooks", "")), same("mediaflow_messages_to")),
    ]
}

async fn plan(db: &Db, (sql, values): Statement) -> String {
    let (explain, column) = match db {
        Db::Sqlite(_) => ("EXPLAIN QUERY PLAN", "detail"),
        Db::Postgres(_) => ("EXPLAIN", "QUERY PLAN"),
    };
    let rows = db.rows(AssertSqlSafe(format!("{explain} {sql}")), &values).await;
    let rows = rows.unwrap_or_else(|e| panic!("{sql}: {e:?}"));
    rows.iter().map(|row| row.text(column).unwrap()).collect::<Vec<_>>().join("\n")
}

/// Neither reads a table from its beginning, nor sorts more than a page.
async fn walks_along(db: &Db, index: usize) {
    for (walk, names) in ways() {
        for statement in walk.each() {
            let plan = plan(db, statement).await;
            assert!(plan.contains(names[index]), "{} is not used:\n{plan}", names[index]);
            for costly in ["Seq Scan", "Sort", "SCAN d", "TEMP B-TREE"] {
                assert!(!plan.contains(costly), "{costly}:\n{plan}");
            }
        }
        let columns = "k.key, j.state";
        let joined = ["mediaflow_jobs", "mediaflow_events", "mediaflow_messages"];
        let (key, table) = match &walk.each()[0].0 {
            sql if sql.contains("mediaflow_events") => ("seq", joined[1]),
            sql if sql.contains("mediaflow_messages") => ("id", joined[2]),
            _ => ("id", joined[0]),
        };
        let columns = if key == "seq" { "k.key, j.body" } else { columns };
        let page = plan(db, walk.page(columns, &format!("{table} j ON j.{key}"), 50)).await;
        for costly in ["Seq Scan", "SCAN d", "SCAN j", "SCAN t"] {
            assert!(!page.contains(costly), "{costly}:\n{page}");
        }
    }
}

#[tokio::test]
async fn lists_walk_along_an_index_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::sqlite(&folder.path().join("jobs.db")).await.unwrap();
    db.migrate(&[]).await.unwrap();
    walks_along(&db, 0).await;
    db.close().await;
}

/// An empty table tells nothing of the plan for a full one: each has some thousand rows.
const FULL: [&str; 6] = [
    "INSERT INTO mediaflow_jobs (id, river, class, state, spec, queued_at, due, ended_at, kind, owner, batch)
     SELECT '0' || n || '-0', n, 'image', CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'succeeded' END, '{}', n, n, n,
       'kind ' || n % 20, 'owner ' || n % 100, 'batch ' || n % 100 FROM generate_series(10000, 20000) AS n",
    "INSERT INTO mediaflow_tags (tag, job) SELECT 'tag ' || river % 50, id FROM mediaflow_jobs",
    "INSERT INTO mediaflow_batches (id, options, jobs_left, created_at) SELECT DISTINCT batch, '{}', 0, 1 FROM mediaflow_jobs",
    "INSERT INTO mediaflow_batch_jobs (batch, position, job) SELECT batch, river, id FROM mediaflow_jobs",
    "INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, body, owner)
     SELECT n || j.id, 'job.created', j.id, j.batch, j.river, 'here', '{}', j.owner
     FROM mediaflow_jobs j, generate_series(1, 3) AS n",
    "INSERT INTO mediaflow_messages (uid, rule, group_key, channel, destination, event, kind, job, state, due, expires_at, created_at)
     SELECT id, 'hooks', id, 'hooks', 'hooks ' || river % 30, id, 'job.created', id,
       CASE WHEN river % 50 = 0 THEN 'dead' ELSE 'delivered' END, 1, 1, 1 FROM mediaflow_jobs",
];

/// The server makes five plans for the values of a statement before it makes one for all; and it keeps to that if it costs no more.
async fn pages_are_planned_once(url: &str) {
    let db = Db::postgres(url, "mediaflow_river", 1, Duration::from_secs(30)).await.unwrap();
    let (jobs, events, messages) = (
        jobs::walk(&JobFilter::new(), None).page("j.id", "mediaflow_jobs j ON j.id", 50),
        events::walk(&EventFilter::new(), 7, None).page("k.key", "mediaflow_events j ON j.seq", 50),
        messages::walk(&MessageFilter::new(), Some(70)).page(
            "j.id",
            "mediaflow_messages j ON j.id",
            50,
        ),
    );
    for (sql, values) in [jobs, events, messages] {
        for _ in 0..8 {
            db.rows(AssertSqlSafe(sql.clone()), &values).await.unwrap();
        }
        let plans = "SELECT generic_plans FROM pg_prepared_statements WHERE statement = $1";
        let row = db.row(plans, values![sql.clone()]).await.unwrap().unwrap();
        assert!(row.int("generic_plans").unwrap() >= 3, "{sql} is planned each time");
    }
    db.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_walk_along_an_index_on_postgres() {
    let server = PrivatePostgres::shared().await.unwrap();
    let url = server.database("plans").await.unwrap();
    let open = || Db::postgres(&url, "mediaflow_river", 2, Duration::from_secs(30));
    let db = open().await.unwrap();
    db.migrate(&[]).await.unwrap();
    for fill in FULL {
        db.run(fill, &[]).await.unwrap();
    }
    db.run("ANALYZE", &[]).await.unwrap();
    // Three rows are sorted sooner than read in order: here it has to show whether there is an order.
    for setting in ["enable_sort", "enable_bitmapscan"] {
        let set = format!(
            "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET {setting} = off', current_database()); END $$"
        );
        db.run(AssertSqlSafe(set), &[]).await.unwrap();
    }
    db.close().await;
    let db = open().await.unwrap();
    walks_along(&db, 1).await;
    db.close().await;
    pages_are_planned_once(&url).await;
}
