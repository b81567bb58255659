use std::sync::Arc;

use mediaflow_core::executor::{Attempt, Finished};
use mediaflow_core::{Result, codes};
use riverqueue::{WorkContext, WorkOutcome};
use tracing::Instrument as _;

use super::attempt::{Working, begun, ended, failed, isolated, publish};
use super::outcome::{Outcome, outcome};
use super::progress::ProgressWriter;
use crate::db::AssemblyTask;
use crate::failpoint::failpoint;
use crate::jobs::{self, ClaimedJob, Jobs};
use crate::process::Process;

/// Puts the parts of a job together, publishes what they made, and ends the job.
pub(super) async fn run(
    jobs: &Jobs,
    context: &WorkContext,
    job: &riverqueue::Job<AssemblyTask>,
) -> Outcome {
    let (process, id) = (&jobs.process, job.args.job);
    let mut claimed = match begun(process, id, jobs::start_assembly(process, id).await).await {
        Ok(claimed) => claimed,
        Err(outcome) => return outcome,
    };
    let span = tracing::info_span!("assembly", job = %id);
    assemble(jobs, context, &mut claimed).instrument(span).await
}

async fn assemble(jobs: &Jobs, context: &WorkContext, claimed: &mut ClaimedJob) -> Outcome {
    let process = &jobs.process;
    let working = Working::begin(process, claimed.river, context);
    let (observer, mut writer) = ProgressWriter::new();
    let attempt = Attempt::new(claimed.record.spec.clone(), working.stop.clone(), observer)
        .fenced(claimed.record.id.to_string(), u64::try_from(claimed.fence).unwrap_or_default());
    match isolated(make(Arc::clone(process), claimed.clone(), attempt)).await {
        Ok(made) => {
            let mut events = writer.rest(&mut claimed.record, process);
            events.extend(claimed.record.succeeded(made, process.now()));
            let ended = ended(jobs, claimed, events).await;
            process.executor.discard([claimed.record.id]).await;
            ended
        }
        Err(error) if error.code() == codes::PART_LOST => {
            let part = error.fact("part").and_then(|part| part.parse().ok()).unwrap_or(1);
            tracing::warn!(part, "a result of a part is gone: it is made again");
            let claimed = &*claimed;
            let again = process.patiently(move || jobs::remake(process, claimed, part)).await;
            outcome(again, WorkOutcome::Complete)
        }
        Err(error) => {
            // The attempts of a job that was split are those at its assembly.
            claimed.record.attempts += 1;
            failed(jobs, claimed, &error, Vec::new()).await
        }
    }
}

async fn make(process: Arc<Process>, claimed: ClaimedJob, attempt: Attempt) -> Result<Finished> {
    let results = jobs::results(&process, claimed.record.id).await?;
    let mut made = process.executor.assemble(&attempt, results).await?;
    failpoint("assembly.made");
    publish(&process, &claimed, &attempt, &mut made).await?;
    failpoint("assembly.published");
    Ok(made)
}
