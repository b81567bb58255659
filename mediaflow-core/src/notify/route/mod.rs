//! Rules of who is told of what, through which channels, and when.
//!
//! Uses: codes, error, event, id, notify, schedule, spec, suggest, time.

mod check;
mod config;
mod escalation;
mod quiet;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::{Bound, RangeBounds};
use std::time::Duration;

pub use escalation::{Acknowledged, After, after};
pub use quiet::QuietHours;

use super::RateLimit;
use crate::event::{Audience, Event, EventKind, Severity};

#[doc = include_str!("route.md")]
#[derive(Clone, Debug, PartialEq)]
#[must_use]
#[non_exhaustive]
pub struct Route {
    pub(crate) name: Option<String>,
    pub(crate) on: Vec<EventKind>,
    pub(crate) severity: (Bound<Severity>, Bound<Severity>),
    pub(crate) audience: Option<Audience>,
    pub(crate) tags: Vec<String>,
    pub(crate) tenants: Vec<String>,
    pub(crate) owners: Vec<String>,
    pub(crate) steps: Vec<Step>,
    pub(crate) quiet: Option<QuietHours>,
    pub(crate) digest: Option<Digest>,
    pub(crate) throttle: Option<RateLimit>,
    pub(crate) escalations: Vec<Escalation>,
    /// The last channel that was named is one of an escalation.
    escalated: bool,
    /// What was said that means nothing, and what to say instead.
    pub(crate) mistake: Option<(&'static str, &'static str)>,
}

/// One channel that a route tells through.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) channel: String,
    /// An address in place of those that are looked up.
    pub(crate) to: Option<String>,
    /// Taken only if the step before it can not deliver.
    pub(crate) fallback: bool,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may be a secret.
        f.debug_struct("Step")
            .field("channel", &self.channel)
            .field("fallback", &self.fallback)
            .finish_non_exhaustive()
    }
}

/// Which events come together in one message, and when it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) window: Duration,
    pub(crate) by: GroupBy,
    pub(crate) most: u32,
}

/// Who else is told, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Escalation {
    pub(crate) after: After,
    pub(crate) step: Step,
}

/// What a digest puts together, of all that a route tells one recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum GroupBy {
    /// All of it.
    #[default]
    All,
    /// What is of one job.
    Job,
    /// What is of one batch; what is of none is of its job.
    Batch,
    /// What is of one tenant.
    Tenant,
    /// What is of one owner, among those of the same tenant.
    Owner,
    /// What is of one kind.
    Kind,
}

impl GroupBy {
    /// The name of the group that an event belongs to.
    pub(crate) fn of(self, event: &Event) -> String {
        let job = event.job.map(|job| job.to_string());
        let group = match self {
            Self::All => None,
            Self::Job => job,
            Self::Batch => event.batch.map(|batch| batch.to_string()).or(job),
            Self::Tenant => event.tenant.clone(),
            // Two tenants may have owners of the same name.
            Self::Owner => event.owner.as_ref().map(|owner| match &event.tenant {
                Some(tenant) => format!("{tenant}\n{owner}"),
                None => owner.clone(),
            }),
            Self::Kind => Some(event.kind.as_str().to_owned()),
        };
        group.unwrap_or_default()
    }
}

/// How many events one message tells of at most, unless something else is said.
pub(crate) const MOST: u32 = 1000;

impl Route {
    /// A route for events of these kinds.
    pub fn on(kinds: impl IntoIterator<Item = EventKind>) -> Self {
        Self {
            name: None,
            on: kinds.into_iter().collect(),
            severity: (Bound::Unbounded, Bound::Unbounded),
            audience: None,
            tags: Vec::new(),
            tenants: Vec::new(),
            owners: Vec::new(),
            steps: Vec::new(),
            quiet: None,
            digest: None,
            throttle: None,
            escalations: Vec::new(),
            escalated: false,
            mistake: None,
        }
    }

    /// Its name, which is stored with each message: whoever changes the route and keeps its name goes on with what waits.
    /// Default: a digest of all that it says.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Of this severity: `Severity::Error..`. The events of the route have to have one of these.
    pub fn severity(mut self, severity: impl RangeBounds<Severity>) -> Self {
        self.severity = (severity.start_bound().cloned(), severity.end_bound().cloned());
        self
    }

    /// Tells these people, whom [`Recipients`](super::Recipients) finds, in words for them; and only of what
    /// [concerns](Event::concerns) them. If it finds nobody, the owner is told at the addresses that the job gives, and others at
    /// the notifiers' own.
    pub fn audience(mut self, audience: Audience) -> Self {
        self.audience = Some(audience);
        self
    }

    /// Only of jobs that have one of these tags, of which there is one at least.
    pub fn tags<S: Into<String>>(mut self, tags: impl IntoIterator<Item = S>) -> Self {
        self.tags = self.some(tags);
        self
    }

    /// Only of jobs of one of these tenants, of which there is one at least.
    pub fn tenants<S: Into<String>>(mut self, tenants: impl IntoIterator<Item = S>) -> Self {
        self.tenants = self.some(tenants);
        self
    }

