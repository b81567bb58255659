//! What routes leave in the tables: handed on, collected, acknowledged, sent again, on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use database::{Database, builder, shut, work};
use mediaflow_core::event::Audience;
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::notify::{Acknowledged, Person, Recipients, Route, Whom, after};
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Act, FakeBackend, ManualClock, ScriptedNotifier as Hooks, soon};
use mediaflow_core::{Builder, Clock as _, EventKind, JobId, Mediaflow, NotifyError, Result};
use mediaflow_queue::{DeliveryFilter, DeliveryState, Queue};

on_both! {
    what_was_handed_on_is_not_sent_again_by_itself
    what_nobody_takes_the_place_of_can_be_sent_again
    a_digest_that_is_sent_again_takes_nothing_new
    a_digest_to_an_address_that_is_gone_is_handed_on
    a_route_that_changes_its_channel_leaves_the_open_digest_alone
    what_is_acknowledged_while_it_is_sent_is_not_tried_again
    what_is_acknowledged_is_sent_by_no_older_process
    what_was_acknowledged_and_arrived_can_be_sent_again
    many_that_are_lost_at_once_are_handed_on
    nothing_is_acknowledged_without_a_name
    a_dry_run_is_routed_and_recorded_and_sent_to_nobody
}

const SECOND: Duration = Duration::from_secs(1);

struct Host {
    database: Database,
    clock: ManualClock,
    hooks: Hooks,
    push: Hooks,
}

impl Host {
    fn new(database: Database) -> Self {
        let silent = |name: &str| Hooks::new([]).named(name);
        Self { database, clock: ManualClock::new(), hooks: silent("hooks"), push: silent("push") }
    }

    async fn start(&self, route: Route) -> (Mediaflow, Queue) {
        let queue = self.database.queue();
        (self.builder(&queue, &self.clock).route(route).start().await.unwrap(), queue)
    }

    fn builder(&self, queue: &Queue, clock: &ManualClock) -> Builder {
        let schedule = vec![5 * SECOND; 2];
        builder(queue.clone(), &FakeBackend::new())
            .storage_with("out", MemoryStorage::new())
            .clock(Arc::new(clock.clone()))
            .delivery(DeliveryPolicy { schedule, jitter: 0.0, ..DeliveryPolicy::default() })
            .notify(self.hooks.clone())
            .notify(self.push.clone())
    }

    async fn tell(&self, media: &Mediaflow, to: &str) -> JobId {
        let later = self.clock.now().plus(Duration::from_secs(3600 * 24 * 3650));
        let options = JobOptions::new().notify("hooks", to).run_at(later);
        media.submit(work("parked").with_options(options)).await.unwrap().id()
    }

