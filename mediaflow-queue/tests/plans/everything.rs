use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::inspect::{EventFilter, JobFilter, MessageFilter, MessageState, Paging};
use mediaflow_core::notify::{Acknowledged, Route, after};
use mediaflow_core::report::JobState;
use mediaflow_core::spec::JobOptions;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Act, FakeBackend, ManualClock, ScriptedNotifier as Hooks, soon};
use mediaflow_core::{Clock as _, EventKind, JobId, Mediaflow, NotifyError};
use mediaflow_queue::{DeliveryFilter, DeliveryState};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use crate::database::{Database, builder, many, once, shut, work};

/// All that is done with messages, jobs and events, once.
/// `begun` is called when the tables are there.
pub(crate) async fn everything(database: &Database, begun: impl FnOnce()) {
    // Somebody looks at the gauges. The other test may have begun to.
    let _ = metrics::set_global_recorder(Collector);
    let clock = ManualClock::new();
    let hooks = Hooks::new([EventKind::JobCreated, EventKind::JobCompleted]);
    hooks.next("dead", [Act::Fail(NotifyError::rejected("no"))]);
    let push = Hooks::new([]).named("push");
    push.always("dead", Act::Fail(NotifyError::rejected("no")));
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
            .notify(push.clone())
            .route(ruled("digest").to("push").at("digest").digest(Duration::from_secs(30)))
            .route(ruled("throttle").to("push").at("throttle").throttle(1, Duration::from_secs(30)))
            .route(ruled("chain").to("push").at("dead").fallback("push").at("next"))
            .route(
                ruled("team")
                    .to("push")
                    .at("team")
                    .escalate(after(2), "push")
                    .at("many")
                    .escalate(after(Duration::from_secs(30)), "push")
                    .at("late"),
            )
            .start()
    };
    let media = host(queue.clone()).await.unwrap();
    fill(database, &media).await;
    begun();
    let second = host(database.queue()).await.unwrap();
    let to = |to: &str| JobOptions::new().notify("hooks", to);
    let job = media.submit(work("a").with_options(to("a"))).await.unwrap();
    soon("success", job.done()).await.unwrap();
    let dead = media.submit(once(work("b")).with_options(to("dead"))).await.unwrap();
    soon("success", dead.done()).await.unwrap();
    let batch = media.eager([work("c"), many(24)]).await.unwrap();
    soon("batch", batch.done()).await.unwrap();
    // More than one transaction writes.
    let large = media.eager((0..150).map(|number| work(&format!("large-{number}")))).await.unwrap();
    soon("large batch", large.done()).await.unwrap();
    compose(database, &media, &clock).await;
    let later = JobOptions::new().run_at(clock.now().plus(Duration::from_secs(1_000_000)));
    let waits = media.submit(work("d").with_options(later)).await.unwrap();
    waits.cancel().await.unwrap();
    let lost = "SELECT count(*) FROM mediaflow_messages WHERE state = 'dead' AND channel = 'hooks'";
    database.until(lost, 1).await;
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
    look(&media, job.id()).await;
    clock.advance(Duration::from_secs(86_400));
    database.until("SELECT count(*) FROM mediaflow_jobs", 0).await;
    shut(second).await;
    shut(media).await;
}

fn ruled(name: &str) -> Route {
    Route::on([EventKind::JobCreated]).tags(["ruled"]).name(name)
}

/// Messages of several events, steps in the place of others, and others who are told.
async fn compose(database: &Database, media: &Mediaflow, clock: &ManualClock) {
    let tagged = JobOptions::new().tag("ruled");
    for name in ["e", "f", "g"] {
        let job = media.submit(work(name).with_options(tagged.clone())).await.unwrap();
        soon("success", job.done()).await.unwrap();
        database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
        media.acknowledge(Acknowledged::job(job.id())).await.unwrap();
    }
    media.acknowledge(Acknowledged::route("team")).await.unwrap();
    clock.advance(Duration::from_secs(60));
    let wait = "SELECT count(*) FROM mediaflow_messages WHERE channel = 'push' AND state IN ('pending', 'sending')";
    database.until(wait, 0).await;
}

