use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// What the receiver said to a delivery that arrived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Receipt {
    /// The status that the receiver's protocol gave: 200.
    pub status: Option<u16>,
    /// The receiver's own name for the message.
    pub provider_id: Option<String>,
}

impl Receipt {
    /// Arrived; nothing more is known.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Arrived, with this status.
    #[must_use]
    pub fn with_status(status: u16) -> Self {
        Self { status: Some(status), provider_id: None }
    }

    /// With the receiver's own name for the message, which is stored and given back with the next one of the same
    /// [thread](super::Message::thread).
    #[must_use]
    pub fn named(mut self, provider_id: impl Into<String>) -> Self {
        self.provider_id = Some(provider_id.into());
        self
    }
}

/// Why an attempt did not arrive, which decides what follows.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotifyError {
    /// It may pass: try again on the schedule, not earlier than `after`.
    Retryable {
        /// What the receiver asked for.
        after: Option<Duration>,
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// The receiver is asked too often: everything for it waits.
    Throttled {
        /// What the receiver asked for.
        after: Option<Duration>,
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// Nobody is at this address any more: stop sending there.
    Gone {
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// The receiver, or our own guard, refuses this message for good.
    Rejected {
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// Our credentials are refused: everything for it waits, and a single attempt now and then finds out whether
    /// somebody has put that right.
    Auth {
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// It may have arrived: try again with the same id.
    Ambiguous {
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// The message is larger than the channel takes: not again through this one.
    TooLarge {
        /// What happened.
        reason: Cow<'static, str>,
    },
    /// The channel has no way to say it: not again through this one.
    Unsupported {
        /// What happened.
        reason: Cow<'static, str>,
    },
}

impl NotifyError {
    /// May pass.
    #[must_use]
    pub fn retryable(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Retryable { after: None, reason: reason.into() }
    }

    /// Refused for good.
    #[must_use]
    pub fn rejected(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Rejected { reason: reason.into() }
    }

    /// May have arrived.
    #[must_use]
    pub fn ambiguous(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Ambiguous { reason: reason.into() }
    }

    /// Larger than the channel takes.
    #[must_use]
    pub fn too_large(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::TooLarge { reason: reason.into() }
    }

    /// Nothing that the channel could say.
    #[must_use]
    pub fn unsupported(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Unsupported { reason: reason.into() }
    }

    /// What happened.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self {
            Self::Retryable { reason, .. }
            | Self::Throttled { reason, .. }
            | Self::Gone { reason }
            | Self::Rejected { reason }
            | Self::Auth { reason }
            | Self::Ambiguous { reason }
            | Self::TooLarge { reason }
            | Self::Unsupported { reason } => reason,
        }
    }

    /// With another reason.
    pub(crate) fn because(mut self, other: impl FnOnce(&str) -> String) -> Self {
        match &mut self {
            Self::Retryable { reason, .. }
            | Self::Throttled { reason, .. }
            | Self::Gone { reason }
            | Self::Rejected { reason }
            | Self::Auth { reason }
            | Self::Ambiguous { reason }
            | Self::TooLarge { reason }
            | Self::Unsupported { reason } => *reason = other(reason).into(),
        }
        self
    }

    /// How long the receiver asked to be left alone.
    #[must_use]
    pub fn after(&self) -> Option<Duration> {
        match self {
            Self::Retryable { after, .. } | Self::Throttled { after, .. } => *after,
            Self::Gone { .. }
            | Self::Rejected { .. }
            | Self::Auth { .. }
            | Self::Ambiguous { .. }
            | Self::TooLarge { .. }
            | Self::Unsupported { .. } => None,
        }
    }
}

impl fmt::Display for NotifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason())
    }
}

impl std::error::Error for NotifyError {}

