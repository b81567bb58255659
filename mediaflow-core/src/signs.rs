//! The signs of life of a step: whether it goes on, or is stuck.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a step has given of them. Times are a clock's monotonic readings.
#[derive(Default)]
pub(crate) struct Signs(Mutex<Life>);

#[derive(Default)]
struct Life {
    last: Duration,
    /// How much of it waits for a place on the CPU pool, and how much has one.
    waiting: usize,
    working: usize,
    given_up: bool,
}

impl Signs {
    pub(crate) fn give(&self, now: Duration) {
        let mut life = self.lock();
        life.last = life.last.max(now);
    }

    /// The last one. Who only waits for a place has nothing to show.
    pub(crate) fn last(&self, now: Duration) -> Duration {
        let life = self.lock();
        if life.waiting > 0 && life.working == 0 { now } else { life.last }
    }

    /// Says so that something of it waits for a place, until this is dropped.
    pub(crate) fn waits(self: &Arc<Self>) -> Share {
        self.share(|life| &mut life.waiting)
    }

    /// Says so that something of it has a place.
    pub(crate) fn works(self: &Arc<Self>) -> Share {
        self.share(|life| &mut life.working)
    }

    pub(crate) fn give_up(&self) {
        self.lock().given_up = true;
    }

    pub(crate) fn given_up(&self) -> bool {
        self.lock().given_up
    }

    fn share(self: &Arc<Self>, of: fn(&mut Life) -> &mut usize) -> Share {
        *of(&mut self.lock()) += 1;
        Share { signs: Arc::clone(self), of }
    }

    fn lock(&self) -> MutexGuard<'_, Life> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One piece of a step's work, for as long as this lives.
pub(crate) struct Share {
    signs: Arc<Signs>,
    of: fn(&mut Life) -> &mut usize,
}

impl Drop for Share {
    fn drop(&mut self) {
        *(self.of)(&mut self.signs.lock()) -= 1;
    }
}