    /// Only of jobs that one of these has asked for, of whom there is one at least.
    pub fn owners<S: Into<String>>(mut self, owners: impl IntoIterator<Item = S>) -> Self {
        self.owners = self.some(owners);
        self
    }

    /// A list that turns out to be empty does not stand for all.
    fn some<S: Into<String>>(&mut self, names: impl IntoIterator<Item = S>) -> Vec<String> {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        if names.is_empty() {
            let problem = "a route is for none of all tags, tenants or owners";
            self.mistake = Some((problem, "name some, or leave the list out: then it is for all"));
        }
        names
    }

    /// Through this channel. More than one are told independently of each other.
    pub fn to(mut self, channel: impl Into<String>) -> Self {
        self.steps.push(Step { channel: channel.into(), to: None, fallback: false });
        self.escalated = false;
        self
    }

    /// Through this channel if the one before it can not: it has no address there, or what was sent is given up, too large or
    /// nothing that the channel can say.
    pub fn fallback(mut self, channel: impl Into<String>) -> Self {
        if self.steps.is_empty() {
            self.misplaced("a fallback comes behind the channel in whose place it is taken");
        }
        self.steps.push(Step { channel: channel.into(), to: None, fallback: true });
        self.escalated = false;
        self
    }

    /// At this address, for the channel or the escalation that was named last.
    pub fn at(mut self, address: impl Into<String>) -> Self {
        let last = if self.escalated {
            self.escalations.last_mut().map(|escalation| &mut escalation.step)
        } else {
            self.steps.last_mut()
        };
        match last {
            Some(step) => step.to = Some(address.into()),
            None => self.misplaced("an address comes behind its channel"),
        }
        self
    }

    /// Holds messages back from one full hour to another: `.quiet(22, 7)`. They are in UTC, in the [zone](Self::zone) of the route, or in that of the
    /// [person](super::Person) who is told. What is held back is worth sending for as long from then on; what
    /// could not be delivered before, and is tried again, does not wait.
    pub fn quiet(mut self, from: u8, to: u8) -> Self {
        self.quiet = Some(QuietHours::new(from, to));
        self
    }

    /// The time zone of quiet hours, as the IANA database has it: `Europe/Berlin`.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        match &mut self.quiet {
            Some(quiet) => quiet.zone = zone.into(),
            None => self.misplaced("a time zone comes behind its quiet hours"),
        }
        self
    }

    /// Tells of all that comes within this time in one message, at its end; of 1,000 events at most, then there is another.
    pub fn digest(mut self, window: Duration) -> Self {
        self.digest = Some(Digest { window, by: GroupBy::All, most: MOST });
        self
    }

    /// What a digest puts together.
    pub fn group_by(mut self, by: GroupBy) -> Self {
        match &mut self.digest {
            Some(digest) => digest.by = by,
            None => self.misplaced("what is grouped comes behind its digest"),
        }
        self
    }

    /// So many messages, one at least, in so much time to each recipient, and the rest in one at its end: nothing is lost.
    pub fn throttle(mut self, messages: u32, per: Duration) -> Self {
        self.throttle = Some(RateLimit { attempts: messages, per });
        self
    }

    /// Tells somebody else as well: with the last of so many events, or of each event after so much time, unless somebody
    /// [acknowledges](crate::Mediaflow::acknowledge) what was told. It goes to the channel's own address, or to the one that
    /// [`at`](Self::at) says behind it; whom the route tells is not asked.
    pub fn escalate(mut self, after: After, channel: impl Into<String>) -> Self {
        let step = Step { channel: channel.into(), to: None, fallback: false };
        self.escalations.push(Escalation { after, step });
        self.escalated = true;
        self
    }

    /// Whether it tells of this event.
    #[must_use]
    pub fn takes(&self, event: &Event) -> bool {
        let among = |names: &[String], of: Option<&String>| {
            names.is_empty() || of.is_some_and(|of| names.contains(of))
        };
        self.on.contains(&event.kind)
            && self.severity.contains(&event.severity)
            && self.audience.is_none_or(|audience| event.concerns(audience))
            && (self.tags.is_empty() || event.tags.iter().any(|tag| self.tags.contains(tag)))
            && among(&self.tenants, event.tenant.as_ref())
            && among(&self.owners, event.owner.as_ref())
    }

    fn misplaced(&mut self, problem: &'static str) {
        self.mistake = Some((problem, "say it behind what it belongs to"));
    }

    /// All that it says, however it was said.
    #[cfg(test)]
    fn said(self) -> Self {
        Self { escalated: false, ..self }
    }

    /// The channels that it names.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.all_steps().map(|step| &*step.channel)
    }

    /// Those of escalations, too.
    pub(crate) fn all_steps(&self) -> impl Iterator<Item = &Step> {
        let escalations = self.escalations.iter().map(|escalation| &escalation.step);
        self.steps.iter().chain(escalations)
    }
}
