use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::id::JobId;
use crate::plan::CostClass;

/// The order of jobs: the most urgent first, by priority and then by age.
type Place = (Reverse<i16>, JobId);

/// What decides where a job waits.
#[derive(Clone, Debug)]
pub(super) struct Candidate {
    pub(super) job: JobId,
    pub(super) priority: i16,
    pub(super) class: CostClass,
    /// Whose share it takes from, and how many jobs that is.
    pub(super) share: Option<(String, usize)>,
}

/// Jobs that can start, and those that wait for the share of their tenant.
#[derive(Default)]
pub(super) struct Ready {
    classes: BTreeMap<CostClass, BTreeSet<Place>>,
    shares: HashMap<(String, CostClass), Share>,
}

#[derive(Default)]
struct Share {
    /// What can start or runs.
    taken: BTreeSet<JobId>,
    /// What is above the share.
    held: BTreeSet<Place>,
}

impl Candidate {
    fn place(&self) -> Place {
        (Reverse(self.priority), self.job)
    }
}

impl Ready {
    /// How many wait.
    pub(super) fn len(&self) -> usize {
        let ready: usize = self.classes.values().map(BTreeSet::len).sum();
        ready + self.shares.values().map(|share| share.held.len()).sum::<usize>()
    }

    /// Lets a job start, or wait until its tenant has room for it.
    pub(super) fn add(&mut self, job: &Candidate) {
        if let Some((tenant, most)) = &job.share {
            let share = self.shares.entry((tenant.clone(), job.class)).or_default();
            if share.taken.len() >= *most && !share.taken.contains(&job.job) {
                share.held.insert(job.place());
                return;
            }
            share.taken.insert(job.job);
        }
        self.classes.entry(job.class).or_default().insert(job.place());
    }

    /// Takes the most urgent job of a class. It has its share until it [leaves](Self::leave).
    pub(super) fn take(&mut self, class: CostClass) -> Option<JobId> {
        self.classes.get_mut(&class)?.pop_first().map(|(_, job)| job)
    }

    /// Notes that a job neither waits here nor runs any more: another one of its tenant can start.
    pub(super) fn leave(&mut self, job: &Candidate) {
        let class = self.classes.entry(job.class).or_default();
        class.remove(&job.place());
        let Some((tenant, most)) = &job.share else { return };
        let key = (tenant.clone(), job.class);
        let Some(share) = self.shares.get_mut(&key) else { return };
        share.held.remove(&job.place());
        share.taken.remove(&job.job);
        while share.taken.len() < *most
            && let Some(next) = share.held.pop_first()
        {
            share.taken.insert(next.1);
            class.insert(next);
        }
        if share.taken.is_empty() {
            self.shares.remove(&key);
        }
    }
}
