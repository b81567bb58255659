use std::time::Duration;

use crate::codes;
use crate::notify::{Credentials, RateLimit, Terms, some};
use crate::{Error, ErrorKind, Result, Retry};

/// How failed attempts at a job are repeated: after `first`, then twice as long each time, up to `longest`, each
/// lengthened or shortened at random by up to `jitter`. What can only come out the same is not repeated at all.
///
/// The defaults go on for about six minutes: a network, a server or a disk that is away for so long costs no job.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::exhaustive_structs, reason = "settings are written as a literal over `default()`")]
pub struct RetryPolicy {
    /// How often a job is tried; its spec can ask for less. Default 8.
    pub max_attempts: u32,
    /// How often a job is tried whose failure nobody can tell whether it passes, that of a backend: it costs all that was done
    /// before. No more than `max_attempts`. Default 2.
    pub unclear_attempts: u32,
    /// The wait before the second attempt. Default 3 s.
    pub first: Duration,
    /// No wait is longer. Default 5 minutes.
    pub longest: Duration,
    /// The share by which a wait varies at random, from 0 to 1. Default 0.2.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 8,
            unclear_attempts: 2,
            first: Duration::from_secs(3),
            longest: Duration::from_secs(300),
            jitter: 0.2,
        }
    }
}

impl RetryPolicy {
    /// How often a job is tried that fails like this, of which this much was asked for.
    #[must_use]
    pub fn attempts(&self, error: &Error, asked: Option<u32>) -> u32 {
        let most = match error.retry() {
            Retry::Never => 1,
            _ if error.kind() == ErrorKind::Backend => self.unclear_attempts,
            _ => self.max_attempts,
        };
        most.min(self.max_attempts).min(asked.unwrap_or(u32::MAX))
    }

    /// The wait after this attempt, from 1, failed.
    #[must_use]
    pub fn wait(&self, attempt: u32) -> Duration {
        let doubled = self.first.saturating_mul(2_u32.saturating_pow(attempt.saturating_sub(1)));
        jittered(doubled.min(self.longest), self.jitter)
    }
}

/// How messages are sent, and failed attempts repeated. A destination is a channel with, usually, an origin
/// (`https://host:443`): places, rate and breaker belong to it, however many addresses there are at that origin. A
/// channel's own [`Terms`] come before what is said here. A zero that lets nothing be sent, in either, is refused when the host
/// starts (`delivery.invalid`).
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
    /// How many deliveries to one destination are under way at once, in each process. Default 8.
    pub concurrency: usize,
    /// How many deliveries of one channel are under way at once, to all its destinations, in each process. Default 256:
    /// far more than `concurrency`, so that a few slow destinations do not take the places of all others.
    pub channel_concurrency: usize,
    /// Time for one attempt, whatever the notifier does. Default 60 s.
    pub timeout: Duration,
    /// How many attempts a destination gets, from all processes together. Default: no limit.
    pub rate: Option<RateLimit>,
    /// Whether the events of one job reach a destination in their order: each waits until the earlier ones have been
    /// delivered or given up. Default false.
    pub ordered: bool,
    /// How long a message is worth sending, from the event that it tells of. Waiting for a destination that is down, asks for patience or refuses our
    /// credentials does not use up the schedule, and so has its end here; an event that is older when it is routed is told to nobody. Default 5 days.
    pub time_to_live: Duration,
    /// After so long of nothing but failure, the host's own endpoint is disabled: `destination.disabled` is told, and
    /// what waits for it is given up and kept; addresses that jobs gave have no part in it. A failure long after the one
    /// before it, twice the longest wait between two attempts, is the first of its own. Default 5 days.
    pub disable_after: Duration,
    /// How many failures in a row open the breaker of a destination: nothing is sent there for `breaker_pause`, and
    /// then a single probe. What an address that a job gave answers below 500 is no failure of its destination. 0 never
    /// opens it. Default 5.
    pub breaker_after: u32,
    /// How long the breaker stays open, twice as long after each further failed probe, up to 10 minutes. Default 30 s.
    pub breaker_pause: Duration,
    /// Whose credentials a channel sends with that does not say so itself. Default: those of the address.
    pub credentials: Credentials,
}

const DAY: Duration = Duration::from_secs(86_400);

/// No breaker stays open longer, unless `breaker_pause` itself is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

