use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Resize, check_range};
use crate::Result;
use crate::spec::Chain;

/// `entropy`: how many bits a tone of a picture tells: little of what is plain, a scan of a blank page, much of a photo.
///
/// A fact, a number from 0, which is one tone, to 8, if all tones are there alike. It is that of scikit-image,
/// `shannon_entropy(grey)`, of a [copy](Entropy::copy). What is transparent is white.
///
/// ```
/// use mediaflow_core::ops::Entropy;
/// use mediaflow_core::spec::Pipeline;
///
/// let asked = Pipeline::from("uploads/cat.jpg").fact("tones", |photo| photo.entropy()).build()?;
/// assert_eq!(asked.facts["tones"].from, "entropy");
/// assert_eq!(Entropy::default(), Entropy::at(1024));
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entropy {
    /// The longer side of the copy on which it is measured, from 16 to 65,535 pixels. A picture that is smaller is taken as it is.
    /// Default 1024.
    #[serde(default = "usual")]
    pub side: u32,
}

impl Default for Entropy {
    fn default() -> Self {
        Self::at(usual())
    }
}

impl Entropy {
    /// Of a copy of this many pixels on its longer side.
    #[must_use]
    pub fn at(side: u32) -> Self {
        Self { side }
    }

    /// The copy of the picture on which it is measured.
    #[must_use]
    pub fn copy(&self) -> Resize {
        Resize::inside(self.side, self.side).without_enlargement()
    }

    fn check(self) -> Result<()> {
        check_range("side", self.side.into(), 16.0, 65_535.0)
    }
}

finds!(Entropy, "entropy");

impl Chain {
    /// Its [`Entropy`]: a fact.
    pub fn entropy(self) -> Self {
        self.entropy_with(Entropy::default())
    }

    /// Its [`Entropy`] at another size: a fact.
    pub fn entropy_with(self, how: Entropy) -> Self {
        self.then(how)
    }
}

fn usual() -> u32 {
    1024
}
