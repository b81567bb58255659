use super::Attempted;
use crate::executor::DeliveryPolicy;
use crate::{NotifyError, Timestamp};

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
    /// message's time to live is its end.
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
            Err(NotifyError::Retryable { .. } | NotifyError::Ambiguous { .. }) => !claimed.probe,
            // The host's own endpoint may have been taken down by mistake: days pass before that is believed.
            Err(NotifyError::Gone { .. }) => false,
        };
        let asked = attempted.result.as_ref().err().and_then(NotifyError::after);
        Self::again(
            claimed.failures,
            counted,
            asked.unwrap_or_default(),
            claimed.expires_at,
            policy,
            now,
        )
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
        Self::again(failures, true, std::time::Duration::ZERO, expires_at, policy, now)
    }

    fn again(
        failures: u32,
        counted: bool,
        asked: std::time::Duration,
        expires_at: Timestamp,
        policy: &DeliveryPolicy,
        now: Timestamp,
    ) -> Self {
        let after = failures.saturating_add(1);
        let wait = if counted {
            policy.wait(after, asked)
        } else {
            Some(policy.wait_uncounted(after, asked))
        };
        let due = wait.map(|wait| now.plus(wait)).filter(|due| *due <= expires_at);
        let failures = if counted { after } else { failures };
        due.map_or(Self::Dead, |due| Self::Again { due, failures })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::{Claimed, DestinationKey};
    use super::*;
    use crate::event::{Event, EventData, EventKind};
    use crate::notify::{Address, Message};

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn attempted(error: NotifyError, own: bool, change: impl FnOnce(&mut Claimed)) -> Attempted {
        let event = Event::new(EventKind::JobFailed, NOW, EventData::None);
        let message = Message::of(event).to((!own).then(|| Address::opaque("a")));
        let mut claimed = Claimed::new(1, DestinationKey::new("hooks", "a"), Ok(message));
        change(&mut claimed);
        Attempted { claimed, at: NOW, took: Duration::ZERO, result: Err(error), answer: None }
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
