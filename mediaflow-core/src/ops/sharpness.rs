use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Resize, check_range};
use crate::Result;
use crate::spec::Chain;

/// `sharpness`: how much detail a picture has: the variance of its Laplacian, for telling photos that are out of focus.
///
/// A fact, a number from 0, which is one tone, to some thousands. What is too little depends on the pictures: of photos in focus it is
/// in the hundreds, and below 50 or 100 most are blurred. It is that of OpenCV, `cv2.Laplacian(grey, cv2.CV_64F).var()`, of a
/// [copy](Sharpness::copy), so that photos of all sizes can be compared. What is transparent is white. A large JPEG is decoded at a
/// smaller scale for it, which can take away a sixth.
///
/// ```
/// use mediaflow_core::ops::Sharpness;
/// use mediaflow_core::spec::Pipeline;
///
/// let asked = Pipeline::from("uploads/cat.jpg").fact("sharp", |photo| photo.sharpness()).build()?;
/// assert_eq!(asked.facts["sharp"].from, "sharpness");
/// assert_eq!(Sharpness::default(), Sharpness::at(1024));
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Sharpness {
    /// The longer side of the copy on which it is measured, from 16 to 65,535 pixels. A picture that is smaller is taken as it is.
    /// Default 1024.
    #[serde(default = "usual")]
    pub side: u32,
}

impl Default for Sharpness {
    fn default() -> Self {
        Self::at(usual())
    }
}

impl Sharpness {
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

finds!(Sharpness, "sharpness");

impl Chain {
    /// Its [`Sharpness`]: a fact.
    pub fn sharpness(self) -> Self {
        self.sharpness_with(Sharpness::default())
    }

    /// Its [`Sharpness`] at another size: a fact.
    pub fn sharpness_with(self, how: Sharpness) -> Self {
        self.then(how)
    }
}

fn usual() -> u32 {
    1024
}
