//! Channels by one line, as users of [Apprise](https://github.com/caronc/apprise/wiki) know them, for configuration files
//! and environment variables.
//!
//! ```
//! let chat = mediaflow_notify::from_url("slack://T0123/B0123/secret?on=job.failed&name=team")?;
//! assert_eq!(chat.name(), "team");
//! let mistake = mediaflow_notify::from_url("slakc://T0123/B0123/secret").unwrap_err();
//! assert!(format!("{mistake:?}").contains("slack"));
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! | form | channel |
//! |---|---|
//! | `slack://T0/B0/secret`, `slack://xoxb-token/C0123` | Slack, by webhook or by bot |
//! | `discord://id/token` | Discord |
//! | `workflows://host/workflow/signature` | Microsoft Teams |
//! | `tgram://bot-token/chat` | Telegram |
//! | `gchat://space/key/token` | Google Chat |
//! | `mmost://host/key`, `mmosts://host/key` | Mattermost over HTTP and HTTPS |
//! | `ntfy://topic`, `ntfy://host/topic`, `ntfys://token@host/topic`, `ntfys://user:password@host/topic` | ntfy.sh, or another server over HTTP and HTTPS |
//! | `pover://user@token` | Pushover |
//! | `courier://key/recipient` | Courier |
//! | `mailto://user:password@host?from=..&to=..`, `mailtos://..` | e-mail by SMTP, with STARTTLS and with TLS |
//! | `sns://key/secret/region/topic` | Amazon SNS; `topic` is an ARN |
//! | `ses://from@example.com/key/secret/region/to@example.com` | Amazon SES |
//! | `fcm://project/device?keyfile=..` | Firebase; the file is that of the service account |
//! | `apns://team/key-id/topic/device?keyfile=..` | Apple; the file is the `.p8`. `development=true` for apps that are being developed |
//! | `vapid://contact@host?keyfile=..` | Web Push; the file has the private key. `to=` a subscription, as JSON |
//! | `file:///var/log/told.jsonl`, `file://told.jsonl` | a file, which gets everything, whatever addresses jobs name |
//!
//! After a `?`, each takes `name`, `on` (kinds of events with commas between), `audience`, `locale`, `timeout` in seconds, and
//! `allow_private` (`host:port`). Parts are percent-encoded where they hold `/`, `?`, `@` or `%`.
//!
//! Keys of push services are files: `keyfile` is the path of one, which is read when the channel is built; in its place `key` can be the
//! text of it. Without a device or a subscription, jobs and recipients name theirs.
//!
//! [`ChannelConfig`] is the same for `serde`: the line, and the keys beside it. There a webhook can be named as well: its URL, with its
//! `secret` as one of the keys.
//!
//! Uses: apns, aws, channel, courier, discord, email, fcm, file, `google_chat`, mattermost, ntfy, payload, pushover, slack, teams, telegram, templates, `web_push`, webhook.

mod common;
mod config;
mod parsed;
mod push;
mod schemes;
mod webhook;

use std::sync::Arc;

use mediaflow_core::{Notifier, Result};

use crate::templates::Templates;
use common::Common;
pub use config::ChannelConfig;
use parsed::Parsed;

/// The channel that this line names, with the shipped words.
///
/// # Errors
/// `channel.url`: the scheme or a key is not known, something is missing, or the file of a key can not be read; what the channel
/// itself says of its parts.
/// Nothing of the line but its scheme and the names of its keys is shown.
pub fn from_url(url: &str) -> Result<Arc<dyn Notifier>> {
    from_url_with(url, &Templates::default())
}

/// The channel that this line names, with these words.
///
/// # Errors
/// As [`from_url`].
pub fn from_url_with(url: &str, templates: &Templates) -> Result<Arc<dyn Notifier>> {
    let mut parsed = Parsed::read(url)?;
    let common = Common::take(&mut parsed, templates)?;
    let scheme = parsed.scheme.clone();
    schemes::channel(parsed, &common).map_err(|error| error.with("scheme", scheme))
}
