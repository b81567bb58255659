//! Messages that can not be sent or written down, what was given up long ago, and processes that write at the same moment:
//! nobody else waits for them, and nothing is lost.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::event::EventData;
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::notify::{Recipient, Recipients};
use mediaflow_core::report::JobState;
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{
    Act, Behaviour, FakeBackend, ManualClock, ScriptedNotifier as Hooks, soon,
};
use mediaflow_core::{
    Builder, Clock as _, Error, Event, EventKind, Mediaflow, NotifyError, Result, async_trait,
};
use mediaflow_queue::testing::{fail_at, failures_left};
use mediaflow_queue::{DeliveryFilter, DeliveryState, Queue};
use tokio::sync::Mutex;

on_both! {
    an_address_that_is_refused_here_stops_nobody
    a_name_that_can_not_be_stored_is_refused_before_anything_is
    what_a_receiver_calls_a_message_is_any_text
    what_was_given_up_is_sent_again_after_its_job_is_gone
    of_whom_was_told_is_forgotten_with_retention
    a_batch_waits_for_whoever_tells_of_it
    a_batch_ends_whatever_the_reports_of_its_jobs_say
    a_channel_that_stays_away_keeps_no_job_for_ever
    what_a_dispatcher_held_that_has_died_is_sent_again
    an_outcome_that_can_not_be_written_stops_no_other
    a_word_of_a_newer_build_is_shown_as_it_is
}

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

