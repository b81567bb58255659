use std::time::Duration;

use super::Attempted;
use crate::executor::DeliveryPolicy;
use crate::notify::Credentials;
use crate::{NotifyError, Timestamp};

/// How often a receiver may ask for patience before it is asked less often than it wants.
const PATIENCE: u32 = 20;

/// What becomes of a message after an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a store handles every case")]
pub enum Disposition {
    /// It has arrived.
    Delivered,
    /// It is sent again.
    Again {
        /// When, at the earliest.
        due: Timestamp,
        /// How many failures are counted against it from now on.
        failures: u32,
    },
    /// It is given up, and kept for whoever wants to send it again.
    Dead,
}

impl Disposition {
    /// After this attempt, which ended at `now`.
    ///
    /// What is the message's own fault counts: its schedule ends. What is the destination's fault does not: a receiver
    /// that asks for patience, that refuses our credentials, or that is known to be down and was only probed. Then the
    /// message's time to live is its end, and the waits become longer all the same: with each attempt at a job's own
    /// address that refuses credentials of its own, since nothing else holds them up as a pause does where they are the
    /// host's, and with each after the first twenty at a receiver that always asks for a moment.
    #[must_use]
    pub fn of(attempted: &Attempted, policy: &DeliveryPolicy, now: Timestamp) -> Self {
        let claimed = &attempted.claimed;
        let counted = match &attempted.result {
            Ok(_) => return Self::Delivered,
            Err(NotifyError::Gone { .. }) if !claimed.is_own() => return Self::Dead,
            Err(
                NotifyError::Rejected { .. }
                | NotifyError::TooLarge { .. }
                | NotifyError::Unsupported { .. },
            ) => return Self::Dead,
            Err(NotifyError::Throttled { .. } | NotifyError::Auth { .. }) => false,
            Err(_) if claimed.message.is_err() => true,
            // What a probe finds is the destination's fault, unless it is one address that refuses.
            Err(NotifyError::Retryable { .. } | NotifyError::Ambiguous { .. }) => {
                !claimed.probe || attempted.is_refusal_of_address()
            }
            // The host's own endpoint may have been taken down by mistake: days pass before that is believed.
            Err(NotifyError::Gone { .. }) => false,
        };
        let asked = attempted.result.as_ref().err().and_then(NotifyError::after);
        let place = match &attempted.result {
            Err(NotifyError::Auth { .. })
                if !claimed.is_own() && policy.credentials == Credentials::Address =>
            {
                claimed.attempt
            }
            Err(NotifyError::Throttled { .. }) => claimed.attempt.saturating_sub(PATIENCE),
            _ => 0,
        };
        let wait = if counted {
            policy.wait(claimed.failures.saturating_add(1), asked.unwrap_or_default())
        } else {
            let (place, asked) =
                (place.max(claimed.failures.saturating_add(1)), asked.unwrap_or_default());
            let wait = policy.wait_uncounted(place, asked);
            // Who says how long to wait is asked again not much later than that.
            let longest = policy.pause(u32::MAX).max(asked.min(policy.longest));
            let throttled = matches!(attempted.result, Err(NotifyError::Throttled { .. }));
            Some(if throttled { wait.min(longest) } else { wait })
        };
        Self::again(claimed.failures, counted, wait, claimed.expires_at, now)
    }

    /// After an attempt of which nothing is known: the process that made it ended, or did not answer within its lease.
    /// It counts, so that a message that ends each process that sends it comes to an end itself.
    #[must_use]
    pub fn lost(
        failures: u32,
        expires_at: Timestamp,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) -> Self {
        let wait = policy.wait(failures.saturating_add(1), Duration::ZERO);
        Self::again(failures, true, wait, expires_at, now)
    }

