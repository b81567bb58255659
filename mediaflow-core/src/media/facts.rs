use serde_json::Value;

use super::{Format, MediaInfo, Medium};
use crate::codes;
use crate::{Error, Result};

/// What was found out of something: a palette, positions, a hash. It stands in the job's report.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts(Value);

impl Facts {
    /// Facts that serialise so.
    ///
    /// # Errors
    /// `facts.json` if they do not.
    pub fn new(facts: impl serde::Serialize) -> Result<Self> {
        serde_json::to_value(facts).map(Self).map_err(|e| {
            Error::internal(codes::FACTS_JSON, "facts can not be written as JSON").because(e)
        })
    }

    /// As JSON.
    #[must_use]
    pub fn as_value(&self) -> &Value {
        &self.0
    }

    /// As JSON, by value.
    #[must_use]
    pub fn into_value(self) -> Value {
        self.0
    }

    /// What an operation describes that gives facts.
    #[must_use]
    pub fn info() -> MediaInfo {
        MediaInfo::new(Format::RAW).with_medium(Medium::Facts)
    }
}
