use std::sync::Arc;

use mediaflow_core::Result;
use mediaflow_core::executor::{Attempt, Finished};
use riverqueue::{WorkContext, WorkOutcome};
use tracing::Instrument as _;

use super::Told;
use super::attempt::{Working, begun, ended, failed, isolated, publish, told};
use super::scribe::Scribe;
use crate::db::Assemble;
use crate::jobs::{self, End, Held};
use crate::process::Process;
use crate::workers::failpoint;

/// Puts the parts of a job together, publishes what they made, and ends the job.
pub(super) async fn run(
    process: &Arc<Process>,
    context: &WorkContext,
    job: &riverqueue::Job<Assemble>,
) -> Told {
    let id = job.args.job;
    let mut held = match begun(process, id, jobs::start_assembly(process, id).await).await {
        Ok(held) => held,
        Err(told) => return told,
    };
    let span = tracing::info_span!("assembly", job = %id);
    assemble(process, context, &mut held).instrument(span).await
}

async fn assemble(process: &Arc<Process>, context: &WorkContext, held: &mut Held) -> Told {
    let working = Working::begin(process, held.river, context);
    let (observer, mut scribe) = Scribe::new();
    let attempt = Attempt::new(held.record.spec.clone(), working.stop.clone(), observer)
        .fenced(held.record.id.to_string(), u64::try_from(held.fence).unwrap_or_default());
    match isolated(make(Arc::clone(process), held.clone(), attempt)).await {
        Ok((made, parts)) => {
            let mut events = scribe.rest(&mut held.record, process);
            events.extend(held.record.succeeded(made, process.now()));
            let told = ended(process, held, events, End::Complete).await;
            process.executor.discard(&held.record.id.to_string(), parts).await;
            told
        }
        Err(error) if error.code() == "part.lost" => {
            let part = error.fact("part").and_then(|part| part.parse().ok()).unwrap_or(1);
            tracing::warn!(part, "a result of a part is gone: it is made again");
            let held = &*held;
            let again = process.db.patiently(move || jobs::remake(process, held, part)).await;
            told(again, WorkOutcome::Complete)
        }
        Err(error) => {
            // The attempts of a job that was split are those at its assembly.
            held.record.attempts += 1;
            failed(process, held, &error, Vec::new()).await
        }
    }
}

async fn make(process: Arc<Process>, held: Held, attempt: Attempt) -> Result<(Finished, u32)> {
    let results = jobs::results(&process, held.record.id).await?;
    let parts = u32::try_from(results.len()).unwrap_or(u32::MAX);
    let mut made = process.executor.assemble(&attempt, results).await?;
    failpoint("assembly.made");
    publish(&process, &held, &attempt, &mut made).await?;
    failpoint("assembly.published");
    Ok((made, parts))
}