/// An empty table tells nothing of the plan for a full one: there are some thousand rows of each, as real ones are, and some
/// minutes old.
async fn fill(database: &Database, media: &Mediaflow) {
    let job = work("filled")
        .with_options(JobOptions::new().notify("hooks", "a").tag("filled").owner("ada"));
    let batch = media.eager([job]).await.unwrap();
    soon("batch", batch.done()).await.unwrap();
    let told = "SELECT count(*) FROM mediaflow_messages WHERE state = 'delivered'";
    database.until(told, 2).await;
    let again = |column: &str| {
        format!("substr({column}, 1, length({column}) - 6) || CAST(100000 + n AS TEXT)")
    };
    let (id, job, batch, event, key) =
        (again("id"), again("job"), again("batch"), again("event"), again("group_key"));
    for copy in [
        format!(
            "INSERT INTO mediaflow_jobs (id, river, class, state, spec, batch, batched, fence, attempts, progress, report,
               queued_at, due, started_at, ended_at, notify, needs, kind, owner)
             SELECT {id}, river, class, state, spec, {batch}, batched, fence, attempts, progress, report,
               queued_at - {OLD}, due - {OLD}, started_at - {OLD}, ended_at - {OLD}, notify, needs, kind, owner
             FROM n, mediaflow_jobs"
        ),
        format!("INSERT INTO mediaflow_tags (tag, job) SELECT tag, {job} FROM n, mediaflow_tags"),
        format!(
            "INSERT INTO mediaflow_outputs (job, place, content_key, report)
             SELECT {job}, place, content_key || n, report FROM n, mediaflow_outputs"
        ),
        format!(
            "INSERT INTO mediaflow_batches (id, options, jobs_left, created_at, ended_at)
             SELECT {id}, options, jobs_left, created_at - {OLD}, ended_at - {OLD} FROM n, mediaflow_batches"
        ),
        format!(
            "INSERT INTO mediaflow_batch_jobs (batch, position, job)
             SELECT {batch}, position, {job} FROM n, mediaflow_batch_jobs"
        ),
        format!(
            "INSERT INTO mediaflow_events (id, kind, job, batch, at, origin, body, owner)
             SELECT {id}, kind, {job}, {batch}, at - {OLD}, origin, body, owner FROM n, mediaflow_events"
        ),
        format!(
            "INSERT INTO mediaflow_messages (uid, rule, recipient, group_key, channel, destination, address, event, kind,
               job, state, due, expires_at, attempts, sent_at, created_at, ended_at)
             SELECT uid, rule, recipient, {key}, channel, destination, address, {event}, kind, {job}, state, due,
               expires_at, attempts, sent_at, created_at - {OLD}, ended_at - {OLD} FROM n, mediaflow_messages"
        ),
        "INSERT INTO mediaflow_parts (job, number, river, state, input)
         SELECT id, n, river, 'done', '{}' FROM n, mediaflow_jobs WHERE n <= 2"
            .to_owned(),
        "INSERT INTO mediaflow_waits (job, work, key, body) SELECT id, 'work', 'of ' || id, '{}' FROM mediaflow_jobs"
            .to_owned(),
        "INSERT INTO mediaflow_signals (key, replay_key, body, at)
         SELECT 'of ' || id, 'of ' || id, '{}', ended_at FROM mediaflow_jobs"
            .to_owned(),
        "INSERT INTO mediaflow_attempts (message, attempt, at, took, outcome)
         SELECT id, n, created_at, 1, 'failed' FROM n, mediaflow_messages WHERE n <= 2"
            .to_owned(),
        "INSERT INTO mediaflow_message_events (message, event) SELECT id, event FROM mediaflow_messages"
            .to_owned(),
        "INSERT INTO mediaflow_counted (rule, step, since, events) SELECT 'rule-' || n, 1, 1, 1 FROM n"
            .to_owned(),
    ] {
        let numbers = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1500)";
        database.run(&format!("{numbers} {copy}")).await;
    }
    // Nobody analyses a file.
    if let Database::Postgres { .. } = database {
        database.run("ANALYZE").await;
    }
}

/// How old, in milliseconds.
const OLD: u32 = 600_000;

/// A page of every list.
async fn look(media: &Mediaflow, job: JobId) {
    let (inspect, page) = (media.inspect(), Paging::first(20));
    let jobs = [
        JobFilter::new(),
        JobFilter::new().state(JobState::Failed),
        JobFilter::new().kind("pipeline"),
        JobFilter::new().owner("ada"),
        JobFilter::new().tag("filled"),
    ];
    for filter in &jobs {
        let jobs = inspect.jobs(filter, &page).await.unwrap();
        inspect.jobs(filter, &page.clone().after(jobs.next)).await.unwrap();
    }
    for filter in [EventFilter::new(), EventFilter::new().owner("ada")] {
        inspect.events(&filter, &page).await.unwrap();
    }
    let messages = [
        MessageFilter::new(),
        MessageFilter::new().destination("hooks", "a"),
        MessageFilter::new().job(job).state(MessageState::Dead),
    ];
    for filter in messages {
        inspect.messages(&filter, &page).await.unwrap();
    }
    inspect.job(job).await.unwrap();
    inspect.newest().await.unwrap();
    inspect.counts().await.unwrap();
}

/// Takes what is recorded, and keeps nothing.
struct Collector;

impl metrics::HistogramFn for Collector {
    fn record(&self, _value: f64) {}
}

impl Recorder for Collector {
    fn describe_counter(&self, _key: KeyName, _unit: Option<Unit>, _text: SharedString) {}
    fn describe_gauge(&self, _key: KeyName, _unit: Option<Unit>, _text: SharedString) {}
    fn describe_histogram(&self, _key: KeyName, _unit: Option<Unit>, _text: SharedString) {}

    fn register_counter(&self, _key: &Key, _metadata: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Self))
    }
}
