//! Messages that are claimed before there is a place for them.
//!
//! Writing down what came of a few messages, and claiming as many again, takes a database a while, in which the receiver has
//! nothing to do. Where one answers sooner than that, more messages are claimed than it has places for, and each place has some
//! of them, one after the other. Nowhere else: what waits here can be sent by no other process, and what a receiver that works
//! badly has not been sent is given back.

use std::collections::{HashMap, HashSet, VecDeque};

use super::{Claimed, DestinationKey, DestinationState};
use crate::executor::DeliveryPolicy;

/// How many messages each place has behind the one that is under way.
const BEHIND: usize = 3;

/// Messages that wait for their turn, by destination.
#[derive(Debug, Default)]
pub(super) struct Turns {
    waiting: HashMap<DestinationKey, VecDeque<Claimed>>,
    /// Where the last attempt was a quick one.
    quick: HashSet<DestinationKey>,
}

impl Turns {
    /// How many may wait at a destination at most: none unless it is quick, all that is known of it is that it works, and
    /// nothing is to be kept between two messages.
    pub(super) fn most(
        &self,
        key: &DestinationKey,
        state: &DestinationState,
        policy: &DeliveryPolicy,
    ) -> usize {
        let plain = policy.rate.is_none() && !policy.ordered;
        let turns = plain && self.quick.contains(key) && *state == DestinationState::default();
        if turns { policy.concurrency.max(1) * BEHIND } else { 0 }
    }

    /// How many more.
    pub(super) fn free(
        &self,
        key: &DestinationKey,
        state: &DestinationState,
        policy: &DeliveryPolicy,
    ) -> usize {
        let waiting = self.waiting.get(key).map_or(0, VecDeque::len);
        self.most(key, state, policy).saturating_sub(waiting)
    }

    /// Whether messages take turns there.
    pub(super) fn are_taken(&self, key: &DestinationKey) -> bool {
        self.quick.contains(key)
    }

    pub(super) fn wait(&mut self, claimed: Claimed) {
        self.waiting.entry(claimed.destination.clone()).or_default().push_back(claimed);
    }

    /// An attempt has ended well, and whose turn it is now.
    pub(super) fn next(&mut self, key: &DestinationKey, quick: bool) -> Option<Claimed> {
        if !quick {
            self.quick.remove(key);
        } else if !self.quick.contains(key) {
            self.quick.insert(key.clone());
        }
        let waiting = self.waiting.get_mut(key)?;
        let next = waiting.pop_front();
        if waiting.is_empty() {
            self.waiting.remove(key);
        }
        next
    }

    /// Nothing waits there any more.
    pub(super) fn end(&mut self, key: &DestinationKey) -> impl Iterator<Item = Claimed> + use<> {
        self.quick.remove(key);
        self.waiting.remove(key).into_iter().flatten()
    }

    pub(super) fn end_all(&mut self) -> impl Iterator<Item = Claimed> + use<> {
        self.quick.clear();
        std::mem::take(&mut self.waiting).into_values().flatten()
    }

    /// Forgets destinations that nothing is known of any more.
    pub(super) fn look(&mut self, known: impl Fn(&DestinationKey) -> bool) {
        self.quick.retain(|key| known(key));
    }
}
