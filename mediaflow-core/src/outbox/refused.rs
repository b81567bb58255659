use std::ops::Range;

use super::ClaimRequest;

/// What is known of a store that has refused an exchange.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refused {
    /// Which of the things to write is next.
    pub(super) turn: usize,
    /// It has taken something since: what it refuses now, it refuses for what that is.
    pub(super) takes: bool,
}

impl Refused {
    /// The one of so many things to write, and of these to claim, that is tried by itself now.
    pub(super) fn part(
        self,
        done: usize,
        routed: usize,
        claims: &mut Vec<ClaimRequest>,
    ) -> (Range<usize>, Range<usize>) {
        let at = self.turn % (done + routed + claims.len()).max(1);
        let one = |from: usize, to: usize| {
            if (from..to).contains(&at) { at - from..at - from + 1 } else { 0..0 }
        };
        let claim = one(done + routed, done + routed + claims.len());
        claims.truncate(claim.end);
        claims.drain(..claim.start);
        (one(0, done), one(done, done + routed))
    }
}
