//! Whose messages are taken away when a lease is over: those of processes that give no sign of life, and nobody else's.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::notify::{DeliveryContext, Message, Receipt};
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{FakeBackend, ManualClock, ScriptedNotifier, soon};
use mediaflow_core::{
    Builder, Clock as _, Event, EventKind, Mediaflow, Notifier, NotifyError, async_trait,
};
use mediaflow_queue::Queue;
use mediaflow_queue::testing::{PrivatePostgres, Proxy};
use tokio::sync::Semaphore;

on_both! {
    a_worker_that_lives_keeps_what_it_sends
}

const SECOND: Duration = Duration::from_secs(1);

/// Longer than any message is leased.
const LEASE_OVER: Duration = Duration::from_secs(100);

/// Each process may send four at a time.
fn host(queue: Queue, clock: &ManualClock) -> Builder {
    let policy = DeliveryPolicy {
        schedule: vec![5 * SECOND, 60 * SECOND],
        jitter: 0.0,
        concurrency: 4,
        ..DeliveryPolicy::default()
    };
    builder(queue, &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .clock(Arc::new(clock.clone()))
        .delivery(policy)
}

async fn tell(media: &Mediaflow, clock: &ManualClock, channel: &str, to: &str) {
    let never = clock.now().plus(Duration::from_secs(3600 * 24 * 3650));
    let options = JobOptions::new().run_at(never).notify(channel, to);
    media.submit(work("parked").with_options(options)).await.unwrap();
}

/// Writes messages by hand, and waits until somebody has looked for what has run out.
async fn looked(database: &Database, clock: &ManualClock) {
    let dead = "SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'";
    let before = database.int(dead).await;
    for number in 1..=2 {
        let over = format!(
            "group_key = group_key || '-{}-{number}', due = 9000000000000, expires_at = {}",
            before,
            clock.now().millis()
        );
        database.message("job.created", "over", &over).await;
        database.until(dead, before + number).await;
    }
}

async fn sending(database: &Database, worker: &str) -> i64 {
    let count = "SELECT count(*) FROM mediaflow_messages WHERE state = 'sending' AND worker";
    database.int(&format!("{count} = '{worker}'")).await
}

/// Registers another worker, which sends something under a lease that is over.
async fn other(database: &Database, clock: &ManualClock, beat: &str) -> Option<File> {
    let lock = match database {
        Database::Sqlite { path, .. } => {
            let folder = format!("{}-workers", path.display());
            std::fs::create_dir_all(&folder).unwrap();
            let file = File::create(format!("{folder}/other")).unwrap();
            file.lock().unwrap();
            Some(file)
        }
        Database::Postgres { .. } => None,
    };
    database
        .run(&format!(
            "INSERT INTO mediaflow_workers (id, host, pid, started_at, beat_at) VALUES ('other', 'here', 1, 0, {beat})"
        ))
        .await;
    let over = clock.now().millis() - 1;
    let columns =
        format!("state = 'sending', worker = 'other', attempts = 1, lease_until = {over}");
    database.message("job.created", "a", &columns).await;
    lock
}

/// It was cut off, or waits for the database: what it has sent is told by itself.
async fn a_worker_that_lives_keeps_what_it_sends(database: Database) {
    let clock = ManualClock::new();
    let hooks = ScriptedNotifier::new([EventKind::JobCreated]);
    let media = host(database.queue(), &clock).notify(hooks.clone()).start().await.unwrap();
    tell(&media, &clock, "hooks", "first").await;
    hooks.told(1).await;
    let lock = other(&database, &clock, "9000000000000000").await;
    looked(&database, &clock).await;
    assert_eq!(sending(&database, "other").await, 1, "it lives");
    // A worker that is not there any more does not come back.
    drop(lock);
    database.run("DELETE FROM mediaflow_workers WHERE id = 'other'").await;
    database.until("SELECT count(*) FROM mediaflow_attempts WHERE outcome = 'lost'", 1).await;
    clock.advance(5 * SECOND);
    hooks.told(2).await;
    assert_eq!(hooks.of("a")[0].attempt, 2);
    shut(media).await;
}

/// Delivers when it is let.
#[derive(Clone, Debug)]
struct Gate {
    open: Arc<Semaphore>,
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

#[async_trait]
impl Notifier for Gate {
    fn name(&self) -> &str {
        "hooks"
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind == EventKind::JobCreated
    }

    async fn notify(
        &self,
        _message: &Message,
        _cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let _open = self.open.acquire().await.unwrap();
        self.ended.fetch_add(1, Ordering::SeqCst);
        Ok(Receipt::new())
    }
}

async fn reaches(what: &str, count: &AtomicUsize, number: usize) {
    let reached = async {
        while count.load(Ordering::SeqCst) < number {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    soon(what, reached).await;
}

/// Two processes are cut off while they send. The first one to come back does not send what the other has delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_delivered_during_an_outage_is_not_sent_again() {
    let server = PrivatePostgres::shared().await.unwrap();
    let database = Database::postgres("cut_off").await;
    let clock = ManualClock::new();
    let gate =
        Gate { open: Arc::new(Semaphore::new(0)), begun: Arc::default(), ended: Arc::default() };
    let networks =
        [Proxy::start(server.addr()).await.unwrap(), Proxy::start(server.addr()).await.unwrap()];
    let mut media = Vec::new();
    for network in &networks {
        // The first lease is not over before the second process is back.
        let queue = mediaflow_queue::Postgres::connect(network.url(&database.address()));
        let queue = queue.lease(60 * SECOND);
        media.push(host(queue, &clock).notify(gate.clone()).start().await.unwrap());
    }
    for _ in 0..8 {
        tell(&media[0], &clock, "hooks", "").await;
    }
    reaches("attempts in both", &gate.begun, 8).await;
    networks.iter().for_each(Proxy::cut);
    gate.open.add_permits(8);
    reaches("deliveries", &gate.ended, 8).await;
    clock.advance(LEASE_OVER);
    let delivered = "SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'";
    networks[0].resume();
    database.until(delivered, 4).await;
    looked(&database, &clock).await;
    let lost = "SELECT count(*) FROM mediaflow_attempts WHERE outcome = 'lost'";
    assert_eq!(database.int(lost).await, 0);
    networks[1].resume();
    database.until(delivered, 8).await;
    assert_eq!((database.int(lost).await, gate.begun.load(Ordering::SeqCst)), (0, 8));
    for media in media {
        shut(media).await;
    }
}

/// Whoever was cut off can not tell who was as well.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_was_cut_off_gives_the_others_time_to_come_back() {
    let server = PrivatePostgres::shared().await.unwrap();
    let database = Database::postgres("cut_off_together").await;
    let clock = ManualClock::new();
    let hooks = ScriptedNotifier::new([EventKind::JobCreated]);
    let network = Proxy::start(server.addr()).await.unwrap();
    let queue = mediaflow_queue::Postgres::connect(network.url(&database.address()));
    let media = host(queue.lease(10 * SECOND), &clock).notify(hooks.clone()).start().await.unwrap();
    tell(&media, &clock, "hooks", "first").await;
    hooks.told(1).await;
    // After so long it trusts what it sees of others.
    let lost = "SELECT count(*) FROM mediaflow_attempts WHERE outcome = 'lost'";
    let gone = format!(
        "state = 'sending', worker = 'gone', attempts = 1, group_key = 'gone', lease_until = {}",
        clock.now().millis() - 1
    );
    database.message("job.created", "gone", &gone).await;
    database.until(lost, 1).await;

    other(&database, &clock, "9000000000000000").await;
    network.cut();
    // Long enough for anybody to notice.
    tokio::time::sleep(4 * SECOND).await;
    database.run("UPDATE mediaflow_workers SET beat_at = 0 WHERE id = 'other'").await;
    network.resume();
    looked(&database, &clock).await;
    assert_eq!(sending(&database, "other").await, 1, "it was cut off as well");
    database
        .run("UPDATE mediaflow_workers SET beat_at = 9000000000000000 WHERE id = 'other'")
        .await;
    looked(&database, &clock).await;
    assert_eq!((sending(&database, "other").await, database.int(lost).await), (1, 1));
    shut(media).await;
}
