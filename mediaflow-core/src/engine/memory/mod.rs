//! The engine of tests, scripts and hosts that keep a queue of their own: everything is lost with the process.
//!
//! Uses: codes, engine, error, event, executor, id, inspect, notify, outbox, plan, report, schedule, shutdown, spec,
//! supervise, time, wait.

mod attempts;
mod compose;
mod engine;
mod groups;
mod inner;
mod inspect;
mod messages;
mod outbox;
mod ready;
mod ring;
mod run;
mod schedules;
mod state;
mod waits;

pub use engine::MemoryEngine;
