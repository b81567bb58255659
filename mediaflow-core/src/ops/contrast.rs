use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::Chain;

/// `contrast`: each colour's distance from the middle times a number, as CSS `contrast()` has it
/// (<https://www.w3.org/TR/filter-effects-1/#contrastEquivalent>); alpha stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Contrast {
    /// 0 is grey all over, 1 leaves the picture as it is; at most 10.
    pub amount: f64,
}

amount!(Contrast, "contrast");

impl Chain {
    /// More contrast above 1, less below. See [`Contrast`].
    pub fn contrast(self, amount: f64) -> Self {
        self.then(Contrast::by(amount))
    }
}
