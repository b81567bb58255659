use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mediaflow_core::Event;
use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::outbox::DestinationKey;
use tokio::time::Instant;

use crate::process::Process;

/// Events and messages of a database, as the dispatcher of this process uses them.
pub(crate) struct Outbox {
    pub(super) process: Arc<Process>,
    /// This build, by the events that it can read.
    pub(super) reader: String,
    pub(super) routing: Mutex<Routing>,
}

impl Outbox {
    pub(crate) fn new(process: Arc<Process>) -> Self {
        Self { process, reader: Event::vocabulary(), routing: Mutex::default() }
    }

    /// How messages of a channel are sent: the host's policy under the channel's terms.
    pub(super) fn policy(&self, channel: &str) -> DeliveryPolicy {
        policy_of(&self.process, channel)
    }

    pub(super) fn lock_routing(&self) -> std::sync::MutexGuard<'_, Routing> {
        self.routing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn policy_of(process: &Process, channel: &str) -> DeliveryPolicy {
    let executor = &process.executor;
    let terms = executor.notifier(channel).map(|notifier| notifier.terms()).unwrap_or_default();
    executor.delivery().under(&terms)
}

/// How a destination is written: the channel has no space in its name.
pub(crate) fn to_text(key: &DestinationKey) -> String {
    format!("{} {}", key.channel, key.name)
}

pub(super) fn to_key(text: &str) -> DestinationKey {
    let (channel, name) = text.split_once(' ').unwrap_or((text, ""));
    DestinationKey::new(channel, name)
}

/// What a process knows of its right to route.
#[derive(Debug, Default)]
pub(super) struct Routing {
    /// Until when it has the right, for sure.
    pub(super) until: Option<Instant>,
    /// When to ask again.
    pub(super) ask_at: Option<Instant>,
    /// When events were last looked for that others have left; nothing if there were more of them.
    pub(super) looked: Option<Instant>,
}

/// How much longer a lease is than an attempt may take: time to write down what came of it.
pub(super) const MARGIN: Duration = Duration::from_secs(30);

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("process", &self.process).finish_non_exhaustive()
    }
}
