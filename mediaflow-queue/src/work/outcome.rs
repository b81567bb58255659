use std::time::Duration;

use mediaflow_core::{Result, codes};
use riverqueue::{WorkCancelled, WorkOutcome};

/// What River is told about something that it handed out.
pub(super) type Outcome = std::result::Result<WorkOutcome, WorkCancelled>;

/// After something was given back untouched, somebody else shall have the first look at it.
pub(super) const LATER: Duration = Duration::from_secs(5);

/// What River is told after something was written, or could not be.
pub(super) fn outcome(written: Result<()>, outcome: WorkOutcome) -> Outcome {
    match written {
        Ok(()) => Ok(outcome),
        Err(error) if error.code() == codes::QUEUE_FENCED => {
            tracing::warn!(%error, "this attempt does not count any more");
            Ok(WorkOutcome::Complete)
        }
        Err(error) => {
            tracing::error!(%error, "the end of an attempt could not be written; it is done again later");
            Ok(WorkOutcome::Snooze(LATER))
        }
    }
}

/// What River is told after something was put back into its queue, or was left to River to let wait.
pub(super) fn put_back(again: Result<bool>, wait: Duration) -> Outcome {
    let done = again.as_ref().is_ok_and(|again| *again);
    let then = if done { WorkOutcome::Complete } else { WorkOutcome::Snooze(wait) };
    outcome(again.map(drop), then)
}