impl Default for DeliveryPolicy {
    fn default() -> Self {
        let schedule = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Self {
            schedule: schedule.map(Duration::from_secs).to_vec(),
            jitter: 0.2,
            longest: Duration::from_secs(86_400),
            concurrency: 8,
            channel_concurrency: 256,
            timeout: Duration::from_secs(60),
            rate: None,
            ordered: false,
            time_to_live: 5 * DAY,
            disable_after: 5 * DAY,
            breaker_after: 5,
            breaker_pause: Duration::from_secs(30),
            credentials: Credentials::Address,
        }
    }
}

impl DeliveryPolicy {
    /// The same wait between all attempts, of which there is one at least.
    #[must_use]
    pub fn every(wait: Duration, attempts: usize) -> Self {
        Self { schedule: vec![wait; attempts.saturating_sub(1)], ..Self::default() }
    }

    /// Whether it can be kept to.
    ///
    /// # Errors
    /// `delivery.invalid`: the first setting that can not.
    pub(crate) fn check(&self) -> Result<()> {
        some("concurrency", self.concurrency > 0)?;
        some("channel_concurrency", self.channel_concurrency > 0)?;
        some("timeout", !self.timeout.is_zero())?;
        some("time_to_live", !self.time_to_live.is_zero())?;
        some("disable_after", !self.disable_after.is_zero())?;
        some("breaker_pause", self.breaker_after == 0 || !self.breaker_pause.is_zero())?;
        self.rate.map_or(Ok(()), |rate| rate.check("rate"))?;
        if (0.0..=1.0).contains(&self.jitter) {
            return Ok(());
        }
        Err(Error::input(codes::DELIVERY_INVALID, "waits can not vary by such a share")
            .with("setting", "jitter")
            .help("choose one from 0 to 1"))
    }

    /// The wait after this attempt, from 1, failed; `None` if it was the last.
    #[must_use]
    pub fn wait(&self, attempt: u32, asked: Duration) -> Option<Duration> {
        let planned = self.schedule.get(usize::try_from(attempt).ok()?.checked_sub(1)?)?;
        Some(jittered(*planned, self.jitter).max(asked.min(self.longest)))
    }

    /// The wait after an attempt that does not use up the schedule: that of the same place in it, of its last one at most.
    #[must_use]
    pub fn wait_uncounted(&self, attempt: u32, asked: Duration) -> Duration {
        let place = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
        let planned = self.schedule.get(place).or(self.schedule.last());
        let planned = planned.copied().unwrap_or(self.breaker_pause);
        jittered(planned, self.jitter).max(asked.min(self.longest))
    }

    /// This policy under the terms of a channel: what these say comes first, and of two rates the slower.
    #[must_use]
    pub fn under(&self, terms: &Terms) -> Self {
        let mut policy = self.clone();
        if let Some(schedule) = &terms.schedule {
            policy.schedule.clone_from(schedule);
        }
        let slower = |rate: &RateLimit| rate.per / rate.attempts.max(1);
        policy.rate = self.rate.into_iter().chain(terms.rate).max_by_key(slower);
        policy.concurrency = self.concurrency.min(terms.places.unwrap_or(usize::MAX)).max(1);
        // What goes in one request has its places at the same time.
        policy.concurrency = policy.concurrency.max(terms.batch);
        policy.time_to_live = terms.time_to_live.unwrap_or(self.time_to_live);
        policy.credentials = terms.credentials.unwrap_or(self.credentials);
        policy
    }

    /// How far apart two failures are at most between which there was nothing else: twice the longest wait between two
    /// attempts, of the schedule, at the wish of a receiver, or for an open breaker.
    #[must_use]
    pub fn apart(&self) -> Duration {
        let longest = self.schedule.iter().copied().max().unwrap_or_default();
        longest.max(self.longest).max(self.pause(u32::MAX)).saturating_mul(2)
    }

