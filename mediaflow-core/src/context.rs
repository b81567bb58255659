//! What running work can see and use: cancellation, deadline, progress, the CPU pool, limits, scratch space.

use std::any::Any;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::codes;
use crate::media::Scratch;
use crate::signs::Signs;
use crate::time::{Clock, SystemClock, Timestamp};
use crate::{CpuPool, Error, Limits, Result};

/// Handed to every plan and operation. Clones share everything.
#[derive(Clone)]
pub struct RunContext {
    pub(crate) shared: Arc<Shared>,
    /// Ends with the job's, or earlier.
    cancel: CancellationToken,
    pub(crate) signs: Arc<Signs>,
    from: f32,
    to: f32,
    /// Others make progress at the same time.
    beside: Option<Arc<Beside>>,
    group: Arc<str>,
    /// Kept as long as anything goes on that was given this context, or a clone of it.
    _held: Option<Arc<dyn Any + Send + Sync>>,
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

pub(crate) struct Shared {
    limits: Limits,
    pub(crate) cpu: CpuPool,
    scratch: Scratch,
    pub(crate) clock: Arc<dyn Clock>,
    /// How long the work may take, and until when by the clock's monotonic reading.
    allowed: Duration,
    deadline: Duration,
    /// By how much that is later, because the work could not begin or go on.
    waited: Mutex<Waited>,
    work: Work,
    progress: Mutex<f32>,
    on_progress: Box<dyn Fn(f32) + Send + Sync>,
    warnings: Mutex<Vec<String>>,
    decodes: AtomicU32,
}

/// How long all that goes on of some work has waited for its turn: time in which a part of it works is none of that.
#[derive(Default)]
struct Waited {
    before: Duration,
    /// The moment up to which `before` counts.
    upto: Duration,
    waiting: usize,
    working: usize,
}

impl Waited {
    fn so_far(&self, now: Duration) -> Duration {
        let waits = self.waiting > 0 && self.working == 0;
        let more = if waits { now.saturating_sub(self.upto) } else { Duration::ZERO };
        self.before.saturating_add(more)
    }
}

/// A part of the work waits for its turn, or works, until this is dropped.
pub(crate) struct Counted {
    shared: Arc<Shared>,
    works: bool,
}

impl Counted {
    fn new(shared: &Arc<Shared>, works: bool) -> Self {
        let counted = Self { shared: Arc::clone(shared), works };
        counted.change(|count| *count += 1);
        counted
    }

    fn change(&self, change: impl FnOnce(&mut usize)) {
        let now = self.shared.clock.monotonic();
        let mut waited = self.shared.waited.lock().unwrap_or_else(PoisonError::into_inner);
        (waited.before, waited.upto) = (waited.so_far(now), now);
        change(if self.works { &mut waited.working } else { &mut waited.waiting });
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.change(|count| *count -= 1);
    }
}

impl RunContext {
    /// A context with this pool and scratch folder: see [`RunContextBuilder`].
    pub fn builder(cpu: CpuPool, scratch: Scratch) -> RunContextBuilder {
        RunContextBuilder {
            limits: Limits::default(),
            cpu,
            scratch,
            clock: Arc::new(SystemClock::default()),
            work: Work::default(),
            cancel: CancellationToken::new(),
            on_progress: Box::new(|_| {}),
        }
    }

    /// Fails once the job is cancelled or past its deadline. Every loop over rows, frames or buffers calls this: it also says
    /// that the work is not stuck (see [`Limits::stall_time`]).
    ///
    /// # Errors
    /// `job.cancelled`, `job.deadline`, or `step.stalled` if it was given up as stuck before.
    pub fn check(&self) -> Result<()> {
        let now = self.shared.clock.monotonic();
        self.signs.give(now);
        self.may_go_on(now)
    }

    /// Completes when the work is to stop, with the error to return: that of [`RunContext::check`].
    pub async fn stopped(&self) -> Error {
        tokio::select! {
            () = self.cancel.cancelled() => {}
            () = self.past_deadline() => {}
        }
        let now = self.shared.clock.monotonic();
        self.may_go_on(now).err().unwrap_or_else(Error::cancelled)
    }

    /// Completes once the deadline is over, which may become later meanwhile.
    async fn past_deadline(&self) {
        loop {
            let deadline = self.deadline();
            self.shared.clock.sleep_until_monotonic(deadline).await;
            if self.deadline() <= deadline {
                return;
            }
        }
    }

    fn deadline(&self) -> Duration {
        let waited = self.shared.waited.lock().unwrap_or_else(PoisonError::into_inner);
        self.shared.deadline.saturating_add(waited.so_far(self.shared.clock.monotonic()))
    }

    /// Waits for its turn. A deadline counts work: it is later by that time, and does not end the wait.
    ///
    /// # Errors
    /// `job.cancelled`.
    pub(crate) async fn turn<T>(&self, turn: impl Future<Output = T>) -> Result<T> {
        let _waits = Counted::new(&self.shared, false);
        tokio::select! {
            come = turn => Ok(come),
            () = self.cancel.cancelled() => Err(Error::cancelled()),
        }
    }

    /// Work goes on until this is dropped: so long the deadline comes nearer, whatever else of the job waits for its turn.
    pub(crate) fn working(&self) -> Counted {
        Counted::new(&self.shared, true)
    }

