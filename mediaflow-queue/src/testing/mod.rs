//! For tests of what runs on a database: a PostgreSQL server of one's own, and a network that breaks on demand. Not
//! covered by semantic versioning.
//!
//! Uses: nothing.

#[cfg(unix)]
mod postgres;
mod proxy;

#[cfg(unix)]
pub use postgres::{PrivatePostgres, PrivatePostgresBuilder};
pub use proxy::Proxy;