/// What is to fail is said for the whole process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Attempts after 5 s and 60 s, without jitter.
fn host(queue: Queue, clock: &ManualClock) -> Builder {
    let schedule = vec![5 * SECOND, 60 * SECOND];
    builder(queue, &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .clock(Arc::new(clock.clone()))
        .delivery(DeliveryPolicy { schedule, jitter: 0.0, ..DeliveryPolicy::default() })
}

/// Tells an address of the creation of a job that never runs.
async fn tell(media: &Mediaflow, clock: &ManualClock, to: &str) {
    let never = clock.now().plus(100_000 * HOUR);
    let options = JobOptions::new().run_at(never).notify("hooks", to);
    media.submit(work("parked").with_options(options)).await.unwrap();
}

#[expect(clippy::future_not_send, reason = "a test waits for it where it stands")]
async fn turn(clock: &ManualClock, what: &str, reached: impl AsyncFn() -> bool) {
    let turned = async {
        while !reached().await {
            clock.advance(SECOND);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon(what, turned).await;
}

async fn an_address_that_is_refused_here_stops_nobody(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    let ops = Hooks::new([EventKind::DeliveryFailed]).named("ops");
    let media = host(database.queue(), &clock).notify(hooks.clone()).notify(ops.clone());
    let media = media.start().await.unwrap();
    tell(&media, &clock, "good").await;
    hooks.told(1).await;
    let secret = "T0-secret-token-1234567890";
    database.message("job.created", &format!("refused/{secret}"), "due = 0").await;
    for number in 2..4 {
        tell(&media, &clock, "good").await;
        hooks.told(number).await;
    }
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'", 3).await;
    // It has its schedule, its end is told, and its destination is not to blame.
    turn(&clock, "the end", async || !ops.of("").is_empty()).await;
    let EventData::Delivery(failure) = ops.told(1).await.remove(0).event.data else { panic!() };
    assert_eq!((failure.attempts, failure.dead), (3, 1));
    assert_eq!(failure.reason, "`[REDACTED]` is no address");
    let blamed =
        "SELECT count(*) FROM mediaflow_destinations WHERE failures > 0 OR blocked_until > 0";
    assert_eq!(database.int(blamed).await, 0);
    // Its address is in the message, and nowhere else.
    for (table, columns) in [
        ("mediaflow_messages WHERE error IS NOT NULL", "error"),
        ("mediaflow_attempts", "error"),
        ("mediaflow_destinations", "reason"),
        ("mediaflow_events WHERE kind = 'delivery.failed'", "body"),
    ] {
        let shown = database.texts(&format!("SELECT {columns} FROM {table}")).await;
        let hidden = |shown: &String| shown.contains("REDACTED") && !shown.contains(secret);
        assert!(!shown.is_empty() && shown.iter().all(hidden), "{table}: {shown:?}");
    }
    let told = format!("{:?}", ops.of(""));
    assert!(!told.contains(secret), "another channel: {told}");
    shut(media).await;
}

async fn a_name_that_can_not_be_stored_is_refused_before_anything_is(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let clock = ManualClock::new();
    for name in ["my hook", "a|b", "", "a\tb", "a\0b", &"x".repeat(2000)] {
        let hooks = Hooks::new([EventKind::JobCreated]).named(name);
        let error = host(database.queue(), &clock).notify(hooks).start().await.unwrap_err();
        assert_eq!(
            (error.code(), error.fact("channel").is_some()),
            ("notify.name", true),
            "{name:?}"
        );
        assert_eq!(database.tables().await, [""; 0]);
    }
}

/// Puts everything that it tells into one thread.
#[derive(Debug)]
struct Threads;

#[async_trait]
impl Recipients for Threads {
    async fn find(&self, _event: &Event, found: Vec<Recipient>) -> Result<Vec<Recipient>> {
        Ok(found.into_iter().map(|recipient| recipient.thread("upload\0-7")).collect())
    }
}

async fn what_a_receiver_calls_a_message_is_any_text(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("a", [Act::Name("ts\0-1")]);
    let media = host(database.queue(), &clock).notify(hooks.clone()).recipients(Threads);
    let media = media.start().await.unwrap();
    tell(&media, &clock, "a").await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'", 1).await;
    tell(&media, &clock, "a").await;
    let second = hooks.told(2).await.remove(1);
    let name = second.message.thread.and_then(|thread| thread.provider_id);
    assert_eq!(name.as_deref(), Some("ts\u{fffd}-1"));
    shut(media).await;
}

/// Waits until retention has been through everything once.
async fn retained(database: &Database) {
    for _ in 0..2 {
        database
            .run("INSERT INTO mediaflow_gone (channel, recipient, destination, at) VALUES ('x', 'x', 'x y', 0)")
            .await;
        database.until("SELECT count(*) FROM mediaflow_gone", 0).await;
    }
}

async fn what_was_given_up_is_sent_again_after_its_job_is_gone(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCompleted]);
    hooks.next("a", [Act::Fail(NotifyError::rejected("no"))]);
    let queue = database.queue().retention(HOUR);
    let media = host(queue.clone(), &clock).notify(hooks.clone()).start().await.unwrap();
    let job = work("done").with_options(JobOptions::new().notify("hooks", "a"));
    let job = media.submit(job).await.unwrap();
    soon("end", job.done()).await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'", 1).await;
    // It was given up days after the job had ended.
    database.run("UPDATE mediaflow_messages SET ended_at = ended_at + 432000000").await;
    clock.advance(2 * HOUR);
    database.until("SELECT count(*) FROM mediaflow_jobs", 0).await;
    retained(&database).await;
    let dead = DeliveryFilter::new().state(DeliveryState::Dead);
    assert_eq!(queue.redeliver(&dead).await.unwrap(), 1);
    let told = hooks.told(2).await.remove(1);
    assert_eq!((told.event.kind, told.event.job), (EventKind::JobCompleted, Some(job.id())));
    shut(media).await;
}

async fn of_whom_was_told_is_forgotten_with_retention(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.always("a", Act::Fail(NotifyError::rejected("no")));
    let ops = Hooks::new([EventKind::DeliveryFailed]).named("ops");
    let media = host(database.queue().retention(HOUR), &clock).notify(hooks.clone());
    let media = media.notify(ops.clone()).start().await.unwrap();
    let told = "SELECT count(*) FROM mediaflow_told";
    for number in 1..=2 {
        tell(&media, &clock, "a").await;
        ops.told(number).await;
        database.until(told, 1).await;
        clock.advance(2 * HOUR);
        database.until(told, 0).await;
    }
    shut(media).await;
}

/// Finds nobody until it is there.
#[derive(Clone, Debug, Default)]
struct Directory(Arc<AtomicBool>);

#[async_trait]
impl Recipients for Directory {
    async fn find(&self, _event: &Event, found: Vec<Recipient>) -> Result<Vec<Recipient>> {
        let away = || Error::transient("directory.away", "the directory is away");
        self.0.load(Ordering::SeqCst).then_some(found).ok_or_else(away)
    }
}

async fn a_batch_waits_for_whoever_tells_of_it(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let (clock, directory) = (ManualClock::new(), Directory::default());
    let hooks = Hooks::new([EventKind::BatchCompleted]);
    let queue = database.queue().retention(HOUR);
    let media = host(queue, &clock).notify(hooks.clone()).recipients(directory.clone());
    let media = media.start().await.unwrap();
    let job = work("done").with_options(JobOptions::new().notify("hooks", "a"));
    let batch = media.eager([job]).await.unwrap();
    soon("end", batch.done()).await.unwrap();
    clock.advance(2 * HOUR);
    retained(&database).await;
    directory.0.store(true, Ordering::SeqCst);
    turn(&clock, "the end of the batch", async || !hooks.of("a").is_empty()).await;
    shut(media).await;
}

/// A report may be of a newer build.
async fn a_batch_ends_whatever_the_reports_of_its_jobs_say(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let (fake, hooks) = (FakeBackend::new(), Hooks::new([EventKind::BatchCompleted]));
    fake.script("last", [Behaviour::Block]);
    let media = builder(database.queue(), &fake)
        .storage_with("out", MemoryStorage::new())
        .notify(hooks.clone())
        .start()
        .await
        .unwrap();
    let batch = media.eager([work("first"), work("last")]).await.unwrap();
    fake.begun("last", 1).await;
    let ended = "SELECT count(*) FROM mediaflow_jobs WHERE ended_at IS NOT NULL";
    database.until(ended, 1).await;
    let newer = "UPDATE mediaflow_jobs SET report = '{\"outcome\":{}}' WHERE ended_at IS NOT NULL";
    assert_eq!(database.run(newer).await, 1);
    fake.release();
    let last = batch.jobs().nth(1).unwrap();
    let status = soon("end", last.ended()).await.unwrap();
    assert_eq!((status.state, status.attempts), (JobState::Succeeded, 1));
    let told = hooks.told(1).await.remove(0);
    let EventData::Batch(summary) = told.event.data else { panic!("{told:?}") };
    assert_eq!((summary.state, summary.jobs()), (JobState::Succeeded, 2));
    shut(media).await;
}

async fn a_channel_that_stays_away_keeps_no_job_for_ever(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCompleted]);
    let queue = database.queue().retention(HOUR);
    let media = host(queue, &clock).notify(hooks.clone()).start().await.unwrap();
    // Another process has it, and is not there at the moment.
    database.run("INSERT INTO mediaflow_channels VALUES ('away', 9999999999999)").await;
    let job = media.submit(work("done")).await.unwrap();
    soon("end", job.done()).await.unwrap();
    hooks.told(1).await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'", 1).await;
    clock.advance(2 * HOUR);
    retained(&database).await;
    assert_eq!(database.int("SELECT count(*) FROM mediaflow_jobs").await, 1, "it may come back");
    clock.advance(24 * HOUR);
    for table in ["mediaflow_jobs", "mediaflow_events", "mediaflow_unrouted"] {
        database.until(&format!("SELECT count(*) FROM {table}"), 0).await;
    }
    shut(media).await;
}

