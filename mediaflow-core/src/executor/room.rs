//! How much memory is in use, and who may use more.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

/// Memory of a budget. Work waits for room, first come, first served. What is there already, because work has made it, is
/// counted without waiting; so work that waits can wait for others that wait as well, each holding what it has made. That is
/// why the first in the queue is let in if nobody works, whatever is held: it may take more than the budget then, alone.
#[derive(Clone)]
pub(super) struct Room(Arc<Mutex<State>>);

struct State {
    total: u64,
    used: u64,
    /// Work that goes on.
    working: usize,
    waiting: VecDeque<Waiting>,
    next: u64,
}

struct Waiting {
    number: u64,
    bytes: u64,
    enter: oneshot::Sender<Share>,
}

/// A part of the memory. Given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    room: Room,
    bytes: u64,
    works: bool,
}

impl Room {
    pub(super) fn new(total: u64) -> Self {
        let (used, working, waiting, next) = (0, 0, VecDeque::new(), 0);
        Self(Arc::new(Mutex::new(State { total, used, working, waiting, next })))
    }

    pub(super) fn total(&self) -> u64 {
        self.lock().total
    }

    /// Counts what is there already.
    pub(super) fn hold(&self, bytes: u64) -> Share {
        let mut state = self.lock();
        state.used = state.used.saturating_add(bytes);
        Share { room: self.clone(), bytes, works: false }
    }

    /// Waits until there is room for work.
    pub(super) async fn enter(&self, bytes: u64) -> Share {
        let (place, entered) = {
            let mut state = self.lock();
            let bytes = bytes.min(state.total);
            if state.waiting.is_empty() && state.has_room(bytes) {
                return state.admit(self, bytes);
            }
            let (enter, entered) = oneshot::channel();
            let number = state.next;
            state.next += 1;
            state.waiting.push_back(Waiting { number, bytes, enter });
            (Place { room: self.clone(), number }, entered)
        };
        let share = entered.await;
        drop(place);
        // The sender lives in the queue until it has sent.
        share.unwrap_or_else(|_| self.hold(0))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets in whoever fits, in order.
    fn let_in(&self) {
        let mut unwanted = Vec::new();
        let mut state = self.lock();
        while let Some(first) = state.waiting.front().map(|first| first.bytes) {
            if !state.has_room(first) {
                break;
            }
            let Some(waiting) = state.waiting.pop_front() else { break };
            let share = state.admit(self, waiting.bytes);
            // It comes back if nobody waits any more, and must not be dropped under the lock.
            unwanted.extend(waiting.enter.send(share).err());
        }
        drop(state);
        drop(unwanted);
    }
}

impl State {
    fn has_room(&self, bytes: u64) -> bool {
        self.working == 0 || self.used.saturating_add(bytes) <= self.total
    }

    fn admit(&mut self, room: &Room, bytes: u64) -> Share {
        self.used = self.used.saturating_add(bytes);
        self.working += 1;
        Share { room: room.clone(), bytes, works: true }
    }
}

/// A place in the queue.
struct Place {
    room: Room,
    number: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        let number = self.number;
        let mut state = self.room.lock();
        let before = state.waiting.len();
        state.waiting.retain(|waiting| waiting.number != number);
        let left = state.waiting.len() < before;
        drop(state);
        if left {
            self.room.let_in();
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        state.used = state.used.saturating_sub(self.bytes);
        state.working -= usize::from(self.works);
        drop(state);
        self.room.let_in();
    }
}

impl std::fmt::Debug for Room {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        write!(f, "Room({} of {} bytes, {} at work)", state.used, state.total, state.working)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn what_was_made_is_counted_and_nobody_waits_for_ever() {
        let room = Room::new(100);
        let working = room.enter(60).now_or_never().unwrap();
        let made = room.hold(30);
        assert!(room.enter(20).now_or_never().is_none(), "what is held takes room");
        let mut first = Box::pin(room.enter(20));
        let mut second = Box::pin(room.enter(1));
        assert!((&mut first).now_or_never().is_none());
        assert!((&mut second).now_or_never().is_none(), "first come, first served");
        drop(made);
        let first = first.now_or_never().unwrap();
        let second = second.now_or_never().unwrap();
        drop((working, first, second));
        assert_eq!(format!("{room:?}"), "Room(0 of 100 bytes, 0 at work)");
    }

    #[test]
    fn two_that_hold_all_of_it_go_on_one_after_the_other() {
        let room = Room::new(100);
        let _made = (room.hold(60), room.hold(60));
        let mut one = Box::pin(room.enter(50));
        let mut other = Box::pin(room.enter(50));
        let first = (&mut one).now_or_never().unwrap();
        assert!((&mut other).now_or_never().is_none());
        drop(first);
        assert!(other.now_or_never().is_some());
    }

    #[test]
    fn who_gives_up_holds_up_nobody() {
        let room = Room::new(100);
        let working = room.enter(60).now_or_never().unwrap();
        let mut large = Box::pin(room.enter(90));
        let mut small = Box::pin(room.enter(10));
        assert!((&mut large).now_or_never().is_none());
        assert!((&mut small).now_or_never().is_none());
        drop(large);
        assert!(small.now_or_never().is_some());
        drop(working);
        assert_eq!(format!("{room:?}"), "Room(0 of 100 bytes, 0 at work)");
    }
}
