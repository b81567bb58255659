//! What became of a job: its state, and for each output what was written.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{BatchId, JobId};
use crate::media::{Format, MediaInfo, seconds};
use crate::plan::Explanation;
use crate::wire::wire_enum;
use crate::{Failure, Timestamp};

wire_enum! {
    /// Where a job is in its life. A job reaches one terminal state, once.
    pub enum JobState {
        /// Waits for its turn, or for its next attempt.
        Queued = "queued",
        /// Is being worked on.
        Running = "running",
        /// Waits for work that goes on elsewhere, and holds nothing meanwhile.
        Waiting = "waiting",
        /// Every output was verified and published.
        Succeeded = "succeeded",
        /// Some outputs were published or facts found out, and others failed under the policy `skip`.
        Partial = "partial",
        /// No attempt is left, or none would help. Outputs that an attempt published before it failed stay, and the report
        /// says which; usually there are none.
        Failed = "failed",
        /// Somebody cancelled it. What was published before stays, as with `failed`.
        Cancelled = "cancelled",
    }
}

impl JobState {
    /// Whether nothing follows. Of a state that only a newer version knows it is not assumed.
    #[must_use]
    pub fn is_terminal(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Waiting | Self::Other(_) => false,
            Self::Succeeded | Self::Partial | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// What is known of a job at this moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct JobStatus {
    /// Which job.
    pub job: JobId,
    /// The batch that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Where it is in its life.
    pub state: JobState,
    /// How far it is, from 0 to 1; 1 only if it succeeded. Never goes back, not even in a new attempt.
    pub progress: f32,
    /// How often it was tried.
    pub attempts: u32,
    /// What the last attempt failed with, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The outputs, each with its own state.
    pub outputs: Vec<OutputReport>,
    /// The whole report, once there is nothing to follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<Box<Report>>,
}

/// What became of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct Report {
    /// Which job.
    pub job: JobId,
    /// How it ended.
    pub state: JobState,
    /// What it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceReport>,
    /// The outputs, in the order of their places.
    pub outputs: Vec<OutputReport>,
    /// What was found out, by the names that the pipeline gives.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts: BTreeMap<String, Value>,
    /// What was not, under the policy `skip`, and why.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub facts_failed: BTreeMap<String, Failure>,
    /// What was done, group by group.
    pub plan: Vec<Explanation>,
    /// How often a source was decoded.
    pub decodes: u32,
    /// What the report should say although the work went on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was submitted.
    pub queued_at: Timestamp,
    /// When the last attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Timestamp,
}

/// What a job was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct SourceReport {
    /// Its name, without secrets.
    pub name: String,
    /// What its headers say.
    pub info: MediaInfo,
}

/// What became of one output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct OutputReport {
    /// Its place, `storage/key`.
    pub output: String,
    /// Where it is in its life.
    pub state: OutputState,
    /// Its format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Format>,
    /// Its media type.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub mime: String,
    /// Its size in bytes.
    #[serde(default)]
    pub bytes: u64,
    /// Its width in pixels; zero without a picture.
    #[serde(default)]
    pub width: u32,
    /// Its height in pixels; zero without a picture.
    #[serde(default)]
    pub height: u32,
    /// Its length, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "seconds")]
    #[schemars(with = "Option<f64>")]
    pub duration: Option<Duration>,
    /// SHA-256 of its bytes, in hexadecimal; empty for several files, which have theirs.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha256: String,
    /// MD5 of its bytes, in hexadecimal: for comparing, not for security.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub md5: String,
    /// What it was made from and how, in hexadecimal: equal for equal work, whatever it is called. Empty if nobody
    /// recalls results.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content_key: String,
    /// Whether it is the result of earlier, equal work, and was not made again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
    /// What is to be said of it although it was made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// If its place is a pattern, the files that it is, each with its own place, in the order in which they are published. What
    /// is said of the output itself is said of the last one, the main one; its bytes are those of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<Self>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

wire_enum! {
    /// Where an output is in its life.
    pub enum OutputState {
        /// Not made yet.
        Pending = "pending",
        /// Hangs on work that goes on elsewhere.
        Waiting = "waiting",
        /// Made and verified; it is put in its place together with the others, which are not made yet.
        Made = "made",
        /// Verified and in its place. If the job did not succeed, nothing but its place is known of it.
        Published = "published",
        /// Not made, and the job went on without it or failed with it.
        Failed = "failed",
        /// Not made because the job was cancelled.
        Cancelled = "cancelled",
    }
}

impl OutputReport {
    /// An output that has not been made yet.
    #[must_use]
    pub fn pending(output: impl Into<String>) -> Self {
        Self {
            output: output.into(),
            state: OutputState::Pending,
            format: None,
            mime: String::new(),
            bytes: 0,
            width: 0,
            height: 0,
            duration: None,
            sha256: String::new(),
            md5: String::new(),
            content_key: String::new(),
            reused: false,
            warnings: Vec::new(),
            files: Vec::new(),
            failure: None,
        }
    }

    /// The file at this place: the output itself, or one of its files.
    pub(crate) fn file_at(&self, place: &str) -> Option<&Self> {
        if self.output == place {
            return Some(self);
        }
        self.files.iter().find(|file| file.output == place)
    }

