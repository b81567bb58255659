use std::ops::{Bound, RangeBounds as _};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{After, MOST, Route, Step};
use crate::codes;
use crate::event::{Audience, Event, EventData, EventKind, Severity};
use crate::notify::{Address, Notifier, Terms, unknown};
use crate::spec::digest::digest;
use crate::{Error, Result, Timestamp};

/// No window is longer: messages wait in it.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

impl Route {
    /// Its name, as it was given, or as a digest of its events, people and channels: hours and windows may change without it.
    #[must_use]
    pub fn rule(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let mut digest = digest(&self.described());
            digest.truncate(16);
            format!("route-{digest}")
        })
    }

    fn described(&self) -> Value {
        // Without the address, which can be guessed from a digest.
        let step = |step: &Step| json!([step.channel, step.fallback]);
        let kinds: Vec<_> = self.on.iter().map(|kind| kind.as_str()).collect();
        // What is stored hangs on no name of Rust's.
        let bound = |bound: Bound<Severity>| match bound {
            Bound::Unbounded => json!(null),
            Bound::Included(severity) => json!([severity.as_str(), true]),
            Bound::Excluded(severity) => json!([severity.as_str(), false]),
        };
        let bounds = [bound(self.severity.0), bound(self.severity.1)];
        let steps: Vec<_> = self.steps.iter().map(step).collect();
        let others: Vec<_> = self.escalations.iter().map(|other| step(&other.step)).collect();
        let audience = self.audience.as_ref().map(|audience| audience.as_str().to_owned());
        json!([kinds, bounds, audience, self.tags, self.tenants, self.owners, steps, others])
    }

    /// Whether it can be kept to by a host with these channels, and their terms.
    ///
    /// # Errors
    /// `notify.unknown`: it names a channel that is not there. `route.invalid`, `route.quiet`, `schedule.zone`: the first
    /// mistake in it.
    pub(crate) fn check(&self, channels: &[(&str, Terms)]) -> Result<()> {
        let with = |error: Error| error.with("route", self.rule());
        let wrong = |problem: &'static str, help: &'static str| {
            Err(with(Error::input(codes::ROUTE_INVALID, problem).help(help)))
        };
        if let Some((problem, help)) = self.mistake {
            return wrong(problem, help);
        }
        if self.on.is_empty() {
            return wrong("a route has no events", "name their kinds: `Route::on([JobFailed])`");
        }
        self.has_severities().and_then(|()| self.concerns_somebody()).map_err(with)?;
        if self.steps.is_empty() {
            return wrong("a route has no channel", "name one: `.to(\"email\")`");
        }
        let parts = |c: char| c == '|' || c.is_whitespace() || c.is_control();
        if self.name.as_ref().is_some_and(|name| name.is_empty() || name.contains(parts)) {
            return wrong(
                "the name of a route is empty, or has a blank, a bar or a control character",
                "write `failures-to-owners`",
            );
        }
        if self.all_steps().any(|step| step.to.as_deref() == Some("")) {
            return wrong("an address of a route is empty", "leave it out: then it is looked up");
        }
        if self.repeats() {
            return wrong(
                "a route tells the same channel twice, or has it in its own place",
                "name it once, or say another address behind it: `.at(..)`",
            );
        }
        self.times_and_numbers().map_err(with)?;
        if self.digest.is_some() && self.throttle.is_some() {
            return wrong(
                "a route has a digest and a throttle",
                "a throttle is a digest of what is too much: choose one of them",
            );
        }
        if let Some(quiet) = &self.quiet {
            quiet.check().map_err(with)?;
        }
        for channel in self.all_steps().map(|step| &*step.channel) {
            if channels.iter().all(|(known, _)| *known != channel) {
                return Err(with(unknown(channel, channels.iter().map(|(known, _)| *known))));
            }
        }
        // What they can not deliver is told by nobody.
        let last = self.chains().filter_map(|(_, steps)| steps.last()).map(|step| (step, true));
        let others = self.escalations.iter().map(|escalation| (&escalation.step, false));
        for (step, collects) in last.chain(others) {
            let Some((channel, terms)) = channels.iter().find(|(known, _)| *known == step.channel)
            else {
                continue;
            };
            if let Some(problem) = self.misfit(channel, terms, collects) {
                let help = "leave it out, or say what takes its place: `.fallback(\"email\")`";
                return Err(with(Error::input(codes::ROUTE_INVALID, problem).help(help)));
            }
        }
        Ok(())
    }

    /// Whether its channels take the addresses that it gives them. What they say of one is shown without it.
    ///
    /// # Errors
    /// `route.invalid`.
    pub(crate) fn check_addresses(&self, notifiers: &[Arc<dyn Notifier>]) -> Result<()> {
        for step in self.all_steps() {
            let notifier = notifiers.iter().find(|notifier| notifier.name() == step.channel);
            let (Some(notifier), Some(to)) = (notifier, &step.to) else { continue };
            if let Err(error) = notifier.address(to) {
                let reason = Address::opaque(to).redact(&error.to_string()).into_owned();
                let problem = format!("an address of a route is none of its channel: {reason}");
                let error = Error::input(codes::ROUTE_INVALID, problem);
                return Err(error.with("route", self.rule()).with("channel", &step.channel));
            }
        }
        Ok(())
    }

    /// All of its times and numbers are such as can be waited for and counted.
    fn times_and_numbers(&self) -> Result<()> {
        let escalated = self.escalations.iter().map(|escalation| match escalation.after {
            After::Times { times, within } => ("escalate", times, within),
            After::Time(time) => ("escalate", 1, time),
        });
        let digest = self.digest.iter().map(|digest| ("digest", digest.most, digest.window));
        let throttle = self.throttle.iter().map(|limit| ("throttle", limit.attempts, limit.per));
        for (word, number, time) in digest.chain(throttle).chain(escalated) {
            let (problem, help) = if time.is_zero() || time > LONGEST {
                ("a time of a route is zero or longer than a week", "choose one between".to_owned())
            } else if number == 0 {
                ("a number of a route is zero", "choose one from 1".to_owned())
            } else if word == "digest" && number > MOST {
                ("a message is to tell of too many events", format!("choose {MOST} at most"))
            } else {
                continue;
            };
            return Err(Error::input(codes::ROUTE_INVALID, problem).with("word", word).help(help));
        }
        Ok(())
    }

    /// Whether a recipient would be told of an event twice, or again in place of itself: the same address, or the same look-up
    /// of it, is there twice where all are told, or twice in one chain.
    fn repeats(&self) -> bool {
        let twice = |steps: &[&Step]| {
            let same = |a: &Step, b: &Step| a.channel == b.channel && a.to == b.to;
            (1..steps.len()).any(|at| steps[..at].iter().any(|other| same(other, steps[at])))
        };
        let firsts: Vec<_> = self.chains().filter_map(|(_, steps)| steps.first()).collect();
        twice(&firsts) || self.chains().any(|(_, steps)| twice(&steps.iter().collect::<Vec<_>>()))
    }

    /// Nothing would ever be told by a route that leaves out what its events are.
    fn has_severities(&self) -> Result<()> {
        let all = [Severity::Debug, Severity::Info, Severity::Warning, Severity::Error];
        let wrong = |problem, help| Err(Error::input(codes::ROUTE_INVALID, problem).help(help));
        if !all.iter().any(|severity| self.severity.contains(severity)) {
            let help = "say the least one: `.severity(Severity::Warning..)`".to_owned();
            return wrong("no severity lies in the range of a route", help);
        }
        if self.on.iter().any(|kind| self.takes_of(*kind, None)) {
            return Ok(());
        }
        let are =
            |severity: &&Severity| self.on.iter().any(|kind| kind.severities().contains(severity));
        let are: Vec<_> = all.iter().filter(are).map(ToString::to_string).collect();
        wrong("no event of a route has its severity", format!("they have: {}", are.join(", ")))
    }

    /// Whether any event of a kind has the severity that is told of, and concerns these people.
    fn takes_of(&self, kind: EventKind, audience: Option<Audience>) -> bool {
        let mut event = Event::new(kind, Timestamp::default(), EventData::None);
        let severities = kind.severities().into_iter();
        severities.filter(|severity| self.severity.contains(severity)).any(|severity| {
            event.severity = severity;
            audience.is_none_or(|audience| event.concerns(audience))
        })
    }

    /// Nobody would ever be told by a route whose people none of its events concerns.
    fn concerns_somebody(&self) -> Result<()> {
        let may = |audience| self.on.iter().any(|kind| self.takes_of(*kind, Some(audience)));
        let Some(audience) = self.audience.filter(|audience| !may(*audience)) else {
            return Ok(());
        };
        let all = [Audience::Owner, Audience::Admin, Audience::Ops].into_iter();
        let others: Vec<_> =
            all.filter(|other| may(*other)).map(|other| other.to_string()).collect();
        let help = format!(
            "they concern: {}; without an audience, the channel is told",
            others.join(", ")
        );
        let problem = "no event of a route concerns its audience";
        let error = Error::input(codes::ROUTE_INVALID, problem).with("audience", audience);
        Err(error.help(help))
    }

    /// What a channel can not tell of.
    fn misfit(&self, channel: &str, terms: &Terms, collects: bool) -> Option<String> {
        let several = self.throttle.is_some() || self.digest.is_some_and(|digest| digest.most > 1);
        if collects && several && !terms.digests {
            return Some(format!("`{channel}` can not tell of several events in one message"));
        }
        let kinds = terms.kinds.as_ref()?;
        let kind = self.on.iter().find(|kind| !kinds.contains(kind))?;
        Some(format!("`{channel}` has no notification for `{kind}`"))
    }

    /// The channels that are told independently of each other, each with what takes its place; by the number of the first.
    pub(crate) fn chains(&self) -> impl Iterator<Item = (usize, &[Step])> {
        let steps = &self.steps;
        let firsts = (0..steps.len()).filter(move |at| *at == 0 || !steps[*at].fallback);
        firsts.map(move |first| {
            let more = steps[first + 1..].iter().take_while(|step| step.fallback).count();
            (first, &steps[first..=first + more])
        })
    }
}
