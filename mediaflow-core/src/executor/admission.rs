use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::machine;
use super::room::{Room, Share};
use crate::codes;
use crate::context::Counted;
use crate::media::{Blob, Media};
use crate::plan::{CostClass, Estimate};
use crate::{Error, Result, RunContext};

/// The budget where nothing is known of the machine.
const USUAL: u64 = 1 << 30;

/// What running plans may use together.
pub(crate) struct Capacity {
    room: Room,
    /// What the machine has: work that needs more than the budget, and less than this, runs alone.
    most: u64,
    /// Places for video work, which uses all cores by itself.
    videos: Arc<Semaphore>,
}

/// The right to run: memory, and a place in its class. Given back when dropped.
pub(super) struct Admission {
    _memory: Share,
    _place: Option<OwnedSemaphorePermit>,
    _works: Counted,
}

impl Capacity {
    /// This many bytes of memory, or half of what this process may use; and places for video work.
    pub(crate) fn new(bytes: Option<u64>, videos: usize) -> Self {
        let machine = machine::memory();
        let bytes = bytes.unwrap_or(machine.map_or(USUAL, |machine| machine / 2));
        let (room, videos) = (Room::new(bytes), Semaphore::new(videos));
        let most = machine.unwrap_or(bytes).max(bytes);
        Self { room, most, videos: Arc::new(videos) }
    }

    /// Waits until what is estimated fits beside what runs. That time does not count against a deadline.
    pub(super) async fn admit(&self, estimate: Estimate, cx: &RunContext) -> Result<Admission> {
        if estimate.bytes > self.most {
            let budget = self.room.total();
            return Err(Error::limit(
                codes::LIMIT_MEMORY,
                "the work needs more memory than this process may use",
            )
            .with("needs", format_args!("{} MiB", estimate.bytes >> 20))
            .with("budget", format_args!("{} MiB", budget >> 20))
            .with("machine", format_args!("{} MiB", self.most >> 20))
            .help("send a smaller file, or give the process more memory"));
        }
        let waiting = async {
            // First the scarcer place, then memory: nobody holds memory while waiting for a place.
            let place = match estimate.class {
                CostClass::Video => Some(Arc::clone(&self.videos).acquire_owned().await),
                CostClass::Image | CostClass::Remote | CostClass::Other(_) => None,
            };
            (place.transpose(), self.room.enter(estimate.bytes).await)
        };
        let closed =
            |e| Error::transient(codes::ENGINE_STOPPED, "the engine has stopped").because(e);
        let (place, memory) = cx.turn(waiting).await?;
        Ok(Admission { _memory: memory, _place: place.map_err(closed)?, _works: cx.working() })
    }

    /// Counts the memory of a result that waits for whoever takes it.
    pub(super) fn hold(&self, media: &Media) -> Share {
        self.room.hold(bytes_of(media))
    }
}

