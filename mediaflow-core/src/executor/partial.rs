//! Groups of which some inputs can not be had: what does not hang on these is made.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::execution::Execution;
use super::rest::{Rest, Slot, is_final};
use super::uses::Uses;
use crate::Result;
use crate::error::owned;
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
        for step in &group.steps {
            if let Some(failed) = step.from.iter().find_map(|from| lost.get(from)).cloned() {
                lost.insert(step.name.clone(), failed);
            }
        }
        for step in steps.iter().filter(|step| lost.contains_key(*step)) {
            self.tell(std::slice::from_ref(step), Some(&lost[step].error));
        }
        for exit in exits.keys() {
            if let Some(failed) = lost.get(exit_of(exit)) {
                rest.slots.insert(exit.clone(), Slot::Failed(failed.clone()));
            }
        }
        exits.retain(|exit, _| !lost.contains_key(exit_of(exit)));
        group.exits.retain(|exit| !lost.contains_key(exit));
        // What only fed steps that are lost is not done either.
        let mut taken = group.exits.clone();
        for step in group.steps.iter().rev().filter(|step| !lost.contains_key(&step.name)) {
            if taken.contains(&step.name) {
                taken.extend(step.from.iter().cloned());
            }
        }
        group.steps.retain(|step| !lost.contains_key(&step.name) && taken.contains(&step.name));
        group.inputs.retain(|input| taken.contains(&input.name));
        let steps: Vec<_> = group.steps.iter().map(|step| step.name.clone()).collect();
        for name in inputs.iter().filter(|name| !taken.contains(name)) {
            drop(uses.used(name, rest));
        }
        let inputs = group.inputs.iter().map(|input| input.name.clone()).collect();
        if exits.is_empty() {
            return Ok(None);
        }
        let again = self.resources.registry.backend_named(&backend);
        match again.and_then(|known| known.plan(&group)) {
            Ok(plan) => {
                Ok(Some(Unit::Group { plan, group, backend, inputs, exits, steps, takes_any }))
            }
            Err(error) => {
                self.failed_unit(&steps, exits.into_keys().collect(), error, rest)?;
                Ok(None)
            }
        }
    }
}
