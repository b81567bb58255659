use super::attempted::Suspended;
use super::execution::{Execution, stopping};
use super::finished::Finished;
use super::recovery::recover;
use super::rest::{Rest, Slot};
use super::uses::Uses;
use crate::codes;
use crate::planner::{self, Failed, FailedSink, JobPlan, Known, PlannedOutput, Sink};
use crate::spec::Pipeline;
use crate::{Result, RunContext};

/// The share of an attempt's progress that planning takes, and where verification begins.
const PLANNED: f32 = 0.05;
const MADE: f32 = 0.92;

impl Execution<'_> {
    /// Makes every output of the pipeline, or what the policies leave of them. Gives what is needed to go on if some of it
    /// has to wait.
    pub(super) async fn pipeline(
        &self,
        pipeline: Pipeline,
        done: &mut Finished,
    ) -> Result<Option<Suspended>> {
        let mut rest = self.rest(pipeline, done).await?;
        self.resume(&mut rest).await?;
        let (from, to) = self.share(&rest)?;
        let cx = self.cx.part(from, to);
        // Each round replaces at least one failed step by its fallback, so this ends.
        loop {
            self.probe(&mut rest, done).await?;
            if rest.fresh {
                let keys = self.content_keys(&rest).await?;
                rest.keys.extend(keys);
                stopping(self.cx, self.reuse(&mut rest, done)).await?;
            }
            if rest.pipeline.is_done() {
                break;
            }
            let (registry, limits) = (&self.resources.registry, &self.resources.limits);
            let known = Known { infos: &rest.infos, failed: &rest.failed };
            let plan = planner::plan_known(&rest.pipeline, &known, registry, limits)?;
            cx.progress(PLANNED);
            match self.plan(plan, &mut rest, done, &cx).await? {
                Some(again) => rest.pipeline = again,
                None => break,
            }
        }
        done.outputs.sort_by(|a, b| a.output.cmp(&b.output));
        if rest.pending.is_empty() && rest.pending_facts.is_empty() {
            return Ok(None);
        }
        self.suspend(rest, done).await.map(Some)
    }

    /// Runs a plan, as far as it need not wait. Gives the pipeline for the outputs that have to be made by a fallback, if
    /// any.
    async fn plan(
        &self,
        plan: JobPlan,
        rest: &mut Rest,
        done: &mut Finished,
        cx: &RunContext,
    ) -> Result<Option<Pipeline>> {
        let mut uses = Uses::of(&plan);
        let mut again: Option<Pipeline> = None;
        for FailedSink { sink, failed } in plan.failed {
            again = recover(self.cx, rest, &sink, failed, again, done)?;
        }
        let making = cx.part(PLANNED, MADE);
        self.units(plan.units, rest, &mut uses, done, &making).await?;
        let total = plan.outputs.len().max(1) as f32;
        let mut examined = self.examine_all(&plan.outputs, rest).await;
        for (index, planned) in plan.outputs.iter().enumerate() {
            let place = &*planned.place;
            let made = match self.slot(&planned.from, rest).await? {
                Slot::Ready(media) => {
                    let expected = rest.expected.get(&planned.from).unwrap_or(&planned.expected);
                    let expected = expected.clone();
                    let planned = PlannedOutput { expected, ..planned.clone() };
                    let _taken = uses.used(&planned.from, rest);
                    let examined = examined.remove(place);
                    let kept = self.keep(&planned, media, examined, rest, done).await;
                    kept.map_err(|e| Failed::new(&*planned.from, e))
                }
                Slot::Failed(failed) => Err(failed),
                Slot::Pending | Slot::Staged(_) => {
                    if let Some((place, output)) = rest.pipeline.outputs.remove_entry(place) {
                        rest.pending.insert(place, output);
                    }
                    continue;
                }
            };
            match made {
                Ok((mut report, staged)) => {
                    report.content_key = rest.keys.get(place).cloned().unwrap_or_default();
                    done.outputs.push(report);
                    done.staged.extend(staged);
                    rest.made(place);
                }
                Err(failed) => {
                    let sink = Sink::Output(place.to_owned());
                    again = recover(self.cx, rest, &sink, failed, again.take(), done)?;
                }
            }
            cx.progress(MADE + (0.99 - MADE) * (index + 1) as f32 / total);
        }
        for (name, from) in plan.facts {
            let found = match self.slot(&from, rest).await? {
                Slot::Ready(media) => media.into_facts().map_err(|e| Failed::new(&*from, e)),
                Slot::Failed(failed) => Err(failed),
                Slot::Pending | Slot::Staged(_) => {
                    rest.pending_facts.extend(rest.pipeline.facts.remove_entry(&name));
                    continue;
                }
            };
            match found {
                Ok(facts) => {
                    rest.pipeline.facts.remove(&name);
                    done.facts.insert(name, facts.into_value());
                    self.check_facts(done)?;
                }
                Err(failed) => {
                    again = recover(self.cx, rest, &Sink::Fact(name), failed, again.take(), done)?;
                }
            }
        }
        Ok(again)
    }

    /// Facts stand in the report, which is stored and sent.
    fn check_facts(&self, done: &Finished) -> Result<()> {
        let bytes = done.facts.iter().map(|(name, value)| name.len() + value.to_string().len());
        let most = self.resources.limits.fact_bytes;
        crate::limits::at_most(codes::LIMIT_FACT_BYTES, "fact_bytes", bytes.sum(), most)
    }
}
