//! How far a moment may be from now.

use std::time::Duration;

use mediaflow_core::{Error, Result, Timestamp, codes};

/// How far clocks may be apart.
pub(crate) const SKEW: Duration = Duration::from_secs(5 * 60);

/// Refuses what is older than `age`, or from the future.
pub(crate) fn within(moment: Timestamp, now: Timestamp, age: Duration) -> Result<()> {
    if now.since(moment) > age || moment.since(now) > SKEW {
        return Err(Error::input(
            codes::WEBHOOK_TIMESTAMP,
            "the call-back is too old, or from the future",
        )
        .with("moment", moment)
        .help("check the clocks; an old call-back may be a replay"));
    }
    Ok(())
}
