//! How events become messages, and messages arrive: one machine for every engine, over the engine's own store.
//!
//! It has two stages. The transaction that changes a job's state writes its events, unrouted, and nothing else. Later, in
//! a process that has the notifiers, the *router* takes unrouted events in their order, finds their
//! [recipients](crate::notify::Recipients) outside of any transaction, and writes one *message* for each; the
//! *dispatcher* sends what is due, and decides with the rules in [`DestinationState`] and [`Disposition`] what follows from each
//! attempt.
//!
//! ```text
//! job's transaction ── event, unrouted ──> store ── unrouted ──> router ── messages ──┐
//!                                            ^                                        v
//!                                            └── disposition, destination's state ── dispatcher ──> Notifier::notify
//! ```
//!
//! A *destination* is what is slow, fails or asks for patience together: a channel and, usually, an origin
//! (`https://host:443`). Places, rates and the breaker belong to it.
//!
//! Uses: codes, error, event, executor, id, notify, shutdown, spec, time.

mod attempt;
mod destination;
mod dispatcher;
mod disposition;
mod key;
mod message;
mod pace;
mod queues;
mod rate;
mod refused;
mod router;
mod rules;
mod store;
#[cfg(test)]
mod tests;
mod turns;

pub use attempt::{About, Attempted, Claimed, Unsendable};
pub use destination::{DestinationState, Effects, Failed};
pub use dispatcher::Dispatcher;
pub use disposition::Disposition;
pub use key::DestinationKey;
pub use message::{Collect, Escalates, NewMessage, NextStep, next_of};
pub use queues::{ClaimRequest, Waiting};
pub use rate::Rate;
pub use router::{LONGEST_ROUTING, Routed, Routing, Unrouted};
pub use store::{Exchange, Exchanged, OutboxStore};
