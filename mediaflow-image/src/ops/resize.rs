use async_trait::async_trait;
use mediaflow_core::geometry::{Fit, FitBox, Gravity, Placement};
use mediaflow_core::media::{Image, MediaInfo};
use mediaflow_core::plan::{Demand, Estimate};
use mediaflow_core::{Inputs, OpContext, Operation, Outputs, Result};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{decoded, on_pixels, with_channels};
use crate::Color;
use crate::pixels::{Kernel, Resample, pad, resample};

/// `image.resize`: puts the picture into a box.
///
/// ```
/// use mediaflow_core::geometry::{Fit, Gravity};
/// use mediaflow_image::ops::Resize;
///
/// let square = Resize::new(320, 320, Fit::Cover).gravity(Gravity::North).without_enlargement();
/// # let _ = square;
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Resize {
    /// Width of the box in pixels. At least one side is needed; both for `cover` and `contain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of the box in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// How the box is filled. Default `cover`.
    #[serde(default)]
    pub fit: Fit,
    /// Which part stays when something is cut off, and where the picture lies when something is added.
    #[serde(default)]
    pub gravity: Gravity,
    /// Never make the picture larger than it is. Default false.
    #[serde(default)]
    pub without_enlargement: bool,
    /// How pixels are mixed. Default `lanczos3`.
    #[serde(default)]
    pub kernel: Kernel,
    /// Mix light and not sRGB numbers: keeps fine bright patterns bright, takes longer. Default false.
    #[serde(default)]
    pub linear: bool,
    /// What fills the rest of the box with `contain`. Default transparent.
    #[serde(default = "transparent")]
    pub background: Color,
}

impl Resize {
    /// Into a box of this size.
    #[must_use]
    pub fn new(width: u32, height: u32, fit: Fit) -> Self {
        Self { width: Some(width), height: Some(height), fit, ..Self::empty() }
    }

    /// To this width; the height follows.
    #[must_use]
    pub fn width(width: u32) -> Self {
        Self { width: Some(width), fit: Fit::Inside, ..Self::empty() }
    }

    /// To this height; the width follows.
    #[must_use]
    pub fn height(height: u32) -> Self {
        Self { height: Some(height), fit: Fit::Inside, ..Self::empty() }
    }

    /// With this part kept, or with the picture in this place.
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

    /// With this kernel.
    #[must_use]
    pub fn kernel(mut self, kernel: Kernel) -> Self {
        self.kernel = kernel;
        self
    }

    /// In linear light.
    #[must_use]
    pub fn linear(mut self) -> Self {
        self.linear = true;
        self
    }

    /// With this colour around it (fit `contain`).
    #[must_use]
    pub fn background(mut self, background: Color) -> Self {
        self.background = background;
        self
    }

    fn empty() -> Self {
        Self {
            width: None,
            height: None,
            fit: Fit::default(),
            gravity: Gravity::default(),
            without_enlargement: false,
            kernel: Kernel::default(),
            linear: false,
            background: Color::TRANSPARENT,
        }
    }

    fn fit_box(&self) -> FitBox {
        FitBox {
            width: self.width,
            height: self.height,
            fit: self.fit,
            gravity: self.gravity,
            without_enlargement: self.without_enlargement,
        }
    }

    /// What it does to a picture of this size.
    pub(crate) fn place(&self, (width, height): (u32, u32)) -> Placement {
        self.fit_box().place(width, height)
    }

    fn apply(&self, image: Image) -> Result<Image> {
        let placement = self.place((image.width(), image.height()));
        let how = Resample {
            crop: placement.crop,
            size: placement.size,
            kernel: self.kernel,
            linear: self.linear,
            crisp: false,
        };
        let resized = resample(&image, &how)?;
        drop(image);
        pad(resized, placement.canvas, placement.offset, self.background)
    }
}

#[async_trait]
impl Operation for Resize {
    const KIND: &'static str = "image.resize";

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let params = self.clone();
        on_pixels(inputs, cx, move |image, _| params.apply(image)).await
    }

    fn validate(&self) -> Result<()> {
        self.fit_box().validate()
    }

    fn describe(&self, input: &MediaInfo) -> Result<MediaInfo> {
        let info = decoded(input)?;
        let placement = self.place((info.width, info.height));
        let info = info.with_size(placement.canvas.0, placement.canvas.1);
        let opens =
            placement.canvas != placement.size && !self.background.is_opaque() && !info.alpha;
        let channels = info.channels + u8::from(opens && info.channels > 0);
        Ok(with_channels(info, channels))
    }

    fn demand(&self, wanted: Demand, input: &MediaInfo) -> Demand {
        if self.kernel == Kernel::Nearest {
            // Which pixel is the nearest can only be told at full size.
            return Demand::FULL;
        }
        let Placement { crop, size, .. } = self.place(input.upright_size());
        let scale = (f64::from(size.0) / crop.width).max(f64::from(size.1) / crop.height);
        Demand::scale(scale * wanted.as_scale())
    }

    fn estimate(&self, input: &MediaInfo) -> Estimate {
        let (width, height) = self.place(input.upright_size()).canvas;
        Estimate::cpu(u64::from(width) * u64::from(height) * 4)
    }

    fn schema() -> Option<Schema> {
        mediaflow_core::schema_of::<Self>()
    }
}

fn transparent() -> Color {
    Color::TRANSPARENT
}
