use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::parts::PartResult;
use super::recall::Keys;
use crate::media::{Format, MediaInfo};
use crate::report::{OutputReport, OutputState};
use crate::spec::Pipeline;
use crate::storage::Ticket;
use crate::wait::{Update, Wait};
use crate::{Result, Timestamp};

/// What has been done of a job of which some waits, as it is stored. Results are staged, under tickets; whatever is gone
/// when the job goes on is made again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The job, as it was planned; steps that failed are replaced by what stands in for them.
    pub pipeline: Pipeline,
    /// What its sources are, by name.
    pub sources: BTreeMap<String, MediaInfo>,
    /// The content keys of its outputs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub content_keys: Keys,
    /// The outputs that are made.
    pub made: PartResult,
    /// Results of steps that others will take, once what they wait for is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StagedStep>,
}

impl Checkpoint {
    /// What is to be said of each output meanwhile, in the order of their places.
    pub(crate) fn outputs(&self) -> Vec<OutputReport> {
        let one = |place: &String| {
            let made = self.made.outputs.iter().find(|output| output.output == *place);
            let mut report = made.cloned().unwrap_or_else(|| OutputReport::pending(place));
            report.state = match report.state {
                OutputState::Published => OutputState::Made,
                OutputState::Pending => OutputState::Waiting,
                other => other,
            };
            report
        };
        self.pipeline.outputs.keys().map(one).collect()
    }
}

/// The result of a step, staged for an attempt to come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StagedStep {
    /// The name of the step.
    pub name: String,
    /// Beside which place it is staged, `storage/key`.
    pub place: String,
    /// What it is staged under.
    pub ticket: Ticket,
    /// The format of its bytes.
    pub format: Format,
    /// What is known of it.
    pub info: MediaInfo,
}

/// A group of steps that waits, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct GroupWait {
    /// The group's name: the same in every attempt at its job.
    pub group: String,
    /// The backend that goes on with it.
    pub backend: String,
    /// Its steps.
    pub steps: Vec<String>,
    /// What comes out of it, by the names of steps, and what is expected of that.
    pub exits: BTreeMap<String, MediaInfo>,
    /// What it waits for.
    pub wait: Wait,
    /// How often going on with it has failed since it last worked.
    #[serde(default)]
    pub failures: u32,
    /// When it is tried again after such a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
}

impl GroupWait {
    /// When it is to be looked at without an update.
    #[must_use]
    pub fn due(&self) -> Timestamp {
        let due = self.wait.due();
        self.retry_at.map_or(due, |retry| retry.min(self.wait.until))
    }
}

/// A group that waits, and what was said of it meanwhile.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KnownWait {
    /// The group.
    pub group: GroupWait,
    /// What came in for its key and was not heard yet, in order.
    pub updates: Vec<Update>,
}

impl KnownWait {
    /// This group, with these updates.
    #[must_use]
    pub fn new(group: GroupWait, updates: Vec<Update>) -> Self {
        Self { group, updates }
    }
}

/// Where an attempt writes down at once what must not be lost with its process: that somebody else was given work.
#[async_trait]
pub trait Journal: fmt::Debug + Send + Sync {
    /// Stores that a group waits, or what it waits for now, and that these updates were heard; they are not given again.
    ///
    /// # Errors
    /// The attempt does not count any more, or the store can not be reached: then the attempt fails.
    async fn waiting(&self, wait: &GroupWait, heard: &[u64]) -> Result<()>;
}
