//! The engine of tests, scripts and hosts that keep a queue of their own: everything is lost with the process.
//!
//! Uses: engine, error, event, executor, id, notify, outbox, report, shutdown, spec, supervise, time.

mod engine;
mod inner;
mod messages;
mod outbox;
mod run;
mod state;

pub use engine::MemoryEngine;
