use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::outbox::Outbox;
use super::ring::Ring;
use super::state::State;
use crate::time::Clock;

/// What an engine in memory consists of.
pub(super) struct Inner {
    pub(super) state: Arc<Mutex<State>>,
    /// Wakes the loop that takes jobs.
    pub(super) work: Notify,
    pub(super) outbox: Arc<Outbox>,
    pub(super) ring: Arc<Ring>,
    /// The name of this store among all that there are.
    pub(super) store: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) queue: usize,
}

impl Inner {
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // The state is consistent between statements, so a panic elsewhere does not spoil it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands the events that a change of state has caused to the outbox and to the readers, in order.
    pub(super) fn settle(&self) {
        self.outbox.accept(|| self.lock().take_events());
    }
}
