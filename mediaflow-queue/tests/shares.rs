//! How many jobs of a tenant run at once, over many processes; what is next of those that wait, and how soon.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::time::{Duration, Instant, SystemTime};

use database::{Database, builder, once, shut, work};
use mediaflow_core::executor::RetryPolicy;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{JobOptions, JobSpec};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, soon};
use mediaflow_core::{Builder, Error, Failure, JobId, Limits, Mediaflow, Tenants, Timestamp};
use mediaflow_queue::Queue;
use sqlx::AssertSqlSafe;

on_both! {
    a_dead_worker_gives_its_places_back
    a_leak_is_counted_anew
    a_leak_is_counted_anew_beside_an_older_build
    a_raised_share_is_noticed
    a_lowered_share_is_kept_to
    a_place_is_not_counted_twice
    tenants_that_end_crosswise_do_not_wait_for_one_another
    the_most_urgent_of_those_that_come_together_are_the_first
    a_client_finds_out_itself_what_its_job_waits_for
    what_waits_for_another_attempt_takes_no_place
    what_waits_for_its_moment_takes_no_place
    all_priorities_are_kept
    another_attempt_keeps_its_rank
    another_attempt_is_soon
}

/// A host whose tenants have so many jobs at once.
fn sharing(queue: Queue, fake: &FakeBackend, jobs: usize) -> Builder {
    builder(queue, fake)
        .storage_with("out", MemoryStorage::new())
        .places("image", 8)
        .tenants(Tenants::new().at_once("image", jobs))
        .limits(Limits { priority: i16::MAX, ..Limits::default() })
}

async fn client(database: &Database, jobs: usize) -> Mediaflow {
    let client = sharing(database.queue(), &FakeBackend::new(), jobs);
    client.submit_only().start().await.unwrap()
}

async fn worker(database: &Database, fake: &FakeBackend, jobs: usize) -> Mediaflow {
    sharing(database.queue(), fake, jobs).start().await.unwrap()
}

fn with(name: &str, options: impl FnOnce(JobOptions) -> JobOptions) -> JobSpec {
    work(name).with_options(options(JobOptions::new()))
}

fn of(tenant: &str, name: &str) -> JobSpec {
    with(name, |options| options.tenant(tenant))
}

async fn succeeds(media: &Mediaflow, job: JobId) {
    let status = soon("end", media.handle(job).ended()).await.unwrap();
    assert_eq!(status.state, JobState::Succeeded, "{status:?}");
}

async fn submit(media: &Mediaflow, spec: JobSpec) -> JobId {
    media.submit(spec).await.unwrap().id()
}

/// Waits until nothing waits, and no place is taken.
async fn all_is_given_back(database: &Database) {
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE held IS NOT NULL", 0).await;
    database.until("SELECT count(*) FROM mediaflow_shares WHERE taken <> 0", 0).await;
}

const HELD: &str = "SELECT count(*) FROM mediaflow_jobs WHERE held = 'share'";
const DEAD: &str = "mediaflow-dead";

async fn a_dead_worker_gives_its_places_back(database: Database) {
    let client = client(&database, 2).await;
    let again = submit(&client, of("ada", "again")).await;
    let lost = with("lost", |options| options.tenant("ada").max_attempts(1));
    let lost = client.submit(lost).await.unwrap();
    let mut next = Vec::new();
    for name in ["a", "b", "c"] {
        next.push(submit(&client, of("ada", name)).await);
    }
    assert_eq!(database.int(HELD).await, 3);
    database.register_dead(DEAD).await;
    for job in [again, lost.id()] {
        database.abandon(job, DEAD).await;
    }
    let media = worker(&database, &FakeBackend::new(), 2).await;
    let failure = soon("end", lost.ended()).await.unwrap().failure.unwrap();
    assert_eq!(failure.code, "job.worker_lost");
    for job in next.into_iter().chain([again]) {
        succeeds(&media, job).await;
    }
    all_is_given_back(&database).await;
    shut(client).await;
    shut(media).await;
}

async fn a_leak_is_counted_anew(database: Database) {
    let client = client(&database, 1).await;
    let first = submit(&client, of("ada", "first")).await;
    let next = submit(&client, of("ada", "next")).await;
    database.run("UPDATE mediaflow_shares SET taken = 7").await;
    let media = worker(&database, &FakeBackend::new(), 1).await;
    succeeds(&media, first).await;
    succeeds(&media, next).await;
    all_is_given_back(&database).await;
    shut(client).await;
    shut(media).await;
}

