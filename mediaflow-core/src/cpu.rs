//! The threads of pixel work.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::codes;
use crate::{Error, Result};

/// A bound on how many pieces of pixel work run at once, and the threads that run them. Clones share both.
///
/// On Linux the nice value of these threads is higher by 5 than the process's: work that takes a core for as long as it
/// can get it gives way to whoever is done in a moment, be it a request to the host, this library itself, or a database on
/// the same machine. Where nobody else wants the core it is as fast as without.
#[derive(Clone)]
pub struct CpuPool {
    places: Arc<Semaphore>,
    threads: Arc<Threads>,
}

impl CpuPool {
    /// With this many places, at least one.
    #[must_use]
    pub fn new(places: usize) -> Self {
        let places = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        Self { places, threads: Arc::default() }
    }

    /// With a place for each core that this process may use.
    #[must_use]
    pub fn per_core() -> Self {
        Self::new(thread::available_parallelism().map_or(1, std::num::NonZero::get))
    }

    /// A place, as soon as there is one.
    pub(crate) async fn place(&self) -> Result<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).acquire_owned().await;
        place.map_err(|e| Error::internal(codes::OP_NO_PLACE, "the CPU pool is closed").because(e))
    }

    /// A place that nobody has, and for which nobody waits.
    pub(crate) fn free_place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// Begins `work` on a thread of the pool, in the runtime of whoever calls, and does it again as long as it says so, and as
    /// nobody else waits for the place.
    pub(crate) fn repeat(
        &self,
        place: OwnedSemaphorePermit,
        mut work: impl FnMut() -> bool + Send + 'static,
    ) -> Result<()> {
        let (pool, runtime) = (self.clone(), Handle::try_current());
        let run = move |mut place| {
            let _runtime = runtime.as_ref().map(Handle::enter);
            // The thread is used again, also if the work panics.
            while let Ok(true) = catch_unwind(AssertUnwindSafe(&mut work)) {
                drop(place);
                place = pool.free_place()?;
            }
            Some(place)
        };
        self.threads.start(Work { run: Box::new(run), place })
    }

    /// Does `work` on a thread of the pool, in the runtime of whoever calls, to its end even if nobody waits for that.
    /// The place is free again after it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        place: OwnedSemaphorePermit,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (sender, done) = oneshot::channel();
        let runtime = Handle::current();
        let work = move |place| {
            let _runtime = runtime.enter();
            let made =
                catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(&*panic)));
            // Who has stopped waiting does not mind.
            let _ = sender.send(made);
            Some(place)
        };
        self.threads.start(Work { run: Box::new(work), place })?;
        done.await.unwrap_or_else(|e| {
            Err(Error::internal(codes::OP_PANICKED, "the work was lost").because(e))
        })
    }
}

impl fmt::Debug for CpuPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CpuPool")
            .field("free", &self.places.available_permits())
            .finish_non_exhaustive()
    }
}

struct Work {
    /// Gives the place back, if it still has it.
    run: Box<dyn FnOnce(OwnedSemaphorePermit) -> Option<OwnedSemaphorePermit> + Send>,
    place: OwnedSemaphorePermit,
}

/// Threads that wait for work, at most one for each place. They end with the pool.
#[derive(Default)]
struct Threads {
    idle: Mutex<Vec<Sender<Work>>>,
}

impl Threads {
    /// Gives work to a thread that waits for some, or to a new one.
    fn start(self: &Arc<Self>, work: Work) -> Result<()> {
        let idle = self.lock().pop();
        let work = match idle {
            Some(idle) => match idle.send(work) {
                Ok(()) => return Ok(()),
                Err(unsent) => unsent.0,
            },
            None => work,
        };
        let pool = Arc::downgrade(self);
        let thread = thread::Builder::new().name("mediaflow-cpu".to_owned());
        let started = thread.spawn(move || serve(&pool, work));
        started.map(drop).map_err(|e| {
            Error::transient(codes::OP_NO_THREAD, "the system gives no more threads").because(e)
        })
    }

    /// A thread that waits from now on.
    fn wait(&self) -> Receiver<Work> {
        let (sender, receiver) = mpsc::channel();
        self.lock().push(sender);
        receiver
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sender<Work>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve(pool: &Weak<Threads>, first: Work) {
    give_way();
    let mut next = Ok(first);
    while let Ok(Work { run, place }) = next {
        let place = run(place);
        // It waits before its place is free: whoever takes that finds it.
        let Some(waiting) = pool.upgrade().map(|pool| pool.wait()) else { return };
        drop(place);
        next = waiting.recv();
    }
}

/// Raises the nice value of this thread. Where that can not be done it works as others do.
fn give_way() {
    // On other systems the call is about the whole process.
    #[cfg(target_os = "linux")]
    if let Ok(nice) = rustix::process::getpriority_process(None) {
        let _unchanged = rustix::process::setpriority_process(None, nice.saturating_add(NICER));
    }
}

/// By how much: with 5, a core that both want is theirs for three quarters of the time.
/// <https://man7.org/linux/man-pages/man7/sched.7.html>
#[cfg(target_os = "linux")]
const NICER: i32 = 5;

fn panicked(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    Error::internal(codes::OP_PANICKED, "the work panicked")
        .with("panic", text.unwrap_or_default())
        .help("this is a defect: please report it with the file that caused it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn threads_are_used_again_and_survive_a_panic() {
        let pool = CpuPool::new(1);
        let here = async || {
            let place = pool.place().await.unwrap();
            pool.run(place, || Ok(thread::current().id())).await.unwrap()
        };
        let first = here().await;
        assert_ne!(first, thread::current().id());
        let place = pool.place().await.unwrap();
        let error = pool.run::<()>(place, || panic!("row {}", 7)).await.unwrap_err();
        assert_eq!(error.code(), "op.panicked");
        assert!(error.to_string().contains("row 7"), "{error}");
        assert_eq!(here().await, first);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn pixel_work_gives_way() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let pool = CpuPool::new(2);
        let place = pool.place().await.unwrap();
        let inside = pool.run(place, move || Ok(nice())).await.unwrap();
        assert_eq!(inside, (nice() + NICER).min(19));
    }
}
