use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Error;
use crate::media::MediaInfo;

/// What is known of sources and steps before the plan is made.
pub(crate) struct Known<'a> {
    /// What they are.
    pub(crate) infos: &'a BTreeMap<String, MediaInfo>,
    /// Those that can not be had.
    pub(crate) failed: &'a BTreeMap<String, Failed>,
}

/// Why something can not be had.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// The source or step that failed; the others only hang on it.
    pub(crate) origin: String,
    pub(crate) error: Arc<Error>,
}

/// Something asked for that hangs on what can not be had.
#[derive(Clone, Debug)]
pub(crate) struct FailedSink {
    pub(crate) sink: Sink,
    pub(crate) failed: Failed,
}

/// Something that is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Sink {
    /// An output, by its place.
    Output(String),
    /// A fact, by its name.
    Fact(String),
}

impl Sink {
    /// With what it was that could not be had.
    pub(crate) fn named(&self, error: Error) -> Error {
        match self {
            Self::Output(place) => error.with("output", place),
            Self::Fact(name) => error.with("fact", name),
        }
    }
}

impl Failed {
    pub(crate) fn new(origin: impl Into<String>, error: Error) -> Self {
        Self { origin: origin.into(), error: Arc::new(error) }
    }
}
