use std::collections::BTreeMap;

use crate::Result;
use crate::Timestamp;
use crate::id::JobId;
use crate::schedule::{Occurrence, Schedule, Scheduled};

/// Jobs that are submitted by the clock.
#[derive(Default)]
pub(super) struct Schedules(BTreeMap<String, Scheduled>);

impl Schedules {
    pub(super) fn set(&mut self, schedule: Schedule, now: Timestamp) -> Result<()> {
        let next = schedule.cron.next(now)?;
        let known = self.0.get(&schedule.name);
        let kept = known.filter(|known| known.schedule.cron == schedule.cron);
        let next = kept.map_or(next, |known| known.next);
        let last = known.and_then(|known| known.last);
        self.0.insert(schedule.name.clone(), Scheduled::new(schedule, next, last));
        Ok(())
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    pub(super) fn all(&self) -> Vec<Scheduled> {
        self.0.values().cloned().collect()
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.0.values().map(|known| known.next).min()
    }

    /// Those that are due, each with what is to be done. One whose time zone is not known any more is dropped.
    pub(super) fn take_due(&mut self, now: Timestamp) -> Vec<(Schedule, Occurrence)> {
        let mut due = Vec::new();
        self.0.retain(|name, known| {
            if known.next > now {
                return true;
            }
            match known.schedule.take(known.next, now) {
                Ok(occurrence) => {
                    known.next = occurrence.next;
                    due.push((known.schedule.clone(), occurrence));
                    true
                }
                Err(error) => {
                    tracing::error!(name, %error, "a schedule can not be read: it is dropped");
                    false
                }
            }
        });
        due
    }

    /// Notes which job a schedule has submitted.
    pub(super) fn ran(&mut self, name: &str, at: Timestamp, job: JobId) {
        if let Some(known) = self.0.get_mut(name) {
            known.last = Some((at, job));
        }
    }
}