    /// How long the breaker stays open after this many failed probes; 0 when it has just opened.
    #[must_use]
    pub fn pause(&self, probes: u32) -> Duration {
        let doubled = self.breaker_pause.saturating_mul(2_u32.saturating_pow(probes));
        doubled.min(LONGEST_PAUSE.max(self.breaker_pause))
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
        let policy = RetryPolicy {
            jitter: 0.0,
            first: Duration::from_secs(1),
            longest: Duration::from_secs(3),
            ..RetryPolicy::default()
        };
        let waits: Vec<_> = [1, 2, 3, 50].map(|attempt| policy.wait(attempt).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 3, 3]);
    }

    #[test]
    fn what_may_pass_is_tried_for_minutes() {
        let policy = RetryPolicy { jitter: 0.0, ..RetryPolicy::default() };
        let tried: Duration = (1..policy.max_attempts).map(|attempt| policy.wait(attempt)).sum();
        assert!((300..600).contains(&tried.as_secs()), "{tried:?}");
        assert!(policy.wait(1) <= Duration::from_secs(5), "and soon at first");
    }

    #[test]
    fn how_often_depends_on_what_has_failed_and_nobody_raises_it() {
        let policy = RetryPolicy::default();
        let transient = Error::transient("a.b", "away");
        let backend = Error::backend("a.b", "failed");
        for (error, asked, attempts) in [
            (&transient, None, 8),
            (&transient, Some(3), 3),
            (&transient, Some(u32::MAX), 8),
            (&backend, None, 2),
            (&backend, Some(1), 1),
            (&Error::input("a.b", "wrong"), Some(9), 1),
        ] {
            assert_eq!(policy.attempts(error, asked), attempts, "{error:?} {asked:?}");
        }
        let once = RetryPolicy { max_attempts: 1, ..policy };
        assert_eq!(once.attempts(&backend, None), 1);
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
    fn the_breaker_stays_open_twice_as_long_up_to_ten_minutes() {
        let policy = DeliveryPolicy::default();
        let pauses = [0, 1, 4, 5, 99].map(|probes| policy.pause(probes).as_secs());
        assert_eq!(pauses, [30, 60, 480, 600, 600]);
        let long = DeliveryPolicy { breaker_pause: Duration::from_secs(3600), ..policy };
        assert_eq!(long.pause(3), Duration::from_secs(3600));
    }

    #[test]
    fn the_terms_of_a_channel_come_first() {
        let rate = |attempts| Some(RateLimit::per_second(attempts));
        let policy = DeliveryPolicy { rate: rate(10), ..DeliveryPolicy::default() };
        let mut terms = Terms::default();
        assert_eq!(policy.under(&terms), policy);
        (terms.rate, terms.places) = (rate(1), Some(2));
        (terms.schedule, terms.time_to_live) = (Some(vec![]), Some(DAY));
        terms.credentials = Some(Credentials::Host);
        let under = policy.under(&terms);
        assert_eq!((under.rate, under.concurrency, under.time_to_live), (rate(1), 2, DAY));
        assert_eq!((under.wait(1, Duration::ZERO), under.credentials), (None, Credentials::Host));
        terms.rate = rate(100);
        assert_eq!(policy.under(&terms).rate, rate(10), "the slower one");
    }

    #[test]
    fn what_lets_nothing_be_sent_is_refused() {
        let default = DeliveryPolicy::default;
        assert!(default().check().is_ok() && Terms::default().check().is_ok());
        let none = Duration::ZERO;
        for (setting, policy) in [
            ("concurrency", DeliveryPolicy { concurrency: 0, ..default() }),
            ("channel_concurrency", DeliveryPolicy { channel_concurrency: 0, ..default() }),
            ("timeout", DeliveryPolicy { timeout: none, ..default() }),
            ("time_to_live", DeliveryPolicy { time_to_live: none, ..default() }),
            ("disable_after", DeliveryPolicy { disable_after: none, ..default() }),
            ("breaker_pause", DeliveryPolicy { breaker_pause: none, ..default() }),
            ("rate", DeliveryPolicy { rate: Some(RateLimit::per_second(0)), ..default() }),
            ("rate", DeliveryPolicy { rate: Some(RateLimit::new(1, none)), ..default() }),
            ("jitter", DeliveryPolicy { jitter: 1.5, ..default() }),
            ("jitter", DeliveryPolicy { jitter: f64::NAN, ..default() }),
        ] {
            let error = policy.check().unwrap_err();
            assert_eq!(error.code(), codes::DELIVERY_INVALID);
            assert_eq!(error.fact("setting"), Some(setting));
        }
        for (setting, terms) in [
            ("terms.places", Terms { places: Some(0), ..Terms::default() }),
            ("terms.batch", Terms { batch: 0, ..Terms::default() }),
            ("terms.time_to_live", Terms { time_to_live: Some(none), ..Terms::default() }),
            ("terms.kinds", Terms { kinds: Some(Vec::new()), ..Terms::default() }),
            ("terms.rate", Terms { rate: Some(RateLimit::per_second(0)), ..Terms::default() }),
        ] {
            assert_eq!(terms.check().unwrap_err().fact("setting"), Some(setting));
        }
        let never = DeliveryPolicy { breaker_after: 0, breaker_pause: none, ..default() };
        never.check().unwrap();
    }

    #[test]
    fn jitter_stays_within_its_share() {
        for _ in 0..1000 {
            let wait = jittered(Duration::from_secs(10), 0.2).as_secs_f64();
            assert!((8.0..=12.0).contains(&wait), "{wait}");
        }
    }
}
