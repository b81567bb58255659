use mediaflow_core::media::Image;
use mediaflow_core::{Result, RunContext};

use super::bands;
use super::recolour::luma_of;

/// How much there is of each luma: pixels count by their alpha, of which 255 is a whole one.
pub(crate) fn luma_histogram(image: &Image, cx: &RunContext) -> Result<Box<[u64; 256]>> {
    let mut counts = Box::new([0; 256]);
    let channels = usize::from(image.channels());
    let row = image.width() as usize * channels;
    bands(image.height() as usize, 2 * row, cx, |rows| {
        for pixel in image.pixels()[rows.start * row..rows.end * row].chunks_exact(channels) {
            let (luma, alpha) = luma_and_alpha(pixel);
            counts[usize::from(luma)] += u64::from(alpha);
        }
    })?;
    Ok(counts)
}

/// Of a pixel with any number of channels.
pub(crate) fn luma_and_alpha(pixel: &[u8]) -> (u8, u8) {
    match *pixel {
        [luma] => (luma, 255),
        [luma, alpha] => (luma, alpha),
        [r, g, b] => (luma_of([r, g, b]), 255),
        [r, g, b, alpha, ..] => (luma_of([r, g, b]), alpha),
        [] => (0, 0),
    }
}
