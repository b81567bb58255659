use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Resize;
use crate::Result;
use crate::geometry::Fit;
use crate::spec::Chain;

/// `focal_point`: where there is most to see: what the gravity [`attention`](crate::geometry::Gravity::Attention) keeps in the middle
/// of a square.
///
/// A fact, an object: `{"x": 0.40625, "y": 0.3125}`, parts of width and height from the left and the top, in steps of a thirty-second: a
/// [`Gravity::Focal`](crate::geometry::Gravity::Focal) for later crops.
///
/// ```
/// use mediaflow_core::spec::Pipeline;
///
/// let asked = Pipeline::from("uploads/cat.jpg").fact("focus", |photo| photo.focal_point()).build()?;
/// assert_eq!(asked.facts["focus"].from, "focal_point");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FocalPoint {}

impl FocalPoint {
    /// The copy of the picture on which it is found: 32 x 32 pixels, whatever its shape.
    #[must_use]
    pub fn copy(&self) -> Resize {
        Resize::new(32, 32, Fit::Fill)
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

finds!(FocalPoint, "focal_point");

impl Chain {
    /// Its [`FocalPoint`]: a fact.
    pub fn focal_point(self) -> Self {
        self.then(FocalPoint::default())
    }
}
