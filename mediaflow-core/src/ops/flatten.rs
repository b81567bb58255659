use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{STILLS, picture};
use crate::codes;
use crate::color::Color;
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;
use crate::{Error, Result};

/// `flatten`: puts the picture on an opaque ground; afterwards it has no alpha.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Flatten {
    /// The ground, opaque. Default white.
    #[serde(default = "white")]
    pub background: Color,
}

impl Flatten {
    /// On this ground.
    #[must_use]
    pub fn on(background: Color) -> Self {
        Self { background }
    }
}

impl Operation for Flatten {
    const KIND: &'static str = "flatten";
    const ALIASES: &'static [&'static str] = &["image.flatten"];
    const MEDIA: &'static [Medium] = STILLS;

    fn validate(&self) -> Result<()> {
        if self.background.is_opaque() {
            return Ok(());
        }
        Err(Error::input(codes::OP_BACKGROUND, "a ground to flatten on must be opaque")
            .with("background", self.background))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        let channels = match info.channels {
            2 if self.background.is_grey() => 1,
            2 | 4 => 3,
            channels => channels,
        };
        Ok(info.with_channels(channels))
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Chain {
    /// On an opaque ground. See [`Flatten`].
    pub fn flatten(self, background: Color) -> Self {
        self.then(Flatten::on(background))
    }
}

fn white() -> Color {
    Color::WHITE
}