/// It has worked for longer than all others, and knows nothing of shares.
async fn an_older_build_is_there(database: &Database) {
    database
        .run("INSERT INTO mediaflow_workers (id, host, pid, started_at, beat_at) VALUES ('a', 'old', 1, 0, 9000000000000)")
        .await;
}

async fn a_leak_is_counted_anew_beside_an_older_build(database: Database) {
    if matches!(database, Database::Sqlite { .. }) {
        return; // A worker without its lock is gone, and one that has it can not be made by hand.
    }
    let client = client(&database, 1).await;
    let ended = submit(&client, of("ada", "ended")).await;
    let next = submit(&client, of("ada", "next")).await;
    client.handle(ended).cancel().await.unwrap();
    let end = "UPDATE mediaflow_jobs SET held = 'share', state = 'held', shared = 0, river = 0 WHERE ended_at IS NULL";
    assert_eq!(database.run(end).await, 1);
    database.run("UPDATE mediaflow_shares SET taken = 1").await;
    database.run("DELETE FROM river_job").await;
    an_older_build_is_there(&database).await;
    let media = worker(&database, &FakeBackend::new(), 1).await;
    succeeds(&media, next).await;
    shut(client).await;
    shut(media).await;
}

async fn a_raised_share_is_noticed(database: Database) {
    let client = client(&database, 1).await;
    let fake = FakeBackend::new();
    let mut jobs = Vec::new();
    for name in ["a", "b", "c"] {
        fake.script(name, [Behaviour::Block]);
        jobs.push(submit(&client, of("ada", name)).await);
    }
    assert_eq!(database.int(HELD).await, 2);
    let media = worker(&database, &fake, 3).await;
    for name in ["a", "b", "c"] {
        soon("beginning", fake.begun(name, 1)).await;
    }
    fake.release();
    for job in jobs {
        succeeds(&media, job).await;
    }
    all_is_given_back(&database).await;
    shut(client).await;
    shut(media).await;
}

async fn a_lowered_share_is_kept_to(database: Database) {
    let before = client(&database, 3).await;
    let fake = FakeBackend::new();
    let mut jobs = Vec::new();
    for name in ["a", "b", "c", "d", "e"] {
        fake.script(name, [Behaviour::Block]);
        jobs.push(submit(&before, of("ada", name)).await);
    }
    shut(before).await;
    let media = worker(&database, &fake, 1).await;
    for name in ["a", "b", "c"] {
        soon("beginning", fake.begun(name, 1)).await;
    }
    for job in &jobs[..2] {
        media.handle(*job).cancel().await.unwrap();
    }
    database.until("SELECT taken FROM mediaflow_shares", 1).await;
    assert_eq!(database.int(HELD).await, 2, "one is there, and that is the share");
    media.handle(jobs[2]).cancel().await.unwrap();
    soon("beginning", fake.begun("d", 1)).await;
    assert_eq!(database.int(HELD).await, 1);
    fake.release();
    for job in &jobs[3..] {
        succeeds(&media, *job).await;
    }
    all_is_given_back(&database).await;
    shut(media).await;
}

/// An older build has parked a job, or let it wait, and has kept its place.
async fn a_place_is_not_counted_twice(database: Database) {
    let client = client(&database, 1).await;
    let ignorant = Mediaflow::builder().engine(database.queue());
    let ignorant = ignorant.storage_with("out", MemoryStorage::new()).start().await.unwrap();
    let job = submit(&client, of("ada", "parked")).await;
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'parked'", 1).await;
    shut(ignorant).await;
    database.run("UPDATE mediaflow_jobs SET shared = 1").await;
    database.run("DELETE FROM mediaflow_shares").await;
    database.run("INSERT INTO mediaflow_shares (share, taken) VALUES ('image ada', 1)").await;
    let fake = FakeBackend::new();
    fake.script("parked", [Behaviour::Block]);
    let media = worker(&database, &fake, 1).await;
    soon("beginning", fake.begun("parked", 1)).await;
    let held = "SELECT count(*) FROM mediaflow_events WHERE kind = 'job.started'";
    assert_eq!(database.int(held).await, 1);
    assert_eq!(database.int("SELECT taken FROM mediaflow_shares").await, 1);
    fake.release();
    succeeds(&media, job).await;
    all_is_given_back(&database).await;
    shut(client).await;
    shut(media).await;
}

