//! The operations: one file for each, with all that there is of it. Here they are registered, and nowhere else is one named.
//! Their parameters are core's words.
//!
//! Uses: codec, found, pixels, word.

mod auto_orient;
mod blur;
mod blurhash;
mod border;
mod brightness;
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
#[cfg(feature = "text")]
mod text;
mod threshold;
mod thumbhash;
mod tint;
mod trim_borders;
mod vibrance;
mod vignette;
mod watermark;
mod white_balance;

use mediaflow_core::ops;

use crate::word::Word;

/// What is done here with pictures.
pub(crate) const WORDS: &[Word] = &[
    Word::of::<ops::AutoOrient>(),
    Word::of::<ops::Blur>(),
    Word::of::<ops::Blurhash>(),
    Word::of::<ops::Border>(),
    Word::of::<ops::Brightness>(),
    Word::of::<ops::Clahe>(),
    Word::of::<ops::Compose>(),
    Word::of::<ops::Contrast>(),
    Word::of::<ops::Crop>(),
    Word::of::<ops::Duotone>(),
    Word::of::<ops::Entropy>(),
    Word::of::<ops::Extend>(),
    Word::of::<ops::Flatten>(),
    Word::of::<ops::Flip>(),
    Word::of::<ops::Flop>(),
    Word::of::<ops::FocalPoint>(),
    Word::of::<ops::Gamma>(),
    Word::of::<ops::Grayscale>(),
    Word::of::<ops::Hue>(),
    Word::of::<ops::Lut>(),
    Word::of::<ops::Median>(),
    Word::of::<ops::Negate>(),
    Word::of::<ops::Normalize>(),
    Word::of::<ops::Palette>(),
    Word::of::<ops::PerceptualHash>(),
    Word::of::<ops::Pixelate>(),
    Word::of::<ops::Posterize>(),
    Word::of::<ops::Radius>(),
    Word::of::<ops::ReadMetadata>(),
    Word::of::<ops::Resize>(),
    Word::of::<ops::Rotate>(),
    Word::of::<ops::Saturation>(),
    Word::of::<ops::Sepia>(),
    Word::of::<ops::Shadow>(),
    Word::of::<ops::Sharpen>(),
    Word::of::<ops::Sharpness>(),
    #[cfg(feature = "text")]
    Word::of::<ops::Text>(),
    Word::of::<ops::Threshold>(),
    Word::of::<ops::Thumbhash>(),
    Word::of::<ops::Tint>(),
    Word::of::<ops::TrimBorders>(),
    Word::of::<ops::Vibrance>(),
    Word::of::<ops::Vignette>(),
    Word::of::<ops::Watermark>(),
    Word::of::<ops::WhiteBalance>(),
];
