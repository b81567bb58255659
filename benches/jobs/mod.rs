//! What `benches/jobs.rs` is made of.

pub(crate) mod cancel;
#[path = "../engines/mod.rs"]
mod engines;
pub(crate) mod idle;
pub(crate) mod kill;
pub(crate) mod latency;
pub(crate) mod life;
pub(crate) mod river;
pub(crate) mod share;

pub(crate) use engines::{Error, Result, child, cpu, host, options, report, site, soon, step};
