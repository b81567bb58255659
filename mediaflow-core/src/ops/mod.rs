//! The vocabulary: words that mean the same on every medium that they are for, be it stills, animations or video. Here stand
//! their parameters and what follows from them; the work is done by backends, and no codec is known here. What writes a file
//! of some format stands beside its codec.
//!
//! Each file has a word, and its verb in a [`Chain`](crate::spec::Chain).
//!
//! Uses: aspect, checksum, codes, color, cube, error, font, geometry, length, media, operation, plan, spec.

/// A word without parameters that moves or changes pixels and leaves size and channels as they are.
macro_rules! pixels_only {
    ($name:ident, $kind:literal, $($alias:literal),+) => {
        impl $crate::operation::Operation for $name {
            const KIND: &'static str = $kind;
            const ALIASES: &'static [&'static str] = &[$($alias),+];
            const MEDIA: &'static [$crate::media::Medium] = $crate::ops::PICTURES;

            fn describe(
                &self,
                inputs: &[$crate::media::MediaInfo],
            ) -> $crate::Result<$crate::media::MediaInfo> {
                $crate::ops::picture(inputs)
            }

            fn demand(
                &self,
                wanted: $crate::plan::Demand,
                _inputs: &[$crate::media::MediaInfo],
            ) -> Vec<$crate::plan::Demand> {
                vec![wanted]
            }

            fn schema() -> Option<schemars::Schema> {
                $crate::operation::schema_of::<Self>()
            }
        }
    };
}

/// A word for stills with an amount from 0 to 10, of which 1 changes nothing. Beyond that values are cut off, and then it matters
/// what is mixed first.
macro_rules! amount {
    ($name:ident, $kind:literal) => {
        impl $name {
            /// This much: 1 changes nothing.
            #[must_use]
            pub fn by(amount: f64) -> Self {
                Self { amount }
            }
        }

        impl $crate::operation::Operation for $name {
            const KIND: &'static str = $kind;
            const MEDIA: &'static [$crate::media::Medium] = $crate::ops::STILLS;

            fn validate(&self) -> $crate::Result<()> {
                $crate::ops::check_range("amount", self.amount, 0.0, 10.0)
            }

            fn describe(
                &self,
                inputs: &[$crate::media::MediaInfo],
            ) -> $crate::Result<$crate::media::MediaInfo> {
                $crate::ops::picture(inputs)
            }

            fn demand(
                &self,
                wanted: $crate::plan::Demand,
                _inputs: &[$crate::media::MediaInfo],
            ) -> Vec<$crate::plan::Demand> {
                vec![if self.amount <= 1.0 { wanted } else { $crate::plan::Demand::FULL }]
            }

            fn schema() -> Option<schemars::Schema> {
                $crate::operation::schema_of::<Self>()
            }
        }
    };
}

/// A word for stills that finds something out of a copy of the picture: a fact.
macro_rules! finds {
    ($name:ident, $kind:literal) => {
        impl $crate::operation::Operation for $name {
            const KIND: &'static str = $kind;
            const MEDIA: &'static [$crate::media::Medium] = $crate::ops::STILLS;

            fn validate(&self) -> $crate::Result<()> {
                self.check()
            }

            fn gives(&self, _input: $crate::media::Medium) -> $crate::media::Medium {
                $crate::media::Medium::Facts
            }

            fn describe(
                &self,
                inputs: &[$crate::media::MediaInfo],
            ) -> $crate::Result<$crate::media::MediaInfo> {
                $crate::ops::picture(inputs).map(|_| $crate::media::Facts::info())
            }

            fn demand(
                &self,
                wanted: $crate::plan::Demand,
                inputs: &[$crate::media::MediaInfo],
            ) -> Vec<$crate::plan::Demand> {
                $crate::operation::Operation::demand(&self.copy(), wanted, inputs)
            }

            fn schema() -> Option<schemars::Schema> {
                $crate::operation::schema_of::<Self>()
            }
        }
    };
}

