use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::event::Audience;
use mediaflow_core::notify::IntoNotifier as _;
use mediaflow_core::{EventKind, Notifier, Result, did_you_mean};

use super::parsed::{Parsed, mistake};
use crate::channel::{Channel, ChannelBuilder};
use crate::templates::Templates;

/// What all channels take.
pub(super) struct Common {
    name: Option<String>,
    on: Option<Vec<EventKind>>,
    audience: Option<Audience>,
    locale: Option<String>,
    timeout: Option<Duration>,
    allow_private: Option<String>,
    templates: Templates,
}

impl Common {
    pub(super) fn take(parsed: &mut Parsed, templates: &Templates) -> Result<Self> {
        Ok(Self {
            name: parsed.take("name"),
            on: parsed.take("on").map(|text| kinds_of(&text)).transpose()?,
            audience: parsed.take("audience").map(|text| audience_of(&text)).transpose()?,
            locale: parsed.take("locale"),
            timeout: parsed.take("timeout").map(|text| seconds_of(&text)).transpose()?,
            allow_private: parsed.take("allow_private"),
            templates: templates.clone(),
        })
    }

    pub(super) fn finish<C: Channel>(
        &self,
        mut builder: ChannelBuilder<C>,
    ) -> Result<Arc<dyn Notifier>> {
        builder = builder.templates(&self.templates);
        if let Some(name) = &self.name {
            builder = builder.name(name);
        }
        if let Some(on) = &self.on {
            builder = builder.on(on.iter().copied());
        }
        if let Some(audience) = self.audience {
            builder = builder.audience(audience);
        }
        if let Some(locale) = &self.locale {
            builder = builder.locale(locale);
        }
        if let Some(timeout) = self.timeout {
            builder = builder.timeout(timeout);
        }
        if let Some(allow_private) = &self.allow_private {
            builder = builder.allow_private(allow_private);
        }
        builder.into_notifier()
    }
}

/// Kinds of events, with commas between.
pub(super) fn kinds_of(text: &str) -> Result<Vec<EventKind>> {
    text.split(',').map(|kind| kind_of(kind.trim())).collect()
}

/// The time for one attempt.
pub(super) fn seconds_of(text: &str) -> Result<Duration> {
    let seconds = text.parse().ok().filter(|seconds| (1..=600).contains(seconds));
    seconds
        .map(Duration::from_secs)
        .ok_or_else(|| mistake("a time is a number of seconds, up to 600").with("key", "timeout"))
}

fn kind_of(name: &str) -> Result<EventKind> {
    let known = EventKind::ALL.iter().find(|kind| kind.as_str() == name);
    known.copied().ok_or_else(|| {
        let help = did_you_mean(name, EventKind::ALL.iter().map(EventKind::as_str));
        mistake("there is no such kind of event").with("key", "on").help(help)
    })
}

fn audience_of(name: &str) -> Result<Audience> {
    match name {
        "owner" => Ok(Audience::Owner),
        "admin" => Ok(Audience::Admin),
        "ops" => Ok(Audience::Ops),
        _ => {
            let help = did_you_mean(name, ["owner", "admin", "ops"]);
            Err(mistake("there is no such audience").with("key", "audience").help(help))
        }
    }
}
