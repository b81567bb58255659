//! Messages of several events, and of a channel that takes the place of another, as they arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mediaflow_core::EventKind::{BatchCompleted, JobCancelled, JobCompleted, JobFailed};
use mediaflow_core::notify::{DeliveryContext, Message, Receipt, Route};
use mediaflow_core::{Builder, Event, Notifier, NotifyError, async_trait};

use super::child::note;
use super::world::World;

/// The channel that delivers nothing.
pub(super) const REFUSES: &str = "refuses";

/// A rule that puts together what comes within a second, and one whose first channel refuses everything.
pub(super) fn rules(builder: Builder, folder: &Path) -> Builder {
    let kinds = [JobCompleted, JobFailed, JobCancelled, BatchCompleted];
    let file = |name| Written { name, folder: folder.to_owned() };
    builder
        .notify(file("digests"))
        .notify(file("second"))
        .notify(file(REFUSES))
        .route(Route::on(kinds).name("digest").to("digests").digest(Duration::from_secs(1)))
        .route(Route::on(kinds).name("chain").to(REFUSES).fallback("second"))
}

/// Writes down what it is told: the message and its events, in one line.
#[derive(Debug)]
struct Written {
    name: &'static str,
    folder: PathBuf,
}

#[async_trait]
impl Notifier for Written {
    fn name(&self) -> &str {
        self.name
    }

    fn wants(&self, _event: &Event) -> bool {
        false
    }

    async fn notify(
        &self,
        message: &Message,
        _cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        if self.name == REFUSES {
            return Err(NotifyError::rejected("it refuses everything"));
        }
        let events: Vec<_> = message.events().iter().map(|event| event.id.to_string()).collect();
        note(&self.folder, self.name, &format!("{} {}", message.id, events.join(" ")));
        Ok(Receipt::new())
    }
}

/// What is wrong with composed messages, counted.
#[derive(Debug, Default)]
pub(super) struct Composed {
    /// Events that are in no message.
    pub(super) missing: usize,
    /// Events that are in messages of different names.
    pub(super) doubled: usize,
    /// Messages that had other events when they were sent again.
    pub(super) changed: usize,
    pub(super) details: Vec<String>,
}

/// Every terminal event has arrived in one digest, and through the channel that takes the place of the first.
pub(super) async fn composed(world: &World) -> Composed {
    let find = "SELECT id FROM mediaflow_events
                WHERE kind IN ('job.completed', 'job.failed', 'job.cancelled', 'batch.completed')";
    let told: BTreeSet<_> = world.look.texts(find).await.into_iter().collect();
    let mut found = Composed::default();
    for file in ["digests", "second"] {
        let text = fs::read_to_string(world.folder().join(file)).unwrap_or_default();
        let (mut messages, mut of_event) = (BTreeMap::new(), BTreeMap::<_, BTreeSet<_>>::new());
        for line in text.lines() {
            let (message, events) = line.split_once(' ').unwrap();
            let events: BTreeSet<_> = events.split(' ').collect();
            for event in &events {
                of_event.entry((*event).to_owned()).or_default().insert(message);
            }
            if messages.insert(message, events.clone()).is_some_and(|before| before != events) {
                found.changed += 1;
                found.details.push(format!("{file}: the message {message} has changed"));
            }
        }
        for event in told.iter().filter(|event| !of_event.contains_key(*event)) {
            found.missing += 1;
            found.details.push(format!("{file}: nobody has heard of the event {event}"));
        }
        for (event, messages) in of_event.iter().filter(|(_, messages)| messages.len() > 1) {
            found.doubled += 1;
            found.details.push(format!("{file}: the event {event} is in {messages:?}"));
        }
    }
    found
}
