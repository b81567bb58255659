//! Who is told, whichever process caused an event, and whichever has the notifiers: on both databases.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;
mod wrong_clock;

use std::sync::Arc;
use std::time::Duration;

use database::{Database, builder, shut, work};
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::notify::{Recipient, Recipients};
use mediaflow_core::spec::{JobOptions, JobSpec};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Act, FakeBackend, ManualClock, ScriptedNotifier, soon};
use mediaflow_core::{
    Builder, Clock, Event, EventKind, Mediaflow, NotifyError, Result, SystemClock, async_trait,
};
use mediaflow_queue::Queue;
use tokio::sync::Semaphore;
use wrong_clock::Wrong;

on_both! {
    an_address_of_a_transaction_that_was_rolled_back_is_nobodys
    a_host_transaction_that_stays_open_stops_nobody
    a_process_without_notifiers_tells_all_the_same
    each_process_routes_for_its_own_notifiers
    what_is_for_a_channel_that_is_gone_ends
    what_a_newer_build_has_written_waits_for_it
    many_events_that_nobody_can_read_hold_nothing_up
    what_was_looked_for_before_comes_after_what_is_new
    a_directory_that_does_not_answer_holds_up_no_shutdown
    another_process_goes_on_routing
    a_message_that_ends_its_process_each_time_comes_to_an_end
    a_worker_whose_clock_is_wrong_sends_in_time
    an_event_that_is_written_twice_is_told_once
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

fn created(name: &str) -> ScriptedNotifier {
    ScriptedNotifier::new([EventKind::JobCreated]).named(name)
}

/// A job that never runs, and is told to this address.
fn parked(channel: &str, to: &str) -> JobSpec {
    let later = SystemClock::default().now().plus(3650 * DAY);
    work("parked").with_options(JobOptions::new().notify(channel, to).run_at(later))
}

fn host(database: &Database) -> Builder {
    on(database.queue())
}

fn on(queue: Queue) -> Builder {
    builder(queue, &FakeBackend::new()).storage_with("out", MemoryStorage::new())
}

async fn start(database: &Database, notifiers: &[&ScriptedNotifier]) -> Mediaflow {
    let add = |builder: Builder, hooks: &&ScriptedNotifier| builder.notify((*hooks).clone());
    notifiers.iter().fold(host(database), add).start().await.unwrap()
}

async fn an_address_of_a_transaction_that_was_rolled_back_is_nobodys(database: Database) {
    let hooks = created("hooks");
    let queue = database.queue();
    let media = on(queue.clone()).notify(hooks.clone()).start().await.unwrap();
    let lost = || parked("hooks", "tenant-a");
    database.submit_in(&queue, [lost(), lost()]).await.rollback().await;
    // Both addresses are new to the database, and the second one could take the place of the first.
    let told = media.submit(parked("hooks", "tenant-b")).await.unwrap().id();
    let first = hooks.told(1).await.remove(0);
    assert_eq!((first.to.as_str(), first.event.job), ("tenant-b", Some(told)));
    media.submit(lost()).await.unwrap();
    let second = hooks.told(2).await.remove(1);
    assert_eq!(second.to, "tenant-a");
    shut(media).await;
}

async fn a_host_transaction_that_stays_open_stops_nobody(database: Database) {
    let hooks = created("hooks");
    let queue = database.queue();
    let media = on(queue.clone()).notify(hooks.clone()).start().await.unwrap();
    let open = database.submit_in(&queue, [parked("hooks", "new/address")]).await;
    // A file has one writer at a time; on a server others go on, to the same new address too.
    if matches!(database, Database::Postgres { .. }) {
        media.submit(parked("hooks", "new/address")).await.unwrap();
        hooks.told(1).await;
    }
    open.commit().await;
    media.submit(parked("hooks", "new/address")).await.unwrap();
    let all = if matches!(database, Database::Postgres { .. }) { 3 } else { 2 };
    hooks.told(all).await;
    shut(media).await;
}

async fn a_process_without_notifiers_tells_all_the_same(database: Database) {
    let client = host(&database).submit_only().start().await.unwrap();
    let later = SystemClock::default().now().plus(3650 * DAY);
    let job = client.submit(work("x").with_options(JobOptions::new().run_at(later))).await.unwrap();
    job.cancel().await.unwrap();
    let hooks = ScriptedNotifier::new([EventKind::JobCancelled]);
    let media = start(&database, &[&hooks]).await;
    let told = hooks.told(1).await.remove(0);
    assert_eq!((told.event.job, told.to.as_str()), (Some(job.id()), ""));
    shut(media).await;
    shut(client).await;
}

async fn each_process_routes_for_its_own_notifiers(database: Database) {
    let (mail, push) = (created("mail"), created("push"));
    let one = start(&database, &[&mail]).await;
    let two = start(&database, &[&push]).await;
    database.until("SELECT count(*) FROM mediaflow_channels", 2).await;
    for number in 1..=3 {
        one.submit(work("x")).await.unwrap();
        mail.told(number).await;
        push.told(number).await;
    }
    database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    // One that was away for a while is told of what happened meanwhile.
    shut(two).await;
    one.submit(work("x")).await.unwrap();
    mail.told(4).await;
    let two = start(&database, &[&push]).await;
    push.told(4).await;
    database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    assert_eq!((mail.told(4).await.len(), push.told(4).await.len()), (4, 4), "each once");
    shut(one).await;
    shut(two).await;
}

async fn what_is_for_a_channel_that_is_gone_ends(database: Database) {
    let (renamed, clock) = (created("old-name"), ManualClock::new());
    renamed.always("a", Act::Fail(NotifyError::retryable("broken")));
    let begin = |hooks: ScriptedNotifier| {
        host(&database).notify(hooks).clock(Arc::new(clock.clone())).start()
    };
    let media = begin(renamed.clone()).await.unwrap();
    media.submit(parked("old-name", "a")).await.unwrap();
    renamed.told(1).await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'pending'", 1).await;
    shut(media).await;
    let ops = ScriptedNotifier::new([EventKind::DeliveryFailed]).named("new-name");
    let media = begin(ops.clone()).await.unwrap();
    clock.advance(6 * DAY);
    let told = ops.told(1).await.remove(0);
    let reason = format!("{:?}", told.event.data);
    assert!(reason.contains("old-name") && reason.contains("broken"), "{reason}");
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'", 1).await;
    shut(media).await;
}

async fn what_a_newer_build_has_written_waits_for_it(database: Database) {
    let hooks = created("hooks");
    let client = host(&database).submit_only().start().await.unwrap();
    client.submit(work("x")).await.unwrap();
    let body = "replace(replace(body, 'job.created', 'job.rated'), '\"info\"', '\"splendid\"')";
    database.run(&format!("UPDATE mediaflow_events SET body = {body}, kind = 'job.rated'")).await;
    let media = start(&database, &[&hooks]).await;
    database.until("SELECT count(*) FROM mediaflow_unrouted WHERE route LIKE '?%'", 1).await;
    // Nobody is held up by it.
    client.submit(work("y")).await.unwrap();
    hooks.told(1).await;
    // The newer build knows it: to that one, only others have not been able to read it.
    let known = "replace(replace(body, 'job.rated', 'job.created'), '\"splendid\"', '\"info\"')";
    database.run(&format!("UPDATE mediaflow_events SET body = {known}")).await;
    database.run("UPDATE mediaflow_unrouted SET route = '?0older' WHERE route LIKE '?%'").await;
    hooks.told(2).await;
    database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    shut(client).await;
    shut(media).await;
}

async fn many_events_that_nobody_can_read_hold_nothing_up(database: Database) {
    let client = host(&database).submit_only().start().await.unwrap();
    client.submit(work("before")).await.unwrap();
    let body = "replace(replace(body, 'job.created', 'job.rated'), id, id || '-' || number)";
    database
        .run(&format!(
            "INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, body)
             WITH RECURSIVE numbers (number) AS (
                 SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < 600
             )
             SELECT id || '-' || number, 'job.rated', job, batch, at, 'newer', {body}
             FROM mediaflow_events, numbers WHERE kind = 'job.created'"
        ))
        .await;
    let foreign = "SELECT seq FROM mediaflow_events WHERE kind = 'job.rated'";
    database.run(&format!("INSERT INTO mediaflow_unrouted (seq) {foreign}")).await;
    client.submit(work("behind")).await.unwrap();
    // An earlier build could read none of all these, and did not say who it was.
    database.run("UPDATE mediaflow_unrouted SET route = '?'").await;
    client.submit(work("new")).await.unwrap();
    let seen =
        "INSERT INTO mediaflow_channels VALUES ('mail', 9999999999999), ('push', 9999999999999)";
    database.run(seen).await;
    let (mail, push) = (created("mail"), created("push"));
    let one = start(&database, &[&mail]).await;
    let two = start(&database, &[&push]).await;
    mail.told(3).await;
    push.told(3).await;
    // Each was looked at, and is left to builds that are not this one.
    database.until("SELECT count(*) FROM mediaflow_unrouted", 600).await;
    database.until("SELECT count(*) FROM mediaflow_unrouted WHERE route = '?'", 0).await;
    let marks = database.texts("SELECT DISTINCT route FROM mediaflow_unrouted").await;
    assert!(marks.len() == 1 && marks[0].starts_with('?'), "{marks:?}");
    shut(one).await;
    shut(two).await;
    shut(client).await;
}

/// Never finds the addresses at `a`.
#[derive(Debug)]
struct Away(Arc<Semaphore>);

#[async_trait]
impl Recipients for Away {
    async fn find(&self, _: &Event, found: Vec<Recipient>) -> Result<Vec<Recipient>> {
        let at_a = |to: &String| to.starts_with("a/");
        if found.iter().any(|recipient| recipient.to.as_ref().is_some_and(at_a)) {
            self.0.add_permits(1);
            std::future::pending::<()>().await;
        }
        Ok(found)
    }
}

async fn what_was_looked_for_before_comes_after_what_is_new(database: Database) {
    let client = host(&database).submit_only().notify(created("hooks")).start().await.unwrap();
    for number in 0..100 {
        client.submit(parked("hooks", &format!("a/{number}"))).await.unwrap();
    }
    database.run("UPDATE mediaflow_unrouted SET route_at = 1").await;
    client.submit(parked("hooks", "new")).await.unwrap();
    let (hooks, away) = (created("hooks"), Away(Arc::new(Semaphore::new(0))));
    let media = host(&database).notify(hooks.clone()).recipients(away).start().await.unwrap();
    assert_eq!(hooks.told(1).await.remove(0).to, "new");
    soon("shutdown", media.shutdown(Duration::ZERO)).await.unwrap();
    shut(client).await;
}

async fn a_directory_that_does_not_answer_holds_up_no_shutdown(database: Database) {
    let client = host(&database).submit_only().notify(created("hooks")).start().await.unwrap();
    for number in 0..50 {
        client.submit(parked("hooks", &format!("a/{number}"))).await.unwrap();
    }
    let (hooks, asked) = (created("hooks"), Arc::new(Semaphore::new(0)));
    let away = Away(Arc::clone(&asked));
    let media = host(&database).notify(hooks.clone()).recipients(away).start().await.unwrap();
    drop(soon("a look-up", asked.acquire_many(16)).await.unwrap());
    // It could wait for much longer.
    soon("shutdown", media.shutdown(DAY)).await.unwrap();
    assert!(hooks.of("a/0").is_empty());
    let media = start(&database, &[&hooks]).await;
    hooks.told(50).await;
    shut(media).await;
    shut(client).await;
}

async fn another_process_goes_on_routing(database: Database) {
    let hooks = created("hooks");
    let one = start(&database, &[&hooks]).await;
    one.submit(work("x")).await.unwrap();
    hooks.told(1).await;
    let two = start(&database, &[&hooks]).await;
    // The end of the first one gives the right to route back.
    shut(one).await;
    two.submit(work("y")).await.unwrap();
    hooks.told(2).await;
    // A worker that dies keeps it until it is taken over.
    database.run("UPDATE mediaflow_leases SET holder = 'gone', lease_until = 9999999999999").await;
    database.register_dead("gone").await;
    let three = start(&database, &[&hooks]).await;
    three.submit(work("z")).await.unwrap();
    hooks.told(3).await;
    shut(two).await;
    shut(three).await;
}

async fn a_message_that_ends_its_process_each_time_comes_to_an_end(database: Database) {
    let hooks = created("hooks");
    let media = start(&database, &[&hooks]).await;
    media.submit(parked("hooks", "unused")).await.unwrap();
    hooks.told(1).await;
    shut(media).await;
    let schedule = vec![SECOND; 2];
    let policy = DeliveryPolicy { schedule, jitter: 0.0, ..DeliveryPolicy::default() };
    let ops = ScriptedNotifier::new([EventKind::DeliveryFailed]).named("ops");
    let media = host(&database).notify(ops.clone()).delivery(policy).start().await.unwrap();
    // Three processes die of it, one after the other.
    let columns = "state = 'sending', worker = 'gone-1', attempts = 1, lease_until = 9999999999999";
    database.message("job.created", "poison", columns).await;
    for death in 1..=3 {
        database.register_dead(&format!("gone-{death}")).await;
        let lost = format!(
            "SELECT count(*) FROM mediaflow_attempts WHERE outcome = 'lost' AND attempt = {death}"
        );
        database.until(&lost, 1).await;
        let next = death + 1;
        let again = format!(
            "UPDATE mediaflow_messages SET state = 'sending', worker = 'gone-{next}', attempts = {next},
             lease_until = 9999999999999 WHERE state = 'pending' AND failures = {death}"
        );
        database.run(&again).await;
    }
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'dead'", 1).await;
    ops.told(1).await;
    shut(media).await;
}

async fn a_worker_whose_clock_is_wrong_sends_in_time(database: Database) {
    if matches!(database, Database::Sqlite { .. }) {
        return; // A file is on the machine whose clock it is.
    }
    let hooks = created("hooks");
    hooks.next("a", [Act::Fail(NotifyError::retryable("broken"))]);
    let policy =
        DeliveryPolicy { schedule: vec![SECOND], jitter: 0.0, ..DeliveryPolicy::default() };
    let wrong = |millis| {
        let host = host(&database).notify(hooks.clone()).delivery(policy.clone());
        host.clock(Arc::new(Wrong(millis))).start()
    };
    let ahead = wrong(3_600_000).await.unwrap();
    ahead.submit(parked("hooks", "a")).await.unwrap();
    hooks.told(1).await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'pending' OR state = 'delivered'", 1).await;
    shut(ahead).await;
    let behind = wrong(-3_600_000).await.unwrap();
    hooks.told(2).await;
    shut(behind).await;
}

async fn an_event_that_is_written_twice_is_told_once(database: Database) {
    let hooks = created("hooks");
    let media = start(&database, &[&hooks]).await;
    media.submit(parked("hooks", "a")).await.unwrap();
    hooks.told(1).await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'", 1).await;
    // As if the answer to the commit of the route had been lost, and it were routed again.
    database.run("INSERT INTO mediaflow_unrouted (seq) SELECT seq FROM mediaflow_events").await;
    database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    media.submit(parked("hooks", "b")).await.unwrap();
    hooks.told(2).await;
    assert_eq!((hooks.of("a").len(), hooks.of("b").len()), (1, 1));
    shut(media).await;
}
