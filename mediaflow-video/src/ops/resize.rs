use mediaflow_core::geometry::{Fit, FitBox, Gravity};
use mediaflow_core::media::MediaInfo;
use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result, async_trait, schema_of};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

/// Puts the picture into a box, with the words of still pictures. Sides come out even, as H.264 needs them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Resize {
    /// Width of the box in pixels. Without it, it follows from the height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of the box in pixels. Without it, it follows from the width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How the box is filled. `contain` fills the rest with black. Default `cover`.
    #[serde(default)]
    pub fit: Fit,
    /// Which part stays when something is cut off. Default `center`.
    #[serde(default)]
    pub gravity: Gravity,
    /// Never make it larger than it is. Default false.
    #[serde(default)]
    pub without_enlargement: bool,
}

impl Resize {
    /// Into a box of this width and height.
    #[must_use]
    pub fn new(width: u32, height: u32, fit: Fit) -> Self {
        let (width, height) = (Some(width), Some(height));
        Self { width, height, fit, gravity: Gravity::Center, without_enlargement: false }
    }

    /// To this width; the height follows.
    #[must_use]
    pub fn width(width: u32) -> Self {
        Self { height: None, ..Self::new(width, 0, Fit::Inside) }
    }

    /// To this height; the width follows.
    #[must_use]
    pub fn height(height: u32) -> Self {
        Self { width: None, ..Self::new(0, height, Fit::Inside) }
    }

    /// With this part kept when something is cut off.
    #[must_use]
    pub fn gravity(mut self, gravity: Gravity) -> Self {
        self.gravity = gravity;
        self
    }

    /// Never larger than it is.
    #[must_use]
    pub fn without_enlargement(mut self) -> Self {
        self.without_enlargement = true;
        self
    }

    pub(crate) fn fit_box(&self) -> FitBox {
        FitBox {
            width: self.width,
            height: self.height,
            fit: self.fit,
            gravity: self.gravity,
            without_enlargement: self.without_enlargement,
        }
    }
}

#[async_trait]
impl Operation for Resize {
    const KIND: &'static str = "video.resize";

    async fn run(&self, _inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        Err(super::needs_backend(Self::KIND))
    }

    fn validate(&self) -> Result<()> {
        self.fit_box().validate()
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        super::require_video(input)?;
        let (width, height) = super::sized(input, Some(&self.fit_box()));
        let mut output = input.clone().with_size(width, height);
        output.orientation = 1;
        Ok(output)
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}
