//! A webhook in a configuration. It has no line: its secret stands beside its URL.

use std::sync::Arc;

use mediaflow_core::{Notifier, Result};

use super::parsed::mistake;

#[cfg(not(feature = "webhook"))]
pub(super) fn webhook(_url: &str, _keys: &[(&str, String)]) -> Result<Arc<dyn Notifier>> {
    Err(mistake("this build has no webhooks").help("enable the feature `webhook`"))
}

#[cfg(feature = "webhook")]
pub(super) fn webhook(url: &str, keys: &[(&str, String)]) -> Result<Arc<dyn Notifier>> {
    use mediaflow_core::did_you_mean;
    use mediaflow_core::notify::IntoNotifier as _;

    use super::common::{kinds_of, seconds_of};
    use crate::Webhook;

    const DIALECTS: [&str; 4] = ["standard", "cloudinary", "zencoder", "tencent"];
    let value = |key: &str| keys.iter().find(|(name, _)| *name == key).map(|(_, value)| &**value);
    let secret = value("secret").ok_or_else(|| {
        mistake("a webhook has a secret")
            .help("give it to its receiver as well")
            .with("key", "secret")
    })?;
    let hook = Webhook::to(url);
    let mut hook = match value("dialect").unwrap_or("standard") {
        "standard" => hook.sign(secret),
        "cloudinary" => hook.cloudinary(secret),
        "zencoder" => hook.zencoder(secret),
        "tencent" => hook.tencent(secret),
        other => {
            let help = did_you_mean(other, DIALECTS);
            return Err(mistake("no webhook has this dialect").with("key", "dialect").help(help));
        }
    };
    for (key, value) in keys {
        hook = match *key {
            "secret" | "dialect" => hook,
            "name" => hook.name(value),
            "on" => hook.on(kinds_of(value)?),
            "timeout" => hook.timeout(seconds_of(value)?),
            "allow_private" => hook.allow_private(value),
            "audience" | "locale" => {
                return Err(mistake("a webhook has no words of its own").with("key", *key));
            }
            _ => return Err(mistake("a webhook has no such key").with("key", *key)),
        };
    }
    hook.into_notifier()
}
