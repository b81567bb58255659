//! How mediaflow tells others: one module and one feature per channel. A notifier makes one attempt and keeps no
//! state; the engine repeats, throttles and gives up.

#[cfg(feature = "webhook")]
pub mod webhook;

#[cfg(feature = "webhook")]
pub use webhook::{Webhook, WebhookNotifier};
