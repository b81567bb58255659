use std::time::Duration;

use tokio::time::Instant;

/// How soon after a look the next one may follow.
const GAP: Duration = Duration::from_millis(20);

/// How much of the time looking may take, one part in so many: for events that are to be routed, of which few are read
/// however many there are; and for destinations that something waits for, of which all are.
const EVENTS: u32 = 10;
const WAITING: u32 = 50;

/// How much longer than usual nobody may look at these without being told, for that.
const LONGER: u32 = 4;

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
        let (events, waiting) = (Look::new(EVENTS, 1), Look::new(WAITING, LONGER));
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
    longer: u32,
    fresh: bool,
    looked: Instant,
    at: Instant,
    gap: Duration,
}

impl Look {
    fn new(share: u32, longer: u32) -> Self {
        let now = Instant::now();
        Self { share, longer, fresh: false, looked: now, at: now, gap: GAP }
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
        self.gap = ((self.looked - began) * self.share).clamp(GAP, every.max(GAP));
        let share = (self.looked - began) * self.share;
        self.at = self.looked + share.clamp(every, every * self.longer);
        self.fresh = true;
    }
}
