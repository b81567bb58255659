use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Location, Source};
use crate::codes;
use crate::{Error, Result};

/// Many equal sources under one name: a step that takes from it takes from each, in their order.
///
/// ```
/// use mediaflow_core::spec::SourceSet;
///
/// let cells = SourceSet::of(["uploads/first.jpg", "uploads/cells/*.jpg"]);
/// assert!(cells.covers("uploads/cells/cat.jpg") && !cells.covers("uploads/cells/old/cat.jpg"));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SourceSet {
    /// The sources. In the key of one in a storage, `*` stands for any characters but `/`: then it is all that is there, in the
    /// order of the keys, looked up when an attempt begins.
    pub of: Vec<Source>,
    /// What happens when one of them can not be had.
    #[serde(default, skip_serializing_if = "OnMissing::is_fail")]
    pub on_missing: OnMissing,
}

/// What happens when a source of several can not be had: it is not there, or damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnMissing {
    /// What takes from it fails, by its policy. The default.
    #[default]
    Fail,
    /// It is left out, with a warning.
    Skip,
}

impl OnMissing {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's `skip_serializing_if` passes a reference"
    )]
    fn is_fail(&self) -> bool {
        *self == Self::Fail
    }
}

impl SourceSet {
    /// These, all of which are needed.
    #[must_use]
    pub fn of(sources: impl IntoIterator<Item = impl Into<Source>>) -> Self {
        Self { of: sources.into_iter().map(Into::into).collect(), on_missing: OnMissing::Fail }
    }

    /// Leaves out what can not be had.
    #[must_use]
    pub fn skipping(self) -> Self {
        Self { on_missing: OnMissing::Skip, ..self }
    }

    /// Whether a source that is this place, `storage/key`, is one of them.
    #[must_use]
    pub fn covers(&self, place: &str) -> bool {
        self.of.iter().any(|source| match source {
            Source::Key(key) => fits(key, place),
            Source::Output { output, .. } => output == place,
            _ => false,
        })
    }

    pub(super) fn validate(&self) -> Result<()> {
        if self.of.is_empty() {
            return Err(Error::input(codes::SPEC_SOURCES, "there are no sources of this name"));
        }
        self.of.iter().try_for_each(|source| {
            source.validate()?;
            match source.pattern() {
                Some(pattern) if pattern.storage.contains('*') => {
                    Err(Error::input(codes::SPEC_SOURCES, "the name of a storage is no pattern")
                        .with("source", source))
                }
                _ => Ok(()),
            }
        })
    }
}

impl Source {
    /// The place that is a pattern, if it is one.
    pub(crate) fn pattern(&self) -> Option<Location> {
        match self {
            Self::Key(key) if key.contains('*') => key.parse().ok(),
            _ => None,
        }
    }
}

/// Whether a text is what a pattern stands for: `*` for any characters but `/`.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first).map(Cow::Borrowed) else { return false };
    let mut last = None;
    for piece in pieces {
        if let Some(before) = last.replace(piece) {
            // The leftmost place leaves the most for the pieces behind it.
            let Some(at) = rest.find(before) else { return false };
            let (over, behind) = rest.split_at(at);
            if over.contains('/') {
                return false;
            }
            rest = Cow::Owned(behind[before.len()..].to_owned());
        }
    }
    match last {
        None => rest.is_empty(),
        Some(end) => rest.strip_suffix(end).is_some_and(|over| !over.contains('/')),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_anything_in_one_part_of_a_key() {
        for (pattern, text) in [
            ("a/*.jpg", "a/cat.jpg"),
            ("a/*.jpg", "a/.jpg"),
            ("a/*", "a/b"),
            ("a/*/c-*.png", "a/b/c-1.png"),
            ("a/x*x*x", "a/xxxx"),
            ("a/b", "a/b"),
        ] {
            assert!(fits(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a/*.jpg", "a/b/cat.jpg"),
            ("a/*.jpg", "a/cat.jpeg"),
            ("a/*/c-*.png", "a/b/x/c-1.png"),
            ("a/x*x*x", "a/xx"),
            ("a/b", "a/bc"),
            ("b/*", "a/b"),
        ] {
            assert!(!fits(pattern, text), "{pattern} {text}");
        }
    }
}
