use super::{Format, MediaFile, MediaInfo, Medium};
use crate::codes;
use crate::{Error, Result};

/// Several files that belong together: pages, a playlist and its segments. All are verified and staged before the first becomes
/// visible; then they are published in one act where the storage can, else one by one, in order, so the one that names the
/// others comes last.
#[derive(Clone, Debug, Default)]
pub struct Bundle(Vec<(String, MediaFile)>);

impl Bundle {
    /// No files yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more file, under a name that no other of them has. It stands for `{name}` in the output's place.
    ///
    /// # Errors
    /// `bundle.name` if there is one of this name.
    pub fn with(mut self, name: impl Into<String>, file: MediaFile) -> Result<Self> {
        let name = name.into();
        if self.0.iter().any(|(known, _)| *known == name) {
            return Err(Error::internal(
                codes::BUNDLE_NAME,
                "two files of a bundle have the same name",
            )
            .with("name", name));
        }
        self.0.push((name, file));
        Ok(self)
    }

    /// The files by name, the main one last.
    pub fn files(&self) -> impl Iterator<Item = (&str, &MediaFile)> {
        self.0.iter().map(|(name, file)| (name.as_str(), file))
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What an operation describes that gives files of this format: how many is not known before.
    #[must_use]
    pub fn info(format: Format) -> MediaInfo {
        MediaInfo::new(format).with_medium(Medium::Bundle)
    }
}
