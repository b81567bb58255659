//! What every engine shares: the host's registry, storages, notifiers and limits, and the two things done with them,
//! an attempt at a job and an attempt at a delivery. Engines decide *when*; the executor knows *how*.
//!
//! From the bottom up: what a host has configured (`resources`), what became of earlier jobs (`outcomes`), its sources (`fetch`, `expand`), the data of an attempt and its
//! results (`attempt`, `parts`, `finished`, `checkpoint`), the execution of a pipeline (`execution`, `given`, `outputs`, `rest`, `reuse`,
//! `uses`, `partial`, `recovery`, `waits`, `run`), and
//! what engines call (`make`, `assemble`, `check`, `deliver`).
//!
//! Uses: backend, checksum, codes, context, cpu, error, event, http, id, job, limits, media, notify, operation, plan, planner,
//! reader, registry, report, spec, storage, suggest, tenants, time, wait.

mod admission;
mod assemble;
mod attempt;
mod attempted;
mod check;
mod checkpoint;
mod deliver;
mod execution;
mod expand;
mod fetch;
mod finished;
mod given;
mod machine;
mod make;
mod needs;
mod outcomes;
mod outputs;
mod partial;
mod parts;
mod policy;
mod recall;
mod recovery;
mod resources;
mod rest;
mod reuse;
mod room;
mod run;
mod scratch;
#[cfg(all(test, feature = "testing"))]
mod tests;
mod units;
mod uses;
mod waits;

pub use attempt::{Attempt, Observer};
pub use attempted::{Attempted, Suspended};
pub use checkpoint::{Checkpoint, GroupWait, Journal, KnownWait, StagedStep};
pub use finished::Finished;
pub use outcomes::Outcomes;
pub use parts::{Artefact, PartResult, PartSpec};
pub use policy::{DeliveryPolicy, RetryPolicy};
pub use recall::Recall;
pub use resources::Executor;

pub(crate) use admission::Capacity;
pub(crate) use finished::{published, with_published};
pub(crate) use resources::Resources;
pub(crate) use scratch::scratch;
