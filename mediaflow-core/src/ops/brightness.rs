use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::spec::Chain;

/// `brightness`: each colour times a number, as CSS `brightness()` has it
/// (<https://www.w3.org/TR/filter-effects-1/#brightnessEquivalent>); alpha stays.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Brightness {
    /// 0 is black, 1 leaves the picture as it is, 2 is twice as bright; at most 10.
    pub amount: f64,
}

amount!(Brightness, "brightness");

impl Chain {
    /// Brighter above 1, darker below. See [`Brightness`].
    pub fn brightness(self, amount: f64) -> Self {
        self.then(Brightness::by(amount))
    }
}
