use tokio::sync::{Semaphore, SemaphorePermit};

use crate::plan::{CostClass, Estimate};
use crate::{Error, Result, RunContext};

/// One permit stands for this many bytes, so that a semaphore can count terabytes.
const GRAIN: u64 = 64 << 10;

/// What running plans may use together.
pub(crate) struct Capacity {
    grains: Semaphore,
    total: u32,
    /// Places for video work, which uses all cores by itself.
    videos: Semaphore,
}

/// The right to run: memory, and a place in its class. Given back when dropped.
pub(super) struct Admission<'a> {
    _memory: SemaphorePermit<'a>,
    _place: Option<SemaphorePermit<'a>>,
}

impl Capacity {
    /// This many bytes of memory, and places for video work.
    pub(crate) fn new(bytes: u64, videos: usize) -> Self {
        let total = u32::try_from((bytes / GRAIN).max(1)).unwrap_or(u32::MAX);
        Self { grains: Semaphore::new(total as usize), total, videos: Semaphore::new(videos) }
    }

    /// Waits until what is estimated fits beside what runs.
    pub(super) async fn admit(&self, estimate: Estimate, cx: &RunContext) -> Result<Admission<'_>> {
        let grains = u32::try_from(estimate.bytes.div_ceil(GRAIN)).unwrap_or(u32::MAX);
        if grains > self.total {
            let budget = u64::from(self.total) * GRAIN;
            return Err(Error::limit(
                "limit.memory",
                "the work needs more memory than all jobs may use together",
            )
            .with("needs", format_args!("{} MiB", estimate.bytes >> 20))
            .with("budget", format_args!("{} MiB", budget >> 20))
            .help("send a smaller file, or give the engine more with `memory()`"));
        }
        let waiting = async {
            // First the scarcer place, then memory: nobody holds memory while waiting for a place.
            let place = match estimate.class {
                CostClass::Video => Some(self.videos.acquire().await),
                CostClass::Image | CostClass::Remote | CostClass::Other(_) => None,
            };
            (place.transpose(), self.grains.acquire_many(grains).await)
        };
        let closed = |e| Error::transient("engine.stopped", "the engine has stopped").because(e);
        tokio::select! {
            (place, memory) = waiting => {
                Ok(Admission { _memory: memory.map_err(closed)?, _place: place.map_err(closed)? })
            }
            error = cx.stopped() => Err(error),
        }
    }
}
