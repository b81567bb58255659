use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Resize;
use crate::Result;
use crate::geometry::Fit;
use crate::spec::Chain;

/// `perceptual_hash`: 64 bits that are nearly the same for pictures that look the same, however large they are and however they
/// are stored.
///
/// A fact, a string of 16 hexadecimal digits: `"fab4a5f194469346"`. Two pictures look the same if few bits
/// [differ](PerceptualHash::distance): up to 6 or 8 with `phash`. What is transparent is white.
///
/// The bits are those of the Python package `ImageHash` (`phash`, `dhash`), first row first, and what they mean does not change.
/// A few of them can differ by rounding: with another decoder, or if the picture is made from another copy.
///
/// ```
/// use mediaflow_core::ops::PerceptualHash;
/// use mediaflow_core::spec::Pipeline;
///
/// let asked = Pipeline::from("uploads/cat.jpg").fact("hash", |photo| photo.perceptual_hash()).build()?;
/// assert_eq!(asked.steps["perceptual_hash"].with["algorithm"], "phash");
/// assert_eq!(PerceptualHash::distance("d4b4ed96d4923c49", "d4b4ed96d4923c4a"), Some(2));
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PerceptualHash {
    /// Which bits. Default `phash`.
    #[serde(default)]
    pub algorithm: HashAlgorithm,
}

/// How the bits of a [`PerceptualHash`] are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum HashAlgorithm {
    /// Which of the 8 x 8 longest waves (DCT) of a grey picture of 32 x 32 pixels are stronger than their median. The default.
    #[default]
    Phash,
    /// Which pixels of a grey picture of 9 x 8 are brighter than the one on their left. Cheaper, and weaker.
    Dhash,
}

impl PerceptualHash {
    /// By this algorithm.
    #[must_use]
    pub fn by(algorithm: HashAlgorithm) -> Self {
        Self { algorithm }
    }

    /// The copy of the picture on which it is computed: 32 x 32 or 9 x 8 pixels, whatever its shape.
    #[must_use]
    pub fn copy(&self) -> Resize {
        match self.algorithm {
            HashAlgorithm::Phash => Resize::new(32, 32, Fit::Fill),
            HashAlgorithm::Dhash => Resize::new(9, 8, Fit::Fill),
        }
    }

    /// How many of the 64 bits differ between two hashes by the same algorithm. `None` if one is no such hash.
    #[must_use]
    pub fn distance(one: &str, other: &str) -> Option<u32> {
        let bits = |hash: &str| (hash.len() == 16).then(|| u64::from_str_radix(hash, 16).ok())?;
        Some((bits(one)? ^ bits(other)?).count_ones())
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "as words with parameters have it"
    )]
    fn check(self) -> Result<()> {
        Ok(())
    }
}

finds!(PerceptualHash, "perceptual_hash");

impl Chain {
    /// Its [`PerceptualHash`] by `phash`: a fact.
    pub fn perceptual_hash(self) -> Self {
        self.perceptual_hash_with(PerceptualHash::default())
    }

    /// Its [`PerceptualHash`] by another algorithm: a fact.
    pub fn perceptual_hash_with(self, how: PerceptualHash) -> Self {
        self.then(how)
    }
}
