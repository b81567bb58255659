//! What goes on in a queue, as numbers, as a table and as metrics.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests fail by panicking")]

mod database;

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use database::{Database, builder, once, shut, work};
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{Behaviour, FakeBackend, RecordingNotifier, soon};
use mediaflow_core::{Error, Failure};
use mediaflow_queue::Breaker;
use mediaflow_queue::testing::fail_at;
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString, Unit,
};

on_both! {
    stats_and_metrics_tell_what_goes_on
    a_breaker_that_is_switched_off_is_closed
    a_loop_that_panics_is_counted
}

/// Waits until everybody was told of all that has happened.
async fn all_told(database: &Database) {
    database.until("SELECT count(*) FROM mediaflow_unrouted", 0).await;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state <> 'delivered'", 0).await;
}

async fn a_breaker_that_is_switched_off_is_closed(database: Database) {
    let (queue, fake) = (database.queue(), FakeBackend::new());
    let media = builder(queue.clone(), &fake)
        .storage_with("out", MemoryStorage::new())
        .notify(RecordingNotifier::new("told"))
        .delivery(DeliveryPolicy { breaker_after: 0, ..DeliveryPolicy::default() })
        .start()
        .await
        .unwrap();
    let job = media.submit(work("good")).await.unwrap();
    soon("success", job.done()).await.unwrap();
    all_told(&database).await;
    assert_eq!(queue.stats().await.unwrap().destinations[0].breaker, Breaker::Closed);
    assert_eq!(queue.destinations().await.unwrap(), [], "nothing is to be said of what works");
    shut(media).await;
}

