use std::time::Duration;

use tokio::time::Instant;

/// How soon after a look the next one may follow.
const GAP: Duration = Duration::from_millis(20);

/// How much of the time looking may take, one part in so many: for events that are to be routed, of which few are read
/// however many there are; and for destinations that something waits for, of which all are.
const EVENTS: u32 = 10;
const WAITING: u32 = 50;

/// The same for looks at destinations of which nobody has told anything. They find what another process could not send itself,
/// which can wait a little; and how much longer than usual it may have to, for that.
const UNTOLD: u32 = 400;
const LONGER: u32 = 20;

/// When a dispatcher looks at its store.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) events: Look,
    pub(super) waiting: Look,
    /// When what has run out is looked for again.
    pub(super) expire_at: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        let events = Look::new(EVENTS, EVENTS, 1);
        let waiting = Look::new(WAITING, UNTOLD, LONGER);
        Self { events, waiting, expire_at: Instant::now() }
    }

    /// Nobody has asked for a look since the last ones.
    pub(super) fn fresh(&self) -> bool {
        self.events.fresh && self.waiting.fresh
    }

    pub(super) fn soon(&mut self) {
        self.events.soon();
        self.waiting.soon();
    }

    /// Of new events, or of more than these.
    pub(super) fn told(&mut self, messages: bool) {
        if messages {
            self.soon();
        } else {
            self.events.soon();
        }
    }

    /// Without regard to the last looks.
    pub(super) fn now(&mut self) {
        (self.events.at, self.waiting.at) = (Instant::now(), Instant::now());
    }

    pub(super) fn next(&self) -> Instant {
        self.events.at.min(self.waiting.at)
    }
}

/// When one thing is looked at.
#[derive(Debug)]
pub(super) struct Look {
    share: u32,
    untold: u32,
    longer: u32,
    fresh: bool,
    looked: Instant,
    at: Instant,
    gap: Duration,
}

impl Look {
    fn new(share: u32, untold: u32, longer: u32) -> Self {
        let now = Instant::now();
        Self { share, untold, longer, fresh: false, looked: now, at: now, gap: GAP }
    }

    pub(super) fn is_due(&self) -> bool {
        Instant::now() >= self.at
    }

    fn soon(&mut self) {
        self.fresh = false;
        self.at = self.at.min(self.looked + self.gap);
    }

    pub(super) fn looked(&mut self, began: Instant, every: Duration) {
        self.looked = Instant::now();
        // A single slow look, on a busy machine, is no reason to wait longer than without being told.
        let took = self.looked - began;
        self.gap = (took * self.share).clamp(GAP, every.max(GAP));
        self.at = self.looked + (took * self.untold).clamp(every, every * self.longer);
        self.fresh = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_tells_of_is_looked_at_far_more_rarely() {
        let every = Duration::from_millis(500);
        let mut look = Look::new(WAITING, UNTOLD, LONGER);
        let after = |look: &Look| look.at - look.looked;
        look.looked(Instant::now(), every);
        assert_eq!(after(&look), every, "a quick look");
        look.looked(Instant::now() - Duration::from_millis(10), every);
        assert!(after(&look) >= 8 * every, "{:?}", after(&look));
        look.soon();
        assert!(after(&look) <= every, "{:?}", after(&look));
        look.looked(Instant::now() - Duration::from_secs(1), every);
        assert_eq!(after(&look), every * LONGER);
    }
}