    /// Lets time go on until it is so.
    #[expect(clippy::future_not_send, reason = "a test waits for it where it stands")]
    async fn until(&self, what: &str, is: impl AsyncFn() -> bool) {
        let turned = async {
            while !is().await {
                self.clock.advance(SECOND);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(what, turned).await;
    }
}

fn on_created() -> Route {
    Route::on([EventKind::JobCreated]).name("rule")
}

fn rejected() -> Act {
    Act::Fail(NotifyError::rejected("no"))
}

fn in_state(state: DeliveryState) -> DeliveryFilter {
    DeliveryFilter::new().state(state)
}

async fn a_dry_run_is_routed_and_recorded_and_sent_to_nobody(database: Database) {
    let host = Host::new(database);
    let queue = host.database.queue();
    let route = on_created().to("hooks").to("push").digest(5 * SECOND);
    let dry = host.builder(&queue, &host.clock).dry_run().route(route);
    let media = dry.start().await.unwrap();
    host.tell(&media, "a").await;
    let delivered = in_state(DeliveryState::Delivered);
    host.until("both", async || queue.deliveries(&delivered).await.unwrap().len() == 2).await;
    assert!(host.hooks.of("a").is_empty() && host.push.of("").is_empty());
    shut(media).await;
}

async fn what_was_handed_on_is_not_sent_again_by_itself(database: Database) {
    let host = Host::new(database);
    host.hooks.next("a", [rejected()]);
    let (media, queue) = host.start(on_created().to("hooks").fallback("push")).await;
    host.tell(&media, "a").await;
    host.push.told(1).await;
    let dead = queue.deliveries(&in_state(DeliveryState::Dead)).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(queue.redeliver(&in_state(DeliveryState::Dead)).await.unwrap(), 0);
    // Unless somebody wants this very one.
    assert_eq!(queue.redeliver(&DeliveryFilter::new().id(dead[0].id)).await.unwrap(), 1);
    host.hooks.told(2).await;
    assert_eq!(host.push.of("").len(), 1);
    shut(media).await;
}

async fn what_nobody_takes_the_place_of_can_be_sent_again(database: Database) {
    let host = Host::new(database);
    host.push.next("away", [Act::Fail(NotifyError::Gone { reason: "410".into() })]);
    host.hooks.always("a", rejected());
    host.hooks.always("b", rejected());
    let (media, queue) = host.start(on_created().to("hooks").fallback("push").at("away")).await;
    host.tell(&media, "a").await;
    host.push.told(1).await;
    let given_up = async |dead: usize| {
        let all = queue.deliveries(&in_state(DeliveryState::Dead)).await.unwrap();
        all.len() == dead
    };
    host.until("the first two", async || given_up(2).await).await;
    let job = host.tell(&media, "b").await;
    host.until("the third", async || given_up(3).await).await;
    let followed = "SELECT count(*) FROM mediaflow_messages WHERE next IS NOT NULL";
    host.until("its end", async || host.database.int(followed).await == 0).await;
    host.hooks.always("b", Act::Take);
    assert_eq!(queue.redeliver(&in_state(DeliveryState::Dead).job(job)).await.unwrap(), 1);
    host.until("it again", async || host.hooks.of("b").len() == 2).await;
    assert_eq!(host.push.told(1).await.len(), 1, "nobody is there any more");
    shut(media).await;
}

async fn a_digest_that_is_sent_again_takes_nothing_new(database: Database) {
    let host = Host::new(database);
    let (media, queue) = host.start(on_created().to("hooks").digest(60 * SECOND)).await;
    host.tell(&media, "a").await;
    host.tell(&media, "a").await;
    host.until("the digest", async || host.hooks.of("a").len() == 1).await;
    host.until("its end", async || {
        queue.deliveries(&in_state(DeliveryState::Delivered)).await.unwrap().len() == 1
    })
    .await;
    let first = queue.deliveries(&DeliveryFilter::new()).await.unwrap().remove(0);
    // As if its destination asked for patience: it waits, as an open one does.
    assert_eq!(queue.redeliver(&DeliveryFilter::new().id(first.id)).await.unwrap(), 1);
    host.until("it again", async || host.hooks.of("a").len() == 2).await;
    host.database
        .run("UPDATE mediaflow_messages SET state = 'pending', attempts = 0, due = 9000000000000")
        .await;
    host.tell(&media, "a").await;
    host.until("another one", async || host.hooks.of("a").len() == 3).await;
    let told = host.hooks.of("a");
    let events: Vec<_> = told.iter().map(|told| told.message.events().len()).collect();
    assert_eq!(events, [2, 2, 1]);
    assert_ne!(told[2].message.id, told[0].message.id);
    shut(media).await;
}

async fn a_digest_to_an_address_that_is_gone_is_handed_on(database: Database) {
    let host = Host::new(database);
    host.hooks.next("a", [Act::Fail(NotifyError::Gone { reason: "410".into() })]);
    let route = on_created().to("hooks").fallback("push").digest(30 * SECOND);
    let (media, _queue) = host.start(route).await;
    host.tell(&media, "a").await;
    host.until("the first", async || host.push.of("").len() == 1).await;
    host.tell(&media, "a").await;
    host.until("the second", async || host.push.of("").len() == 2).await;
    assert_eq!(host.hooks.of("a").len(), 1, "nobody is asked again who is gone");
    shut(media).await;
}

async fn a_route_that_changes_its_channel_leaves_the_open_digest_alone(database: Database) {
    let host = Host::new(database);
    let (media, _queue) = host.start(on_created().to("hooks").digest(60 * SECOND)).await;
    let first = host.tell(&media, "").await;
    host.until("the route", async || {
        host.database.int("SELECT count(*) FROM mediaflow_unrouted").await == 0
    })
    .await;
    shut(media).await;
    let (media, _queue) = host.start(on_created().to("push").digest(60 * SECOND)).await;
    let second = host.tell(&media, "").await;
    host.until("both", async || host.push.of("").len() + host.hooks.of("").len() == 2).await;
    let job = |hooks: &Hooks| hooks.of("")[0].event.job;
    assert_eq!((job(&host.hooks), job(&host.push)), (Some(first), Some(second)));
    shut(media).await;
}

async fn what_is_acknowledged_while_it_is_sent_is_not_tried_again(database: Database) {
    let host = Host::new(database);
    host.push.next("", [Act::Hang]);
    let route = on_created().to("hooks").escalate(after(10 * SECOND), "push");
    let (media, _queue) = host.start(route).await;
    let job = host.tell(&media, "a").await;
    host.until("the attempt", async || host.push.of("").len() == 1).await;
    media.acknowledge(Acknowledged::job(job)).await.unwrap();
    // The attempt ends without an answer, and would be made again.
    shut(media).await;
    let (media, _queue) =
        host.start(on_created().to("hooks").escalate(after(10 * SECOND), "push")).await;
    host.until("nothing to wait for", async || {
        let open = "SELECT count(*) FROM mediaflow_messages WHERE state IN ('pending', 'sending')";
        host.database.int(open).await == 0
    })
    .await;
    assert_eq!(host.push.of("").len(), 1);
    shut(media).await;
}

/// How a process claims that does not know of acknowledgements.
const OLDER_CLAIM: &str = "SELECT count(*) FROM mediaflow_messages m
    WHERE state = 'pending' AND due <= 9000000000000 AND coalesce(hold_until, 0) <= 9000000000000";

async fn what_is_acknowledged_is_sent_by_no_older_process(database: Database) {
    let host = Host::new(database);
    host.push.next("", [Act::Hang]);
    let route = on_created().to("hooks").escalate(after(10 * SECOND), "push");
    let (media, _queue) = host.start(route.clone()).await;
    let job = host.tell(&media, "a").await;
    host.until("the attempt", async || host.push.of("").len() == 1).await;
    media.acknowledge(Acknowledged::job(job)).await.unwrap();
    // It has not arrived, and is given back.
    shut(media).await;
    assert_eq!(
        host.database.int("SELECT count(*) FROM mediaflow_messages WHERE state = 'pending'").await,
        1
    );
    assert_eq!(host.database.int(OLDER_CLAIM).await, 0);
    let (media, _queue) = host.start(route).await;
    host.database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'pending'", 0).await;
    shut(media).await;
}

async fn what_was_acknowledged_and_arrived_can_be_sent_again(database: Database) {
    let host = Host::new(database);
    let route = on_created().to("hooks").escalate(after(SECOND), "push");
    let (media, queue) = host.start(route).await;
    host.tell(&media, "a").await;
    host.until("the escalation", async || host.push.of("").len() == 1).await;
    host.database
        .until("SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'", 2)
        .await;
    // As if somebody had acknowledged it at that moment.
    let never = "escalates = 2, hold_until = 9223372036854775807";
    let escalation = format!("UPDATE mediaflow_messages SET {never} WHERE channel = 'push'");
    host.database.run(&escalation).await;
    let filter = in_state(DeliveryState::Delivered).channel("push");
    assert_eq!(queue.redeliver(&filter).await.unwrap(), 1);
    host.push.told(2).await;
    shut(media).await;
}

async fn many_that_are_lost_at_once_are_handed_on(database: Database) {
    let host = Host::new(database);
    // Nothing is sent before the time to live of all of them is over.
    let after = Some(Duration::from_secs(86_400));
    host.hooks.always("a", Act::Fail(NotifyError::Throttled { after, reason: "429".into() }));
    let (media, _queue) = host.start(on_created().to("hooks").fallback("push")).await;
    for _ in 0..250 {
        host.tell(&media, "a").await;
    }
    host.until("the routes", async || {
        host.database.int("SELECT count(*) FROM mediaflow_messages").await == 250
    })
    .await;
    host.clock.advance(Duration::from_secs(6 * 86_400));
    host.until("all of them", async || host.push.of("").len() == 250).await;
    shut(media).await;
}

async fn nothing_is_acknowledged_without_a_name(database: Database) {
    let host = Host::new(database);
    let (media, _queue) = host.start(on_created().to("hooks")).await;
    let nothing: Acknowledged = serde_json::from_str("{}").unwrap();
    let error = media.acknowledge(nothing).await.unwrap_err();
    assert_eq!(error.code(), "route.acknowledged");
    assert!(serde_json::from_str::<Acknowledged>(r#"{ "jbo": "x" }"#).is_err());
    shut(media).await;
}

/// On SQLite there is one writer at a time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_are_given_up_at_once_neither_is_left_to_the_other() {
    let host = Host::new(Database::postgres("given_up_at_once").await);
    let Database::Postgres { pool, .. } = &host.database else { panic!("it is a server") };
    let later = |after| NotifyError::Throttled { after: Some(after), reason: "429".into() };
    host.hooks.next("x", [Act::Fail(later(5 * SECOND)), rejected()]);
    host.hooks.always("y", Act::Fail(later(86_400 * SECOND)));
    let (media, _queue) = host.start(on_created().to("hooks").fallback("push")).await;
    let until = host.clock.now().plus(3600 * 24 * 3650 * SECOND);
    let options = JobOptions::new().notify("hooks", "x").notify("hooks", "y").run_at(until);
    media.submit(work("parked").with_options(options)).await.unwrap();
    let waiting =
        "SELECT count(*) FROM mediaflow_messages WHERE state = 'pending' AND attempts = 1";
    host.database.until(waiting, 2).await;
    // Another process gives one of them up at this moment, to which the other one still waits.
    let mut other = pool.begin().await.unwrap();
    let looks = "SELECT 1 FROM pg_advisory_xact_lock(hashtextextended('mediaflow rule rule', 0))";
    sqlx::query(looks).execute(&mut *other).await.unwrap();
    let give_up =
        "UPDATE mediaflow_messages SET state = 'dead', ended_at = 1, next = NULL, replaced = 1
                   WHERE address = 'y'";
    sqlx::query(give_up).execute(&mut *other).await.unwrap();
    host.clock.advance(5 * SECOND);
    host.database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'", 1).await;
    other.commit().await.unwrap();
    host.push.told(1).await;
    shut(media).await;
}

/// How many statements on this database wait for others.
const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE NOT granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// During a deploy one version knows a channel that the other one does not: each routes for its own, at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_with_different_channels_open_one_digest() {
    let host = Host::new(Database::postgres("two_open").await);
    let Database::Postgres { pool, .. } = &host.database else { panic!("it is a server") };
    let route = || on_created().to("hooks").digest(600 * SECOND);
    let queue = host.database.queue();
    let client = host.builder(&queue, &host.clock).submit_only().start().await.unwrap();
    host.tell(&client, "a").await;
    // Only whoever is ahead has this one.
    let later = host.clock.now().plus(20 * SECOND).millis();
    host.database.run(&format!("UPDATE mediaflow_unrouted SET route_at = {later}")).await;
    let mut slow = pool.begin().await.unwrap();
    let slowly = "LOCK TABLE mediaflow_messages IN SHARE MODE";
    sqlx::query(slowly).execute(&mut *slow).await.unwrap();
    let ahead = ManualClock::new();
    ahead.advance(30 * SECOND);
    let newer = host.builder(&host.database.queue(), &ahead);
    let newer = newer.notify(Hooks::new([]).named("new")).route(route()).start().await.unwrap();
    host.database.until(WAITING, 1).await;
    host.tell(&client, "a").await;
    let (older, _queue) = host.start(route()).await;
    host.database.until(WAITING, 2).await;
    slow.commit().await.unwrap();
    host.database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    let digests = "SELECT CAST(events AS TEXT) FROM mediaflow_messages";
    assert_eq!(host.database.texts(digests).await, ["2"]);
    for media in [client, newer, older] {
        shut(media).await;
    }
}

/// Who is told of a job by its owner.
#[derive(Debug)]
struct OnDuty;

#[async_trait]
impl Recipients for OnDuty {
    async fn people(&self, whom: &Whom) -> Result<Vec<Person>> {
        let names = whom.owner.iter().flat_map(|owner| owner.split('+'));
        Ok(names.map(|name| Person::new(name).at("hooks", name)).collect())
    }
}

/// Two processes give up digests at the same moment, which have an event in common and the same fallback.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_that_hand_digests_on_tell_nothing_twice() {
    let host = Host::new(Database::postgres("two_replace").await);
    let Database::Postgres { pool, .. } = &host.database else { panic!("it is a server") };
    for name in ["ada", "bo"] {
        host.hooks.always(name, rejected());
    }
    let route = on_created().audience(Audience::Owner).to("hooks").fallback("push").at("on-call");
    let route = route.digest(30 * SECOND);
    let start = async || {
        let builder = host.builder(&host.database.queue(), &host.clock).recipients(OnDuty);
        builder.route(route.clone()).start().await.unwrap()
    };
    let first = start().await;
    for owner in ["ada", "ada+bo"] {
        let options =
            JobOptions::new().owner(owner).run_at(host.clock.now().plus(3600 * 24 * 3650 * SECOND));
        first.submit(work("parked").with_options(options)).await.unwrap();
        host.database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    }
    let events = "SELECT CAST(events AS TEXT) FROM mediaflow_messages ORDER BY address";
    assert_eq!(host.database.texts(events).await, ["2", "1"]);
    let mut slow = pool.begin().await.unwrap();
    let slowly = "LOCK TABLE mediaflow_message_events IN SHARE MODE";
    sqlx::query(slowly).execute(&mut *slow).await.unwrap();
    let mut others = pool.begin().await.unwrap();
    let left = "SELECT 1 FROM mediaflow_messages WHERE address = 'bo' FOR UPDATE";
    sqlx::query(left).execute(&mut *others).await.unwrap();
    host.clock.advance(31 * SECOND);
    host.hooks.told(1).await;
    others.rollback().await.unwrap();
    let second = start().await;
    host.hooks.told(2).await;
    // Either both write at the same moment, or the second one has left it to the first.
    let dead = "SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'";
    let both = format!("SELECT CAST(least(({WAITING}) + ({dead}), 2) AS BIGINT)");
    host.database.until(&both, 2).await;
    slow.commit().await.unwrap();
    let done = "SELECT count(*) FROM mediaflow_messages WHERE state <> 'delivered' AND (state <> 'dead' OR next IS NOT NULL)";
    host.database.until(done, 0).await;
    let told = host.push.of("on-call");
    let mut events: Vec<_> =
        told.iter().flat_map(|told| told.message.events()).map(|event| event.id).collect();
    let all = events.len();
    events.sort();
    events.dedup();
    assert_eq!((all, events.len()), (2, 2), "{told:?}");
    shut(first).await;
    shut(second).await;
}
