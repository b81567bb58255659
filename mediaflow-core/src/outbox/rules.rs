use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::DestinationKey;
use super::message::{Collect, Escalates, NewMessage, NextStep, behind};
use crate::event::{Audience, Event};
use crate::executor::Executor;
use crate::notify::{
    Address, After, GroupBy, MOST, Person, QuietHours, Recipient, Route, Step, Whom,
};
use crate::spec::digest::digest;
use crate::{MessageId, Result, Timestamp};

/// The people of the audiences of an event's routes.
pub(super) type People = Vec<(Audience, Arc<Vec<Person>>)>;

/// Finds the people whom these routes tell of an event. What was found within a minute is not asked for again.
pub(super) async fn people(
    executor: &Executor,
    event: &Event,
    routes: &[&Route],
    now: Timestamp,
) -> Result<People> {
    let mut people = People::new();
    for audience in routes.iter().filter_map(|route| route.audience) {
        if people.iter().all(|(known, _)| *known != audience) {
            people.push((audience, executor.people(&Whom::of(event, audience), now).await?));
        }
    }
    Ok(people)
}

/// The message for a recipient of a notifier's own rule, whose time to live counts from then; none if its channel is that of
/// another process, which routes for it.
pub(super) fn of_recipient(
    executor: &Executor,
    event: &Event,
    recipient: Recipient,
    from: Timestamp,
) -> Option<NewMessage> {
    let Recipient { channel, to, thread } = recipient;
    let Some(place) = Place::find(executor, event, &channel, to) else {
        tracing::warn!(event = %event.id, channel, "a recipient is of a channel that is not there");
        return None;
    };
    Some(NewMessage { thread, ..place.message(event, channel, 0, from) })
}

/// The messages of a route for an event, which it takes, at this moment; their time to live counts from another.
pub(super) fn of_route(
    executor: &Executor,
    event: &Event,
    route: &Route,
    people: &People,
    (from, now): (Timestamp, Timestamp),
) -> Vec<NewMessage> {
    let found = people.iter().find(|(audience, _)| Some(*audience) == route.audience);
    let found = found.map(|(_, people)| &***people).unwrap_or_default();
    let told: Vec<_> = found.iter().filter(|person| !person.muted).map(Some).collect();
    let told = if found.is_empty() { vec![None] } else { told };
    let rule = route.rule();
    let rule = &*rule;
    let others = || Teller { executor, event, route, rule, person: None, quiet: None, from, now };
    let tellers = told.into_iter().map(|person| {
        let zone = person.and_then(|person| person.zone.as_deref());
        let quiet = route.quiet.as_ref().map(|quiet| quiet.in_zone(zone));
        Teller { person, quiet, ..others() }
    });
    let tellers: Vec<_> = tellers.collect();
    let mut messages = Vec::new();
    for teller in &tellers {
        for (first, steps) in route.chains() {
            let chain = teller.chain(first, steps);
            messages.extend(chain.into_iter().map(|message| (teller, message)));
        }
    }
    once(&mut messages);
    let settled = messages.into_iter().map(|(teller, mut message)| {
        teller.settle(&mut message);
        message
    });
    let mut messages: Vec<_> = settled.collect();
    others().escalations(&mut messages);
    messages
}

/// Nobody is told twice by one route: neither by two channels at the same address, or as two persons, nor in place of another
/// one who is told as well.
fn once(messages: &mut Vec<(&Teller<'_>, NewMessage)>) {
    let mut told = HashSet::new();
    messages.retain(|(_, message)| {
        let to = (message.destination.channel.clone(), message.recipient.clone());
        message.refused.is_some() || told.insert(to)
    });
    for (_, message) in messages {
        message.next.retain(|next| !told.contains(&(next.channel.clone(), next.recipient.clone())));
    }
}

/// Writes the messages of one route for one person, or for whoever is configured.
struct Teller<'a> {
    executor: &'a Executor,
    event: &'a Event,
    route: &'a Route,
    rule: &'a str,
    person: Option<&'a Person>,
    quiet: Option<QuietHours>,
    from: Timestamp,
    now: Timestamp,
}

