use std::fmt;
use std::time::Duration;

use mediaflow_core::executor::{DeliveryPolicy, Executor};
use mediaflow_core::notify::Address;
use mediaflow_core::outbox::DestinationState;
use mediaflow_core::wire::Name;
use mediaflow_core::{Error, EventId, EventKind, JobId, MessageId, Result, Timestamp, codes};

use super::destination;
use super::handle::to_key;
use crate::db::Row;

macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$of:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$of])* $variant,)*
            /// What only a newer version knows. It is given back as it was read.
            Other(Name),
        }

        impl $type {
            /// As it is stored.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Other(name) => name.as_str(),
                }
            }

            fn read(row: &Row, column: &str) -> Result<Self> {
                match row.text(column)?.as_str() {
                    $($name => Ok(Self::$variant),)*
                    other => other.parse().map(Self::Other).map_err(|_| corrupt(column, other)),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

names! {
    /// Where a delivery is in its life.
    DeliveryState {
        /// Waits to be sent, or to be sent again.
        Pending = "pending",
        /// Under way.
        Sending = "sending",
        /// Arrived.
        Delivered = "delivered",
        /// Given up: refused, tried too often, or for an endpoint of the host that is disabled. The dead letter.
        Dead = "dead",
    }
}

names! {
    /// How an attempt went.
    DeliveryOutcome {
        /// Arrived.
        Delivered = "delivered",
        /// Failed in a way that may pass.
        Retryable = "retryable",
        /// The receiver is asked too often.
        Throttled = "throttled",
        /// Nobody is there any more.
        Gone = "gone",
        /// Refused for good.
        Rejected = "rejected",
        /// Our credentials are refused.
        Auth = "auth",
        /// May have arrived.
        Ambiguous = "ambiguous",
        /// Larger than the channel takes.
        TooLarge = "too_large",
        /// Nothing that the channel could say.
        Unsupported = "unsupported",
        /// The process that made it ended meanwhile: it may have arrived.
        Lost = "lost",
    }
}

/// One message on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// The name of the message, which every attempt carries.
    pub message: MessageId,
    /// The event that it tells of, or the first of them.
    pub event: EventId,
    /// How many events it tells of.
    pub events: u32,
    /// The kind of the first event.
    pub kind: EventKind,
    /// The job that it is about.
    pub job: Option<JobId>,
    /// The rule that made it, and the step of the rule.
    pub rule: String,
    /// The step of the rule, from 0.
    pub step: u32,
    /// The notifier.
    pub channel: String,
    /// Where it goes, as far as that is no secret: `https://host:443`; empty for a notifier's own address that tells none.
    pub origin: String,
    /// The address that the job gave, in place of the notifier's own.
    pub address: Option<Address>,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// How often it was tried since it was made, or was last asked to be sent again.
    pub attempts: u32,
    /// How many failures count: its place in the schedule.
    pub failures: u32,
    /// When it is sent, or sent again, at the earliest.
    pub due: Timestamp,
    /// When it is given up.
    pub expires_at: Timestamp,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// What the last attempt failed with.
    pub error: Option<String>,
    /// The receiver's own name for it.
    pub provider_id: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it arrived, or was given up.
    pub ended_at: Option<Timestamp>,
}

/// One line of the log of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeliveryAttempt {
    /// Which attempt, from 1; again from 1 after it was asked to be sent again.
    pub attempt: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// How it went.
    pub outcome: DeliveryOutcome,
    /// The status of the answer.
    pub status: Option<u16>,
    /// What it failed with.
    pub error: Option<String>,
    /// The beginning of the answer's body: 1,000 bytes of what arrived, 20,000 of what did not.
    pub body: Option<String>,
}

/// A destination that something waits for, or that something is to be said of: one that works and has nothing to do is not
/// listed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// The notifier.
    pub channel: String,
    /// What its addresses have in common: `https://host:443`; empty for a notifier's own address that tells none.
    pub origin: String,
    /// Whether it is sent to.
    pub breaker: Breaker,
    /// Failures in a row.
    pub failures: u32,
    /// Since when there was nothing but failure of the host's own endpoint.
    pub failing_since: Option<Timestamp>,
    /// It refuses our credentials: only a probe opens it.
    pub paused: bool,
    /// Nothing is sent before: its breaker is open, or the receiver asked for it.
    pub blocked_until: Option<Timestamp>,
    /// Since when nothing is sent to the host's own endpoint any more. What has an address of its own still is.
    pub disabled_at: Option<Timestamp>,
    /// What the last attempt failed with.
    pub reason: Option<String>,
    /// How many messages wait for it or are under way.
    pub waiting: u64,
}

