use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Resize, small};
use crate::Result;
use crate::spec::Chain;

/// `metadata`: what a photo says of itself, in EXIF, in XMP and in the records of the press (IPTC).
///
/// A fact, an object. What is not said is not there; texts are cut after 4096 bytes, lists after 256 items:
///
/// | field | |
/// |---|---|
/// | `camera` | an object: `make`, `model`, `lens`, `software` |
/// | `taken` | when, by the clock of the camera: `"2019-07-04T12:33:10"`, with fractions and the zone if they are known |
/// | `orientation` | how the file stores it, 1 to 8; 1 is upright |
/// | `exposure` | an object: `seconds`, `f_number`, `iso`, `focal_length` in mm |
/// | `place` | an object, only if `place` is asked for: `latitude` and `longitude` in degrees, `altitude` in metres |
/// | `title`, `description`, `copyright` | texts |
/// | `creator`, `keywords` | lists of texts |
///
/// What is said in several places is taken from XMP first, or from the press if there is no XMP, and then from EXIF; the camera, the
/// time and the exposure from EXIF. It is read with the picture, of which next to nothing is decoded.
///
/// ```
/// use mediaflow_core::ops::ReadMetadata;
/// use mediaflow_core::spec::Pipeline;
///
/// let asked = Pipeline::from("uploads/cat.jpg").fact("said", |photo| photo.metadata()).build()?;
/// assert_eq!(asked.steps["metadata"].with["place"], false);
/// let with_place = |photo: mediaflow_core::spec::Chain| photo.metadata_with(ReadMetadata::new().place());
/// assert!(Pipeline::from("uploads/cat.jpg").fact("said", with_place).build().is_ok());
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ReadMetadata {
    /// Whether the place where it was taken is told: that can be somebody's home. Default false.
    #[serde(default)]
    pub place: bool,
}

impl ReadMetadata {
    /// All but the place.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With the place.
    #[must_use]
    pub fn place(mut self) -> Self {
        self.place = true;
        self
    }

    /// The copy of the picture that it is read with: at most 100 pixels on a side.
    #[must_use]
    pub fn copy(&self) -> Resize {
        small()
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as words with numbers have it"
    )]
    fn check(self) -> Result<()> {
        Ok(())
    }
}

finds!(ReadMetadata, "metadata");

impl Chain {
    /// What it says of itself, but for the place: a fact. See [`ReadMetadata`].
    pub fn metadata(self) -> Self {
        self.metadata_with(ReadMetadata::new())
    }

    /// What it says of itself: a fact.
    pub fn metadata_with(self, how: ReadMetadata) -> Self {
        self.then(how)
    }
}
