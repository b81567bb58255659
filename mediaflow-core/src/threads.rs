//! On which threads the work of a context runs.

use std::time::Duration;

use tokio::time::timeout;

use crate::{Error, Result, RunContext, codes};

/// How long work that was stopped may take to end by itself.
const SOON: Duration = Duration::from_millis(100);

impl RunContext {
    /// Runs pixel work on the bounded CPU pool, never on the async runtime. Waits for a free place; gives up the wait
    /// when the job is cancelled or past its deadline. Work that does not end by itself then, within a tenth of a second, is left
    /// behind: a library in the middle of a call. It keeps its place, and what its context holds, to its end.
    ///
    /// # Errors
    /// What `work` gives, `job.cancelled`, `job.deadline`, or `op.panicked` if it panics.
    pub async fn cpu<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T> + Send + 'static,
    {
        let place = {
            let _waits = self.signs.waits();
            let place = tokio::select! {
                place = self.shared.cpu.place() => place?,
                error = self.stopped() => return Err(error),
            };
            self.signs.give(self.shared.clock.monotonic());
            place
        };
        let cx = self.clone();
        let work = move || {
            let _works = cx.signs.works();
            cx.check()?;
            work(&cx)
        };
        let mut work = std::pin::pin!(self.shared.cpu.run(place, work));
        tokio::select! {
            biased;
            made = &mut work => made,
            error = self.stopped() => timeout(SOON, work).await.unwrap_or(Err(error)),
        }
    }

    /// Runs what waits for a disk, or for somebody else's threads, and computes little: on a thread of its own, without a
    /// place of the CPU pool. It runs to its end even if nobody waits for that.
    ///
    /// # Errors
    /// What `work` gives, or `op.panicked` if it panics.
    pub async fn blocking<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce() -> Result<T> + Send + 'static,
    {
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|e| {
            Err(Error::internal(codes::OP_PANICKED, "the work panicked").because(e))
        })
    }

    /// Does `work` beside what calls this, on another place of the CPU pool, if one is free at this moment; else not at all.
    /// Does it again as long as it returns `true` and nobody else waits for that place. Returns whether it is begun.
    ///
    /// For pieces of one plan that do not need one another: whoever calls this has a place already, does the pieces one after
    /// the other, and has others come and help with one at a time. Nobody waits for `work`, and its panics are its own matter.
    pub fn beside<F>(&self, mut work: F) -> bool
    where
        F: FnMut(&Self) -> bool + Send + 'static,
    {
        let Some(place) = self.shared.cpu.free_place() else { return false };
        let cx = self.clone();
        let work = move || {
            let _works = cx.signs.works();
            work(&cx)
        };
        self.shared.cpu.repeat(place, work).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::thread;

    use super::*;
    use crate::media::Scratch;
    use crate::{CancellationToken, CpuPool};

    /// The threads of a piece of work and of what it has done beside it, if anything.
    async fn threads(places: usize) -> (thread::ThreadId, Option<thread::ThreadId>) {
        let scratch = Scratch::in_folder(std::env::temp_dir());
        let cx = RunContext::builder(CpuPool::new(places), scratch).build(None);
        let both = cx.cpu(|cx| {
            let (sender, other) = mpsc::channel();
            let begun = cx.beside(move |_| {
                sender.send(thread::current().id()).unwrap();
                false
            });
            Ok((thread::current().id(), begun.then(|| other.recv().unwrap())))
        });
        both.await.unwrap()
    }

    #[tokio::test]
    async fn work_is_done_beside_other_work_where_a_place_is_free() {
        let (first, second) = threads(2).await;
        assert!(second.is_some_and(|second| second != first));
        assert_eq!(threads(1).await.1, None);
    }

    #[tokio::test]
    async fn work_that_does_not_look_is_left_behind_with_its_place() {
        let scratch = Scratch::in_folder(std::env::temp_dir());
        let cancel = CancellationToken::new();
        let context = RunContext::builder(CpuPool::new(1), scratch).cancellation(cancel.clone());
        let cx = context.build(None);
        let (ends, end) = mpsc::channel::<()>();
        let stop = cancel.clone();
        let work = cx.cpu(move |_| {
            stop.cancel();
            let _ended = end.recv();
            Ok(())
        });
        assert_eq!(work.await.unwrap_err().code(), "job.cancelled");
        assert!(cx.shared.cpu.free_place().is_none());
        drop(ends);
        let _place = cx.shared.cpu.place().await.unwrap();
    }

    #[tokio::test]
    async fn what_panics_beside_other_work_leaves_its_place() {
        let scratch = Scratch::in_folder(std::env::temp_dir());
        let cx = RunContext::builder(CpuPool::new(2), scratch).build(None);
        let begun = cx.cpu(|cx| Ok(cx.beside(|_| panic!("beside")))).await.unwrap();
        assert!(begun);
        // Both places are had again, whenever that is.
        let pool = &cx.shared.cpu;
        let (_one, _other) = (pool.place().await.unwrap(), pool.place().await.unwrap());
    }

    #[tokio::test]
    async fn who_helps_gives_way_between_two_pieces() {
        let scratch = Scratch::in_folder(std::env::temp_dir());
        let cx = RunContext::builder(CpuPool::new(2), scratch).build(None);
        let (begins, begun) = tokio::sync::oneshot::channel();
        let (ends, end) = mpsc::channel::<()>();
        let first = cx.cpu(move |cx| {
            // It would go on for ever.
            let _told = begins.send(cx.beside(|_| true));
            let _ended = end.recv();
            Ok(())
        });
        let other = async {
            assert!(begun.await.unwrap());
            let done = cx.cpu(|_| Ok(())).await;
            drop(ends);
            done
        };
        let (first, other) = tokio::join!(first, other);
        first.unwrap();
        other.unwrap();
    }
}
