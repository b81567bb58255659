//! Runs the works of a plan, side by side where places are free.

use std::cmp::Reverse;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use mediaflow_core::media::Media;
use mediaflow_core::{Error, Failure, Inputs, Outputs, Result, RunContext, codes};

use super::estimate::{self, estimate};
use super::pass;
use super::picture::{Made, Picture, Results, make};
use super::work::{ImagePlan, Work};
use crate::pixels::srgb;

/// Runs all works: on this thread, and beside it on others for as long as places are free, within the memory that the plan
/// has asked for. A work that fails takes along only those that hang on it.
pub(super) fn execute(plan: ImagePlan, inputs: Inputs, cx: &RunContext) -> Result<Outputs> {
    let run = Arc::new(Execution::new(plan, inputs));
    run.work_through(cx);
    cx.check()?;
    run.outputs(cx)
}

struct Execution {
    plan: ImagePlan,
    inputs: Inputs,
    /// What is asked for: bytes.
    allowed: u64,
    /// How much there is to do from each work to the last that hangs on it: pixels.
    left: Vec<u64>,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    slots: Vec<Slot>,
    /// How often the result of each work will be taken.
    uses: Vec<usize>,
    /// How many works have it now.
    users: Vec<usize>,
    /// What results hold, and what works hold that run now: bytes.
    held: u64,
    running: usize,
    ended: usize,
}

enum Slot {
    Waiting,
    Running,
    Made(Made),
    /// The failure for everybody, the error with its cause for the first who asks.
    Failed(Failure, Option<Error>),
    /// Taken by the last who wanted it.
    Spent,
}

