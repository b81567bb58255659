//! The server itself explains what it executes, for the connections that execute it: their settings count, and which plan of a
//! prepared statement was taken. What a statement sets off is among it, such as the rows that leave with others.

use std::collections::BTreeMap;
use std::path::Path;

use mediaflow_queue::testing::PrivatePostgres;
use serde_json::Value;

use crate::database::Database;
use crate::everything::everything;
use crate::{GROWING, ONE, SHORT};

/// What is in front of each line of the log that our connections have caused.
const OURS: &str = "[mediaflow] ";

/// A server that explains everything; with `analyze`, how many rows each node had.
pub(crate) async fn explaining(analyze: &str) -> PrivatePostgres {
    let server = PrivatePostgres::builder()
        .set("session_preload_libraries", "auto_explain")
        .set("auto_explain.log_min_duration", "0")
        .set("auto_explain.log_format", "json")
        .set("auto_explain.log_analyze", analyze)
        .set("auto_explain.log_nested_statements", "on")
        .set("auto_explain.log_timing", "off")
        .set("log_line_prefix", "[%a] ")
        .set("fsync", "off");
    server.start().await.unwrap()
}

pub(crate) fn length(log: &Path) -> u64 {
    std::fs::metadata(log).unwrap().len()
}

/// What our connections have executed since the log had this length: statements and their plans, each pair once.
pub(crate) fn explained(log: &Path, since: u64) -> BTreeMap<(String, String), Value> {
    let log = std::fs::read(log).unwrap();
    let log = String::from_utf8_lossy(&log[usize::try_from(since).unwrap()..]);
    let mut found = BTreeMap::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with(OURS) || !line.ends_with(" plan:") {
            continue;
        }
        let mut plan = String::new();
        while let Some(more) = lines.next_if(|line| line.starts_with('\t')) {
            plan.push_str(more.trim_start());
            plan.push('\n');
        }
        let plan: Value = serde_json::from_str(&plan).unwrap();
        let text = plan["Query Text"].as_str().unwrap().split_whitespace().collect::<Vec<_>>();
        found.insert((text.join(" "), shape(&plan["Plan"])), plan["Plan"].clone());
    }
    found
}

/// A plan without its numbers.
fn shape(node: &Value) -> String {
    let own = [&node["Node Type"], &node["Relation Name"], &node["Index Name"]];
    let own: Vec<_> = own.into_iter().filter_map(Value::as_str).collect();
    let below = node["Plans"].as_array().into_iter().flatten().map(shape).collect::<Vec<_>>();
    format!("{} ({})", own.join(" "), below.join(", "))
}

/// Which nodes of a plan read the whole of a table that grows. `ends` are those of which not more is taken than a page.
fn whole(node: &Value, ends: bool, found: &mut Vec<String>) {
    let text = |name: &str| node[name].as_str().unwrap_or_default();
    let kind = text("Node Type");
    let index = text("Index Name");
    let table = text("Relation Name");
    let of_growing = GROWING.contains(&table)
        || kind == "Bitmap Index Scan" && GROWING.iter().any(|table| index.starts_with(table));
    let condition = text("Index Cond");
    let narrow = !condition.is_empty() && !condition.ends_with("IS NOT NULL)");
    let ordered = ends && text("Filter").is_empty();
    let reads_all = match kind {
        "Seq Scan" => true,
        "Index Scan" | "Index Only Scan" | "Bitmap Index Scan" => {
            !narrow && !ordered && !SHORT.contains(&index)
        }
        _ => false,
    };
    if of_growing && reads_all {
        found.push(format!("{kind} {table} {index} {condition} {}", text("Filter")));
    }
    let ends = match kind {
        "Limit" => true,
        "Nested Loop" | "Subquery Scan" | "LockRows" | "Result" => ends,
        _ => false,
    };
    for below in node["Plans"].as_array().into_iter().flatten() {
        whole(below, ends, found);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_whole_table_that_grows_on_postgres() {
    let _alone = ONE.lock().await;
    let server = explaining("off").await;
    let log = server.folder().join("log");
    let database = Database::postgres_at(server.database("plans").await.unwrap()).await;
    let mut since = 0;
    everything(&database, || since = length(&log)).await;
    let explained = explained(&log, since);
    let (mut seen, mut wrong) = (0, Vec::new());
    for ((text, shape), plan) in
        explained.iter().filter(|((text, _), _)| text.contains("mediaflow_"))
    {
        seen += 1;
        let mut found = Vec::new();
        whole(plan, false, &mut found);
        if !found.is_empty() {
            wrong.push(format!("{found:#?}\n{text}\n{shape}"));
        }
    }
    assert!(seen > 80, "{seen} plans");
    assert!(wrong.is_empty(), "{} of {seen}\n{}", wrong.len(), wrong.join("\n\n"));
}
