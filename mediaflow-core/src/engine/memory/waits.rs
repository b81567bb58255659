use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use crate::executor::{GroupWait, KnownWait, Suspended};
use crate::id::JobId;
use crate::wait::{Signalled, Update, key_taken};
use crate::{Result, Timestamp};

/// What jobs wait for, and what was said of it.
#[derive(Default)]
pub(super) struct Waits {
    of: HashMap<JobId, Vec<KnownWait>>,
    /// Whose a key is.
    keys: HashMap<String, JobId>,
    /// Updates that came before their wait, the oldest first.
    early: VecDeque<(String, Update)>,
    /// Replay keys that are known, and the order in which they came.
    replays: HashSet<String>,
    replayed: VecDeque<String>,
    /// When waiting jobs are to be looked at.
    due: BTreeSet<(Timestamp, JobId)>,
    /// What nobody waits for any more.
    abandoned: Vec<(JobId, Vec<GroupWait>)>,
    last: u64,
}

impl Waits {
    /// How many early updates, and how many replay keys are kept.
    const KEPT: usize = 10_000;

    /// What a job waits for.
    pub(super) fn of(&self, job: JobId) -> Vec<KnownWait> {
        self.of.get(&job).cloned().unwrap_or_default()
    }

    /// Takes an update. Gives whose it is.
    pub(super) fn signal(
        &mut self,
        key: &str,
        data: serde_json::Value,
        replay_key: &str,
    ) -> (Signalled, Option<JobId>) {
        if !self.replays.insert(replay_key.to_owned()) {
            return (Signalled::Duplicate, None);
        }
        self.replayed.push_back(replay_key.to_owned());
        if self.replayed.len() > Self::KEPT
            && let Some(oldest) = self.replayed.pop_front()
        {
            self.replays.remove(&oldest);
        }
        self.last += 1;
        let update = Update::new(self.last, data);
        match self.keys.get(key) {
            Some(job) => {
                let waits = self.of.get_mut(job).into_iter().flatten();
                waits
                    .filter(|known| known.group.wait.key == key)
                    .for_each(|known| known.updates.push(update.clone()));
                (Signalled::Accepted, Some(*job))
            }
            None => {
                self.early.push_back((key.to_owned(), update));
                if self.early.len() > Self::KEPT {
                    self.early.pop_front();
                }
                (Signalled::Early, None)
            }
        }
    }

    /// Stores that a group of a job waits.
    pub(super) fn store(&mut self, job: JobId, group: &GroupWait, heard: &[u64]) -> Result<()> {
        let key = &group.wait.key;
        let others = self.of.get(&job).into_iter().flatten();
        let taken = self.keys.get(key).is_some_and(|owner| *owner != job)
            || others
                .filter(|known| known.group.group != group.group)
                .any(|known| known.group.wait.key == *key);
        if taken {
            return Err(key_taken(key));
        }
        let waits = self.of.entry(job).or_default();
        let known = waits.iter().position(|known| known.group.group == group.group);
        let index = known.unwrap_or_else(|| {
            waits.push(KnownWait::new(group.clone(), Vec::new()));
            waits.len() - 1
        });
        let known = &mut waits[index];
        self.keys.remove(&known.group.wait.key);
        self.keys.insert(key.clone(), job);
        known.group = group.clone();
        known.updates.retain(|update| !heard.contains(&update.id));
        let early = std::mem::take(&mut self.early);
        for (name, update) in early {
            if name == *key {
                known.updates.push(update);
            } else {
                self.early.push_back((name, update));
            }
        }
        Ok(())
    }

    /// Keeps what a job waits for from now on. Gives false if it is not to wait: something was said meanwhile.
    pub(super) fn suspend(&mut self, job: JobId, suspended: &Suspended) -> bool {
        let remains =
            |known: &KnownWait| suspended.waits.iter().any(|wait| wait.group == known.group.group);
        let mut waits = self.of.remove(&job).unwrap_or_default();
        for gone in waits.iter().filter(|known| !remains(known)) {
            self.keys.remove(&gone.group.wait.key);
        }
        waits.retain(remains);
        let said =
            |known: &KnownWait| known.updates.iter().any(|update| update.id > suspended.seen);
        let waits_on = !waits.iter().any(said);
        if let Some(due) = waits.iter().map(|known| known.group.due()).min()
            && waits_on
        {
            self.due.insert((due, job));
        }
        self.of.insert(job, waits);
        waits_on
    }

    /// When the next waiting job is to be looked at.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    /// The waiting jobs that are to be looked at.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<JobId> {
        let mut jobs = Vec::new();
        while let Some((_, job)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.pop_first();
            jobs.push(job);
        }
        jobs
    }

    /// Notes that a job is not to be looked at any more: it goes on.
    pub(super) fn wake(&mut self, job: JobId) {
        self.due.retain(|(_, waiting)| *waiting != job);
    }

    /// Forgets what a job has waited for: it has ended. What goes on elsewhere is to be stopped unless it was of use.
    pub(super) fn end(&mut self, job: JobId, stop: bool) {
        let Some(waits) = self.of.remove(&job) else { return };
        self.wake(job);
        for known in &waits {
            self.keys.remove(&known.group.wait.key);
        }
        let groups = waits.into_iter().filter(|_| stop).map(|known| known.group);
        self.abandoned.push((job, groups.collect()));
    }

    pub(super) fn take_abandoned(&mut self) -> Vec<(JobId, Vec<GroupWait>)> {
        std::mem::take(&mut self.abandoned)
    }
}