impl Execution {
    fn new(plan: ImagePlan, inputs: Inputs) -> Self {
        let state = State {
            slots: plan.works.iter().map(|_| Slot::Waiting).collect(),
            uses: uses(&plan),
            users: vec![0; plan.works.len()],
            held: 0,
            running: 0,
            ended: 0,
        };
        let (allowed, left) = (estimate(&plan).bytes, left(&plan));
        Self { plan, inputs, allowed, left, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// Does works until none is left, and waits for those that others do.
    fn work_through(self: &Arc<Self>, cx: &RunContext) {
        while cx.check().is_ok() {
            if self.work_once(cx) {
                continue;
            }
            let state = self.lock();
            // One may have become ready meanwhile.
            if self.next(&state).is_some() {
                continue;
            }
            if state.running == 0 {
                return;
            }
            drop(self.changed.wait(state));
        }
    }

    /// Does a work, if one can begin, and has another thread come to help if more can.
    fn work_once(self: &Arc<Self>, cx: &RunContext) -> bool {
        let mut state = self.lock();
        let Some(index) = self.next(&state) else { return false };
        let taken = self.begin(&mut state, index);
        let more = self.next(&state).is_some();
        drop(state);
        if more {
            let run = Arc::clone(self);
            cx.beside(move |cx| cx.check().is_ok() && run.work_once(cx));
        }
        let mut begun = Begun { run: self, index, made: None };
        begun.made = Some(taken.and_then(|taken| self.make(index, taken, cx)));
        drop(begun);
        self.tell(cx);
        true
    }

    /// Does a work, and with a source what is made while its rows go by: gives the results, by index.
    fn make(&self, index: usize, taken: Vec<Picture>, cx: &RunContext) -> Result<Results> {
        let work = &self.plan.works[index];
        if work.pass == Some(index) {
            return pass::run(&self.plan, index, &self.inputs, cx);
        }
        Ok(vec![(index, Ok(make(work, taken, &self.inputs, cx)?))])
    }

    /// A work that can begin: all that it takes from is there, and memory is, unless nothing else runs. Beside others it is the one
    /// behind which most is left to do: the largest encoder is not begun when all others have ended.
    fn next(&self, state: &State) -> Option<usize> {
        let is_there = |index: &usize| {
            matches!(state.slots[*index], Slot::Made(_) | Slot::Failed(..) | Slot::Spent)
        };
        let ready = |index: &usize| {
            matches!(state.slots[*index], Slot::Waiting)
                && self.plan.works[*index].from.iter().all(is_there)
        };
        let mut ready = (0..self.plan.works.len()).filter(ready);
        if state.running == 0 {
            return ready.next();
        }
        let fits = |index: &usize| state.held.saturating_add(self.needs(*index)) <= self.allowed;
        ready.filter(fits).max_by_key(|index| (self.left[*index], Reverse(*index)))
    }

    fn needs(&self, index: usize) -> u64 {
        estimate::needs(&self.plan, index)
    }

    fn begin(&self, state: &mut State, index: usize) -> Result<Vec<Picture>> {
        state.slots[index] = Slot::Running;
        state.running += 1;
        state.held = state.held.saturating_add(self.needs(index));
        let from = &self.plan.works[index].from;
        from.iter().for_each(|from| state.users[*from] += 1);
        from.iter().map(|from| state.take_picture(*from)).collect()
    }

    fn end(&self, index: usize, made: Result<Results>) {
        let work = &self.plan.works[index];
        let mut state = self.lock();
        let is_kept =
            |(made, result): &&(usize, Result<Made>)| result.is_ok() && state.uses[*made] > 0;
        let results = made.iter().flatten().filter(is_kept);
        let kept = results.map(|(made, _)| estimate::result(&self.plan.works[*made])).sum();
        let mut freed = self.needs(index).saturating_sub(kept);
        for from in &work.from {
            state.users[*from] -= 1;
            if state.users[*from] == 0 && state.uses[*from] == 0 {
                freed = freed.saturating_add(estimate::result(&self.plan.works[*from]));
            }
        }
        state.held = state.held.saturating_sub(freed);
        state.running -= 1;
        match made {
            Ok(made) => self.put(&mut state, index, made),
            Err(error) => {
                state.ended += 1;
                state.slots[index] = failed(error, work);
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    fn put(&self, state: &mut State, index: usize, made: Results) {
        let works = self.plan.works.iter().enumerate();
        for (other, _) in works.filter(|(_, work)| work.pass == Some(index)) {
            state.slots[other] = Slot::Spent;
            state.ended += usize::from(made.iter().all(|(made, _)| *made != other));
        }
        for (index, result) in made {
            state.ended += 1;
            state.slots[index] = match result {
                Ok(made) => Slot::Made(made),
                Err(error) => failed(error, &self.plan.works[index]),
            };
        }
    }

    fn tell(&self, cx: &RunContext) {
        let ended = self.lock().ended;
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        cx.progress(ended as f32 / self.plan.works.len() as f32);
    }

    fn outputs(&self, cx: &RunContext) -> Result<Outputs> {
        let mut outputs = Outputs::new();
        let mut failed = Vec::new();
        for (name, index) in &self.plan.exits {
            let taken = self.lock().take(*index);
            let result = match taken {
                Ok(Made::Picture(picture)) => srgb(picture.image, cx).map(Media::from),
                Ok(Made::File(file)) => Ok(file.into()),
                Ok(Made::Facts(facts)) => Ok(facts.into()),
                Err(error) => Err(error),
            };
            if let Err(error) = &result {
                failed.push(Failure::from(error));
            }
            outputs = outputs.and(name, result);
        }
        if failed.len() == self.plan.exits.len()
            && let Some((name, _)) = self.plan.exits.first()
        {
            return outputs.take(name).map(|_| Outputs::new());
        }
        Ok(outputs)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A picture, by value if nobody else wants it: then its pixels can be changed in place.
    fn take_picture(&mut self, index: usize) -> Result<Picture> {
        match self.take(index)? {
            Made::Picture(picture) => Ok(picture),
            Made::File(_) | Made::Facts(_) => {
                Err(Error::internal(codes::PLAN_ENCODED, "a step was given no picture"))
            }
        }
    }

    fn take(&mut self, index: usize) -> Result<Made> {
        self.uses[index] = self.uses[index].saturating_sub(1);
        let last = self.uses[index] == 0;
        let slot = &mut self.slots[index];
        match slot {
            Slot::Failed(failure, error) => {
                Err(error.take().unwrap_or_else(|| failure.clone().into()))
            }
            Slot::Made(made) if !last => Ok(made.clone()),
            Slot::Made(_) => match std::mem::replace(slot, Slot::Spent) {
                Slot::Made(made) => Ok(made),
                Slot::Failed(failure, _) => Err(failure.into()),
                Slot::Waiting | Slot::Running | Slot::Spent => Err(not_there()),
            },
            Slot::Waiting | Slot::Running | Slot::Spent => Err(not_there()),
        }
    }
}

/// A work that runs. It ends with this, also if it panics: nobody waits for it for ever.
struct Begun<'a> {
    run: &'a Execution,
    index: usize,
    made: Option<Result<Results>>,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        let lost = || Err(Error::internal(codes::OP_PANICKED, "the work panicked"));
        self.run.end(self.index, self.made.take().unwrap_or_else(lost));
    }
}

/// How many pixels there are on the longest way from each work to its end.
fn left(plan: &ImagePlan) -> Vec<u64> {
    let mut left: Vec<u64> = plan.works.iter().map(estimate::pixels).collect();
    for index in (0..plan.works.len()).rev() {
        for from in &plan.works[index].from {
            let way = estimate::pixels(&plan.works[*from]).saturating_add(left[index]);
            left[*from] = left[*from].max(way);
        }
    }
    left
}

/// How often the result of each work is taken.
fn uses(plan: &ImagePlan) -> Vec<usize> {
    let mut uses = vec![0; plan.works.len()];
    let taken = plan
        .works
        .iter()
        .flat_map(|work| &work.from)
        .chain(plan.exits.iter().map(|(_, index)| index));
    for index in taken {
        uses[*index] += 1;
    }
    uses
}

fn failed(error: Error, work: &Work) -> Slot {
    let step = work.steps.first().into_iter();
    let error = step.fold(error, |error, step| error.with("step", step));
    Slot::Failed(Failure::from(&error), Some(error))
}

fn not_there() -> Error {
    Error::internal(codes::PLAN_SPENT, "a result was taken too often, or too early")
}
