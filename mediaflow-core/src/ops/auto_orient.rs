use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::Chain;

/// `auto_orient`: upright, as the camera's orientation says.
///
/// Decoding does this already, so every step sees an upright picture; the step says so where a reader of the spec might
/// wonder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct AutoOrient {}

pixels_only!(AutoOrient, "auto_orient", "image.auto_orient");

impl Chain {
    /// Upright, as the camera says. See [`AutoOrient`].
    pub fn auto_orient(self) -> Self {
        self.then(AutoOrient {})
    }
}
