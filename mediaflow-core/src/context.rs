//! What running work can see and use: cancellation, deadline, progress, the CPU pool, limits, scratch space.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::media::Scratch;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{CpuPool, Error, Limits, Result};

/// Handed to every plan and operation. Clones share everything.
#[derive(Clone)]
pub struct RunContext {
    shared: Arc<Shared>,
    from: f32,
    to: f32,
    group: Arc<str>,
}

/// Which work it is: of which job, in which attempt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Work {
    /// The job's name; empty outside of a job.
    pub job: String,
    /// The number of the attempt: later ones are higher.
    pub attempt: u64,
    /// The part of the job, from 1; 0 for a job that is made whole.
    pub part: u32,
}

impl Work {
    /// This attempt at a job.
    #[must_use]
    pub fn new(job: impl Into<String>, attempt: u64, part: u32) -> Self {
        Self { job: job.into(), attempt, part }
    }
}

struct Shared {
    limits: Limits,
    cpu: CpuPool,
    scratch: Scratch,
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    work: Work,
    cancel: CancellationToken,
    progress: Mutex<f32>,
    on_progress: Box<dyn Fn(f32) + Send + Sync>,
    warnings: Mutex<Vec<String>>,
    decodes: AtomicU32,
}

impl RunContext {
    /// A context with this pool and scratch folder: see [`RunContextBuilder`].
    pub fn builder(cpu: CpuPool, scratch: Scratch) -> RunContextBuilder {
        RunContextBuilder {
            limits: Limits::default(),
            cpu,
            scratch,
            clock: Arc::new(SystemClock),
            work: Work::default(),
            cancel: CancellationToken::new(),
            on_progress: Box::new(|_| {}),
        }
    }

    /// Fails once the job is cancelled or past its deadline. Every loop over rows, frames or buffers calls this.
    ///
    /// # Errors
    /// `job.cancelled` or `job.deadline`.
    pub fn check(&self) -> Result<()> {
        if self.shared.cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        if self.shared.clock.now() >= self.shared.deadline {
            return Err(Error::limit("job.deadline", "the job did not finish before its deadline")
                .with("deadline", self.shared.deadline)
                .help("give the job a longer deadline, or ask for less in one job"));
        }
        Ok(())
    }

    /// Completes when the job is cancelled or past its deadline, with the error to return.
    pub async fn stopped(&self) -> Error {
        tokio::select! {
            () = self.shared.cancel.cancelled() => {}
            () = self.shared.clock.sleep_until(self.shared.deadline) => {}
        }
        self.check().err().unwrap_or_else(Error::cancelled)
    }

    /// Runs pixel work on the bounded CPU pool, never on the async runtime. Waits for a free place; gives up the wait
    /// when the job is cancelled or past its deadline.
    ///
    /// # Errors
    /// What `work` gives, `job.cancelled`, `job.deadline`, or `op.panicked` if it panics.
    pub async fn cpu<T, F>(&self, work: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> Result<T> + Send + 'static,
    {
        let place = tokio::select! {
            place = self.shared.cpu.place() => place?,
            error = self.stopped() => return Err(error),
        };
        let cx = self.clone();
        let work = move || {
            cx.check()?;
            work(&cx)
        };
        self.shared.cpu.run(place, work).await
    }

    /// Says how far this part is, from 0 to 1. What goes back is ignored: progress only grows.
    pub fn progress(&self, done: f32) {
        let done = if done.is_nan() { 0.0 } else { done.clamp(0.0, 1.0) };
        let total = self.from + (self.to - self.from) * done;
        let mut last = self.shared.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if total > *last {
            *last = total;
            (self.shared.on_progress)(total);
        }
    }

    /// The same context for a part of the work: its progress 0 to 1 is `from` to `to` of this one's.
    #[must_use]
    pub fn part(&self, from: f32, to: f32) -> Self {
        let span = self.to - self.from;
        Self {
            shared: Arc::clone(&self.shared),
            from: self.from + span * from,
            to: self.from + span * to,
            group: Arc::clone(&self.group),
        }
    }

    /// The same context for a group of steps by its name in the job.
    pub(crate) fn of_group(&self, name: &str) -> Self {
        Self { group: name.into(), ..self.clone() }
    }

    /// Which work this is.
    #[must_use]
    pub fn work(&self) -> &Work {
        &self.shared.work
    }

    /// A name for this group of steps in this job, the same in every attempt: for whoever takes work from outside, so that
    /// it is begun once. 1 to 200 letters, digits and `-`.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let Work { job, part, .. } = &self.shared.work;
        format!("{job}-{part}-{}", self.group)
    }

    /// Notes something that the report should say although the work goes on.
    pub fn warn(&self, warning: impl Into<String>) {
        self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(warning.into());
    }

    /// Counts one decode of a source. Every backend calls it where it opens a decoder.
    pub fn count_decode(&self) {
        self.shared.decodes.fetch_add(1, Ordering::Relaxed);
    }

    /// How often a source was decoded so far.
    #[must_use]
    pub fn decodes(&self) -> u32 {
        self.shared.decodes.load(Ordering::Relaxed)
    }

    /// The warnings so far, taken out.
    #[must_use]
    pub fn take_warnings(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.warnings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The limits of the engine.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// The folder for temporary files.
    #[must_use]
    pub fn scratch(&self) -> &Scratch {
        &self.shared.scratch
    }

    /// The moment it is now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The moment when the work has to be done.
    #[must_use]
    pub fn deadline(&self) -> Timestamp {
        self.shared.deadline
    }

    /// The token that cancels the work.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.shared.cancel
    }
}

impl fmt::Debug for RunContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunContext")
            .field("deadline", &self.shared.deadline)
            .finish_non_exhaustive()
    }
}

/// Sets what differs from the defaults.
#[must_use]
pub struct RunContextBuilder {
    limits: Limits,
    cpu: CpuPool,
    scratch: Scratch,
    clock: Arc<dyn Clock>,
    work: Work,
    cancel: CancellationToken,
    on_progress: Box<dyn Fn(f32) + Send + Sync>,
}

impl RunContextBuilder {
    /// With these limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// With this clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// For this work. Default: outside of a job.
    pub fn work(mut self, work: Work) -> Self {
        self.work = work;
        self
    }

    /// Cancelled by this token.
    pub fn cancellation(mut self, cancel: CancellationToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// Tells progress, from 0 to 1, to this function, which must not block.
    pub fn on_progress(mut self, tell: impl Fn(f32) + Send + Sync + 'static) -> Self {
        self.on_progress = Box::new(tell);
        self
    }

    /// The context; its deadline is [`Limits::deadline`] from now unless one is given.
    #[must_use]
    pub fn build(self, deadline: Option<Timestamp>) -> RunContext {
        let deadline = deadline.unwrap_or_else(|| self.clock.now().plus(self.limits.deadline));
        RunContext {
            shared: Arc::new(Shared {
                limits: self.limits,
                cpu: self.cpu,
                scratch: self.scratch,
                clock: self.clock,
                deadline,
                work: self.work,
                cancel: self.cancel,
                progress: Mutex::new(0.0),
                on_progress: self.on_progress,
                warnings: Mutex::default(),
                decodes: AtomicU32::new(0),
            }),
            from: 0.0,
            to: 1.0,
            group: Arc::from(""),
        }
    }
}

impl fmt::Debug for RunContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunContextBuilder").finish_non_exhaustive()
    }
}
