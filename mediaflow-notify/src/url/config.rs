use std::fmt;
use std::sync::Arc;

use mediaflow_core::{Notifier, Result, did_you_mean};
use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, Visitor};

use super::from_url_with;
use super::webhook::webhook;
use crate::payload::percent_encoded;
use crate::templates::Templates;

/// A channel in a configuration file: its line, and what stands after the `?` there as keys of their own.
///
/// ```
/// use mediaflow_notify::{ChannelConfig, templates::Templates};
///
/// let text = r#"{ "url": "slack://T0/B0/secret", "name": "team", "on": ["job.failed"], "audience": "admin" }"#;
/// let config: ChannelConfig = serde_json::from_str(text)?;
/// assert_eq!(config.notifier(&Templates::default())?.name(), "team");
///
/// // A webhook has a secret, and perhaps a dialect: `cloudinary`, `zencoder` or `tencent`.
/// let text = r#"{ "url": "https://app.example/hooks/media", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" }"#;
/// let config: ChannelConfig = serde_json::from_str(text)?;
/// # #[cfg(feature = "webhook")]
/// assert_eq!(config.notifier(&Templates::default())?.name(), "webhook");
///
/// // A push service has a key, which is a file, `keyfile`, or its text.
/// let text = r#"{ "url": "vapid://ops@app.example", "key": "yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw" }"#;
/// let config: ChannelConfig = serde_json::from_str(text)?;
/// assert_eq!(config.notifier(&Templates::default())?.name(), "web-push");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ChannelConfig {
    url: String,
    keys: Vec<(&'static str, String)>,
}

const KEYS: [&str; 14] = [
    "url",
    "name",
    "on",
    "audience",
    "locale",
    "timeout",
    "allow_private",
    "from",
    "to",
    "key",
    "keyfile",
    "development",
    "secret",
    "dialect",
];

impl ChannelConfig {
    /// The channel, with these words.
    ///
    /// # Errors
    /// As [`from_url`](super::from_url); of a webhook what it says of its secret and its URL.
    pub fn notifier(&self, templates: &Templates) -> Result<Arc<dyn Notifier>> {
        if self.url.starts_with("https://") || self.url.starts_with("http://") {
            return webhook(&self.url, &self.keys);
        }
        let mut url = self.url.clone();
        for (key, value) in &self.keys {
            let before = if url.contains('?') { '&' } else { '?' };
            url = format!("{url}{before}{key}={}", percent_encoded(value));
        }
        from_url_with(&url, templates)
    }
}

impl fmt::Debug for ChannelConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = self.url.split_once("://").map_or("", |(scheme, _)| scheme);
        write!(f, "ChannelConfig({scheme}://[REDACTED])")
    }
}

impl<'de> Deserialize<'de> for ChannelConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Keys)
    }
}

/// The value of a key. One of another form may be a secret that belongs elsewhere, and is not shown.
fn value<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    map: &mut A,
    key: &str,
    form: &str,
) -> Result<T, A::Error> {
    let wrong = |_| A::Error::custom(format_args!("`{key}` looks otherwise: write {form}"));
    map.next_value().map_err(wrong)
}

struct Keys;

impl<'de> Visitor<'de> for Keys {
    type Value = ChannelConfig;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a channel with its `url`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ChannelConfig, A::Error> {
        let (mut url, mut keys) = (None, Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            match KEYS.iter().find(|known| **known == key) {
                Some(&"url") if url.is_some() => return Err(A::Error::duplicate_field("url")),
                Some(&"url") => {
                    url = Some(value::<String, _>(&mut map, "url", "a line, in quotes")?);
                }
                Some(&"on") => {
                    let kinds: Vec<String> = value(&mut map, "on", r#"a list: ["job.failed"]"#)?;
                    keys.push(("on", kinds.join(",")));
                }
                Some(&"timeout") => {
                    let seconds: u64 = value(&mut map, "timeout", "a number of seconds: 15")?;
                    keys.push(("timeout", seconds.to_string()));
                }
                Some(&"development") => {
                    let is: bool = value(&mut map, "development", "`true` or `false`")?;
                    keys.push(("development", is.to_string()));
                }
                Some(known) => keys.push((known, value(&mut map, known, "a text, in quotes")?)),
                None => {
                    // Its value may be a secret, and is not looked at.
                    map.next_value::<IgnoredAny>()?;
                    let help = did_you_mean(&key, KEYS);
                    return Err(A::Error::custom(format_args!("unknown key `{key}`: {help}")));
                }
            }
        }
        let url = url.ok_or_else(|| A::Error::missing_field("url"))?;
        Ok(ChannelConfig { url, keys })
    }
}