mod auto_orient;
mod blur;
mod blurhash;
mod border;
mod brightness;
mod checksum;
mod clahe;
mod compose;
mod contrast;
mod crop;
mod duotone;
mod entropy;
mod extend;
mod flatten;
mod flip;
mod flop;
mod focal_point;
mod fps;
mod gamma;
mod grayscale;
mod hue;
mod lut;
mod median;
mod negate;
mod normalize;
mod palette;
mod perceptual_hash;
mod pixelate;
mod poster;
mod posterize;
mod radius;
mod read_metadata;
mod resize;
mod rotate;
mod saturation;
mod sepia;
mod shadow;
mod sharpen;
mod sharpness;
mod text;
mod threshold;
mod thumbhash;
mod tint;
mod trim;
mod trim_borders;
mod vibrance;
mod vignette;
mod watermark;
mod white_balance;

pub use auto_orient::AutoOrient;
pub use blur::Blur;
pub use blurhash::Blurhash;
pub use border::Border;
pub use brightness::Brightness;
pub use checksum::Checksum;
pub use clahe::Clahe;
pub use compose::{Compose, Layer};
pub use contrast::Contrast;
pub use crop::Crop;
pub use duotone::Duotone;
pub use entropy::Entropy;
pub use extend::{Extend, ExtendMode};
pub use flatten::Flatten;
pub use flip::Flip;
pub use flop::Flop;
pub use focal_point::FocalPoint;
pub use fps::Fps;
pub use gamma::Gamma;
pub use grayscale::Grayscale;
pub use hue::Hue;
pub use lut::Lut;
pub use median::Median;
pub use negate::Negate;
pub use normalize::Normalize;
pub use palette::Palette;
pub use perceptual_hash::{HashAlgorithm, PerceptualHash};
pub use pixelate::Pixelate;
pub use poster::{Position, Poster};
pub use posterize::Posterize;
pub use radius::Radius;
pub use read_metadata::ReadMetadata;
pub use resize::{Kernel, Resize};
pub use rotate::Rotate;
pub use saturation::Saturation;
pub use sepia::Sepia;
pub use shadow::Shadow;
pub use sharpen::Sharpen;
pub use sharpness::Sharpness;
pub use text::{Align, Text};
pub use threshold::Threshold;
pub use thumbhash::Thumbhash;
pub use tint::Tint;
pub use trim::Trim;
pub use trim_borders::TrimBorders;
pub use vibrance::Vibrance;
pub use vignette::Vignette;
pub use watermark::{Blend, Watermark};
pub use white_balance::WhiteBalance;

pub use crate::cube::Cube;
pub use crate::font::Font;

use crate::codes;
use crate::color::Color;
use crate::media::{MediaInfo, Medium};
use crate::{Error, Result};

/// What has pictures.
const PICTURES: &[Medium] = &[Medium::Still, Medium::Animation, Medium::Video];

/// What is a picture, or several without sound.
const STILLS: &[Medium] = &[Medium::Still, Medium::Animation];

/// The first input: planning has counted them.
fn first(inputs: &[MediaInfo]) -> Result<&MediaInfo> {
    inputs.first().ok_or_else(|| Error::input(codes::SPEC_INPUTS, "the step needs an input"))
}

/// The picture of the first input. Of a video it may not be known how large that is.
fn picture(inputs: &[MediaInfo]) -> Result<MediaInfo> {
    let input = first(inputs)?;
    if input.pixels() > 0 || input.medium == Medium::Video {
        return Ok(input.clone());
    }
    Err(Error::input(codes::MEDIA_NO_PICTURE, "there is no picture to work on")
        .with("format", &input.format))
}

/// A copy on which what says little of a picture is found out: several such facts share one.
fn small() -> Resize {
    Resize::inside(100, 100).without_enlargement()
}

/// A number between two others, or the error that says so.
///
/// # Errors
/// `op.range`.
pub fn check_range(name: &'static str, value: f64, low: f64, high: f64) -> Result<()> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(Error::input(codes::OP_RANGE, format!("`{name}` lies between {low} and {high}"))
        .with(name, value))
}

/// The picture of the first input, in colours: a grey one is given some.
fn coloured(inputs: &[MediaInfo]) -> Result<MediaInfo> {
    let info = picture(inputs)?;
    let channels = match info.channels {
        channels @ 1..=2 => channels + 2,
        channels => channels,
    };
    Ok(info.with_channels(channels))
}

/// A colour through which nothing shows, or the error that says so.
fn check_opaque(name: &'static str, color: Color) -> Result<()> {
    if color.is_opaque() {
        return Ok(());
    }
    Err(Error::input(codes::OP_COLOR, format!("`{name}` is an opaque colour"))
        .with(name, color)
        .help("leave its alpha out: `#ffcc00`"))
}
