use super::checkpoint::{Checkpoint, GroupWait};
use super::finished::Finished;
use crate::codes;
use crate::{Error, Result};

/// What an attempt came to.
#[derive(Debug)]
#[expect(clippy::exhaustive_enums, reason = "an engine handles both")]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each attempt, and it is moved a few times"
)]
pub enum Attempted {
    /// All that was asked for is made.
    Finished(Finished),
    /// The rest waits for work that goes on elsewhere.
    Waiting(Suspended),
}

impl Attempted {
    /// All that was asked for.
    ///
    /// # Errors
    /// `wait.unsupported` if some of it waits.
    pub fn finished(self) -> Result<Finished> {
        match self {
            Self::Finished(made) => Ok(made),
            Self::Waiting(_) => Err(unsupported()),
        }
    }
}

/// A job of which some waits: what another attempt needs to go on.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Suspended {
    /// What has been done.
    pub checkpoint: Checkpoint,
    /// What waits; at least one.
    pub waits: Vec<GroupWait>,
    /// The highest number of an update that this attempt has looked at.
    pub seen: u64,
}

pub(super) fn unsupported() -> Error {
    Error::unsupported(
        codes::WAIT_UNSUPPORTED,
        "the work goes on elsewhere, and nothing keeps that here",
    )
    .help("a backend says in its capability that its plans may wait")
}
