use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, check_range, picture};
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;
use crate::{Error, Result, codes};

/// `normalize`: stretches the tones so that the darkest are black and the brightest white; alpha stays.
///
/// Two percentiles of the luma (as [`Grayscale`](super::Grayscale) has it) become 0 and 255, what lies between is stretched, and
/// what lies outside is cut off: all three colours alike, so that hues stay. That is `ImageOps.autocontrast` of Pillow with
/// `preserve_tone`. Pixels count by their alpha. A picture of one tone stays as it is.
///
/// ```
/// use mediaflow_core::Operation;
/// use mediaflow_core::ops::Normalize;
///
/// let usual: Normalize = serde_json::from_str("{}").unwrap();
/// assert_eq!(usual, Normalize::between(1.0, 99.0));
/// assert_eq!(Normalize::between(60.0, 40.0).validate().unwrap_err().code(), "op.range");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Normalize {
    /// How many percent of the pixels may become black, from 0 to 100. Default 1.
    #[serde(default = "lower")]
    pub lower: f64,
    /// How many percent of the pixels are left when those are taken away that may become white; above `lower`, at most 100.
    /// Default 99.
    #[serde(default = "upper")]
    pub upper: f64,
}

impl Default for Normalize {
    fn default() -> Self {
        Self::between(lower(), upper())
    }
}

impl Normalize {
    /// Between these percentiles.
    #[must_use]
    pub fn between(lower: f64, upper: f64) -> Self {
        Self { lower, upper }
    }
}

impl Operation for Normalize {
    const KIND: &'static str = "normalize";
    const ALIASES: &'static [&'static str] = &["normalise"];
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        check_range("lower", self.lower, 0.0, 100.0)?;
        check_range("upper", self.upper, 0.0, 100.0)?;
        if self.lower < self.upper {
            return Ok(());
        }
        Err(Error::input(codes::OP_RANGE, "`lower` lies below `upper`")
            .with("lower", self.lower)
            .with("upper", self.upper))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        picture(inputs)
    }

    /// All of the picture: each of its pixels counts.
    fn demand(&self, _wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![Demand::FULL]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// With tones from black to white. See [`Normalize`].
    pub fn normalize(self) -> Self {
        self.then(Normalize::default())
    }
}

fn lower() -> f64 {
    1.0
}

fn upper() -> f64 {
    99.0
}