    /// Of these files, the main one last.
    pub(crate) fn of_files(output: &str, files: Vec<Self>) -> Self {
        let main = files.last().cloned().unwrap_or_else(|| Self::pending(output));
        Self {
            output: output.to_owned(),
            bytes: files.iter().map(|file| file.bytes).sum(),
            sha256: String::new(),
            md5: String::new(),
            warnings: Vec::new(),
            files,
            ..main
        }
    }
}

/// What became of a batch: of all its jobs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BatchReport {
    /// Which batch.
    pub batch: BatchId,
    /// `succeeded` if all jobs did, `failed` if none did, else `partial`.
    pub state: JobState,
    /// The reports of its jobs, in the order of submission.
    pub jobs: Vec<Report>,
}

/// What became of a batch, in numbers: of the same size however many jobs it has.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct BatchSummary {
    /// Which batch.
    pub batch: BatchId,
    /// `succeeded` if all jobs did, `failed` if none did, else `partial`.
    pub state: JobState,
    /// How many jobs ended in which state.
    #[serde(default)]
    pub counts: BTreeMap<String, u64>,
    /// The first jobs in the order of submission, [`BatchSummary::NAMED`] at most.
    #[serde(default)]
    pub named: Vec<JobId>,
    /// The first jobs that failed, [`BatchSummary::FAILURES`] at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<JobFailure>,
}

/// A job that failed, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[non_exhaustive]
pub struct JobFailure {
    /// Which job.
    pub job: JobId,
    /// The code of its failure.
    pub code: String,
}

impl JobFailure {
    /// This job, with the code of its failure.
    #[must_use]
    pub fn new(job: JobId, code: impl Into<String>) -> Self {
        Self { job, code: code.into() }
    }
}

impl BatchSummary {
    /// How many jobs are named.
    pub const NAMED: usize = 1000;
    /// How many failures are named.
    pub const FAILURES: usize = 100;

    /// Of so many jobs in each state.
    #[must_use]
    pub fn new(batch: BatchId, counts: impl IntoIterator<Item = (JobState, u64)>) -> Self {
        let (mut named, mut all, mut whole, mut some) = (BTreeMap::new(), 0, 0, 0);
        for (state, count) in counts {
            *named.entry(state.as_str().to_owned()).or_default() += count;
            all += count;
            match state {
                JobState::Succeeded => whole += count,
                JobState::Partial => some += count,
                _ => {}
            }
        }
        let state = state_of(all, whole, some);
        Self { batch, state, counts: named, named: Vec::new(), failures: Vec::new() }
    }

    /// How many jobs it has.
    #[must_use]
    pub fn jobs(&self) -> u64 {
        self.counts.values().sum()
    }
}

/// The state of a batch of so many jobs, of which some succeeded and others did in part.
fn state_of(all: u64, succeeded: u64, partial: u64) -> JobState {
    if succeeded == all {
        JobState::Succeeded
    } else if succeeded + partial > 0 {
        JobState::Partial
    } else {
        JobState::Failed
    }
}

impl BatchReport {
    /// Of these jobs.
    #[must_use]
    pub fn new(batch: BatchId, jobs: Vec<Report>) -> Self {
        let count = |state| jobs.iter().filter(|job| job.state == state).count() as u64;
        let state =
            state_of(jobs.len() as u64, count(JobState::Succeeded), count(JobState::Partial));
        Self { batch, state, jobs }
    }

    /// In numbers.
    #[must_use]
    pub fn summary(&self) -> BatchSummary {
        let mut summary =
            BatchSummary::new(self.batch, self.jobs.iter().map(|report| (report.state, 1)));
        let failed = self.jobs.iter().filter(|report| report.state == JobState::Failed);
        let failure = |report: &Report| {
            let code = report.failure.as_ref().map(|failure| failure.code.clone());
            JobFailure::new(report.job, code.unwrap_or_default())
        };
        summary.named = self.jobs.iter().map(|job| job.job).take(BatchSummary::NAMED).collect();
        summary.failures = failed.map(failure).take(BatchSummary::FAILURES).collect();
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_a_newer_version_is_given_back_unchanged() {
        let report = serde_json::json!({
            "job": JobId::new(), "state": "suspended", "attempts": 1, "decodes": 1,
            "source": {"name": "a.mp4", "info": {
                "format": "mp4", "bytes": 1, "width": 2, "height": 2, "channels": 3, "alpha": false, "orientation": 1,
                "frames": 1, "streams": [{"kind": "haptic", "codec": "x"}],
            }},
            "outputs": [{"output": "out/a", "state": "archived", "bytes": 1, "width": 0, "height": 0,
                "failure": {"kind": "billing", "code": "x.y", "message": "no"}}],
            "plan": [{"backend": "b", "decodes": 1, "stages": [],
                "estimate": {"bytes": 1, "class": "gpu"}}],
            "queued_at": Timestamp::from_millis(1), "finished_at": Timestamp::from_millis(2),
        });
        let read: Report = serde_json::from_value(report.clone()).unwrap();
        assert!(!read.state.is_terminal());
        let written = serde_json::to_value(&read).unwrap();
        for place in [
            "/state",
            "/outputs/0/state",
            "/outputs/0/failure/kind",
            "/plan/0/estimate/class",
            "/source/info/streams/0/kind",
        ] {
            assert_eq!(written.pointer(place), report.pointer(place), "{place}");
        }
    }
}