async fn what_a_dispatcher_held_that_has_died_is_sent_again(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("hangs", [Act::Hang]);
    let media = host(database.queue(), &clock).notify(hooks.clone()).start().await.unwrap();
    tell(&media, &clock, "hangs").await;
    hooks.told(1).await;
    fail_at("loop.dispatcher", 1);
    tell(&media, &clock, "other").await;
    hooks.told(2).await;
    turn(&clock, "the panic", async || failures_left("loop.dispatcher") == 0).await;
    turn(&clock, "the second attempt", async || hooks.of("hangs").len() == 2).await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'", 2).await;
    shut(media).await;
}

async fn an_outcome_that_can_not_be_written_stops_no_other(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("a", [Act::Name("unwritable")]);
    let media = host(database.queue(), &clock).notify(hooks.clone()).start().await.unwrap();
    let refuse = match &database {
        Database::Sqlite { .. } => {
            "CREATE TRIGGER unwritable BEFORE UPDATE ON mediaflow_messages WHEN new.provider_id = 'unwritable'
             BEGIN SELECT RAISE(ABORT, 'unwritable'); END"
        }
        Database::Postgres { .. } => {
            "ALTER TABLE mediaflow_messages ADD CHECK (provider_id IS DISTINCT FROM 'unwritable')"
        }
    };
    database.run(refuse).await;
    let delivered = "SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'";
    for (others, to) in (0..).zip(["a", "b", "b"]) {
        tell(&media, &clock, to).await;
        database.until(delivered, others).await;
    }
    // When its lease is over it is sent again, and called otherwise.
    turn(&clock, "the second attempt", async || hooks.of("a").len() == 2).await;
    database.until(delivered, 3).await;
    assert_eq!(hooks.of("a")[1].attempt, 2);
    shut(media).await;
}