/// What a result takes of memory. Files on a disk take none; what is pulled is counted by who pulls it.
fn bytes_of(media: &Media) -> u64 {
    let in_memory = |blob: &Blob| if blob.path().is_none() { blob.len() } else { 0 };
    match media {
        Media::Image(image) => image.pixels().len() as u64,
        Media::File(file) => in_memory(file.blob()),
        Media::Bundle(bundle) => bundle.files().map(|(_, file)| in_memory(file.blob())).sum(),
        Media::Frames(_) | Media::Audio(_) | Media::Pages(_) | Media::Facts(_) => 0,
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;
    use crate::media::Scratch;
    use crate::testing::{ManualClock, soon};
    use crate::{CancellationToken, CpuPool};

    const ALL: Estimate = Estimate::cpu(1 << 20);

    fn context(clock: &ManualClock, cancel: &CancellationToken) -> RunContext {
        RunContext::builder(CpuPool::new(2), Scratch::in_folder(std::env::temp_dir()))
            .clock(Arc::new(clock.clone()))
            .cancellation(cancel.clone())
            .build(Some(Duration::from_secs(1)))
    }

    #[test]
    fn the_usual_budget_is_half_of_what_there_is() {
        let (usual, given) = (Capacity::new(None, 1), Capacity::new(Some(1 << 20), 1));
        assert_eq!(given.room.total(), 1 << 20);
        if let Some(machine) = machine::memory() {
            assert_eq!(usual.room.total(), machine / 2);
            assert_eq!((usual.most, given.most), (machine, machine));
        }
    }

    #[tokio::test]
    async fn a_deadline_counts_work_and_not_the_wait_for_room() {
        let (clock, cancel) = (ManualClock::new(), CancellationToken::new());
        let (capacity, cx) = (Capacity::new(Some(1 << 20), 1), context(&clock, &cancel));
        let other = context(&clock, &cancel);
        let first = capacity.admit(ALL, &other).await.unwrap();
        let mut waits = std::pin::pin!(capacity.admit(ALL, &cx));
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        // Whoever watches over the attempt counts in the same way.
        let mut stopped = std::pin::pin!(cx.stopped());
        assert!(futures_util::poll!(stopped.as_mut()).is_pending());
        clock.advance(Duration::from_secs(3600));
        assert!(futures_util::poll!(waits.as_mut()).is_pending(), "nor does it end the wait");
        assert!(futures_util::poll!(stopped.as_mut()).is_pending());
        drop(first);
        let _second = soon("room", waits).await.unwrap();
        cx.check().unwrap();
        assert_eq!(cx.time_left(), Duration::from_secs(1));
        clock.advance(Duration::from_secs(2));
        assert_eq!(cx.check().unwrap_err().code(), "job.deadline");

        let mut waits = std::pin::pin!(capacity.admit(ALL, &cx));
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        cancel.cancel();
        let error = soon("end", waits).await.err().unwrap();
        assert_eq!(error.code(), "job.cancelled");
    }

    #[tokio::test]
    async fn a_part_that_waits_leaves_the_deadline_to_those_that_work() {
        let (clock, cancel) = (ManualClock::new(), CancellationToken::new());
        let (capacity, cx) = (Capacity::new(Some(1 << 20), 1), context(&clock, &cancel));
        let works = capacity.admit(ALL, &cx).await.unwrap();
        let mut waits = std::pin::pin!(capacity.admit(ALL, &cx));
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        clock.advance(Duration::from_secs(2));
        assert_eq!(cx.check().unwrap_err().code(), "job.deadline");
        drop(works);
        soon("room", waits).await.unwrap();

        // Two that wait, one after the other: all of the time is none of work.
        let (other, cx) = (context(&clock, &cancel), context(&clock, &cancel));
        let works = capacity.admit(ALL, &other).await.unwrap();
        let mut first = std::pin::pin!(capacity.admit(ALL, &cx));
        assert!(futures_util::poll!(first.as_mut()).is_pending());
        clock.advance(Duration::from_secs(10));
        let mut second = Box::pin(capacity.admit(ALL, &cx));
        assert!(futures_util::poll!(second.as_mut()).is_pending());
        clock.advance(Duration::from_secs(10));
        drop(works);
        drop(soon("room", first).await.unwrap());
        drop(soon("room", second).await.unwrap());
        assert_eq!(cx.time_left(), Duration::from_secs(1));
    }

    #[tokio::test]
    async fn what_goes_on_after_a_stop_keeps_its_room() {
        let (clock, cancel) = (ManualClock::new(), CancellationToken::new());
        let (capacity, cx) = (Capacity::new(Some(1 << 20), 1), context(&clock, &cancel));
        let working = cx.holding(capacity.admit(ALL, &cx).await.unwrap());
        let (begun, began) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let work = tokio::spawn(async move {
            let kernel = move |_: &RunContext| {
                begun.send(()).ok();
                stopped.recv().ok();
                Ok(())
            };
            working.cpu(kernel).await
        });
        tokio::task::spawn_blocking(move || began.recv()).await.unwrap().unwrap();
        work.abort();
        assert!(work.await.unwrap_err().is_cancelled(), "nobody waits for it any more");
        let mut waits = std::pin::pin!(capacity.admit(ALL, &cx));
        assert!(futures_util::poll!(waits.as_mut()).is_pending(), "it still uses its memory");
        drop(stop);
        soon("room", waits).await.unwrap();
    }

    #[tokio::test]
    async fn what_fits_the_machine_runs_alone() {
        let (clock, cancel) = (ManualClock::new(), CancellationToken::new());
        let (capacity, cx) = (Capacity::new(Some(1 << 20), 1), context(&clock, &cancel));
        if machine::memory().is_some_and(|machine| machine > 1 << 22) {
            let alone = capacity.admit(Estimate::cpu(1 << 22), &cx).await.unwrap();
            let mut other = std::pin::pin!(capacity.admit(Estimate::cpu(1), &cx));
            assert!(futures_util::poll!(other.as_mut()).is_pending());
            drop(alone);
            soon("room", other).await.unwrap();
        }
        let error = capacity.admit(Estimate::cpu(1 << 60), &cx).await.err().unwrap();
        assert_eq!(error.code(), "limit.memory");
    }
}
