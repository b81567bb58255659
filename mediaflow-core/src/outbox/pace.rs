use std::time::Duration;

use tokio::time::Instant;

/// How soon after a look the next one may follow, and how much of the time looking may take: one part in so many.
const GAP: Duration = Duration::from_millis(20);
const SHARE: u32 = 10;

/// When a dispatcher looks at its store.
#[derive(Debug)]
pub(super) struct Pace {
    /// Nobody has asked for a look since the last one.
    pub(super) fresh: bool,
    looked: Instant,
    pub(super) look_at: Instant,
    gap: Duration,
    /// When what has run out is looked for again.
    pub(super) expire_at: Instant,
}

impl Pace {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self { fresh: false, looked: now, look_at: now, gap: GAP, expire_at: now }
    }

    pub(super) fn soon(&mut self) {
        self.fresh = false;
        self.look_at = self.look_at.min(self.looked + self.gap);
    }

    pub(super) fn looked(&mut self, began: Instant, every: Duration) {
        self.looked = Instant::now();
        // A single slow look, on a busy machine, is no reason to wait longer than without being told.
        self.gap = ((self.looked - began) * SHARE).clamp(GAP, every.max(GAP));
        self.look_at = self.looked + every;
        self.fresh = true;
    }
}
