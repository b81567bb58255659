use std::ops::Bound;
use std::time::Duration;

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::{After, Digest, Escalation, GroupBy, MOST, QuietHours, Route, Step};
use crate::event::{Audience, EventKind, Severity};
use crate::notify::RateLimit;
use crate::suggest::did_you_mean;

/// What a route in a configuration can say.
const KEYS: [&str; 12] = [
    "name", "on", "severity", "audience", "tags", "tenants", "owners", "to", "quiet", "digest",
    "throttle", "escalate",
];

/// What stands below a key is read by itself, so that what is wrong in it can be named.
#[derive(Deserialize)]
struct Config {
    name: Option<String>,
    on: Vec<String>,
    /// This one and all that is worse.
    severity: Option<String>,
    audience: Option<String>,
    tags: Option<Vec<String>>,
    tenants: Option<Vec<String>>,
    owners: Option<Vec<String>>,
    to: Value,
    quiet: Option<Value>,
    digest: Option<Value>,
    throttle: Option<Value>,
    escalate: Option<Value>,
}

/// What stands below a key: what else it can say, and how it looks.
trait Part: DeserializeOwned {
    const KEYS: &'static [&'static str];
    const FORM: &'static str;
}

/// A channel, with what takes its place.
#[derive(Deserialize)]
struct Target {
    channel: String,
    #[serde(default, deserialize_with = "address")]
    at: Option<String>,
    fallback: Option<Value>,
}

impl Part for Target {
    const KEYS: &'static [&'static str] = &["channel", "at", "fallback"];
    const FORM: &'static str = r#""email", or { "channel": "email", "fallback": "push" }"#;
}

#[derive(Deserialize)]
struct Fallback {
    channel: String,
    #[serde(default, deserialize_with = "address")]
    at: Option<String>,
}

impl Part for Fallback {
    const KEYS: &'static [&'static str] = &["channel", "at"];
    const FORM: &'static str = r#""push", or { "channel": "push", "at": ".." }"#;
}

#[derive(Deserialize)]
struct Quiet {
    from: u8,
    to: u8,
    zone: Option<String>,
}

impl Part for Quiet {
    const KEYS: &'static [&'static str] = &["from", "to", "zone"];
    const FORM: &'static str = r#"{ "from": 22, "to": 7, "zone": "Europe/Berlin" }"#;
}

#[derive(Deserialize)]
struct Collected {
    #[serde(with = "humantime_text")]
    window: Duration,
    #[serde(default)]
    by: GroupBy,
    #[serde(default = "most")]
    most: u32,
}

impl Part for Collected {
    const KEYS: &'static [&'static str] = &["window", "by", "most"];
    const FORM: &'static str = r#"{ "window": "5m", "by": "tenant", "most": 100 }"#;
}

fn most() -> u32 {
    MOST
}

#[derive(Deserialize)]
struct Throttle {
    messages: u32,
    #[serde(with = "humantime_text")]
    per: Duration,
}

impl Part for Throttle {
    const KEYS: &'static [&'static str] = &["messages", "per"];
    const FORM: &'static str = r#"{ "messages": 5, "per": "1h" }"#;
}

#[derive(Deserialize)]
struct Escalated {
    /// A number of events, or a time.
    after: Value,
    within: Option<String>,
    to: String,
    #[serde(default, deserialize_with = "address")]
    at: Option<String>,
}

impl Part for Escalated {
    const KEYS: &'static [&'static str] = &["after", "within", "to", "at"];
    const FORM: &'static str =
        r#"{ "after": "15m", "to": "pager" }, or { "after": 3, "within": "1h", "to": "pager" }"#;
}

/// An address, which may be a secret: what is none is not shown.
fn address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from);
    text.map_err(|_| D::Error::custom("an address is a text, in quotes"))
}

/// What stands below this key.
fn part<T: Part>(key: &str, value: Value) -> Result<T, String> {
    let Value::Object(map) = &value else {
        return Err(format!("`{key}` looks otherwise: write {}", T::FORM));
    };
    if let Some(unknown) = map.keys().find(|name| !T::KEYS.contains(&&***name)) {
        let help = did_you_mean(unknown, T::KEYS.iter().copied());
        return Err(format!("unknown key `{unknown}` in `{key}`: {help}"));
    }
    serde_json::from_value(value).map_err(|e| format!("in `{key}`: {e}; write {}", T::FORM))
}

/// One or a list of what stands below this key; a text is a channel.
fn several<T: Part>(key: &str, value: Option<Value>) -> Result<Vec<T>, String> {
    let all = match value {
        None => Vec::new(),
        Some(Value::Array(all)) => all,
        Some(one) => vec![one],
    };
    let named = |value: Value| match value {
        Value::String(channel) if T::KEYS.contains(&"channel") => json!({ "channel": channel }),
        other => other,
    };
    all.into_iter().map(|value| part(key, named(value))).collect()
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
        route.name = self.name;
        route = self.tags.into_iter().fold(route, Route::tags);
        route = self.tenants.into_iter().fold(route, Route::tenants);
        route = self.owners.into_iter().fold(route, Route::owners);
        for target in several::<Target>("to", Some(self.to))? {
            let step = Step { channel: target.channel, to: target.at, fallback: false };
            route.steps.push(step);
            for other in several::<Fallback>("fallback", target.fallback)? {
                let step = Step { channel: other.channel, to: other.at, fallback: true };
                route.steps.push(step);
            }
        }
        let quiet = self.quiet.map(|quiet| part::<Quiet>("quiet", quiet)).transpose()?;
        route.quiet = quiet.map(|quiet| {
            let hours = QuietHours::new(quiet.from, quiet.to);
            QuietHours { zone: quiet.zone.unwrap_or(hours.zone.clone()), ..hours }
        });
        let digest = self.digest.map(|digest| part::<Collected>("digest", digest)).transpose()?;
        route.digest = digest.map(|Collected { window, by, most }| Digest { window, by, most });
        let limit = self.throttle.map(|limit| part::<Throttle>("throttle", limit)).transpose()?;
        route.throttle =
            limit.map(|Throttle { messages: attempts, per }| RateLimit { attempts, per });
        for escalation in several::<Escalated>("escalate", self.escalate)? {
            let after = escalation.after()?;
            let step = Step { channel: escalation.to, to: escalation.at, fallback: false };
            route.escalations.push(Escalation { after, step });
        }
        Ok(route)
    }
}

impl Escalated {
    fn after(&self) -> Result<After, String> {
        let wrong = || format!("`after` looks otherwise: write {}", Self::FORM);
        let time = |text: &str| humantime::parse_duration(text).map_err(|_| wrong());
        let after = match &self.after {
            Value::String(text) => After::Time(time(text)?),
            Value::Number(number) => {
                let times = number.as_u64().and_then(|times| u32::try_from(times).ok());
                After::from(times.ok_or_else(wrong)?)
            }
            _ => return Err(wrong()),
        };
        match (&self.within, after) {
            (None, after) => Ok(after),
            (Some(within), After::Times { .. }) => Ok(after.within(time(within)?)),
            (Some(_), After::Time(_)) => {
                Err(format!("`within` is for a number of events: write {}", Self::FORM))
            }
        }
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
