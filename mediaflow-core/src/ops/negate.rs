use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::Chain;

/// `negate`, also `invert`: each colour becomes its opposite; alpha stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Negate {}

pixels_only!(Negate, "negate", "invert", "image.negate", "image.invert");

impl Chain {
    /// Each colour becomes its opposite. See [`Negate`].
    pub fn negate(self) -> Self {
        self.then(Negate {})
    }
}
