//! What `benches/notify.rs` is made of.

pub(crate) mod dead_host;
pub(crate) mod digest;
#[path = "../engines/mod.rs"]
mod engines;
pub(crate) mod fan_out;
pub(crate) mod outbox;
pub(crate) mod real;
pub(crate) mod signer;
mod sink;
pub(crate) mod webhooks;

pub(crate) use engines::{Error, Result, cpu, host, options, report, site, soon, sql, step};

use mediaflow::prelude::*;

/// What is signed with, wherever there is one secret.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What is told of a job.
pub(crate) const KINDS: [EventKind; 4] = [JobCreated, JobStarted, OutputReady, JobCompleted];
