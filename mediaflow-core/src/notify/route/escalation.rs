use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::codes;
use crate::{Error, JobId, Result};

/// What has to happen before a route tells somebody else, made by [`after`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store handles every case")]
pub enum After {
    /// So many events of the route, within a time, since somebody acknowledged the last.
    Times {
        /// How many, at least 1: a route with fewer is refused.
        times: u32,
        /// In which time.
        within: Duration,
    },
    /// So much time without anybody acknowledging the event.
    Time(Duration),
}

/// Within which time events count together unless something else is said.
const WITHIN: Duration = Duration::from_secs(86_400);

/// After so many events (`after(3)`, within a day), or after so much time (`after(Duration::from_secs(900))`).
#[must_use]
pub fn after(what: impl Into<After>) -> After {
    what.into()
}

impl After {
    /// In this time, for a number of events; a time stays as it is. Default: a day.
    #[must_use]
    pub fn within(self, time: Duration) -> Self {
        match self {
            Self::Times { times, .. } => Self::Times { times, within: time },
            Self::Time(_) => self,
        }
    }
}

impl From<u32> for After {
    fn from(times: u32) -> Self {
        Self::Times { times, within: WITHIN }
    }
}

impl From<Duration> for After {
    fn from(time: Duration) -> Self {
        Self::Time(time)
    }
}

/// What somebody has seen, and takes care of: nobody else is told of it any more. See
/// [`Mediaflow::acknowledge`](crate::Mediaflow::acknowledge).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Acknowledged {
    /// All that this route tells of, and of this job if that is said as well. Without a job its events count from none again.
    pub rule: Option<String>,
    /// All that is told of this job.
    pub job: Option<JobId>,
}

impl Acknowledged {
    /// All that a route of this name tells of.
    #[must_use]
    pub fn route(name: impl Into<String>) -> Self {
        Self { rule: Some(name.into()), job: None }
    }

    /// All that is told of a job.
    #[must_use]
    pub fn job(job: JobId) -> Self {
        Self { rule: None, job: Some(job) }
    }

    /// Whether it says what.
    ///
    /// # Errors
    /// `route.acknowledged`.
    pub(crate) fn check(&self) -> Result<()> {
        if self.rule.is_none() && self.job.is_none() {
            return Err(Error::input(
                codes::ROUTE_ACKNOWLEDGED,
                "nothing is named that is acknowledged",
            )
            .help("name a route or a job"));
        }
        Ok(())
    }
}
