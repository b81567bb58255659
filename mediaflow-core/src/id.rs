//! Names of jobs, batches and events: UUIDs that sort by the time they were made.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;
use crate::{Error, Result};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $code:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        #[schemars(with = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// A new one, which sorts after all that were made before.
            #[must_use]
            #[expect(clippy::new_without_default, reason = "each is another one")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// When it was made, if it tells.
            #[must_use]
            pub fn made_at(&self) -> Option<Timestamp> {
                let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
                let millis = seconds.saturating_mul(1000).saturating_add(u64::from(nanos / 1_000_000));
                Some(Timestamp::from_millis(millis))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|e| Error::input($code, "this is no id").with("id", text.escape_debug()).because(e))
            }
        }
    };
}

id!(
    /// The name of a job.
    JobId,
    "id.job"
);
id!(
    /// The name of a batch of jobs.
    BatchId,
    "id.batch"
);
id!(
    /// The name of an event: the same in every attempt to deliver it.
    EventId,
    "id.event"
);
id!(
    /// The name of a message: the same in every attempt to send it.
    MessageId,
    "id.message"
);

impl From<EventId> for MessageId {
    /// A message of one event has the name of the event.
    fn from(event: EventId) -> Self {
        Self(event.0)
    }
}