async fn tenants_that_end_crosswise_do_not_wait_for_one_another(database: Database) {
    let fake = FakeBackend::new();
    let (one, two) = (worker(&database, &fake, 2).await, worker(&database, &fake, 2).await);
    let mut batches = Vec::new();
    for round in 0..6 {
        let tenants = ["a", "b", "c", "d"];
        let mut jobs: Vec<_> =
            tenants.iter().map(|tenant| of(tenant, &format!("{tenant}-{}", round / 2))).collect();
        jobs.rotate_left(round % 4);
        let keyed = jobs.iter().cloned().enumerate().map(|(at, mut job)| {
            job.options.idempotency_key = (at % 2 == 0).then(|| format!("{}", round / 2));
            job
        });
        let media = if round % 2 == 0 { &one } else { &two };
        batches.push(media.eager(keyed.collect::<Vec<_>>()).await);
    }
    for batch in batches {
        let report = soon("batch", batch.unwrap().done()).await.unwrap();
        assert_eq!(report.state, JobState::Succeeded);
    }
    all_is_given_back(&database).await;
    if matches!(database, Database::Postgres { .. }) {
        let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
        assert_eq!(database.int(deadlocks).await, 0);
    }
    shut(one).await;
    shut(two).await;
}

async fn the_most_urgent_of_those_that_come_together_are_the_first(database: Database) {
    let client = client(&database, 1).await;
    let urgent = |name, priority| with(name, |options| options.tenant("ada").priority(priority));
    let jobs = [urgent("usual", 0), urgent("late", -1), urgent("first", 300), urgent("second", 5)];
    let batch = client.eager(jobs).await.unwrap();
    let fake = FakeBackend::new();
    let media = worker(&database, &fake, 1).await;
    soon("batch", batch.done()).await.unwrap();
    assert_eq!(fake.runs(), ["first", "second", "usual", "late"]);
    shut(client).await;
    shut(media).await;
}

/// Nobody works, who would look.
async fn a_client_finds_out_itself_what_its_job_waits_for(database: Database) {
    let client = client(&database, 1).await;
    let keyed = |name| with(name, |options| options.tenant("ada").idempotency_key(name));
    let first = submit(&client, keyed("first")).await;
    let next = submit(&client, keyed("next")).await;
    let after = submit(&client, with("after", |options| options.after(first))).await;
    for (job, expected) in [(first, "queued "), (next, "held share"), (after, "held after")] {
        let find = format!(
            "SELECT state || ' ' || coalesce(held, '') FROM mediaflow_jobs WHERE id = '{job}'"
        );
        assert_eq!(database.texts(&find).await, [expected]);
    }
    let media = worker(&database, &FakeBackend::new(), 1).await;
    for job in [first, next, after] {
        succeeds(&media, job).await;
    }
    all_is_given_back(&database).await;
    shut(client).await;
    shut(media).await;
}

fn fails() -> Behaviour {
    Behaviour::Fail(Failure::from(&Error::transient("fake.passes", "it passes")))
}

fn after(wait: Duration) -> RetryPolicy {
    RetryPolicy { first: wait, longest: wait, jitter: 0.0, ..RetryPolicy::default() }
}

async fn what_waits_for_another_attempt_takes_no_place(database: Database) {
    let fake = FakeBackend::new();
    fake.script("fails", [fails()]);
    let media = sharing(database.queue(), &fake, 1).retry(after(Duration::from_secs(3600)));
    let media = media.start().await.unwrap();
    let failed = submit(&media, of("ada", "fails")).await;
    let next = submit(&media, of("ada", "next")).await;
    succeeds(&media, next).await;
    let due = "SELECT count(*) FROM mediaflow_jobs WHERE held = 'due' AND shared = 0";
    assert_eq!(database.int(due).await, 1);
    media.handle(failed).cancel().await.unwrap();
    let status = soon("end", media.handle(failed).ended()).await.unwrap();
    assert_eq!((status.state, database.ends(failed).await), (JobState::Cancelled, 1));
    assert_eq!(fake.runs(), ["fails", "next"]);
    all_is_given_back(&database).await;
    shut(media).await;
}