async fn a_loop_that_panics_is_counted(database: Database) {
    let metrics = Metrics::installed();
    let media = builder(database.queue(), &FakeBackend::new())
        .storage_with("out", MemoryStorage::new())
        .notify(RecordingNotifier::new("told"))
        .start()
        .await
        .unwrap();
    for name in ["dispatcher", "sweeper"] {
        let restarts = format!("mediaflow_restarts_total{{loop={name}}}");
        let before = metrics.of(&restarts);
        fail_at(if name == "sweeper" { "loop.sweeper" } else { "loop.dispatcher" }, 1);
        let counted = async {
            while metrics.of(&restarts) == before {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(&restarts, counted).await;
    }
    shut(media).await;
}

async fn stats_and_metrics_tell_what_goes_on(database: Database) {
    let metrics = Metrics::installed();
    let (queue, fake, told) =
        (database.queue(), FakeBackend::new(), RecordingNotifier::new("told"));
    let unopened = queue.stats().await.expect_err("nothing to count yet");
    assert_eq!(unopened.code(), "queue.closed");
    let fails = Behaviour::Fail(Failure::from(&Error::input("fake.bad", "it is bad")));
    fake.script("bad", [fails]);
    fake.script("held", [Behaviour::Block]);
    let media = builder(queue.clone(), &fake)
        .storage_with("out", MemoryStorage::new())
        .notify(told.clone())
        .places("image", 1)
        .start()
        .await
        .unwrap();
    let good = media.submit(work("good")).await.unwrap();
    soon("success", good.done()).await.unwrap();
    let bad = media.submit(once(work("bad"))).await.unwrap();
    soon("failure", bad.done()).await.expect_err("it is bad");
    media.submit(work("held")).await.unwrap();
    fake.begun("held", 1).await;
    media.submit(work("waits")).await.unwrap();
    all_told(&database).await;

    let stats = queue.stats().await.unwrap();
    let jobs = stats.jobs;
    assert_eq!((jobs.queued, jobs.running, jobs.succeeded, jobs.failed), (1, 1, 1, 1));
    assert_eq!((jobs.partial, jobs.cancelled), (0, 0));
    assert!(stats.oldest_queued.is_some_and(|age| age < Duration::from_secs(20)));
    assert_eq!(stats.running, BTreeMap::from([("image".to_owned(), 1)]));
    assert_eq!(stats.failures, BTreeMap::from([("fake.bad".to_owned(), 1)]));
    assert!((stats.throughput.last_minute - 2.0).abs() < 0.01, "{:?}", stats.throughput);
    assert!((stats.throughput.last_5_minutes - 0.4).abs() < 0.01, "{:?}", stats.throughput);
    let [destination] = &stats.destinations[..] else { panic!("{:?}", stats.destinations) };
    assert_eq!((destination.channel.as_str(), destination.origin.as_str()), ("told", ""));
    assert_eq!((destination.pending, destination.dead), (0, 0));
    assert_eq!(destination.delivered, told.attempts().len() as u64);
    assert_eq!((destination.breaker, destination.oldest_pending), (Breaker::Closed, None));
    let [worker] = &stats.workers[..] else { panic!("{:?}", stats.workers) };
    assert_eq!(worker.pid, std::process::id());
    assert!(!worker.host.is_empty() && worker.beat < Duration::from_secs(5));

    let table = stats.to_string();
    for line in [
        "jobs          queued 1, running 1, waiting 0, succeeded 1, partial 0, failed 1, cancelled 0",
        "running       image 1",
        "failures 24 h fake.bad 1",
        "destination   told -: pending 0",
    ] {
        assert!(table.contains(line), "`{line}` is not in\n{table}");
    }

    // Both databases count into the same recorder.
    assert!(metrics.of("mediaflow_jobs_total{state=succeeded}") >= 1);
    assert!(metrics.of("mediaflow_jobs_total{state=failed}") >= 1);
    assert!(metrics.of("mediaflow_deliveries_total{channel=told,outcome=delivered}") >= 1);
    assert!(metrics.of("mediaflow_job_seconds{state=succeeded}") >= 1);
    assert!(metrics.of("mediaflow_job_wait_seconds{}") >= 1);
    for gauge in [
        "mediaflow_jobs{state=queued}",
        "mediaflow_oldest_queued_seconds{}",
        "mediaflow_deliveries_pending{}",
    ] {
        assert!(metrics.knows(gauge), "{gauge}");
    }
    fake.release();
    shut(media).await;
}

/// Keeps numbers by name and labels. Clones share.
#[derive(Clone, Debug, Default)]
struct Metrics(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

static METRICS: std::sync::LazyLock<Metrics> = std::sync::LazyLock::new(Metrics::default);

impl Metrics {
    fn installed() -> Self {
        static ONCE: Once = Once::new();
        ONCE.call_once(|| {
            metrics::set_global_recorder(METRICS.clone()).expect("the only recorder");
        });
        METRICS.clone()
    }

    fn number(&self, key: &Key) -> Arc<AtomicU64> {
        let labels = key.labels().map(|label| format!("{}={}", label.key(), label.value()));
        let name = format!("{}{{{}}}", key.name(), labels.collect::<Vec<_>>().join(","));
        Arc::clone(self.0.lock().unwrap().entry(name).or_default())
    }

    fn of(&self, name: &str) -> u64 {
        let number = self.0.lock().unwrap().get(name).cloned();
        number.map_or(0, |number| number.load(std::sync::atomic::Ordering::Relaxed))
    }

    fn knows(&self, name: &str) -> bool {
        self.0.lock().unwrap().contains_key(name)
    }
}

/// Counts what it is given.
struct Count(Arc<AtomicU64>);

impl HistogramFn for Count {
    fn record(&self, _value: f64) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

impl Recorder for Metrics {
    fn describe_counter(&self, _key: KeyName, _unit: Option<Unit>, _text: SharedString) {}
    fn describe_gauge(&self, _key: KeyName, _unit: Option<Unit>, _text: SharedString) {}
    fn describe_histogram(&self, _key: KeyName, _unit: Option<Unit>, _text: SharedString) {}

    fn register_counter(&self, key: &Key, _metadata: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.number(key))
    }

    fn register_gauge(&self, key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.number(key))
    }

    fn register_histogram(&self, key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(Arc::new(Count(self.number(key))))
    }
}
