use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::Chain;

/// `saturation`: how far colours are from grey, as CSS `saturate()` has it
/// (<https://www.w3.org/TR/filter-effects-1/#saturateEquivalent>); alpha stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Saturation {
    /// 0 is without colour, 1 leaves the picture as it is; at most 10.
    pub amount: f64,
}

amount!(Saturation, "saturation");

impl Chain {
    /// Stronger colours above 1, weaker below. See [`Saturation`].
    pub fn saturation(self, amount: f64) -> Self {
        self.then(Saturation::by(amount))
    }
}