/// What an answer means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Arrived.
    Delivered,
    /// [`NotifyError::Retryable`].
    Retryable,
    /// [`NotifyError::Throttled`].
    Throttled,
    /// [`NotifyError::Gone`].
    Gone,
    /// [`NotifyError::Rejected`].
    Rejected,
    /// [`NotifyError::Auth`].
    Auth,
    /// [`NotifyError::TooLarge`].
    TooLarge,
}

/// What the statuses of HTTP mean, as [Standard Webhooks](https://www.standardwebhooks.com) has it: 2xx arrived, 410 is
/// gone, and everything else is tried again, because a receiver's own deploy answers 404, 401 or 301 for a while.
///
/// | status | outcome |
/// |---|---|
/// | 2xx | arrived |
/// | 401, 403 | [`NotifyError::Auth`] |
/// | 410 | [`NotifyError::Gone`] |
/// | 429, 502, 504 | [`NotifyError::Throttled`] |
/// | all others, 1xx, 3xx and 4xx among them | [`NotifyError::Retryable`] |
///
/// A channel whose vendor means something else says so: `HttpOutcomes::new().except(404, Outcome::Gone)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct HttpOutcomes(Vec<(u16, Outcome)>);

impl HttpOutcomes {
    /// Without exceptions.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// This status means something else here.
    pub fn except(mut self, status: u16, outcome: Outcome) -> Self {
        self.0.push((status, outcome));
        self
    }

    /// What this status means.
    #[must_use]
    pub fn of(&self, status: u16) -> Outcome {
        let exception = self.0.iter().rev().find(|(known, _)| *known == status);
        exception.map_or_else(|| standard(status), |(_, outcome)| *outcome)
    }

    /// The receipt or the error of an answer: its status, what its `Retry-After` asks for, and what happened in words.
    ///
    /// # Errors
    /// As [`HttpOutcomes::of`] says.
    pub fn result(
        &self,
        status: u16,
        after: Option<Duration>,
        reason: impl Into<Cow<'static, str>>,
    ) -> Result<Receipt, NotifyError> {
        let reason = reason.into();
        Err(match self.of(status) {
            Outcome::Delivered => return Ok(Receipt::with_status(status)),
            Outcome::Retryable => NotifyError::Retryable { after, reason },
            Outcome::Throttled => NotifyError::Throttled { after, reason },
            Outcome::Gone => NotifyError::Gone { reason },
            Outcome::Rejected => NotifyError::Rejected { reason },
            Outcome::Auth => NotifyError::Auth { reason },
            Outcome::TooLarge => NotifyError::TooLarge { reason },
        })
    }
}

fn standard(status: u16) -> Outcome {
    match status {
        200..=299 => Outcome::Delivered,
        401 | 403 => Outcome::Auth,
        410 => Outcome::Gone,
        429 | 502 | 504 => Outcome::Throttled,
        _ => Outcome::Retryable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receivers_own_deploy_ends_no_notification() {
        let outcomes = HttpOutcomes::new();
        for status in
            [100, 301, 302, 307, 308, 400, 404, 405, 408, 409, 413, 422, 425, 500, 503, 599]
        {
            assert_eq!(outcomes.of(status), Outcome::Retryable, "{status}");
        }
        for (status, outcome) in [
            (200, Outcome::Delivered),
            (204, Outcome::Delivered),
            (401, Outcome::Auth),
            (403, Outcome::Auth),
            (410, Outcome::Gone),
            (429, Outcome::Throttled),
            (502, Outcome::Throttled),
        ] {
            assert_eq!(outcomes.of(status), outcome, "{status}");
        }
    }

    #[test]
    fn a_channel_has_its_exceptions() {
        let outcomes = HttpOutcomes::new().except(404, Outcome::Gone);
        assert_eq!((outcomes.of(404), outcomes.of(405)), (Outcome::Gone, Outcome::Retryable));
        let after = Some(Duration::from_secs(7));
        assert_eq!(outcomes.result(429, after, "slowly").unwrap_err().after(), after);
        assert_eq!(outcomes.result(202, None, "").unwrap(), Receipt::with_status(202));
    }
}
