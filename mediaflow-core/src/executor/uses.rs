use std::collections::HashMap;

use super::rest::Rest;
use super::room::Share;
use crate::planner::{JobPlan, Unit};

/// How often each result is still taken: one that nobody takes any more is dropped at once.
pub(super) struct Uses(HashMap<String, usize>);

impl Uses {
    pub(super) fn of(plan: &JobPlan) -> Self {
        let mut uses = HashMap::new();
        let inputs = plan.units.iter().flat_map(Unit::inputs);
        let outputs = plan.outputs.iter().map(|output| output.from.clone());
        let facts = plan.facts.iter().map(|(_, from)| from.clone());
        for name in inputs.chain(outputs).chain(facts) {
            *uses.entry(name).or_insert(0) += 1;
        }
        Self(uses)
    }

    /// Notes that a result was taken; gives its memory, if it was the last time. Sources stay, and so does what an earlier
    /// attempt has left.
    pub(super) fn used(&mut self, name: &str, rest: &mut Rest) -> Option<Share> {
        let left = self.0.entry(name.to_owned()).or_insert(1);
        *left = left.saturating_sub(1);
        if *left == 0 && !rest.infos.contains_key(name) && !rest.kept.contains(name) {
            rest.slots.remove(name);
            return rest.held.remove(name);
        }
        None
    }
}
