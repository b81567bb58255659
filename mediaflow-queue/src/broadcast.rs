//! Hands events to whoever reads them in this process.
//!
//! Uses: nothing.

use std::sync::Arc;

use mediaflow_core::Event;
use tokio::sync::{Notify, broadcast};

/// Hands events to all readers of this process.
#[derive(Clone, Debug)]
pub(crate) struct EventBroadcast {
    events: broadcast::Sender<Arc<Event>>,
    /// Told of every reader that comes.
    arrived: Arc<Notify>,
}

/// How many events are kept here for readers that fall behind.
const BEHIND: usize = 4096;

impl EventBroadcast {
    pub(crate) fn new() -> Self {
        Self { events: broadcast::channel(BEHIND).0, arrived: Arc::default() }
    }

    pub(crate) fn send(&self, events: Vec<Event>) {
        for event in events {
            // Nobody listening is no error.
            let _ = self.events.send(Arc::new(event));
        }
    }

    /// Events from now on. A reader that falls further behind than is kept here is told so, and reads the tables.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        let events = self.events.subscribe();
        self.arrived.notify_one();
        events
    }

    /// Waits until somebody reads.
    pub(crate) async fn reader_arrived(&self) {
        self.arrived.notified().await;
    }

    pub(crate) fn has_readers(&self) -> bool {
        self.events.receiver_count() > 0
    }
}
