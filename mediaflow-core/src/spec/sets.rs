//! The sets of a pipeline: who takes from them, and what stands in their place.

use super::{Pipeline, Source, SourceSet};

impl Pipeline {
    /// The name under which a source of several stands among the inputs.
    pub(crate) fn member(set: &str, number: usize) -> String {
        format!("{set}:{number}")
    }

    /// The set that an input of this name belongs to.
    pub(crate) fn set_of<'n>(&self, input: &'n str) -> Option<(&'n str, &SourceSet)> {
        let (set, number) = input.split_once(':')?;
        let numbered = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        self.sets.get(set).filter(|_| numbered).map(|known| (set, known))
    }

    /// The sets that steps take from and that still stand for their sources.
    pub(crate) fn open_sets(&self) -> Vec<(String, SourceSet)> {
        let taken =
            |name: &str| self.steps.values().any(|step| step.from.iter().any(|n| n == name));
        let open = self.sets.iter().filter(|(name, _)| taken(name));
        open.map(|(name, set)| (name.clone(), set.clone())).collect()
    }

    /// Puts these sources in the place of a set.
    pub(crate) fn expand(&mut self, set: &str, sources: Vec<Source>) {
        let mut members = Vec::with_capacity(sources.len());
        for (source, number) in sources.into_iter().zip(1..) {
            let member = Self::member(set, number);
            self.inputs.insert(member.clone(), source);
            members.push(member);
        }
        for step in self.steps.values_mut() {
            let from = std::mem::take(&mut step.from).into_iter();
            let expanded = from.flat_map(|from| match from == set {
                true => members.clone(),
                false => vec![from],
            });
            step.from = expanded.collect();
        }
    }

    /// Takes a source of several out: it can not be had.
    pub(crate) fn leave_out(&mut self, member: &str) {
        self.inputs.remove(member);
        self.steps.values_mut().for_each(|step| step.from.retain(|from| from != member));
    }
}
