//! No statement of ours reads the whole of a table that grows, as SQLite plans them; what has to be counted is counted by one.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use database::{Database, builder, many, once, shut, work};
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Act, FakeBackend, ManualClock, ScriptedNotifier as Hooks, soon};
use mediaflow_core::{Clock as _, EventKind, NotifyError};
use mediaflow_queue::{DeliveryFilter, DeliveryState};
use sqlx::Row as _;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Tables with as many rows as there were jobs within the time that they are kept for.
const GROWING: [&str; 9] = [
    "mediaflow_jobs",
    "mediaflow_parts",
    "mediaflow_outputs",
    "mediaflow_batches",
    "mediaflow_batch_jobs",
    "mediaflow_events",
    "mediaflow_messages",
    "mediaflow_message_events",
    "mediaflow_attempts",
];

/// Indexes of what waits or is under way: as long as that, and no longer.
const SHORT: [&str; 9] = [
    "mediaflow_jobs_live",
    "mediaflow_jobs_worker",
    "mediaflow_jobs_parked",
    "mediaflow_parts_worker",
    "mediaflow_parts_parked",
    "mediaflow_messages_due",
    "mediaflow_messages_expires",
    "mediaflow_messages_sending",
    "mediaflow_messages_dead",
];

/// Reads as much as there is that waits.
const COUNT: &str = "SELECT count(*) AS deliveries FROM mediaflow_messages WHERE state = 'pending'";

/// Keeps the statements that were executed.
#[derive(Clone, Debug, Default)]
struct Statements(Arc<Mutex<Executed>>);

#[derive(Debug, Default)]
struct Executed {
    different: BTreeSet<String>,
    /// How often all that waits was counted, for a gauge.
    counts: u64,
}

impl Subscriber for Statements {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut statement = Statement::default();
        event.record(&mut statement);
        let mut executed = self.0.lock().unwrap();
        executed.counts += u64::from(statement.0 == COUNT);
        executed.different.insert(statement.0);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Statement(String);

impl Visit for Statement {
    fn record_str(&mut self, field: &Field, value: &str) {
        let whole = field.name() == "db.statement" && !value.is_empty();
        if whole || field.name() == "summary" && self.0.is_empty() {
            value.trim().clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if ["db.statement", "summary"].contains(&field.name()) {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}

/// The steps of a plan that read the whole of a table that grows.
async fn whole(database: &Database, sql: &str) -> Vec<String> {
    let Database::Sqlite { pool, .. } = database else { panic!("it is a file") };
    let plan = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}"));
    let steps = sqlx::query(plan).fetch_all(pool).await.unwrap();
    let steps = steps.iter().map(|step| step.get::<String, _>("detail"));
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

/// All that is done with messages, jobs and events, once.
async fn everything(database: &Database, statements: &Statements) {
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated, EventKind::JobCompleted]);
    hooks.next("dead", [Act::Fail(NotifyError::rejected("no"))]);
    let schedule = vec![Duration::from_secs(5)];
    let policy = DeliveryPolicy { schedule, jitter: 0.0, ..DeliveryPolicy::default() };
    let queue = database.queue().retention(Duration::from_secs(3600));
    let fake = FakeBackend::new();
    let host = |queue| {
        builder(queue, &fake)
            .storage_with("out", MemoryStorage::new())
            .clock(Arc::new(clock.clone()))
            .delivery(policy.clone())
            .notify(hooks.clone())
            .start()
    };
    let media = host(queue.clone()).await.unwrap();
    // Migrations are done once.
    statements.0.lock().unwrap().different.clear();
    let second = host(database.queue()).await.unwrap();
    let to = |to: &str| JobOptions::new().notify("hooks", to);
    let job = media.submit(work("a").with_options(to("a"))).await.unwrap();
    soon("success", job.done()).await.unwrap();
    let dead = media.submit(once(work("b")).with_options(to("dead"))).await.unwrap();
    soon("success", dead.done()).await.unwrap();
    let batch = media.eager([work("c"), many(24)]).await.unwrap();
    soon("batch", batch.done()).await.unwrap();
    let later = JobOptions::new().run_at(clock.now().plus(Duration::from_secs(1_000_000)));
    let waits = media.submit(work("d").with_options(later)).await.unwrap();
    waits.cancel().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'", 1).await;
    let gone =
        "state = 'sending', worker = 'gone', attempts = 1, group_key = 'gone', lease_until = 1";
    database.message("job.created", "lost", gone).await;
    database.until("SELECT count(*) FROM mediaflow_attempts WHERE outcome = 'lost'", 1).await;

    let all = DeliveryFilter::new;
    let first = queue.deliveries(&all().job(job.id())).await.unwrap().remove(0);
    let states = ["pending", "sending", "delivered", "dead"];
    let states = [
        DeliveryState::Pending,
        DeliveryState::Sending,
        DeliveryState::Delivered,
        DeliveryState::Dead,
    ]
    .into_iter()
    .zip(states);
    for (state, name) in states {
        assert_eq!(state.as_str(), name);
        queue.deliveries(&all().state(state)).await.unwrap();
        queue.deliveries(&all().state(state).channel("hooks").origin("a")).await.unwrap();
        queue.deliveries(&all().state(state).kind(EventKind::JobCreated)).await.unwrap();
        queue.deliveries(&all().state(state).since(clock.now())).await.unwrap();
    }
    for filter in [all().id(first.id), all().event(first.event), all().job(job.id())] {
        queue.deliveries(&filter).await.unwrap();
        queue.redeliver(&filter).await.unwrap();
    }
    queue.redeliver(&all().channel("hooks").until(clock.now())).await.unwrap();
    queue.redeliver(&all().state(DeliveryState::Delivered).limit(1)).await.unwrap();
    queue.redeliver(&all()).await.unwrap();
    queue.delivery_log(first.id).await.unwrap();
    queue.destinations().await.unwrap();
    queue.stats().await.unwrap();
    clock.advance(Duration::from_secs(86_400));
    database.until("SELECT count(*) FROM mediaflow_jobs", 0).await;
    shut(second).await;
    shut(media).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_reads_a_whole_table_that_grows() {
    let statements = Statements::default();
    let database = Database::sqlite().await;
    tracing::subscriber::set_global_default(statements.clone()).unwrap();
    let began = Instant::now();
    everything(&database, &statements).await;
    let statements = std::mem::take(&mut *statements.0.lock().unwrap());
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
}
