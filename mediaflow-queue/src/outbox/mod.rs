//! Events on their way out: stored in the transaction that caused them, one delivery for each destination, and sent by
//! whichever process gets to it first.
//!
//! [`record`](crate::events::record) writes them down. [`run`] is the dispatcher of a process: it [looks](line) which destinations have
//! something waiting, [claims](claim) rows of those that may be sent to, [sends](send) them side by side, and
//! [writes down](finish) what came of it, many at a time. [`release`] gives back what a dead process was sending.
//!
//! Uses: db, events, metrics, process.

pub(crate) mod admin;
mod claim;
mod dispatch;
mod filter;
mod finish;
mod line;
mod release;
mod send;
mod view;

pub use filter::DeliveryFilter;
pub use view::{Breaker, Delivery, DeliveryAttempt, DeliveryOutcome, DeliveryState, Destination};

pub(crate) use dispatch::run;
pub(crate) use release::release;
