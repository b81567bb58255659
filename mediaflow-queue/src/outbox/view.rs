use std::time::Duration;

use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::{Error, EventId, EventKind, JobId, Result, Timestamp};

use crate::db::Row;

macro_rules! names {
    ($(#[$doc:meta])* $type:ident { $($(#[$of:meta])* $variant:ident = $name:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum $type {
            $($(#[$of])* $variant,)*
        }

        impl $type {
            /// As it is stored.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            fn read(row: &Row, column: &str) -> Result<Self> {
                match row.text(column)?.as_str() {
                    $($name => Ok(Self::$variant),)*
                    other => Err(corrupt(column, other)),
                }
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
        /// Given up: refused, tried too often, or for a destination that is disabled. The dead letter.
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
        /// The process that made it ended meanwhile: it may have arrived.
        Lost = "lost",
    }
}

/// One event on its way to one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Its number.
    pub id: i64,
    /// The event, whose id every attempt carries.
    pub event: EventId,
    /// The kind of the event.
    pub kind: EventKind,
    /// The job that it is about.
    pub job: Option<JobId>,
    /// The number of the destination.
    pub destination: i64,
    /// The notifier.
    pub channel: String,
    /// The address that the job gave, in place of the notifier's own.
    pub address: Option<String>,
    /// Where it is in its life.
    pub state: DeliveryState,
    /// How often it was tried since it was made, or was last asked to be sent again.
    pub attempts: u32,
    /// When it is sent, or sent again, at the earliest.
    pub due: Timestamp,
    /// The status of the last answer.
    pub status: Option<u16>,
    /// What the last attempt failed with.
    pub error: Option<String>,
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
    /// The beginning of the answer's body, 20,000 bytes at most.
    pub body: Option<String>,
}

/// A destination: a notifier with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Destination {
    /// Its number.
    pub id: i64,
    /// The notifier.
    pub channel: String,
    /// The address that a job gave, in place of the notifier's own.
    pub address: Option<String>,
    /// Whether it is sent to.
    pub breaker: Breaker,
    /// Failures in a row.
    pub failures: u32,
    /// Nothing is sent before: its breaker is open, or the receiver asked for it.
    pub blocked_until: Option<Timestamp>,
    /// Since when nothing is sent there any more: nobody was there.
    pub disabled_at: Option<Timestamp>,
    /// What the receiver said then.
    pub disabled_reason: Option<String>,
    /// How many deliveries wait for it or are under way.
    pub waiting: u64,
}

impl Delivery {
    /// The columns of a delivery `d` and its destination `t`.
    pub(super) const COLUMNS: &str =
        "d.id, d.event, d.kind, d.job, d.destination, t.channel, t.address, d.state,
        d.attempts, d.due, d.status, d.error, d.created_at, d.ended_at";

    pub(super) fn read(row: &Row) -> Result<Self> {
        let job = row.opt_text("job")?;
        Ok(Self {
            id: row.int("id")?,
            event: row.parsed("event")?,
            kind: row.named("kind")?,
            job: job.map(|job| job.parse()).transpose()?,
            destination: row.int("destination")?,
            channel: row.text("channel")?,
            address: address(row)?,
            state: DeliveryState::read(row, "state")?,
            attempts: small(row, "attempts")?,
            due: row.time("due")?,
            status: status(row)?,
            error: row.opt_text("error")?,
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
        let failures = small(row, "failures")?;
        let blocked_until = row.opt_time("blocked_until")?.filter(|until| *until > now);
        Ok(Self {
            id: row.int("id")?,
            channel: row.text("channel")?,
            address: address(row)?,
            breaker: Breaker::read(row, policy, now)?,
            failures,
            blocked_until,
            disabled_at: row.opt_time("disabled_at")?,
            disabled_reason: row.opt_text("disabled_reason")?,
            waiting: u64::try_from(row.int("waiting")?).unwrap_or_default(),
        })
    }
}

/// Whether deliveries to a destination are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Breaker {
    /// They are.
    Closed,
    /// Not for this time: it failed too often in a row.
    Open(Duration),
    /// One is tried, and decides.
    HalfOpen,
    /// Not any more: the receiver does not want them.
    Disabled,
}

impl Breaker {
    /// That of a destination.
    pub(crate) fn read(row: &Row, policy: &DeliveryPolicy, now: Timestamp) -> Result<Self> {
        let (blocked_until, failures) = (row.time("blocked_until")?, small(row, "failures")?);
        Ok(if row.opt_int("disabled_at")?.is_some() {
            Self::Disabled
        } else if blocked_until > now {
            Self::Open(blocked_until.since(now))
        } else if policy.breaker_after > 0 && failures >= policy.breaker_after {
            Self::HalfOpen
        } else {
            Self::Closed
        })
    }
}

fn address(row: &Row) -> Result<Option<String>> {
    row.text("address").map(|address| Some(address).filter(|address| !address.is_empty()))
}

fn status(row: &Row) -> Result<Option<u16>> {
    row.opt_int("status").map(|status| status.and_then(|status| u16::try_from(status).ok()))
}

fn small(row: &Row, column: &str) -> Result<u32> {
    row.int(column).map(|value| u32::try_from(value).unwrap_or(u32::MAX))
}

fn corrupt(column: &str, value: &str) -> Error {
    Error::backend("queue.corrupt_row", "a stored delivery can not be read")
        .with("column", column)
        .with("value", value.escape_debug())
        .help("it was damaged or written by something else; restore it from a backup, or delete it")
}
