//! Arithmetic on pixels: pure functions from picture to picture, without files and without waiting. Each loop over rows
//! goes through [`bands`], which looks whether to stop.
//!
//! Uses: nothing.

mod bands;
mod blend;
mod composite;
mod gauss;
mod histogram;
mod icc;
mod interest;
mod light;
mod orient;
mod palette;
mod recolour;
mod resize;
mod shrink;
mod srgb_rows;
mod tone;

pub(crate) use bands::{bands, step, try_bands};
pub(crate) use blend::{Mix, Upon};
pub(crate) use composite::{channels_on, flatten, overlay, pad, tile};
pub(crate) use gauss::{blurred, gaussian, memory as gaussian_memory};
pub(crate) use histogram::{grey, luma_and_alpha, luma_histogram};
pub(crate) use icc::{Deep, converts, fits, srgb};
pub(crate) use interest::{attention, most_attention, most_entropy};
pub(crate) use light::{from_light, to_light};
pub(crate) use orient::Turn;
pub(crate) use palette::{Indexed, indexed};
pub(crate) use recolour::{Curves, Recolour};
pub(crate) use resize::{Bounds, Resample, resample};
pub(crate) use shrink::Shrink;
pub(crate) use srgb_rows::RowsToSrgb;
pub(crate) use tone::{Tone, Tones};

use mediaflow_core::media::Image;
use mediaflow_core::{Color, Result, RunContext};

/// What a picture of 8 bits has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) channels: u8,
}

impl Shape {
    /// Bytes of one row.
    pub(crate) fn row_bytes(self) -> usize {
        self.width as usize * usize::from(self.channels)
    }

    /// Bytes of all rows.
    pub(crate) fn bytes(self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * u64::from(self.channels)
    }
}

/// The pixels of a picture, copied if somebody else holds them.
///
/// # Errors
/// What [`RunContext::check`] gives.
pub(crate) fn owned(image: Image, cx: &RunContext) -> Result<Vec<u8>> {
    if !image.is_shared() {
        return Ok(image.into_pixels());
    }
    let mut pixels = Vec::with_capacity(image.pixels().len());
    bands(image.height() as usize, image.row_bytes(), cx, |rows| {
        let row = image.row_bytes();
        pixels.extend_from_slice(&image.pixels()[rows.start * row..rows.end * row]);
    })?;
    Ok(pixels)
}

/// The picture with this many channels: grey becomes colour, and missing alpha is opaque. Never takes a channel away.
pub(crate) fn widen(image: Image, channels: u8, cx: &RunContext) -> Result<Image> {
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
    let row = width as usize * usize::from(have);
    bands(height as usize, width as usize * wanted, cx, |rows| {
        let part = &image.pixels()[rows.start * row..rows.end * row];
        for pixel in part.chunks_exact(usize::from(have)) {
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
    })?;
    let channels = if colour { 3 } else { 1 } + u8::from(alpha);
    Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
}

/// The bytes of one pixel of a colour; one that a grey picture can not show becomes its red.
pub(crate) fn pixel(color: Color, channels: u8) -> Vec<u8> {
    let [r, g, b, a] = color.channels();
    match channels {
        1 => vec![r],
        2 => vec![r, a],
        3 => vec![r, g, b],
        _ => vec![r, g, b, a],
    }
}

/// A copy of a part that lies inside the picture.
pub(crate) fn crop(
    image: &Image,
    (left, top): (u32, u32),
    (width, height): (u32, u32),
    cx: &RunContext,
) -> Result<Image> {
    let channels = usize::from(image.channels());
    let stride = image.width() as usize * channels;
    let (start, len) = (left as usize * channels, width as usize * channels);
    let mut pixels = Vec::with_capacity(len * height as usize);
    bands(height as usize, len, cx, |rows| {
        let skipped = top as usize + rows.start;
        for row in image.pixels().chunks_exact(stride).skip(skipped).take(rows.len()) {
            pixels.extend_from_slice(row.get(start..start + len).unwrap_or_default());
        }
    })?;
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

/// 16 bits as 8, rounded.
#[expect(clippy::cast_possible_truncation, reason = "65,535 / 257 is 255")]
pub(crate) fn eight_bits(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// Rounded, and kept between 0 and 255.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
pub(crate) fn to_byte(value: f32) -> u8 {
    (value + 0.5) as u8
}
