use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use sqlx::Row as _;

use crate::database::Database;
use crate::everything::everything;
use crate::executed;
use crate::unrouted::READS;
use crate::{GROWING, ONE, SHORT};

/// Reads as much as there is that waits.
const COUNT: &str = "SELECT count(*) AS deliveries FROM mediaflow_messages WHERE state = 'pending'";

#[derive(Debug, Default)]
struct Executed {
    different: BTreeSet<String>,
    /// How often all that waits was counted, for a gauge.
    counts: u64,
}

impl Executed {
    fn hear(&mut self, statement: &str) {
        self.counts += u64::from(statement == COUNT);
        if !self.different.contains(statement) {
            self.different.insert(statement.to_owned());
        }
    }
}

/// The steps of a plan.
async fn steps(database: &Database, sql: &str) -> Vec<String> {
    let Database::Sqlite { pool, .. } = database else { panic!("it is a file") };
    let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps = sqlx::query(plan).fetch_all(pool).await.unwrap();
    steps.iter().map(|step| step.get::<String, _>("detail")).collect()
}

/// The steps of a plan that read the whole of a table that grows.
async fn whole(database: &Database, sql: &str) -> Vec<String> {
    let steps = steps(database, sql).await.into_iter();
    let words = sql.split_whitespace().collect::<Vec<_>>().join(" ");
    let grows = |name: &str| {
        let of = |table: &str| [format!("{table} {name} "), format!("{table} AS {name} ")];
        let called = |table| of(table).iter().any(|alias| format!("{words} ").contains(alias));
        GROWING.iter().any(|table| *table == name || called(table))
    };
    let reads_all = |step: &String| {
        let Some(rest) = step.strip_prefix("SCAN ") else { return false };
        let name = rest.split_whitespace().next().unwrap_or_default();
        grows(name) && !SHORT.iter().any(|index| rest.ends_with(index))
    };
    steps.filter(reads_all).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_whole_table_that_grows() {
    let _alone = ONE.lock().await;
    let statements = Arc::new(Mutex::new(Executed::default()));
    let database = Database::sqlite().await;
    let heard = Arc::clone(&statements);
    executed::listen(move |statement, _| heard.lock().unwrap().hear(statement)).unwrap();
    let began = Instant::now();
    // Migrations are done once.
    everything(&database, || statements.lock().unwrap().different.clear()).await;
    let statements = std::mem::take(&mut *statements.lock().unwrap());
    // Four times a minute, by one of the workers.
    let counts = 1 + began.elapsed().as_secs() / 15;
    assert!((1..=counts).contains(&statements.counts), "counted {} times", statements.counts);
    let ours = |sql: &&String| {
        let reads = ["SELECT", "UPDATE", "DELETE", "INSERT", "WITH"];
        sql.contains("mediaflow_") && reads.iter().any(|word| sql.starts_with(word))
    };
    // The tests' own are not ours.
    let own = |sql: &&String| !sql.contains("$1") && !sql.contains('\n') || sql.contains("'held'");
    let (mut seen, mut wrong) = (0, Vec::new());
    for sql in statements.different.iter().filter(ours).filter(|sql| !own(sql)) {
        seen += 1;
        let steps = whole(&database, sql).await;
        if !steps.is_empty() {
            wrong.push(format!("{steps:?}\n{sql}"));
        }
    }
    assert!(seen > 80, "{seen} statements");
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let unrouted = statements.different.iter().find(|sql| sql.starts_with(READS)).unwrap();
    let steps = steps(&database, unrouted).await;
    assert_eq!(
        &steps[..2],
        [
            "SEARCH u USING INDEX mediaflow_unrouted_route (route>? AND route<?)",
            "SEARCH e USING INTEGER PRIMARY KEY (rowid=?)"
        ]
    );
    assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{steps:?}");
}
