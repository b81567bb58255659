//! Groups that are planned again when they begin: some inputs can not be had, and what does not hang on these is made; or how large
//! inputs are has only just turned out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::execution::Execution;
use super::rest::{Rest, Slot, is_final};
use super::uses::Uses;
use crate::Result;
use crate::backend::Group;
use crate::error::owned;
use crate::media::MediaInfo;
use crate::operation::Inputs;
use crate::planner::{Failed, Unit, exit_of};

impl Execution<'_> {
    /// Takes out of a group what hangs on inputs that have failed, and plans the rest anew. Gives none if nothing is left that
    /// can be done; a unit of another kind, and a group whose inputs are there, as it is.
    ///
    /// # Errors
    /// The attempt as a whole ends.
    pub(super) fn without_failed(
        &self,
        unit: Unit,
        rest: &mut Rest,
        uses: &mut Uses,
    ) -> Result<Option<Unit>> {
        let Unit::Group { plan, mut group, backend, inputs, mut exits, steps, takes_any } = unit
        else {
            return Ok(Some(unit));
        };
        let mut lost: BTreeMap<String, Failed> = BTreeMap::new();
        for name in &inputs {
            if let Some(Slot::Failed(failed)) = rest.slots.get(name) {
                if is_final(&failed.error) {
                    return Err(owned(Arc::clone(&failed.error)));
                }
                lost.insert(name.clone(), failed.clone());
            }
        }
        if lost.is_empty() {
            let unit = Unit::Group { plan, group, backend, inputs, exits, steps, takes_any };
            return Ok(Some(unit));
        }
        self.take_out(lost, &mut group, &mut exits, rest);
        let taken = |name: &String| group.input(name).is_some();
        for name in inputs.iter().filter(|name| !taken(name)) {
            drop(uses.used(name, rest));
        }
        if exits.is_empty() {
            return Ok(None);
        }
        let inputs = group.inputs.iter().map(|input| input.name.clone()).collect();
        let steps = group.steps.iter().map(|step| step.name.clone()).collect();
        let group = Unit::Group { plan, group, backend, inputs, exits, steps, takes_any };
        self.planned_again(group, rest)
    }

    /// Plans a group whose inputs' sizes turn out only now: for what they are. Takes out what can not be done with that, and gives
    /// none if nothing is left.
    ///
    /// # Errors
    /// The attempt as a whole ends.
    pub(super) fn as_given(
        &self,
        mut unit: Unit,
        given: &Inputs,
        rest: &mut Rest,
    ) -> Result<Option<Unit>> {
        let Unit::Group { group, exits, steps, .. } = &mut unit else { return Ok(Some(unit)) };
        if group.inputs.iter().all(|input| !input.info.estimated) {
            return Ok(Some(unit));
        }
        // Each round takes a step out, so this ends.
        while let Err((step, error)) = group.look_at(given) {
            let failed = Failed::new(&*step, error);
            self.take_out(BTreeMap::from([(step, failed)]), group, exits, rest);
        }
        if exits.is_empty() {
            return Ok(None);
        }
        *steps = group.steps.iter().map(|step| step.name.clone()).collect();
        for (exit, info) in exits.iter_mut() {
            *info = group.step(exit).map_or(info.clone(), |step| step.output.clone());
        }
        self.planned_again(unit, rest)
    }

    /// Takes out of a group what is lost and what hangs on that, and what only fed these.
    fn take_out(
        &self,
        mut lost: BTreeMap<String, Failed>,
        group: &mut Group,
        exits: &mut BTreeMap<String, MediaInfo>,
        rest: &mut Rest,
    ) {
        for step in &group.steps {
            if let Some(failed) = step.from.iter().find_map(|from| lost.get(from)).cloned() {
                lost.insert(step.name.clone(), failed);
            }
        }
        for step in group.steps.iter().filter(|step| lost.contains_key(&step.name)) {
            self.tell(std::slice::from_ref(&step.name), Some(&lost[&step.name].error));
        }
        for exit in exits.keys() {
            if let Some(failed) = lost.get(exit_of(exit)) {
                rest.slots.insert(exit.clone(), Slot::Failed(failed.clone()));
            }
        }
        exits.retain(|exit, _| !lost.contains_key(exit_of(exit)));
        group.exits.retain(|exit| !lost.contains_key(exit));
        let mut taken = group.exits.clone();
        for step in group.steps.iter().rev().filter(|step| !lost.contains_key(&step.name)) {
            if taken.contains(&step.name) {
                taken.extend(step.from.iter().cloned());
            }
        }
        group.steps.retain(|step| !lost.contains_key(&step.name) && taken.contains(&step.name));
        group.inputs.retain(|input| taken.contains(&input.name));
    }

    /// Has its backend plan a group anew.
    fn planned_again(&self, mut unit: Unit, rest: &mut Rest) -> Result<Option<Unit>> {
        let Unit::Group { plan, group, backend, exits, steps, .. } = &mut unit else {
            return Ok(Some(unit));
        };
        match self.resources.registry.backend_named(backend).and_then(|known| known.plan(group)) {
            Ok(again) => {
                *plan = again;
                Ok(Some(unit))
            }
            Err(error) => {
                self.failed_unit(steps, exits.keys().cloned().collect(), error, rest)?;
                Ok(None)
            }
        }
    }
}