/// Whether messages to a destination are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breaker {
    /// They are.
    Closed,
    /// Not for this time: it failed too often in a row, or asked for it.
    Open(Duration),
    /// One is tried, and decides.
    HalfOpen,
    /// To the host's own endpoint not any more: for days nothing has arrived there.
    Disabled,
}

impl Delivery {
    /// The columns of a message `d`.
    pub(super) const COLUMNS: &str = "d.id, d.uid, d.event, d.events, d.kind, d.job, d.rule, d.step, d.channel, d.destination,
        d.address, d.state, d.attempts, d.failures, d.due, d.expires_at, d.status, d.error, d.provider_id, d.created_at,
        d.ended_at";

    pub(super) fn read(row: &Row, executor: &Executor) -> Result<Self> {
        let (job, channel) = (row.opt_text("job")?, row.text("channel")?);
        let address = row.opt_text("address")?.map(|text| {
            let read = executor.notifier(&channel).and_then(|notifier| notifier.address(&text));
            read.unwrap_or_else(|_| Address::opaque(text))
        });
        Ok(Self {
            id: row.int("id")?,
            message: row.parsed("uid")?,
            event: row.parsed("event")?,
            events: small(row, "events")?,
            kind: row.named("kind")?,
            job: job.map(|job| job.parse()).transpose()?,
            rule: row.text("rule")?,
            step: small(row, "step")?,
            origin: to_key(&row.text("destination")?).name,
            channel,
            address,
            state: DeliveryState::read(row, "state")?,
            attempts: small(row, "attempts")?,
            failures: small(row, "failures")?,
            due: row.time("due")?,
            expires_at: row.time("expires_at")?,
            status: status(row)?,
            error: row.opt_text("error")?,
            provider_id: row.opt_text("provider_id")?,
            created_at: row.time("created_at")?,
            ended_at: row.opt_time("ended_at")?,
        })
    }
}

impl DeliveryAttempt {
    pub(super) fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            attempt: small(row, "attempt")?,
            at: row.time("at")?,
            took: Duration::from_millis(u64::try_from(row.int("took")?).unwrap_or_default()),
            outcome: DeliveryOutcome::read(row, "outcome")?,
            status: status(row)?,
            error: row.opt_text("error")?,
            body: row.opt_text("body")?,
        })
    }
}

impl Destination {
    pub(super) fn read(row: &Row, policy: &DeliveryPolicy, now: Timestamp) -> Result<Self> {
        let (key, state) = (to_key(&row.text("key")?), destination::read(row)?);
        Ok(Self {
            channel: key.channel,
            origin: key.name,
            breaker: Breaker::of(&state, policy, now),
            failures: state.failures,
            failing_since: state.failing_since,
            paused: state.paused,
            blocked_until: Some(state.blocked_until).filter(|until| *until > now),
            disabled_at: state.disabled_at,
            reason: state.reason,
            waiting: u64::try_from(row.int("waiting")?).unwrap_or_default(),
        })
    }
}

impl Breaker {
    /// That of a destination in this state.
    pub(crate) fn of(state: &DestinationState, policy: &DeliveryPolicy, now: Timestamp) -> Self {
        if state.disabled_at.is_some() {
            Self::Disabled
        } else if state.blocked_until > now {
            Self::Open(state.blocked_until.since(now))
        } else if state.is_open(policy) {
            Self::HalfOpen
        } else {
            Self::Closed
        }
    }
}

fn status(row: &Row) -> Result<Option<u16>> {
    row.opt_int("status").map(|status| status.and_then(|status| u16::try_from(status).ok()))
}

fn small(row: &Row, column: &str) -> Result<u32> {
    row.int(column).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

fn corrupt(column: &str, value: &str) -> Error {
    Error::backend(codes::QUEUE_CORRUPT_ROW, "a stored delivery can not be read")
        .with("column", column)
        .with("value", value.escape_debug())
        .help("it was damaged or written by something else; restore it from a backup, or delete it")
}
