use std::ops::Bound;
use std::time::Duration;

use serde_json::{Value, json};

use super::{After, Route, Step};
use crate::codes;
use crate::event::{Audience, Severity};
use crate::notify::Terms;
use crate::spec::digest::digest;
use crate::suggest::did_you_mean;
use crate::{Error, Result};

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
        if let Some(mistake) = self.mistake {
            return wrong(mistake, "say it behind what it belongs to");
        }
        if self.on.is_empty() {
            return wrong("a route has no events", "name their kinds: `Route::on([JobFailed])`");
        }
        self.concerns_somebody().map_err(with)?;
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
        let bad = |time: Duration| time.is_zero() || time > LONGEST;
        let escalated = self.escalations.iter().map(|escalation| match escalation.after {
            After::Times { within, .. } => ("escalate", within),
            After::Time(time) => ("escalate", time),
        });
        let windows = self.digest.iter().map(|digest| ("digest", digest.window));
        let windows = windows.chain(self.throttle.iter().map(|limit| ("throttle", limit.per)));
        if let Some((word, _)) = windows.chain(escalated).find(|(_, time)| bad(*time)) {
            let problem = "a time of a route is zero or longer than a week";
            let error = Error::input(codes::ROUTE_INVALID, problem).with("word", word);
            return Err(with(error.help("choose one between")));
        }
        if self.digest.is_some() && self.throttle.is_some() {
            return wrong(
                "a route has a digest and a throttle",
                "a throttle is a digest of what is too much: choose one of them",
            );
        }
        if let Some(quiet) = &self.quiet {
            quiet.check().map_err(with)?;
        }
        for channel in self.channels() {
            if channels.iter().all(|(known, _)| *known != channel) {
                let message = format!("there is no notifier `{channel}`");
                let error = Error::input(codes::NOTIFY_UNKNOWN, message);
                let known = channels.iter().map(|(known, _)| *known);
                return Err(with(error.help(did_you_mean(channel, known))));
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

    /// Nobody would ever be told by a route whose people none of its events concerns.
    fn concerns_somebody(&self) -> Result<()> {
        let may = |audience: Audience| self.on.iter().any(|kind| kind.may_concern(audience));
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
