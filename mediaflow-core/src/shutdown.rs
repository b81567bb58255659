//! How something that runs is told to stop.
//!
//! Uses: nothing.

use tokio_util::sync::CancellationToken;

/// How a running engine is stopped, in two stages.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Shutdown {
    /// Take no new jobs; finish those that run, and deliver what is due.
    pub drain: CancellationToken,
    /// Stop those that still run and hand them back unfinished.
    pub now: CancellationToken,
}

impl Shutdown {
    /// Not yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}