async fn what_waits_for_its_moment_takes_no_place(database: Database) {
    let media = worker(&database, &FakeBackend::new(), 1).await;
    let at = |moment| {
        with("later", |options| options.tenant("ada").run_at(moment).idempotency_key("later"))
    };
    let never = submit(&media, at(Timestamp::from_millis(253_402_300_799_999))).await;
    let mut far = of("ada", "far");
    far.options.run_at = Some(Timestamp::from_millis(u64::MAX));
    let far = media.submit(far).await.unwrap().id();
    for name in ["a", "b"] {
        let job = submit(&media, of("ada", name)).await;
        succeeds(&media, job).await;
    }
    for waits in [never, far] {
        assert_eq!(media.handle(waits).status().await.unwrap().state, JobState::Queued);
        media.handle(waits).cancel().await.unwrap();
    }
    all_is_given_back(&database).await;
    shut(media).await;
}

async fn all_priorities_are_kept(database: Database) {
    let client = client(&database, 1).await;
    let mut priorities =
        [i16::MIN, -32_767, -300, -2, -1, 0, 1, 2, 9, 10, 11, 300, 32_766, i16::MAX];
    client.pause().await.unwrap();
    let soon = Timestamp::from(SystemTime::now()).plus(Duration::from_secs(1));
    let shuffled = [6, 0, 13, 5, 9, 2, 11, 7, 1, 12, 4, 10, 3, 8];
    for at in shuffled {
        let priority = priorities[at];
        let name = priority.to_string();
        let mut job = with(&name, |options| options.priority(priority));
        job.options.run_at = (at % 3 == 0).then_some(soon);
        submit(&client, job).await;
    }
    let due = "SELECT count(*) FROM mediaflow_jobs WHERE held = 'due'";
    assert!(database.int(due).await > 0);
    let fake = FakeBackend::new();
    let media = builder(database.queue(), &fake).storage_with("out", MemoryStorage::new());
    let media = media.places("image", 1).start().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE held IS NOT NULL", 0).await;
    assert!(fake.runs().is_empty());
    client.resume().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE ended_at IS NULL", 0).await;
    priorities.reverse();
    assert_eq!(fake.runs(), priorities.map(|priority| priority.to_string()));
    shut(client).await;
    shut(media).await;
}

async fn another_attempt_keeps_its_rank(database: Database) {
    let fake = FakeBackend::new();
    fake.script("fails", [fails()]);
    let media = sharing(database.queue(), &fake, 1).retry(after(Duration::from_millis(5)));
    let media = media.start().await.unwrap();
    let job = submit(&media, with("fails", |options| options.priority(-7))).await;
    succeeds(&media, job).await;
    let rows = "SELECT count(*) FROM river_job WHERE priority = 4";
    assert_eq!(database.int(rows).await, 2, "one for each attempt");
    let ranks = "SELECT count(DISTINCT scheduled_at) FROM river_job";
    assert_eq!(database.int(ranks).await, 1);
    shut(media).await;
}

async fn another_attempt_is_soon(database: Database) {
    let fake = FakeBackend::new();
    let media = sharing(database.queue(), &fake, 1).retry(after(Duration::from_millis(5)));
    let media = media.start().await.unwrap();
    let mut times = Vec::new();
    for number in 0..9 {
        let name = format!("job-{number}");
        fake.script(&*name, [fails()]);
        let job = submit(&media, work(&name)).await;
        soon("first attempt", fake.begun(&name, 1)).await;
        let began = Instant::now();
        soon("second attempt", fake.begun(&name, 2)).await;
        times.push(began.elapsed());
        succeeds(&media, job).await;
    }
    times.sort_unstable();
    // A look once a second would take half of that.
    assert!(times[4] < Duration::from_millis(100), "{times:?}");
    shut(media).await;
}

const WAITS: &str = "SELECT least(count(*), 1) FROM pg_stat_activity
     WHERE datname = current_database() AND wait_event_type = 'Lock'";

const SHARES: &str = "SELECT 1 FROM mediaflow_shares FOR UPDATE NOWAIT";