impl Teller<'_> {
    fn chain(&self, first: usize, steps: &[Step]) -> Vec<NewMessage> {
        let (mut places, mut messages) = (Vec::new(), Vec::new());
        for (number, step) in steps.iter().enumerate() {
            let addresses = self.addresses(step);
            if addresses.is_empty() {
                tracing::debug!(event = %self.event.id, rule = self.rule, channel = step.channel, "nobody is told through a channel: there is no address");
            }
            let number = u32::try_from(first + number).unwrap_or(u32::MAX);
            let found = addresses.into_iter().filter_map(|to| {
                let place = Place::find(self.executor, self.event, &step.channel, to)?;
                Some((number, place))
            });
            let found: Vec<_> = found.collect();
            if !found.is_empty() {
                places.push(found);
            }
        }
        let mut places = places.into_iter().peekable();
        let firsts = loop {
            let Some(mut firsts) = places.next() else {
                self.unreached();
                return messages;
            };
            if places.peek().is_some() && firsts.iter().all(|(_, place)| place.refused.is_some()) {
                // It is told of, and what takes its place begins at once.
                let given_up = firsts.drain(..).map(|(step, place)| self.message(place, step));
                messages.extend(given_up);
                continue;
            }
            break firsts;
        };
        let next = places.flatten().filter(|(_, place)| place.refused.is_none());
        let next: Vec<_> = next.map(|(step, place)| self.next(step, place)).collect();
        let recipients: Vec<_> = firsts.iter().map(|(_, place)| place.recipient()).collect();
        for (step, place) in firsts {
            let mut message = self.message(place, step);
            message.next = behind(&next, &recipients, &message.recipient);
            messages.push(message);
        }
        messages
    }

    /// Somebody is told through no channel of the route. That may be as it should be, but for a channel that nobody knows.
    fn unreached(&self) {
        let Some(person) = self.person else { return };
        let known = |channel: &&String| self.executor.notifier(channel).is_ok();
        if let Some(channel) = person.addresses.keys().find(|channel| !known(channel)) {
            tracing::warn!(person = person.id, channel, rule = self.rule, event = %self.event.id, "somebody is not told: their address is for a channel that is not there");
        }
    }

    fn message(&self, place: Place, step: u32) -> NewMessage {
        // A service may know repetitions by it among all that it is given, and one event is told to several.
        let id = MessageId::new();
        NewMessage { id, ..place.message(self.event, self.rule.to_owned(), step, self.from) }
    }

    /// The addresses that a step has: `None` is the notifier's own.
    fn addresses(&self, step: &Step) -> Vec<Option<String>> {
        if let Some(to) = &step.to {
            return vec![Some(to.clone())];
        }
        let of_owner = self.route.audience == Some(Audience::Owner);
        let named = self.event.notify.iter().filter(|target| target.channel == step.channel);
        let named: Vec<_> = named.map(|target| target.to.clone()).collect();
        // What a job says is for those who asked for it, or for whoever is told without more words.
        let by_job = of_owner || self.route.audience.is_none();
        if let Some(person) = self.person {
            let wanted = person.only.as_ref().is_none_or(|only| only.contains(&step.channel));
            let by_job: Vec<_> =
                named.into_iter().filter(|to| by_job && wanted && to.is_some()).collect();
            if !by_job.is_empty() {
                return by_job;
            }
            return person
                .address(&step.channel)
                .map(|to| Some(to.to_owned()))
                .into_iter()
                .collect();
        }
        if of_owner {
            // Nobody else's address is the owner's.
            return named.into_iter().filter(Option::is_some).collect();
        }
        if by_job && !named.is_empty() { named } else { vec![None] }
    }

    fn next(&self, step: u32, place: Place) -> NextStep {
        let recipient = place.recipient();
        NextStep {
            step,
            channel: place.destination.channel,
            destination: place.destination.name,
            recipient,
            address: place.address,
            thread: place.thread,
            worth: u64::try_from(place.worth.as_millis()).unwrap_or(u64::MAX),
            quiet: self.quiet.clone(),
            beside: Vec::new(),
        }
    }

    /// When it is sent, to whom it speaks, and what it comes together with.
    fn settle(&self, message: &mut NewMessage) {
        message.audience = self.route.audience;
        message.locale = self.person.and_then(|person| person.locale.clone());
        let mut due = self.now;
        if message.refused.is_some() {
            return;
        }
        if let Some(digest) = &self.route.digest {
            due = due.plus(digest.window);
            if digest.by != GroupBy::Job {
                message.leave_thread();
            }
            message.collect = Some(Collect {
                key: key(digest.by.of(self.event), &message.next),
                most: digest.most,
                unless: None,
                quiet: self.quiet.clone(),
            });
        }
        if let Some(limit) = self.route.throttle {
            let quiet = self.quiet.clone();
            let unless = Some(limit);
            let key = key(String::new(), &message.next);
            let collect = Collect { key, most: MOST, unless, quiet };
            message.collect = Some(collect);
        }
        if let Some(quiet) = &self.quiet {
            due = quiet.after(due);
        }
        // What is too old is not held back to be told later.
        if due > self.now && message.expires_at > self.now {
            message.hold_until(due, self.now);
        }
    }

    fn escalations(&self, messages: &mut Vec<NewMessage>) {
        for (number, escalation) in self.route.escalations.iter().enumerate() {
            let step = u32::try_from(self.route.steps.len() + number).unwrap_or(u32::MAX);
            let (channel, to) = (&escalation.step.channel, escalation.step.to.clone());
            let Some(place) = Place::find(self.executor, self.event, channel, to) else {
                continue;
            };
            let mut message = self.message(place, step);
            match escalation.after {
                After::Time(time) => {
                    message.hold_until(self.event.time.plus(time).max(self.now), self.now);
                    message.escalates = Some(Escalates::Time);
                }
                After::Times { times, within } => {
                    message.escalates = Some(Escalates::Times { times, within });
                }
            }
            messages.push(message);
        }
    }
}

