//! Time as a value and as a dependency: a job never asks the machine what time it is, it asks its [`Clock`].

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A moment, in milliseconds since 1970 (UTC). Written as RFC 3339: `2026-01-31T12:00:00.000Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Timestamp(u64);

impl Timestamp {
    /// From milliseconds since 1970.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since 1970.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// This much later.
    #[must_use]
    pub fn plus(self, time: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(time.as_millis()).unwrap_or(u64::MAX)))
    }

    /// The time from `earlier` to this moment; zero if it is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self(0).plus(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Beyond the year 9999 RFC 3339 has no form.
        let time = UNIX_EPOCH + Duration::from_millis(self.0.min(253_402_300_799_999));
        humantime::format_rfc3339_millis(time).fmt(f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_rfc3339(&text).map(Self::from).map_err(de::Error::custom)
    }
}

/// Where time comes from: the machine, or a test that turns the hands itself.
///
/// It has two readings. [`Clock::now`] is what people and other machines call the time: it is set, corrected, and goes on while
/// the machine stands still. [`Clock::monotonic`] is for measuring how long something takes, as deadlines do.
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// The moment it is now.
    fn now(&self) -> Timestamp;

    /// Returns when that moment has come.
    async fn sleep_until(&self, when: Timestamp);

    /// How long it has run, from a beginning of its own. It never goes back or leaps, whatever is done to the hands. Default:
    /// what the hands show.
    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.now().millis())
    }

    /// Returns when [`Clock::monotonic`] has come so far.
    async fn sleep_until_monotonic(&self, when: Duration) {
        self.sleep_until(Timestamp::from_millis(0).plus(when)).await;
    }

    /// Whether it is the machine's clock, which may be wrong: engines that machines share correct it by the store's.
    /// Default: it is not, and is taken as it is.
    fn is_machine(&self) -> bool {
        false
    }
}

/// The machine's clock. Clones share what [`Clock::monotonic`] counts: the time in which this process could work. What it spent
/// suspended, stopped or in a paused virtual machine is left out as far as that was longer than a few seconds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct SystemClock {
    awake: Arc<Mutex<Awake>>,
}

/// How long a sleep lasts before the time is looked at again.
const LOOK: Duration = Duration::from_secs(5);

/// Whoever sleeps looks far more often than this: after a longer silence nobody could look.
const STOOD_STILL: Duration = Duration::from_secs(20);

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    async fn sleep_until(&self, when: Timestamp) {
        tokio::time::sleep(when.since(self.now())).await;
    }

    fn monotonic(&self) -> Duration {
        self.awake.lock().unwrap_or_else(PoisonError::into_inner).at(Instant::now())
    }

    async fn sleep_until_monotonic(&self, when: Duration) {
        loop {
            let left = when.saturating_sub(self.monotonic());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }

    fn is_machine(&self) -> bool {
        true
    }
}

/// Counts time, without that in which this process stood still.
#[derive(Debug)]
struct Awake {
    looked: Instant,
    counted: Duration,
}

impl Default for Awake {
    fn default() -> Self {
        Self { looked: Instant::now(), counted: Duration::ZERO }
    }
}

impl Awake {
    fn at(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.looked);
        if passed < STOOD_STILL {
            self.counted += passed;
        }
        self.looked = self.looked.max(now);
        self.counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_in_which_the_process_stood_still_does_not_count() {
        let mut awake = Awake::default();
        let begun = awake.looked;
        let at = |seconds| begun + Duration::from_secs(seconds);
        assert_eq!(awake.at(at(5)).as_secs(), 5);
        assert_eq!(awake.at(at(15)).as_secs(), 15, "a busy machine looks late");
        assert_eq!(awake.at(at(7200)).as_secs(), 15, "a suspended one does not look at all");
        assert_eq!(awake.at(at(7190)).as_secs(), 15, "another thread has looked first");
        assert_eq!(awake.at(at(7205)).as_secs(), 20);
    }

    #[test]
    fn clones_of_the_machines_clock_agree() {
        let clock = SystemClock::default();
        let before = clock.monotonic();
        assert!(clock.clone().monotonic() >= before);
    }
}
