use std::fmt;

use async_trait::async_trait;

use crate::codes;
use crate::id::JobId;
use crate::report::{JobState, JobStatus, OutputReport, OutputState};
use crate::spec::{JobSpec, OnFailure};
use crate::suggest::did_you_mean;
use crate::{Error, Result};

/// Knows what became of other jobs, for those that come [after](crate::spec::JobOptions::after) them.
#[async_trait]
pub trait Outcomes: fmt::Debug + Send + Sync + 'static {
    /// What is known of a job.
    ///
    /// # Errors
    /// `job.unknown`.
    async fn outcome(&self, job: JobId) -> Result<JobStatus>;
}

/// Ends an attempt before it begins if a job that it comes after has failed, or was cancelled.
pub(super) async fn check_predecessors(
    spec: &JobSpec,
    outcomes: Option<&dyn Outcomes>,
) -> Result<()> {
    for after in spec.predecessors() {
        let status = match known(outcomes, after.job).await {
            // It has ended at some time, and that is all that is asked for.
            Err(e) if e.code() == codes::JOB_UNKNOWN && after.on_failure == OnFailure::Run => {
                continue;
            }
            status => status?,
        };
        match (status.state, after.on_failure) {
            (JobState::Cancelled, OnFailure::Fail) => {
                return Err(Error::cancelled().with("after", after.job));
            }
            (JobState::Failed, OnFailure::Fail) => {
                let failure = status.failure.map(|failure| failure.code).unwrap_or_default();
                return Err(Error::input(
                    codes::JOB_PREDECESSOR_FAILED,
                    "a job that this one comes after has failed",
                )
                .with("after", after.job)
                .with("code", failure)
                .help("replay that job, and submit this one again after the new one"));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What another job has made, as its report says.
pub(super) async fn output_of(
    job: JobId,
    output: &str,
    outcomes: Option<&dyn Outcomes>,
) -> Result<OutputReport> {
    let status = known(outcomes, job).await?;
    let made = status.outputs.iter().find_map(|made| made.file_at(output));
    match made {
        Some(made) if !made.files.is_empty() => {
            let files = made.files.iter().map(|file| file.output.as_str());
            Err(Error::input(codes::SOURCE_BUNDLE, "the output has several files")
                .with("files", files.collect::<Vec<_>>().join(" "))
                .help("name one of them"))
        }
        Some(made) if made.state == OutputState::Published => Ok(made.clone()),
        _ if !status.state.is_terminal() => Err(Error::input(
            codes::SOURCE_NOT_ENDED,
            "the job that makes the source has not ended",
        )
        .help("submit the job that reads it with `JobOptions::after`")),
        Some(_) => Err(Error::input(codes::SOURCE_NOT_MADE, "the job did not make this output")),
        None => {
            let names = status.outputs.iter().map(|made| made.output.as_str());
            Err(Error::input(codes::SOURCE_NOT_FOUND, "the job has no output of this name")
                .help(did_you_mean(output, names)))
        }
    }
}

async fn known(outcomes: Option<&dyn Outcomes>, job: JobId) -> Result<JobStatus> {
    let outcomes = outcomes.ok_or_else(|| {
        Error::unsupported(codes::JOB_OUTCOMES, "nobody here knows what became of other jobs")
    });
    outcomes?.outcome(job).await
}
