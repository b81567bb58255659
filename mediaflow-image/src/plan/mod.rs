//! One decode, one pass per rendition.
//!
//! A group of steps is compiled into a graph of *works*, fewer than there were steps: crops, turns and mirrors cost
//! nothing until pixels are made, and are folded into the resize that comes after them; tones are one pass together;
//! equal works are one work. Then the pyramid: a rendition is resized from the smallest other rendition that is at
//! least twice its size, and the source is decoded no larger than the largest of them needs. Last the *passes*: where all
//! that is taken from a source can be made while its rows go by, and the decoder gives rows, its picture is never there as
//! a whole.
//!
//! Uses: codec, formats, ops, pixels, word.

mod compile;
mod estimate;
mod execute;
mod explain;
mod pass;
mod picture;
mod pyramid;
mod schedule;
mod words;
mod work;

use async_trait::async_trait;
use mediaflow_core::backend::{Group, Plan};
use mediaflow_core::plan::{Estimate, Explanation};
use mediaflow_core::wait::Ran;
use mediaflow_core::{Inputs, Result, RunContext};

pub(crate) use words::words;
pub(crate) use work::ImagePlan;

impl ImagePlan {
    /// Plans a group.
    ///
    /// # Errors
    /// `plan.unclaimed` for a step of a kind that is not from here, `plan.encoded` for a step behind an encoder,
    /// `limit.side` for a result that is too large.
    pub(crate) fn new(group: &Group) -> Result<Self> {
        let mut plan = compile::compile(group)?;
        pyramid::build(&mut plan.works);
        schedule::order(&mut plan);
        plan.pass_by();
        Ok(plan)
    }

    /// Takes sources row by row where that takes less memory.
    fn pass_by(&mut self) {
        for (source, members) in pass::possible(self) {
            let whole = estimate::estimate(self).bytes;
            self.join(&members, Some(source));
            if estimate::estimate(self).bytes >= whole {
                self.join(&members, None);
            }
        }
    }

    fn join(&mut self, works: &[usize], pass: Option<usize>) {
        for work in works {
            self.works[*work].pass = pass;
        }
    }
}

#[async_trait]
impl Plan for ImagePlan {
    fn explain(&self) -> Explanation {
        explain::explain(self)
    }

    fn estimate(&self) -> Estimate {
        estimate::estimate(self)
    }

    async fn run(self: Box<Self>, inputs: Inputs, cx: &RunContext) -> Result<Ran> {
        cx.cpu(move |cx| execute::execute(*self, inputs, cx)).await.map(Ran::Done)
    }
}
