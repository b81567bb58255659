use std::ops::Bound;
use std::time::Duration;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use super::{After, Digest, Escalation, GroupBy, MOST, QuietHours, Route, Step};
use crate::event::{Audience, EventKind, Severity};
use crate::notify::RateLimit;
use crate::suggest::did_you_mean;

/// What a route in a configuration can say.
const KEYS: [&str; 12] = [
    "name", "on", "severity", "audience", "tags", "tenants", "owners", "to", "quiet", "digest",
    "throttle", "escalate",
];

#[derive(Deserialize)]
struct Config {
    name: Option<String>,
    on: Vec<String>,
    /// This one and all that is worse.
    severity: Option<String>,
    audience: Option<String>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    tenants: Vec<String>,
    #[serde(default)]
    owners: Vec<String>,
    to: Several<Target>,
    quiet: Option<QuietConfig>,
    digest: Option<DigestConfig>,
    throttle: Option<ThrottleConfig>,
    #[serde(default)]
    escalate: Several<EscalationConfig>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Several<T> {
    Many(Vec<T>),
    One(T),
}

impl<T> Default for Several<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> Several<T> {
    fn into_vec(self) -> Vec<T> {
        match self {
            Self::Many(many) => many,
            Self::One(one) => vec![one],
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Target {
    Channel(String),
    Full(FullTarget),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullTarget {
    channel: String,
    at: Option<String>,
    #[serde(default)]
    fallback: Several<FallbackTarget>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FallbackTarget {
    Channel(String),
    Full(FullFallback),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullFallback {
    channel: String,
    at: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuietConfig {
    from: u8,
    to: u8,
    zone: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestConfig {
    #[serde(with = "humantime_text")]
    window: Duration,
    #[serde(default)]
    by: GroupBy,
    #[serde(default = "most")]
    most: u32,
}

fn most() -> u32 {
    MOST
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThrottleConfig {
    messages: u32,
    #[serde(with = "humantime_text")]
    per: Duration,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EscalationConfig {
    /// A number of events, or a time.
    after: Value,
    within: Option<String>,
    to: String,
    at: Option<String>,
}

/// Times as `5m`, `36h`.
mod humantime_text {
    use std::time::Duration;

    use serde::de::Error as _;
    use serde::{Deserialize as _, Deserializer};

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let text = String::deserialize(from)?;
        humantime::parse_duration(&text).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let map = Map::deserialize(from)?;
        if let Some(key) = map.keys().find(|key| !KEYS.contains(&&***key)) {
            let help = did_you_mean(key, KEYS);
            return Err(D::Error::custom(format_args!("unknown key `{key}`: {help}")));
        }
        let config: Config =
            serde_json::from_value(Value::Object(map)).map_err(D::Error::custom)?;
        config.route().map_err(D::Error::custom)
    }
}

impl Config {
    fn route(self) -> Result<Route, String> {
        let kinds = self.on.iter().map(|name| known::<EventKind>(name, &EventKind::ALL));
        let mut route = Route::on(kinds.collect::<Result<Vec<_>, _>>()?);
        if let Some(name) = &self.severity {
            let all = [Severity::Debug, Severity::Info, Severity::Warning, Severity::Error];
            route.severity = (Bound::Included(known(name, &all)?), Bound::Unbounded);
        }
        let all = [Audience::Owner, Audience::Admin, Audience::Ops];
        route.audience = self.audience.map(|name| known(&name, &all)).transpose()?;
        (route.name, route.tags, route.tenants, route.owners) =
            (self.name, self.tags, self.tenants, self.owners);
        for target in self.to.into_vec() {
            target.add(&mut route.steps);
        }
        route.quiet = self.quiet.map(|quiet| {
            let hours = QuietHours::new(quiet.from, quiet.to);
            QuietHours { zone: quiet.zone.unwrap_or(hours.zone.clone()), ..hours }
        });
        route.digest = self.digest.map(|digest| Digest {
            window: digest.window,
            by: digest.by,
            most: digest.most.max(1),
        });
        route.throttle = self.throttle.map(|limit| RateLimit::new(limit.messages, limit.per));
        for escalation in self.escalate.into_vec() {
            let after = escalation.after()?;
            let step = Step { channel: escalation.to, to: escalation.at, fallback: false };
            route.escalations.push(Escalation { after, step });
        }
        Ok(route)
    }
}

impl Target {
    fn add(self, steps: &mut Vec<Step>) {
        let full = match self {
            Self::Channel(channel) => {
                FullTarget { channel, at: None, fallback: Several::default() }
            }
            Self::Full(full) => full,
        };
        steps.push(Step { channel: full.channel, to: full.at, fallback: false });
        for fallback in full.fallback.into_vec() {
            let (channel, to) = match fallback {
                FallbackTarget::Channel(channel) => (channel, None),
                FallbackTarget::Full(full) => (full.channel, full.at),
            };
            steps.push(Step { channel, to, fallback: true });
        }
    }
}

impl EscalationConfig {
    fn after(&self) -> Result<After, String> {
        let time = |text: &str| humantime::parse_duration(text).map_err(|e| e.to_string());
        let after = match &self.after {
            Value::String(text) => After::Time(time(text)?),
            Value::Number(number) => {
                let times = number.as_u64().and_then(|times| u32::try_from(times).ok());
                After::from(times.ok_or("`after` is a number of events, or a time such as `15m`")?)
            }
            _ => return Err("`after` is a number of events, or a time such as `15m`".to_owned()),
        };
        Ok(match &self.within {
            Some(within) => after.within(time(within)?),
            None => after,
        })
    }
}

/// A name of those that there are.
fn known<T: Copy + PartialEq + std::str::FromStr + std::fmt::Display>(
    name: &str,
    all: &[T],
) -> Result<T, String> {
    let found = T::from_str(name).ok().filter(|found| all.contains(found));
    found.ok_or_else(|| {
        let names: Vec<_> = all.iter().map(ToString::to_string).collect();
        format!("unknown name `{name}`: {}", did_you_mean(name, names.iter().map(String::as_str)))
    })
}
