use std::collections::BTreeMap;

use serde::Serialize;

use crate::report::JobState;

/// Numbers of jobs, which cost the same however long the history is.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// Jobs that have not ended, by state.
    pub live: BTreeMap<String, u64>,
    /// Those that ended within the last minute.
    pub minute: Ended,
    /// Within the last hour.
    pub hour: Ended,
    /// Within the last 24 hours, as far as the engine keeps ended jobs.
    pub day: Ended,
}

/// Jobs that have ended within some time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Ended {
    /// How many, by state.
    pub states: BTreeMap<String, u64>,
    /// Those that failed, by the code of their failure.
    pub failures: BTreeMap<String, u64>,
}

impl Ended {
    /// How many.
    #[must_use]
    pub fn jobs(&self) -> u64 {
        self.states.values().sum()
    }

    /// Counts jobs that ended in this state, with this code if they failed.
    pub fn add(&mut self, state: &str, code: Option<&str>, jobs: u64) {
        *self.states.entry(state.to_owned()).or_default() += jobs;
        if state == JobState::Failed.as_str() {
            *self.failures.entry(code.unwrap_or("unknown").to_owned()).or_default() += jobs;
        }
    }
}
