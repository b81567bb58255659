//! Events that wait to be routed are read in their order, from the index of them: as many as are wanted, however many wait,
//! and however many others there are that wait for other processes, or not any more.

use serde_json::Value;

use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, ScriptedNotifier, soon};
use mediaflow_core::{EventKind, Mediaflow};

use crate::ONE;
use crate::database::{Database, builder, shut, work};
use crate::postgres::{explained, explaining, length};

/// How each of the statements begins.
pub(crate) const READS: &str = "SELECT u.seq, u.route_at, e.body";

/// How many copies of each event there are.
const COPIES: usize = 8000;

/// How many a dispatcher reads at once.
const TOGETHER: u64 = 256;

async fn host(database: &Database) -> Mediaflow {
    // Nothing is wanted of what is told: the events are read and gone.
    let hooks = ScriptedNotifier::new([EventKind::JobFailed]);
    let media = builder(database.queue(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .notify(hooks);
    media.start().await.unwrap()
}

/// Some thousand events that have been routed, as many that are left to others, and behind them as many that are still to be.
async fn fill(database: &Database) {
    let media = host(database).await;
    let job = media.submit(work("a")).await.unwrap();
    soon("success", job.done()).await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    shut(media).await;
    let id = "substr(id, 1, length(id) - 6) || CAST(100000 + n AS TEXT)";
    database
        .run(&format!(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < {COPIES})
             INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, body, owner)
             SELECT {id}, kind, job, batch, at, origin, body, owner FROM n, mediaflow_events"
        ))
        .await;
    database
        .run(&format!(
            "INSERT INTO mediaflow_unrouted (seq) SELECT seq FROM mediaflow_events ORDER BY seq DESC LIMIT {}",
            2 * COPIES
        ))
        .await;
    database
        .run(&format!(
            "UPDATE mediaflow_unrouted SET route = '|hooks|' WHERE seq IN
               (SELECT seq FROM mediaflow_unrouted ORDER BY seq LIMIT {COPIES})"
        ))
        .await;
    let other = "INSERT INTO mediaflow_channels (name, seen_at) VALUES ('other', 9000000000000)";
    database.run(other).await;
    database.run("ANALYZE").await;
}

/// What is wrong with a node of a plan, and with those below it.
fn wrong(node: &Value, found: &mut Vec<String>) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let number = |name: &str| node[name].as_f64().unwrap_or_default();
    let rows = number("Actual Rows") + number("Rows Removed by Filter");
    let rows = rows * number("Actual Loops").max(1.0);
    let by = match (text("Relation Name"), text("Node Type")) {
        (_, "Sort" | "Incremental Sort") => "its order",
        (_, kind) if kind.contains("Hash") || kind.contains("Merge") => "all of both sides",
        ("mediaflow_unrouted", _) if text("Index Name") != "mediaflow_unrouted_route" => "an index",
        ("mediaflow_events", _) if text("Index Cond") != "(seq = u.seq)" => "an index",
        _ if rows > TOGETHER as f64 => "fewer rows",
        _ => "",
    };
    if !by.is_empty() {
        let what = ["Node Type", "Relation Name", "Index Name", "Index Cond"].map(text).join(" ");
        found.push(format!("{what}, {rows} rows: it is not read by {by}"));
    }
    for below in node["Plans"].as_array().into_iter().flatten() {
        wrong(below, found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unrouted_events_are_read_in_their_order_on_postgres() {
    let _alone = ONE.lock().await;
    let server = explaining("on").await;
    let log = server.folder().join("log");
    let database = Database::postgres_at(server.database("unrouted").await.unwrap()).await;
    fill(&database).await;
    let since = length(&log);
    let media = host(&database).await;
    database.until("SELECT count(*) FROM mediaflow_unrouted WHERE route = ''", 0).await;
    shut(media).await;
    let explained = explained(&log, since);
    let reads = explained.iter().filter(|((text, _), _)| text.starts_with(READS));
    let (mut seen, mut found) = (0, Vec::new());
    for ((_, shape), plan) in reads {
        seen += 1;
        let mut of_plan = Vec::new();
        wrong(plan, &mut of_plan);
        if !of_plan.is_empty() {
            found.push(format!("{of_plan:#?}\n{shape}"));
        }
    }
    assert!(seen > 0, "nothing was read");
    assert!(found.is_empty(), "{}", found.join("\n\n"));
}
