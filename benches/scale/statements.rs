//! How long statements take, by what they are for, as their client sees it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::Result;

/// Milliseconds, and how many statements.
pub(crate) type Times = BTreeMap<&'static str, (f64, u64)>;

static TIMES: Mutex<Option<Times>> = Mutex::new(None);

/// Hears of all statements of this process from now on.
pub(crate) fn listen() -> Result<()> {
    Ok(tracing::subscriber::set_global_default(Listener)?)
}

pub(crate) fn begin() {
    *times() = Some(Times::new());
}

/// What was heard since the beginning.
pub(crate) fn end() -> Times {
    times().take().unwrap_or_default()
}

fn times() -> MutexGuard<'static, Option<Times>> {
    TIMES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a statement is for: the first line here that has all of its words in it.
const PURPOSES: [(&str, &[&str]); 18] = [
    ("retention", &["AS kept"]),
    ("retention", &["DELETE FROM mediaflow_", " AS o WHERE"]),
    ("retention", &["mediaflow_destinations WHERE destination IN"]),
    ("retention", &["max(destination) AS last"]),
    ("event", &["INSERT INTO mediaflow_events"]),
    ("event", &["INSERT INTO mediaflow_unrouted (seq) VALUES"]),
    ("end", &["UPDATE mediaflow_jobs", "ended_at = column8"]),
    ("end", &["INSERT INTO mediaflow_outputs"]),
    ("end", &["river_job", "SET state = 'completed'"]),
    ("claim", &["UPDATE mediaflow_jobs", "fence = fence + 1"]),
    ("claim", &["river_job", "attempted_by", "UPDATE"]),
    ("route", &["mediaflow_unrouted"]),
    ("route", &["INSERT INTO mediaflow_messages"]),
    ("route", &["mediaflow_leases"]),
    ("route", &["mediaflow_channels"]),
    ("deliver", &["mediaflow_messages"]),
    ("deliver", &["mediaflow_destinations"]),
    ("deliver", &["mediaflow_attempts"]),
];

struct Listener;

impl Subscriber for Listener {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }

    fn new_span(&self, _span: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _span: &Id, _values: &Record<'_>) {}

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut times = times();
        let Some(times) = times.as_mut() else { return };
        let mut statement = Statement::default();
        event.record(&mut statement);
        let is_for = |words: &[&str]| words.iter().all(|word| statement.text.contains(word));
        let purpose = PURPOSES.iter().find(|(_, words)| is_for(words)).map(|(purpose, _)| *purpose);
        let (millis, number) = times.entry(purpose.unwrap_or("other")).or_default();
        *millis += statement.seconds * 1e3;
        *number += 1;
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[derive(Default)]
struct Statement {
    text: String,
    seconds: f64,
}

impl Visit for Statement {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if field.name() == "elapsed_secs" {
            self.seconds = value;
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let whole = field.name() == "db.statement" && !value.is_empty();
        if whole || field.name() == "summary" && self.text.is_empty() {
            value.clone_into(&mut self.text);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if ["db.statement", "summary"].contains(&field.name()) {
            self.record_str(field, &format!("{value:?}"));
        }
    }
}
