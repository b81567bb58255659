use std::time::Duration;

/// How failed attempts at a job are repeated: after `first`, then twice as long each time, up to `longest`, each
/// lengthened or shortened at random by up to `jitter`.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "settings are written as a literal over `default()`")]
pub struct RetryPolicy {
    /// How often a job is tried. Default 3.
    pub max_attempts: u32,
    /// The wait before the second attempt. Default 1 s.
    pub first: Duration,
    /// No wait is longer. Default 5 minutes.
    pub longest: Duration,
    /// The share by which a wait varies at random, from 0 to 1. Default 0.2.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 3,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(300),
            jitter: 0.2,
        }
    }
}

impl RetryPolicy {
    /// The wait after this attempt, from 1, failed.
    #[must_use]
    pub fn wait(&self, attempt: u32) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        jittered(doubled.min(self.longest), self.jitter)
    }
}

/// How failed attempts at a delivery are repeated.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "settings are written as a literal over `default()`")]
pub struct DeliveryPolicy {
    /// The waits between attempts. Default: the schedule that Standard Webhooks gives as its example, 10 attempts over
    /// three days: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h.
    pub schedule: Vec<Duration>,
    /// The share by which a wait varies at random, from 0 to 1. Default 0.2.
    pub jitter: f64,
    /// The longest wait that a receiver can ask for with `Retry-After`. Default 24 h.
    pub longest: Duration,
    /// How many deliveries of one channel are under way at once. Default 8.
    pub concurrency: usize,
    /// Time for one attempt, whatever the notifier does. Default 60 s.
    pub timeout: Duration,
}

impl Default for DeliveryPolicy {
    fn default() -> Self {
        let schedule = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Self {
            schedule: schedule.map(Duration::from_secs).to_vec(),
            jitter: 0.2,
            longest: Duration::from_secs(86_400),
            concurrency: 8,
            timeout: Duration::from_secs(60),
        }
    }
}

impl DeliveryPolicy {
    /// The same wait between all attempts.
    #[must_use]
    pub fn every(wait: Duration, attempts: usize) -> Self {
        Self { schedule: vec![wait; attempts.saturating_sub(1)], ..Self::default() }
    }

    /// The wait after this attempt, from 1, failed; `None` if it was the last.
    #[must_use]
    pub fn wait(&self, attempt: u32, asked: Duration) -> Option<Duration> {
        let planned = self.schedule.get(usize::try_from(attempt).ok()?.checked_sub(1)?)?;
        Some(jittered(*planned, self.jitter).max(asked.min(self.longest)))
    }
}

fn jittered(wait: Duration, jitter: f64) -> Duration {
    let jitter = jitter.clamp(0.0, 1.0);
    wait.mul_f64(1.0 - jitter + 2.0 * jitter * fastrand::f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let policy =
            RetryPolicy { jitter: 0.0, longest: Duration::from_secs(3), ..RetryPolicy::default() };
        let waits: Vec<_> = [1, 2, 3, 50].map(|attempt| policy.wait(attempt).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 3, 3]);
    }

    #[test]
    fn deliveries_follow_the_schedule_and_the_receiver() {
        let policy = DeliveryPolicy { jitter: 0.0, ..DeliveryPolicy::default() };
        assert_eq!(policy.wait(1, Duration::ZERO), Some(Duration::from_secs(5)));
        assert_eq!(policy.wait(1, Duration::from_secs(60)), Some(Duration::from_secs(60)));
        assert_eq!(policy.wait(9, Duration::ZERO), Some(Duration::from_secs(86_400)));
        assert_eq!(policy.wait(10, Duration::ZERO), None);
    }

    #[test]
    fn jitter_stays_within_its_share() {
        for _ in 0..1000 {
            let wait = jittered(Duration::from_secs(10), 0.2).as_secs_f64();
            assert!((8.0..=12.0).contains(&wait), "{wait}");
        }
    }
}
