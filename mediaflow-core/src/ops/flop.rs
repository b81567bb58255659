use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::Chain;

/// `flop`: left becomes right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Flop {}

pixels_only!(Flop, "flop", "image.flop");

impl Chain {
    /// Left becomes right.
    pub fn flop(self) -> Self {
        self.then(Flop {})
    }
}