/// On SQLite there is one writer at a time, the host included.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenants_job_in_an_open_transaction_stops_nobody() {
    let database = Database::postgres("a_tenants_job_in_an_open").await;
    let queue = database.queue();
    let media = sharing(queue.clone(), &FakeBackend::new(), 1).start().await.unwrap();
    let open = database.submit_in(&queue, [of("ada", "open"), of("bob", "open-too")]).await;
    for (tenant, name) in [("ada", "a"), ("ada", "b"), ("bob", "c"), ("cleo", "d")] {
        let job = submit(&media, of(tenant, name)).await;
        succeeds(&media, job).await;
    }
    open.commit().await;
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'succeeded'", 6).await;
    all_is_given_back(&database).await;
    shut(media).await;
}

/// Jobs come before shares: whoever ends the job has the share next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_known_job_holds_no_share() {
    let database = Database::postgres("share_after_known_job").await;
    let Database::Postgres { pool, .. } = &database else { panic!("a server") };
    let client = client(&database, 3).await;
    let known = with("known", |options| options.tenant("ada").idempotency_key("known"));
    for job in [of("ada", "earlier"), known.clone()] {
        submit(&client, job).await;
    }
    let mut host = pool.begin().await.unwrap();
    let lock = "SELECT 1 FROM mediaflow_jobs FOR UPDATE";
    sqlx::query(lock).execute(&mut *host).await.unwrap();
    let others = async {
        database.until(WAITS, 1).await;
        sqlx::query(SHARES).execute(&mut *host).await.expect("nobody holds the share");
        host.rollback().await.unwrap();
    };
    let (batch, ()) = tokio::join!(client.eager([known, of("ada", "other")]), others);
    let media = worker(&database, &FakeBackend::new(), 2).await;
    soon("batch", batch.unwrap().done()).await.unwrap();
    shut(client).await;
    shut(media).await;
}

/// Batches come before shares, also where several jobs end one by one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_ends_what_a_dead_worker_held_counts_shares_last() {
    let database = Database::postgres("share_after_batch").await;
    let Database::Postgres { pool, .. } = &database else { panic!("a server") };
    let client = client(&database, 1).await;
    let first = with("first", |options| options.tenant("ada").max_attempts(1));
    let first = submit(&client, first).await;
    let batch = client.eager([once(work("second"))]).await.unwrap();
    let second = batch.jobs().next().unwrap().id();
    database.register_dead(DEAD).await;
    for job in [first, second] {
        database.abandon(job, DEAD).await;
    }
    let mut host = pool.begin().await.unwrap();
    let lock = "SELECT 1 FROM mediaflow_batches FOR UPDATE";
    sqlx::query(lock).execute(&mut *host).await.unwrap();
    let media = worker(&database, &FakeBackend::new(), 1).await;
    database.until(WAITS, 1).await;
    sqlx::query(SHARES).execute(&mut *host).await.expect("nobody holds the share");
    host.rollback().await.unwrap();
    database.until("SELECT count(*) FROM mediaflow_jobs WHERE state = 'failed'", 2).await;
    all_is_given_back(&database).await;
    shut(client).await;
    shut(media).await;
}

/// Whoever has room for it passes it over, and so does whoever counts.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_locked_while_a_place_is_free_is_not_forgotten() {
    let database = Database::postgres("locked_while_a_place_is_free").await;
    let Database::Postgres { pool, .. } = &database else { panic!("a server") };
    let client = client(&database, 1).await;
    let first = submit(&client, of("ada", "first")).await;
    let next = submit(&client, of("ada", "next")).await;
    let mut host = pool.begin().await.unwrap();
    let lock = format!("SELECT 1 FROM mediaflow_jobs WHERE id = '{next}' FOR UPDATE");
    sqlx::query(AssertSqlSafe(lock)).execute(&mut *host).await.unwrap();
    client.handle(first).cancel().await.unwrap();
    database.run("INSERT INTO mediaflow_shares (share, taken) VALUES ('image zoe', 3)").await;
    let media = worker(&database, &FakeBackend::new(), 1).await;
    // It was counted, after the other one in the order of their names.
    database.until("SELECT count(*) FROM mediaflow_shares WHERE share = 'image zoe'", 0).await;
    host.rollback().await.unwrap();
    succeeds(&media, next).await;
    shut(client).await;
    shut(media).await;
}