    /// Completes when this step has given no sign of life for too long, with the error to return; from then on the step is told
    /// to stop. Others of the same job go on.
    pub(crate) async fn stalled(&self) -> Error {
        let (clock, limit) = (&self.shared.clock, self.shared.limits.stall_time);
        self.signs.give(clock.monotonic());
        loop {
            let now = clock.monotonic();
            let due = self.signs.last(now).saturating_add(limit);
            if due <= now {
                break;
            }
            clock.sleep_until_monotonic(due).await;
        }
        self.signs.give_up();
        self.cancel.cancel();
        self.stuck()
    }

    fn may_go_on(&self, now: Duration) -> Result<()> {
        if self.signs.given_up() {
            return Err(self.stuck());
        }
        if self.cancel.is_cancelled() {
            return Err(Error::cancelled());
        }
        if now >= self.deadline() {
            let allowed = humantime::format_duration(self.shared.allowed);
            return Err(Error::limit(
                codes::JOB_DEADLINE,
                "the job did not finish before its deadline",
            )
            .with("deadline", allowed)
            .help("give the job a longer deadline, or ask for less in one job"));
        }
        Ok(())
    }

    fn stuck(&self) -> Error {
        let limit = humantime::format_duration(self.shared.limits.stall_time);
        Error::backend(codes::STEP_STALLED, "the step gave no sign of life and was stopped")
            .with("limit", "stall_time")
            .with("time", limit)
            .help("the file may be damaged; on a busy machine raise `Limits::stall_time`")
    }

    /// Says how far this part is, from 0 to 1. What goes back is ignored: progress only grows.
    pub fn progress(&self, done: f32) {
        self.signs.give(self.shared.clock.monotonic());
        let done = if done.is_nan() { 0.0 } else { done.clamp(0.0, 1.0) };
        let total = self.from + (self.to - self.from) * done;
        if let Some(beside) = &self.beside {
            return beside.progress(total);
        }
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
        Self { from: self.from + span * from, to: self.from + span * to, ..self.clone() }
    }

    /// The same context for each of so many parts that are worked on at the same time: this one's progress is the mean of theirs.
    /// The token stops all of them.
    pub(crate) fn side_by_side(&self, parts: usize, stop: &CancellationToken) -> Vec<Self> {
        let done: Arc<[_]> = (0..parts).map(|_| Mutex::new(0.0)).collect();
        let part = |part| {
            let beside = Beside { whole: self.clone(), done: Arc::clone(&done), part };
            let (cancel, beside) = (stop.clone(), Some(Arc::new(beside)));
            Self { from: 0.0, to: 1.0, beside, cancel, ..self.clone() }
        };
        (0..parts).map(part).collect()
    }

    /// The same context for a step, or a group of steps by its name in the job: it can be stopped alone.
    pub(crate) fn of_group(&self, name: &str) -> Self {
        let (cancel, signs) = (self.cancel.child_token(), Arc::default());
        Self { group: name.into(), cancel, signs, ..self.clone() }
    }

    /// The same context, which keeps this as long as anything goes on in it: what work was given to use is in use until the work
    /// has ended, also if nobody waits for it any more.
    pub(crate) fn holding(&self, held: impl Any + Send + Sync) -> Self {
        Self { _held: Some(Arc::new(held)), ..self.clone() }
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

    /// How long the work may still take; nothing once it is past its deadline.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        self.deadline().saturating_sub(self.shared.clock.monotonic())
    }

    /// Returns after this time, or with the error of [`RunContext::check`] if the work is to stop before.
    pub(crate) async fn sleep(&self, time: Duration) -> Result<()> {
        let until = self.shared.clock.monotonic().saturating_add(time);
        tokio::select! {
            () = self.shared.clock.sleep_until_monotonic(until) => Ok(()),
            error = self.stopped() => Err(error),
        }
    }

    /// The token that cancels the work.
    #[must_use]
    pub fn cancellation(&self) -> &CancellationToken {
        &self.cancel
    }
}

/// Several parts of some work that go on at the same time, and which one of them this is.
struct Beside {
    whole: RunContext,
    done: Arc<[Mutex<f32>]>,
    part: usize,
}

impl Beside {
    /// This part is so far.
    fn progress(&self, done: f32) {
        let read = |part: &Mutex<f32>| *part.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(mine) = self.done.get(self.part) {
            let mut mine = mine.lock().unwrap_or_else(PoisonError::into_inner);
            *mine = mine.max(done);
        }
        self.whole.progress(self.done.iter().map(read).sum::<f32>() / self.done.len() as f32);
    }
}

impl fmt::Debug for RunContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunContext").field("time_left", &self.time_left()).finish_non_exhaustive()
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

    /// The context of work that may take this long; [`Limits::deadline`] unless a time is given. What the machine stands still
    /// for does not count, nor is a clock that is set of any consequence.
    #[must_use]
    pub fn build(self, allowed: Option<Duration>) -> RunContext {
        let allowed = allowed.unwrap_or(self.limits.deadline);
        let deadline = self.clock.monotonic().saturating_add(allowed);
        RunContext {
            shared: Arc::new(Shared {
                limits: self.limits,
                cpu: self.cpu,
                scratch: self.scratch,
                clock: self.clock,
                allowed,
                deadline,
                waited: Mutex::default(),
                work: self.work,
                progress: Mutex::new(0.0),
                on_progress: self.on_progress,
                warnings: Mutex::default(),
                decodes: AtomicU32::new(0),
            }),
            cancel: self.cancel,
            signs: Arc::default(),
            from: 0.0,
            to: 1.0,
            beside: None,
            group: Arc::from(""),
            _held: None,
        }
    }
}

impl fmt::Debug for RunContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunContextBuilder").finish_non_exhaustive()
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests;
