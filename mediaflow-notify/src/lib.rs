//! How mediaflow tells others: one module and one feature per channel. A notifier makes one attempt and keeps no
//! state; the engine repeats, throttles and gives up.
//!
//! | channel | feature | |
//! |---|---|---|
//! | [`Webhook`] | `webhook` | Standard Webhooks, or the notifications of Cloudinary, Zencoder or Tencent |
//! | [`Email`] | `email` | SMTP, text and HTML |
//! | [`Ses`] | `ses` | the same mails through Amazon SES |
//! | [`Sns`] | `sns` | topics of Amazon SNS, FIFO among them |
//! | [`Slack`] | `slack` | incoming webhooks, or the Web API with a thread for each job |
//! | [`Discord`] | `discord` | webhooks |
//! | [`Teams`] | `teams` | workflows, adaptive cards |
//! | [`Telegram`] | `telegram` | bots |
//! | [`GoogleChat`] | `google-chat` | webhooks, cards |
//! | [`Mattermost`] | `mattermost` | incoming webhooks; Rocket.Chat, too |
//! | [`Ntfy`] | `ntfy` | ntfy.sh, or one's own server |
//! | [`Pushover`] | `pushover` | |
//! | [`Fcm`] | `fcm` | Firebase Cloud Messaging, HTTP v1 |
//! | [`WebPush`] | `web-push` | browsers, encrypted, with VAPID |
//! | [`Apns`] | `apns` | Apple's devices, by HTTP/2 |
//! | [`Courier`] | `courier` | content, templates, and the older form |
//! | [`File`] | `file` | lines of JSON, for tests and dry runs |
//!
//! All but webhooks speak in words, which are [`templates`] by event, audience and locale, and are built on
//! [`channel`], on which a host can build its own. The page of each channel has an example, its addresses and limits, and what
//! answers mean; what they have in common stands with [`channel`]. Limits, what providers promise, and which independent programs
//! have taken what a channel sends are side by side in the
//! [table of channels](https://github.com/mediaflow-rs/mediaflow/blob/main/mediaflow-notify/CHANNELS.md). A channel can also be named
//! by one line of a configuration: see [`url`].

#[cfg(any(feature = "webhook", feature = "channel"))]
mod answer;
#[cfg(feature = "apns")]
pub mod apns;
#[cfg(any(feature = "ses", feature = "sns"))]
pub mod aws;
#[cfg(feature = "channel")]
pub mod channel;
#[cfg(feature = "courier")]
pub mod courier;
#[cfg(any(feature = "ses", feature = "sns", feature = "web-push"))]
mod digest;
#[cfg(feature = "discord")]
pub mod discord;
#[cfg(feature = "email")]
pub mod email;
#[cfg(feature = "fcm")]
pub mod fcm;
#[cfg(feature = "file")]
pub mod file;
#[cfg(feature = "google-chat")]
pub mod google_chat;
#[cfg(feature = "mattermost")]
pub mod mattermost;
#[cfg(feature = "ntfy")]
pub mod ntfy;
#[cfg(any(feature = "webhook", feature = "channel"))]
#[cfg_attr(
    not(all(feature = "url", feature = "webhook")),
    allow(
        dead_code,
        unreachable_pub,
        unused_imports,
        reason = "each channel alone uses a part of it"
    )
)]
mod payload;
#[cfg(feature = "pushover")]
pub mod pushover;
#[cfg(feature = "slack")]
pub mod slack;
#[cfg(feature = "teams")]
pub mod teams;
#[cfg(feature = "telegram")]
pub mod telegram;
#[cfg(feature = "channel")]
pub mod templates;
#[cfg(feature = "url")]
pub mod url;
#[cfg(feature = "web-push")]
pub mod web_push;
#[cfg(feature = "webhook")]
pub mod webhook;

#[cfg(feature = "apns")]
pub use apns::Apns;
#[cfg(any(feature = "ses", feature = "sns"))]
pub use aws::AwsCredentials;
#[cfg(feature = "ses")]
pub use aws::Ses;
#[cfg(feature = "sns")]
pub use aws::Sns;
#[cfg(feature = "courier")]
pub use courier::Courier;
#[cfg(feature = "discord")]
pub use discord::Discord;
#[cfg(feature = "email")]
pub use email::Email;
#[cfg(feature = "fcm")]
pub use fcm::Fcm;
#[cfg(feature = "file")]
pub use file::File;
#[cfg(feature = "google-chat")]
pub use google_chat::GoogleChat;
#[cfg(feature = "mattermost")]
pub use mattermost::Mattermost;
#[cfg(feature = "ntfy")]
pub use ntfy::Ntfy;
#[cfg(feature = "pushover")]
pub use pushover::Pushover;
#[cfg(feature = "slack")]
pub use slack::Slack;
#[cfg(feature = "teams")]
pub use teams::Teams;
#[cfg(feature = "telegram")]
pub use telegram::Telegram;
#[cfg(feature = "url")]
pub use url::{ChannelConfig, from_url, from_url_with};
#[cfg(feature = "web-push")]
pub use web_push::WebPush;
#[cfg(feature = "webhook")]
pub use webhook::{Webhook, WebhookNotifier};
