use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Resize, check_range, small};
use crate::Result;
use crate::spec::Chain;

/// `blurhash`: a [BlurHash](https://blurha.sh), a short text from which an app draws a blurred picture until the real one is there.
///
/// A fact, a string: `"LII{:CLKHW$i$*Iox]-WClRO=xZ$"`. It is computed on a [small copy](Blurhash::copy); what is transparent is
/// white. For a picture of up to 100 pixels on a side it is the string of the Python package `blurhash`.
///
/// ```
/// use mediaflow_core::ops::Blurhash;
/// use mediaflow_core::spec::Pipeline;
/// use mediaflow_core::Operation;
///
/// let asked = Pipeline::from("uploads/cat.jpg").fact("blur", |photo| photo.blurhash()).build()?;
/// assert_eq!(asked.steps["blurhash"].with["x"], 4);
/// assert_eq!(Blurhash::new(10, 3).validate().unwrap_err().code(), "op.range");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Blurhash {
    /// Waves across, from 1 to 9. Default 4.
    #[serde(default = "four")]
    pub x: u8,
    /// Waves down, from 1 to 9. Default 3.
    #[serde(default = "three")]
    pub y: u8,
}

impl Default for Blurhash {
    fn default() -> Self {
        Self::new(four(), three())
    }
}

impl Blurhash {
    /// Of so many waves across and down.
    #[must_use]
    pub fn new(x: u8, y: u8) -> Self {
        Self { x, y }
    }

    /// The copy of the picture on which it is computed: at most 100 pixels on a side.
    #[must_use]
    pub fn copy(&self) -> Resize {
        small()
    }

    fn check(self) -> Result<()> {
        check_range("x", self.x.into(), 1.0, 9.0)?;
        check_range("y", self.y.into(), 1.0, 9.0)
    }
}

finds!(Blurhash, "blurhash");

impl Chain {
    /// Its [`Blurhash`], of 4 x 3 waves: a fact.
    pub fn blurhash(self) -> Self {
        self.blurhash_with(Blurhash::default())
    }

    /// Its [`Blurhash`], of this many waves: a fact.
    pub fn blurhash_with(self, how: Blurhash) -> Self {
        self.then(how)
    }
}

fn four() -> u8 {
    4
}

fn three() -> u8 {
    3
}
