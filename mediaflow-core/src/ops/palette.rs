use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Resize, check_range, small};
use crate::Result;
use crate::spec::Chain;

/// `palette`: the colours that a picture is made of, and how much of it each covers.
///
/// A fact, an object: `{"dominant": "#3a5f2b", "colors": [{"color": "#3a5f2b", "share": 0.412}, ...]}`. Shares are parts of what is
/// seen, largest first, and together 1: what is transparent does not count, and of a picture of which nothing is seen `dominant` is
/// null and there are no colours. There are fewer than asked for if the picture has fewer.
///
/// Pixels of a [small copy](Palette::copy) are put together by k-means in `OKLab`, from the same beginning each time; each colour is
/// the mean of what was put together.
///
/// ```
/// use mediaflow_core::ops::Palette;
/// use mediaflow_core::spec::Pipeline;
/// use mediaflow_core::Operation;
///
/// let asked = Pipeline::from("uploads/cat.jpg").fact("colours", |photo| photo.palette(5)).build()?;
/// assert_eq!(asked.steps["palette"].with["colors"], 5);
/// assert_eq!(Palette::of(0).validate().unwrap_err().code(), "op.range");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Palette {
    /// How many colours at most, from 1 to 32. Default 5.
    #[serde(default = "five")]
    pub colors: u32,
}

impl Default for Palette {
    fn default() -> Self {
        Self::of(five())
    }
}

impl Palette {
    /// Of at most so many colours.
    #[must_use]
    pub fn of(colors: u32) -> Self {
        Self { colors }
    }

    /// The copy of the picture on which it is computed: at most 100 pixels on a side.
    #[must_use]
    pub fn copy(&self) -> Resize {
        small()
    }

    fn check(self) -> Result<()> {
        check_range("colors", self.colors.into(), 1.0, 32.0)
    }
}

finds!(Palette, "palette");

impl Chain {
    /// Its [`Palette`] of at most so many colours: a fact.
    pub fn palette(self, colors: u32) -> Self {
        self.then(Palette::of(colors))
    }
}

fn five() -> u32 {
    5
}
