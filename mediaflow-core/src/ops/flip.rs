use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::Chain;

/// `flip`: top becomes bottom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Flip {}

pixels_only!(Flip, "flip", "image.flip");

impl Chain {
    /// Top becomes bottom.
    pub fn flip(self) -> Self {
        self.then(Flip {})
    }
}
