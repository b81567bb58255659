//! What this process tells whoever collects metrics, through the facade `metrics`.
//!
//! Uses: nothing.

use std::cell::Cell;
use std::time::Duration;

use mediaflow_core::Event;
use mediaflow_core::event::EventData;
use metrics::{IntoF64, Unit, counter, gauge, histogram};

const JOBS: &str = "mediaflow_jobs_total";
const JOB_SECONDS: &str = "mediaflow_job_seconds";
const WAIT_SECONDS: &str = "mediaflow_job_wait_seconds";
const DELIVERIES: &str = "mediaflow_deliveries_total";
const DEPTH: &str = "mediaflow_jobs";
const OLDEST: &str = "mediaflow_oldest_queued_seconds";
const RESTARTS: &str = "mediaflow_restarts_total";
const PENDING: &str = "mediaflow_deliveries_pending";

/// Tells whoever collects metrics what they mean.
pub(crate) fn describe() {
    metrics::describe_counter!(JOBS, Unit::Count, "Jobs that this process has ended, by state");
    metrics::describe_histogram!(
        JOB_SECONDS,
        Unit::Seconds,
        "From the start of a job's last attempt to its end, by state"
    );
    metrics::describe_histogram!(
        WAIT_SECONDS,
        Unit::Seconds,
        "From a job's submission to the start of its only attempt"
    );
    metrics::describe_counter!(
        DELIVERIES,
        Unit::Count,
        "Attempts at deliveries by this process, by channel and outcome"
    );
    metrics::describe_counter!(
        RESTARTS,
        Unit::Count,
        "Loops of this process that have panicked and were begun again, by name"
    );
    metrics::describe_gauge!(
        DEPTH,
        Unit::Count,
        "Jobs of the whole queue that have not ended, by state"
    );
    metrics::describe_gauge!(
        OLDEST,
        Unit::Seconds,
        "How long the oldest job has been waiting that could run now; 0 if nothing waits"
    );
    metrics::describe_gauge!(
        PENDING,
        Unit::Count,
        "Deliveries of the whole queue that have not ended"
    );
}

/// Counts what events tell that this process has caused.
pub(crate) fn count(events: &[Event]) {
    for event in events {
        let EventData::Job(report) = &event.data else { continue };
        let state = report.state.as_str().to_owned();
        counter!(JOBS, "state" => state.clone()).increment(1);
        if let Some(started) = report.started_at {
            let ran = report.finished_at.since(started);
            histogram!(JOB_SECONDS, "state" => state).record(ran.as_secs_f64());
            if report.attempts == 1 {
                histogram!(WAIT_SECONDS).record(started.since(report.queued_at).as_secs_f64());
            }
        }
    }
}

/// Counts an attempt at a delivery: `delivered`, `failed` and to be tried again, or `dead`.
pub(crate) fn delivery(channel: &str, outcome: &'static str) {
    counter!(DELIVERIES, "channel" => channel.to_owned(), "outcome" => outcome).increment(1);
}

/// Counts a loop that was begun again after a panic.
pub(crate) fn restarted(name: &'static str) {
    counter!(RESTARTS, "loop" => name).increment(1);
}

/// Whether anybody collects metrics here: what nobody records does not ask for its value, also if it is to be recorded not
/// even once.
pub(crate) fn collected() -> bool {
    struct Asked<'a>(&'a Cell<bool>);
    impl IntoF64 for Asked<'_> {
        fn into_f64(self) -> f64 {
            self.0.set(true);
            0.0
        }
    }
    let asked = Cell::new(false);
    histogram!(WAIT_SECONDS).record_many(Asked(&asked), 0);
    asked.get()
}

/// Shows how the whole queue stands. One worker does; what another one has shown before it shows as nothing.
pub(crate) fn gauges(queued: u64, running: u64, oldest: Duration, pending: i64) {
    gauge!(DEPTH, "state" => "queued").set(queued as f64);
    gauge!(DEPTH, "state" => "running").set(running as f64);
    gauge!(OLDEST).set(oldest.as_secs_f64());
    gauge!(PENDING).set(pending as f64);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use metrics::{
        Counter, Gauge, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder, SharedString,
    };

    use super::*;

    struct Collector;

    impl HistogramFn for Collector {
        fn record(&self, _: f64) {
            panic!("nothing is recorded");
        }
    }

    impl Recorder for Collector {
        fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
        fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
            Counter::noop()
        }
        fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
            Gauge::noop()
        }
        fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
            Histogram::from_arc(Arc::new(Self))
        }
    }

    #[test]
    fn nobody_collects_what_no_recorder_takes() {
        assert!(!collected());
        assert!(metrics::with_local_recorder(&Collector, collected));
        assert!(!collected());
    }
}
