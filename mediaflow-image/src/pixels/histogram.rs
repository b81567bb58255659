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

/// The grey of each pixel, whatever its alpha, as Pillow and OpenCV have it: by the luma of Rec. 601.
#[expect(clippy::cast_possible_truncation, reason = "the weights make 65,536")]
pub(crate) fn grey(image: &Image, cx: &RunContext) -> Result<Vec<u8>> {
    let channels = usize::from(image.channels());
    let row = image.width() as usize * channels;
    let mut greys = Vec::with_capacity(image.pixels().len() / channels);
    bands(image.height() as usize, row, cx, |rows| {
        let pixels = image.pixels()[rows.start * row..rows.end * row].chunks_exact(channels);
        greys.extend(pixels.map(|pixel| match *pixel {
            [r, g, b, ..] => {
                let sum = 19_595 * u32::from(r) + 38_470 * u32::from(g) + 7_471 * u32::from(b);
                ((sum + (1 << 15)) >> 16) as u8
            }
            [grey, ..] => grey,
            [] => 0,
        }));
    })?;
    Ok(greys)
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
