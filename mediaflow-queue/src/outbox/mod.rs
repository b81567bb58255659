//! The outbox in the tables: how [`mediaflow_core::outbox`] keeps events and messages here.
//!
//! Events are written with their cause, by [`crate::events`]. One process [routes](route) them at a time; each process
//! [claims](claim) messages of destinations that may be sent to, and [writes down](finish) what came of it, together in one
//! transaction: [`store`].
//!
//! Uses: db, events, failpoint, metrics, process.

pub(crate) mod admin;
mod claim;
mod compose;
mod destination;
mod escalate;
mod expire;
mod filter;
mod finish;
mod handle;
mod mark;
mod replace;
mod route;
mod store;
mod told;
mod view;

pub use filter::DeliveryFilter;
pub use view::{Breaker, Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryState, Destination};

pub(crate) use escalate::acknowledge;
pub(crate) use expire::release;
pub(crate) use handle::{Outbox, to_text};
