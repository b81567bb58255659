//! The contracts of mediaflow: what a step, a job, a notifier, a backend, a storage and an engine are, and the engine in
//! memory that runs them.
//!
//! Core knows no codec, no database and no vendor. Whoever uses mediaflow takes the facade crate `mediaflow`; whoever
//! extends it may depend on this crate alone.
//!
//! How a job flows through it:
//!
//! 1. [`Mediaflow::submit`] turns a [`Job`] into a [`spec::JobSpec`], checks all that can be checked without its source,
//!    and hands it to the [`engine::Engine`], which stores it and returns.
//! 2. The engine decides when it is its turn and asks the [`executor::Executor`] for an attempt: the job plans a
//!    [`spec::Pipeline`], its sources are fetched and probed once, and the [`planner`] cuts the graph of steps into
//!    groups, each run by a [`backend::Backend`], and single steps that [`Run`] by themselves.
//! 3. What will run is estimated and admitted by memory; it runs with a [`RunContext`], which carries cancellation,
//!    deadline, progress and the CPU pool.
//! 4. Each result is verified, hashed and staged beside its place; only then the engine publishes all of them and, in
//!    the same act, ends the job and stores the [`Event`]s that tell of it.
//! 5. Each event is delivered through every [`Notifier`] that wants it, one attempt at a time, until it arrives or the
//!    schedule ends.

mod aspect;
pub mod backend;
mod checksum;
pub mod codes;
mod color;
mod context;
mod cpu;
mod cube;
pub mod engine;
mod error;
pub mod event;
pub mod executor;
mod font;
pub mod geometry;
mod host;
#[cfg(feature = "http")]
pub mod http;
mod id;
pub mod inspect;
mod job;
mod length;
mod limits;
pub mod media;
pub mod notify;
mod operation;
pub mod ops;
pub mod outbox;
pub mod plan;
pub mod planner;
pub mod reader;
mod registry;
pub mod report;
pub mod schedule;
mod shutdown;
mod signs;
pub mod spec;
pub mod storage;
mod suggest;
mod supervise;
mod tenants;
#[cfg(feature = "testing")]
pub mod testing;
mod threads;
mod time;
pub mod wait;
pub mod wire;

pub use async_trait::async_trait;
pub use color::Color;
pub use context::{RunContext, RunContextBuilder, Work};
pub use cpu::CpuPool;
pub use error::{Error, ErrorKind, Failure, Result, Retry};
pub use event::{Event, EventKind};
pub use host::{
    BatchHandle, BatchTicket, Builder, JobBuilder, JobHandle, Mediaflow, Upload, UploadBuilder,
    UploadSession, Uploaded,
};
pub use id::{BatchId, EventId, JobId, MessageId};
pub use job::{Job, PlanContext};
pub use limits::Limits;
pub use notify::{Notifier, NotifyError};
pub use operation::{
    AnyOperation, Arity, Inputs, OpContext, Operation, Outputs, Run, Takes, schema_of,
};
pub use reader::Reader;
pub use registry::Registry;
pub use suggest::did_you_mean;
pub use tenants::Tenants;
pub use time::{Clock, SystemClock, Timestamp};
pub use tokio_util::sync::CancellationToken;