    fn again(
        failures: u32,
        counted: bool,
        wait: Option<Duration>,
        expires_at: Timestamp,
        now: Timestamp,
    ) -> Self {
        let due = wait.map(|wait| now.plus(wait)).filter(|due| *due <= expires_at);
        let failures = failures.saturating_add(u32::from(counted));
        due.map_or(Self::Dead, |due| Self::Again { due, failures })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{About, Claimed, DestinationKey, Unsendable};
    use super::*;
    use crate::event::{Event, EventData, EventKind};
    use crate::notify::{Address, Answer, Message};
    use crate::{Error, EventId};

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn attempted(error: NotifyError, own: bool, change: impl FnOnce(&mut Claimed)) -> Attempted {
        let event = Event::new(EventKind::JobFailed, NOW, EventData::None);
        let message = Message::of(event).to((!own).then(|| Address::opaque("a")));
        let recipient = if own { "" } else { "a" };
        let key = DestinationKey::new("hooks", "a");
        let mut claimed = Claimed::new(1, key, recipient, Ok(message));
        change(&mut claimed);
        Attempted {
            claimed,
            at: NOW,
            took: Duration::ZERO,
            result: Err(error),
            answer: None,
            repeats: false,
        }
    }

    fn policy() -> DeliveryPolicy {
        let schedule = vec![Duration::from_secs(5), Duration::from_secs(60)];
        DeliveryPolicy { schedule, jitter: 0.0, ..DeliveryPolicy::default() }
    }

    fn again(seconds: u64, failures: u32) -> Disposition {
        Disposition::Again { due: NOW.plus(Duration::from_secs(seconds)), failures }
    }

    #[test]
    fn what_is_the_messages_fault_counts() {
        let disposition = |failures| {
            let broken = attempted(NotifyError::retryable("500"), true, |c| c.failures = failures);
            Disposition::of(&broken, &policy(), NOW)
        };
        assert_eq!(
            [disposition(0), disposition(1), disposition(2)],
            [again(5, 1), again(60, 2), Disposition::Dead]
        );
    }

    #[test]
    fn what_is_the_destinations_fault_does_not() {
        let asked = Some(Duration::from_secs(600));
        let throttled = NotifyError::Throttled { after: asked, reason: "429".into() };
        assert_eq!(
            Disposition::of(&attempted(throttled, true, |_| {}), &policy(), NOW),
            again(600, 0)
        );
        let refused = || NotifyError::Auth { reason: "401".into() };
        let late = attempted(refused(), true, |claimed| claimed.failures = 9);
        assert_eq!(Disposition::of(&late, &policy(), NOW), again(60, 9));
        let probe = attempted(NotifyError::retryable("down"), true, |claimed| claimed.probe = true);
        assert_eq!(Disposition::of(&probe, &policy(), NOW), again(5, 0));
    }

    #[test]
    fn a_probe_that_one_address_refuses_counts_against_the_message() {
        let wait = |status| {
            let mut probe = attempted(NotifyError::retryable("no"), false, |c| c.probe = true);
            probe.answer = Some(Answer { status, body: String::new() });
            Disposition::of(&probe, &policy(), NOW)
        };
        assert_eq!([wait(404), wait(500)], [again(5, 1), again(5, 0)]);
    }

    #[test]
    fn a_jobs_own_address_that_refuses_is_asked_less_and_less_often() {
        let wait = |attempt| {
            let refused = NotifyError::Auth { reason: "401".into() };
            let refused = attempted(refused, false, |claimed| claimed.attempt = attempt);
            Disposition::of(&refused, &policy(), NOW)
        };
        assert_eq!([wait(1), wait(2), wait(9)], [again(5, 0), again(60, 0), again(60, 0)]);
        // The host's credentials are asked for by a pause of all that waits there.
        let of_host = DeliveryPolicy { credentials: Credentials::Host, ..policy() };
        let refused = NotifyError::Auth { reason: "401".into() };
        let refused = attempted(refused, false, |claimed| claimed.attempt = 9);
        assert_eq!(Disposition::of(&refused, &of_host, NOW), again(5, 0));
        let wait = |attempt| {
            let after = Some(Duration::from_secs(1));
            let throttled = NotifyError::Throttled { after, reason: "429".into() };
            let throttled = attempted(throttled, true, |claimed| claimed.attempt = attempt);
            Disposition::of(&throttled, &policy(), NOW)
        };
        assert_eq!([wait(20), wait(21), wait(22)], [again(5, 0), again(5, 0), again(60, 0)]);
    }

    #[test]
    fn what_can_not_be_sent_ends_with_its_schedule() {
        let end = |failures| {
            let unsendable = attempted(NotifyError::retryable("newer"), true, |claimed| {
                let about = About::new(EventId::new(), EventKind::JobFailed, None);
                claimed.message =
                    Err(Box::new(Unsendable::new(&Error::input("a", "no"), None, about)));
                (claimed.failures, claimed.probe) = (failures, true);
            });
            Disposition::of(&unsendable, &policy(), NOW)
        };
        assert_eq!([end(0), end(1), end(2)], [again(5, 1), again(60, 2), Disposition::Dead]);
    }

    #[test]
    fn everything_ends_with_its_time_to_live() {
        let soon = NOW.plus(Duration::from_secs(4));
        let refused = NotifyError::Auth { reason: "401".into() };
        let refused = attempted(refused, true, |claimed| claimed.expires_at = soon);
        assert_eq!(Disposition::of(&refused, &policy(), NOW), Disposition::Dead);
    }

    #[test]
    fn one_address_that_is_gone_ends_and_the_hosts_own_does_not() {
        let gone = || NotifyError::Gone { reason: "410".into() };
        assert_eq!(
            Disposition::of(&attempted(gone(), false, |_| {}), &policy(), NOW),
            Disposition::Dead
        );
        assert_eq!(Disposition::of(&attempted(gone(), true, |_| {}), &policy(), NOW), again(5, 0));
    }

    #[test]
    fn an_attempt_that_is_lost_counts_and_ends_dead() {
        let end = Timestamp::from_millis(u64::MAX);
        let lost = |failures| Disposition::lost(failures, end, &policy(), NOW);
        assert_eq!([lost(0), lost(1), lost(2)], [again(5, 1), again(60, 2), Disposition::Dead]);
    }
}