async fn a_word_of_a_newer_build_is_shown_as_it_is(database: Database) {
    let _alone = ONE_AT_A_TIME.lock().await;
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("a", [Act::Fail(NotifyError::rejected("no"))]);
    let queue = database.queue();
    let media = host(queue.clone(), &clock).notify(hooks.clone()).start().await.unwrap();
    for to in ["a", "b"] {
        tell(&media, &clock, to).await;
    }
    database.until("SELECT count(*) FROM mediaflow_messages WHERE ended_at IS NOT NULL", 2).await;
    database.run("UPDATE mediaflow_messages SET state = 'bounced' WHERE state = 'dead'").await;
    database.run("UPDATE mediaflow_attempts SET outcome = 'too_late'").await;
    let all = queue.deliveries(&DeliveryFilter::new()).await.unwrap();
    let bounced = all.iter().find(|delivery| delivery.state.as_str() == "bounced").unwrap();
    assert_eq!(all.len(), 2);
    let same = DeliveryFilter::new().state(bounced.state);
    assert_eq!(&queue.deliveries(&same).await.unwrap()[0], bounced);
    let log = queue.delivery_log(bounced.id).await.unwrap();
    let outcomes: Vec<_> = log.iter().map(|attempt| attempt.outcome.to_string()).collect();
    assert_eq!(outcomes, ["too_late"]);
    shut(media).await;
}

/// What another process writes about a destination at the same moment stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_two_processes_learn_at_once_is_kept() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let database = Database::postgres("learn_at_once").await;
    let Database::Postgres { pool, .. } = &database else { panic!("it is a server") };
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    hooks.next("a", [Act::Fail(NotifyError::rejected("no"))]);
    let media = host(database.queue(), &clock).notify(hooks.clone()).start().await.unwrap();
    let mut other = pool.begin().await.unwrap();
    let pause = "INSERT INTO mediaflow_destinations (destination, paused, blocked_until) VALUES ('hooks a', 1, 1)";
    sqlx::query(pause).execute(&mut *other).await.unwrap();
    tell(&media, &clock, "a").await;
    hooks.told(1).await;
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    database.until(waits, 1).await;
    other.commit().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'", 1).await;
    assert_eq!(database.int("SELECT paused FROM mediaflow_destinations").await, 1);
    shut(media).await;
}

/// Whoever holds a destination can write its messages: those who end them wait for the destination first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_has_run_out_waits_for_its_destination_first() {
    let _alone = ONE_AT_A_TIME.lock().await;
    let database = Database::postgres("run_out_in_order").await;
    let Database::Postgres { pool, .. } = &database else { panic!("it is a server") };
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated]);
    let media = host(database.queue(), &clock).notify(hooks.clone()).start().await.unwrap();
    tell(&media, &clock, "b").await;
    hooks.told(1).await;
    database
        .run("INSERT INTO mediaflow_destinations (destination, paused, probe_until) VALUES ('hooks a', 1, 9000000000000000)")
        .await;
    let mut other = pool.begin().await.unwrap();
    let hold = "SELECT 1 FROM mediaflow_destinations WHERE destination = 'hooks a' FOR UPDATE";
    sqlx::query(hold).execute(&mut *other).await.unwrap();
    database.message("job.created", "a", "expires_at = 1").await;
    let waits = "SELECT count(*) FROM pg_stat_activity
                 WHERE datname = current_database() AND wait_event_type = 'Lock'";
    database.until(waits, 1).await;
    sqlx::query("SET LOCAL lock_timeout = '200ms'").execute(&mut *other).await.unwrap();
    let write = "UPDATE mediaflow_messages SET error = 'held' WHERE destination = 'hooks a'";
    sqlx::query(write).execute(&mut *other).await.unwrap();
    other.commit().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'", 1).await;
    shut(media).await;
}
