use std::time::Duration;

use super::DestinationState;
use crate::Timestamp;
use crate::notify::RateLimit;

/// A bucket that holds a tenth of a second's attempts, at least one, and is kept as the moment up to which it is used,
/// in microseconds.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// Between two attempts, in microseconds.
    step: i64,
    holds: i64,
}

/// How much a bucket holds, in microseconds.
const HOLDS: i64 = 100_000;

impl Rate {
    /// Of this limit.
    #[must_use]
    pub fn new(limit: RateLimit) -> Self {
        let per = i64::try_from(limit.per.as_micros()).unwrap_or(i64::MAX);
        let step = (per / i64::from(limit.attempts.max(1))).max(1);
        Self { step, holds: (HOLDS / step).max(1) }
    }

    /// How many attempts are left.
    #[must_use]
    pub fn left(self, paid_until: i64, now: Timestamp) -> usize {
        let free = micros(now).saturating_sub(self.from(paid_until, now));
        usize::try_from(free / self.step).unwrap_or(0)
    }

    /// Up to when it is used after so many attempts more.
    #[must_use]
    pub fn paid(self, paid_until: i64, now: Timestamp, attempts: usize) -> i64 {
        let attempts = i64::try_from(attempts).unwrap_or(i64::MAX);
        self.from(paid_until, now).saturating_add(self.step.saturating_mul(attempts))
    }

    /// When there is an attempt again.
    #[must_use]
    pub fn next(self, paid_until: i64) -> Timestamp {
        let next = paid_until.saturating_add(self.step).max(0).unsigned_abs();
        Timestamp::from_millis(next.div_ceil(1000))
    }

    /// Whether nothing is to be remembered of it: the bucket is full.
    #[must_use]
    pub fn is_full(self, paid_until: i64, now: Timestamp) -> bool {
        self.from(paid_until, now) != paid_until
    }

    fn from(self, paid_until: i64, now: Timestamp) -> i64 {
        paid_until.max(micros(now).saturating_sub(self.step.saturating_mul(self.holds)))
    }
}

/// How long a rate is remembered that is not used: far longer than any bucket takes to fill.
const REMEMBERED: Duration = Duration::from_secs(3600);

impl DestinationState {
    /// Whether nothing of it is worth remembering: a store forgets it.
    #[must_use]
    pub fn is_clear(&self, now: Timestamp) -> bool {
        let used = Timestamp::from_millis(self.paid_until.max(0).unsigned_abs() / 1000);
        let unused = self.paid_until == 0 || used.plus(REMEMBERED) < now;
        unused && Self { paid_until: 0, ..self.clone() } == Self::default()
    }
}

fn micros(time: Timestamp) -> i64 {
    i64::try_from(time.millis()).unwrap_or(i64::MAX).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    #[test]
    fn a_rate_is_kept_over_time() {
        let (rate, mut paid, mut sent) = (Rate::new(RateLimit::per_second(30)), 0, 0);
        for millis in 0..1000 {
            let now = NOW.plus(Duration::from_millis(millis));
            let left = rate.left(paid, now);
            assert_eq!(left > 0, rate.next(paid) <= now, "{millis}");
            sent += left;
            paid = rate.paid(paid, now, left);
        }
        assert_eq!(sent, 30 + 2, "and what the bucket held at first");
    }

    #[test]
    fn a_slow_rate_holds_one() {
        let rate = Rate::new(RateLimit::new(20, Duration::from_secs(60)));
        assert_eq!(rate.left(0, NOW), 1);
        let paid = rate.paid(0, NOW, 1);
        assert_eq!((rate.left(paid, NOW), rate.next(paid)), (0, NOW.plus(Duration::from_secs(3))));
    }
}
