//! Arithmetic on pixels: pure functions from picture to picture, without files and without waiting.
//!
//! Uses: color.

mod composite;
mod icc;
mod orient;
mod point;
mod resize;
mod rotate;

pub(crate) use composite::{flatten, overlay, pad, tile};
pub(crate) use icc::to_srgb;
pub(crate) use orient::Turn;
pub(crate) use point::Points;
pub use resize::Kernel;
pub(crate) use resize::{Resample, resample};
pub(crate) use rotate::{rotate, rotated_size};

use mediaflow_core::Result;
use mediaflow_core::media::Image;

/// The picture with this many channels: grey becomes colour, and missing alpha is opaque. Never takes a channel away.
pub(crate) fn widen(image: Image, channels: u8) -> Result<Image> {
    let have = image.channels();
    if have >= channels
        && (have == channels || !channels.is_multiple_of(2) || have.is_multiple_of(2))
    {
        return Ok(image);
    }
    let (width, height, metadata) = (image.width(), image.height(), image.metadata().clone());
    let colour = have >= 3 || channels >= 3;
    let alpha = have.is_multiple_of(2) || channels.is_multiple_of(2);
    let wanted = if colour { 3 } else { 1 } + usize::from(alpha);
    let mut pixels = Vec::with_capacity(width as usize * height as usize * wanted);
    for pixel in image.pixels().chunks_exact(usize::from(have)) {
        let (values, opacity) = match *pixel {
            [v] => ([v, v, v], 255),
            [v, a] => ([v, v, v], a),
            [r, g, b] => ([r, g, b], 255),
            [r, g, b, a, ..] => ([r, g, b], a),
            [] => ([0; 3], 0),
        };
        pixels.extend_from_slice(&values[..if colour { 3 } else { 1 }]);
        if alpha {
            pixels.push(opacity);
        }
    }
    let channels = if colour { 3 } else { 1 } + u8::from(alpha);
    Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
}

/// A copy of a part that lies inside the picture.
pub(crate) fn crop(image: &Image, left: u32, top: u32, width: u32, height: u32) -> Result<Image> {
    let channels = usize::from(image.channels());
    let stride = image.width() as usize * channels;
    let (start, len) = (left as usize * channels, width as usize * channels);
    let mut pixels = Vec::with_capacity(len * height as usize);
    for row in image.pixels().chunks_exact(stride).skip(top as usize).take(height as usize) {
        pixels.extend_from_slice(row.get(start..start + len).unwrap_or_default());
    }
    Ok(Image::new(width, height, image.channels(), pixels)?.with_metadata(image.metadata().clone()))
}

/// The product of two fractions of 255, rounded.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the product of two fractions of 255 is at most 255"
)]
pub(crate) fn mul(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}