/// What comes together, of this group: what takes the place of the message is for all of its events, so that nobody is told what
/// only another one's job has for them.
fn key(group: String, next: &[NextStep]) -> String {
    if next.is_empty() {
        return group;
    }
    let told = |next: &NextStep| json!([next.step, next.channel, next.recipient, next.beside]);
    let mut told = digest(&next.iter().map(told).collect());
    told.truncate(16);
    format!("{group} {told}")
}

/// Where a message goes, and on which terms.
struct Place {
    destination: DestinationKey,
    address: Option<Address>,
    refused: Option<String>,
    thread: Option<String>,
    worth: Duration,
}

impl Place {
    /// None if there is no such channel here.
    fn find(executor: &Executor, event: &Event, channel: &str, to: Option<String>) -> Option<Self> {
        let notifier = executor.notifier(channel).ok()?;
        let terms = notifier.terms();
        let (address, refused) = match to.map(|to| (notifier.address(&to), to)) {
            None => (None, None),
            Some((Ok(address), _)) => (Some(address), None),
            Some((Err(error), to)) => {
                let address = Address::opaque(to);
                let reason = address.redact(&error.to_string()).into_owned();
                tracing::warn!(event = %event.id, channel, reason, "a recipient can not be told");
                (Some(address), Some(reason))
            }
        };
        let own = if address.is_none() { notifier.own_address() } else { None };
        let destination =
            DestinationKey::of(channel, address.as_ref().or(own.as_ref()), terms.scope);
        let of_job = event.job.filter(|_| terms.threads).map(|job| job.to_string());
        Some(Self {
            destination,
            address,
            refused,
            thread: of_job,
            worth: terms.time_to_live.unwrap_or(executor.delivery().time_to_live),
        })
    }

    /// Who is told: a digest of the address, empty for the notifier's own.
    fn recipient(&self) -> String {
        self.address.as_ref().map(Address::digest).unwrap_or_default()
    }

    fn message(self, event: &Event, rule: String, step: u32, from: Timestamp) -> NewMessage {
        NewMessage {
            id: event.id.into(),
            recipient: self.recipient(),
            rule,
            step,
            group: event.id.to_string(),
            destination: self.destination,
            address: self.address,
            thread: self.thread,
            audience: None,
            locale: None,
            due: None,
            expires_at: from.plus(self.worth),
            at_once: false,
            refused: self.refused,
            collect: None,
            escalates: None,
            next: Vec::new(),
        }
    }
}
