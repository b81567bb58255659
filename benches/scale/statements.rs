//! How long statements take, by what they are for, as their client sees it.

#[path = "../../mediaflow-queue/tests/executed/mod.rs"]
mod executed;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Result;

/// Milliseconds, and how many statements.
pub(crate) type Times = BTreeMap<&'static str, (f64, u64)>;

static TIMES: Mutex<Option<Times>> = Mutex::new(None);

/// Hears of all statements of this process from now on.
pub(crate) fn listen() -> Result<()> {
    Ok(executed::listen(hear)?)
}

fn hear(statement: &str, seconds: f64) {
    let mut times = times();
    let Some(times) = times.as_mut() else { return };
    let is_for = |words: &[&str]| words.iter().all(|word| statement.contains(word));
    let purpose = PURPOSES.iter().find(|(_, words)| is_for(words)).map(|(purpose, _)| *purpose);
    let (millis, number) = times.entry(purpose.unwrap_or("other")).or_default();
    *millis += seconds * 1e3;
    *number += 1;
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
