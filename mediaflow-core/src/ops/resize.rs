use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};

use super::{PICTURES, picture};
use crate::Result;
use crate::color::Color;
use crate::geometry::{Fit, FitBox, Gravity, Placement};
use crate::media::{MediaInfo, Medium};
use crate::operation::{Operation, schema_of};
use crate::plan::Demand;
use crate::spec::Chain;

/// `resize`: puts the picture into a box.
///
/// ```
/// use mediaflow_core::geometry::{Fit, Gravity};
/// use mediaflow_core::ops::Resize;
///
/// let square = Resize::cover(320, 320).gravity(Gravity::North).without_enlargement();
/// assert_eq!(square, Resize::from((320, 320, Fit::Cover)).gravity(Gravity::North).without_enlargement());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Resize {
    /// Width of the box in pixels. One side is enough: the other follows by the shape of the picture.
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
    /// What fills the rest of the box with `contain`. Default: transparent, or black on video.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Color>,
}

impl Resize {
    /// Into a box of this width and height in pixels.
    #[must_use]
    pub fn new(width: u32, height: u32, fit: Fit) -> Self {
        Self { width: Some(width), height: Some(height), fit, ..Self::empty() }
    }

    /// Fills a box; what stands out is cut off.
    #[must_use]
    pub fn cover(width: u32, height: u32) -> Self {
        Self::new(width, height, Fit::Cover)
    }

    /// As large as possible inside a box.
    #[must_use]
    pub fn inside(width: u32, height: u32) -> Self {
        Self::new(width, height, Fit::Inside)
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

    /// With the top kept, or with the picture there.
    #[must_use]
    pub fn north(self) -> Self {
        self.gravity(Gravity::North)
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
        self.background = Some(background);
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
            background: None,
        }
    }

    /// The box.
    #[must_use]
    pub fn fit_box(&self) -> FitBox {
        FitBox {
            width: self.width,
            height: self.height,
            fit: self.fit,
            gravity: self.gravity,
            without_enlargement: self.without_enlargement,
        }
    }

    /// What it does to a picture of this size.
    #[must_use]
    pub fn place(&self, (width, height): (u32, u32)) -> Placement {
        self.fit_box().place(width, height)
    }

    /// The size of a picture of this size before something of it is cut off.
    #[must_use]
    pub fn uncut(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let fit = if self.fit == Fit::Cover { Fit::Outside } else { self.fit };
        FitBox { fit, gravity: Gravity::Center, ..self.fit_box() }.place(width, height).size
    }

    /// Whether the result is as large as the box, whatever the picture is.
    fn fills_its_box(&self) -> bool {
        let both = self.width.is_some() && self.height.is_some();
        let fills = match self.fit {
            Fit::Contain => true,
            Fit::Cover | Fit::Fill => !self.without_enlargement,
            Fit::Inside | Fit::Outside => false,
        };
        both && fills
    }

    /// What fills the rest of the box on this medium.
    #[must_use]
    pub fn ground(&self, medium: Medium) -> Color {
        let usual = if medium == Medium::Video { Color::BLACK } else { Color::TRANSPARENT };
        self.background.unwrap_or(usual)
    }
}

impl From<(u32, u32, Fit)> for Resize {
    fn from((width, height, fit): (u32, u32, Fit)) -> Self {
        Self::new(width, height, fit)
    }
}

impl Operation for Resize {
    const KIND: &'static str = "resize";
    const ALIASES: &'static [&'static str] = &["image.resize", "video.resize"];
    const MEDIA: &'static [Medium] = PICTURES;

    fn validate(&self) -> Result<()> {
        self.fit_box().validate()
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = picture(inputs)?;
        if info.medium == Medium::Video {
            self.gravity.check_fixed()?;
        }
        if info.pixels() == 0 {
            return Ok(info);
        }
        let placement = self.place((info.width, info.height));
        let info = info.with_size(placement.canvas.0, placement.canvas.1);
        let estimated = info.estimated && !self.fills_its_box();
        let info = info.with_estimated(estimated);
        let opens = placement.canvas != placement.size
            && !self.ground(info.medium).is_opaque()
            && !info.alpha
            && info.channels > 0;
        let channels = info.channels + u8::from(opens);
        Ok(info.with_channels(channels))
    }

    fn demand(&self, wanted: Demand, inputs: &[MediaInfo]) -> Vec<Demand> {
        let Some(input) = inputs.first().filter(|input| input.pixels() > 0) else {
            return vec![Demand::FULL];
        };
        if self.kernel == Kernel::Nearest {
            // Which pixel is the nearest can only be told at full size.
            return vec![Demand::FULL];
        }
        let Placement { crop, size, canvas, .. } = self.place((input.width, input.height));
        let scale = (f64::from(size.0) / crop.width).max(f64::from(size.1) / crop.height);
        // What lies around the picture is so many whole pixels wide.
        let wanted = if canvas == size { wanted.as_scale() } else { 1.0 };
        vec![Demand::scale(scale * wanted)]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

/// How a resize mixes pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(
    clippy::exhaustive_enums,
    reason = "a backend knows every kernel, or says that it does not"
)]
pub enum Kernel {
    /// Mixes nothing: for pixel art and masks.
    Nearest,
    /// Soft and cheap.
    Bilinear,
    /// Sharp, little ringing.
    CatmullRom,
    /// Between soft and sharp.
    Mitchell,
    /// Sharpest. The default.
    #[default]
    Lanczos3,
}

impl Chain {
    /// Into a box, in pixels: `(640, 360, Fit::Inside)`, or any [`Resize`].
    pub fn resize(self, how: impl Into<Resize>) -> Self {
        self.then(how.into())
    }
}
