//! Hands events to whoever reads them in this process.
//!
//! Uses: nothing.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use mediaflow_core::Event;
use tokio::sync::{Notify, broadcast};

/// Hands events to all readers of this process.
#[derive(Clone, Debug)]
pub(crate) struct EventBroadcast {
    events: broadcast::Sender<Event>,
    /// Told of every reader that comes.
    arrived: Arc<Notify>,
}

/// How many events a reader may fall behind.
const BEHIND: usize = 4096;

impl EventBroadcast {
    pub(crate) fn new() -> Self {
        Self { events: broadcast::channel(BEHIND).0, arrived: Arc::default() }
    }

    pub(crate) fn send(&self, events: Vec<Event>) {
        for event in events {
            // Nobody listening is no error.
            let _ = self.events.send(event);
        }
    }

    /// Events from now on. A reader that fell behind gets the end of the stream.
    pub(crate) fn subscribe(&self) -> BoxStream<'static, Event> {
        let events = self.events.subscribe();
        self.arrived.notify_one();
        stream::unfold(events, async |mut events| {
            events.recv().await.ok().map(|event| (event, events))
        })
        .boxed()
    }

    /// Waits until somebody reads.
    pub(crate) async fn reader_arrived(&self) {
        self.arrived.notified().await;
    }

    pub(crate) fn has_readers(&self) -> bool {
        self.events.receiver_count() > 0
    }
}
