use std::time::Duration;

use crate::codes;
use crate::event::EventKind;
use crate::{Error, Result};

/// What a channel can take, as data that the [outbox](crate::outbox) keeps to. What is not said here is decided by the
/// host's [`DeliveryPolicy`](crate::executor::DeliveryPolicy). How large a message may be is the notifier's to know, which
/// writes it: it leaves out what does not fit, or says [`NotifyError::TooLarge`](super::NotifyError::TooLarge).
///
/// ```
/// use std::time::Duration;
/// use mediaflow_core::notify::{RateLimit, Scope, Terms};
///
/// // One message a second to each chat, worth telling for an hour.
/// let mut terms = Terms::default();
/// terms.rate = Some(RateLimit::new(1, Duration::from_secs(1)));
/// terms.scope = Scope::Address;
/// terms.time_to_live = Some(Duration::from_secs(3600));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// How many attempts it takes, from all processes together. Default: no limit.
    pub rate: Option<RateLimit>,
    /// What counts together for the rate, the places, and for whether it works. Default: what has one origin.
    pub scope: Scope,
    /// How many attempts may be under way at once, in each process. Default: as the host's policy says.
    pub places: Option<usize>,
    /// The waits between attempts. Default: as the host's policy says.
    pub schedule: Option<Vec<Duration>>,
    /// How long a message is worth sending, from the event that it tells of. Default: as the host's policy says.
    pub time_to_live: Option<Duration>,
    /// Whose credentials it sends with, and so whom it concerns that they are refused. Default: as the host's policy says.
    pub credentials: Option<Credentials>,
    /// Whether what belongs to one job is one [thread](super::Message::thread), unless the host's recipients say otherwise. A digest
    /// of several jobs is in none.
    /// Default: no.
    pub threads: bool,
    /// Whether it can tell of several events in one message. If it can not, a rule that collects events needs another channel
    /// [behind](super::Route::fallback) it. Default: yes.
    pub digests: bool,
    /// The kinds of events that it has words for. A rule for others needs another channel [behind](super::Route::fallback) it.
    /// Default: all.
    pub kinds: Option<Vec<EventKind>>,
    /// How many messages to one address it takes in one request ([`Notifier::notify_all`](super::Notifier::notify_all)).
    /// What waits for the same address then goes together; a place for as many is there at least. How many bytes these may
    /// have is the notifier's to know, as of single ones. Default 1.
    pub batch: usize,
    /// How many reports of single jobs it wants to have with an event of a batch, which itself has counts only. Default
    /// 0.
    pub reports: usize,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            rate: None,
            scope: Scope::Origin,
            places: None,
            schedule: None,
            time_to_live: None,
            credentials: None,
            threads: false,
            digests: true,
            kinds: None,
            batch: 1,
            reports: 0,
        }
    }
}

impl Terms {
    /// Whether they let anything be sent.
    ///
    /// # Errors
    /// `delivery.invalid`: the first that does not.
    pub(crate) fn check(&self) -> Result<()> {
        some("terms.places", self.places != Some(0))?;
        some("terms.batch", self.batch > 0)?;
        some("terms.time_to_live", self.time_to_live.is_none_or(|time| !time.is_zero()))?;
        some("terms.kinds", self.kinds.as_ref().is_none_or(|kinds| !kinds.is_empty()))?;
        self.rate.map_or(Ok(()), |rate| rate.check("terms.rate"))
    }
}

/// What is zero, or of none, lets nothing be sent.
pub(crate) fn some(setting: &'static str, is_some: bool) -> Result<()> {
    if is_some {
        return Ok(());
    }
    Err(Error::input(codes::DELIVERY_INVALID, "a setting of deliveries lets nothing be sent")
        .with("setting", setting)
        .help("choose more than zero, or leave it as it is by default"))
}

/// What counts together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Scope {
    /// All that goes through the channel.
    Channel,
    /// All that goes to one origin: `https://host:443`.
    Origin,
    /// All that goes to one address.
    Address,
}

/// Whose credentials a channel sends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Credentials {
    /// The host's own, whatever the address: the token of a bot. If they are refused, everything waits that counts
    /// together.
    Host,
    /// Those of the address: it is a secret itself, or who is there decides for itself whom it believes. If they are refused
    /// at an address that a job gave, only that one waits.
    Address,
}

/// So many attempts in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateLimit {
    /// How many, at least 1: a host with a lower one does not start.
    pub attempts: u32,
    /// In which time: some.
    pub per: Duration,
}

impl RateLimit {
    /// So many attempts, at least one, in this time.
    #[must_use]
    pub fn new(attempts: u32, per: Duration) -> Self {
        Self { attempts, per }
    }

    /// Whether it lets anything be sent.
    pub(crate) fn check(self, setting: &'static str) -> Result<()> {
        some(setting, self.attempts > 0 && !self.per.is_zero())
    }

    /// So many attempts in each second.
    #[must_use]
    pub fn per_second(attempts: u32) -> Self {
        Self::new(attempts, Duration::from_secs(1))
    }
}
