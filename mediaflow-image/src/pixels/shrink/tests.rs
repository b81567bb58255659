use mediaflow_core::geometry::Rect;
use mediaflow_core::media::{Image, Metadata};
use mediaflow_core::ops::Kernel;
use mediaflow_core::testing;
use proptest::prelude::*;

use super::Shrink;
use crate::pixels::{Bounds, Resample, Shape, resample};

/// Noise, in which every wrong weight shows; a part of it is clear.
fn noise(width: u32, height: u32, channels: u8, seed: u32) -> Image {
    let mut state = seed | 1;
    let count = width as usize * height as usize * usize::from(channels);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[1]
    };
    let pixels = (0..count).map(|_| if next() < 40 { 0 } else { next() }).collect();
    Image::new(width, height, channels, pixels).unwrap()
}

fn by_rows(image: &Image, how: &Resample, block: usize) -> Image {
    let cx = testing::context();
    let shape = Shape { width: image.width(), height: image.height(), channels: image.channels() };
    let mut shrink = Shrink::new(shape, how);
    for rows in image.pixels().chunks(shape.row_bytes() * block) {
        shrink.rows(rows, &cx).unwrap();
    }
    shrink.end(Metadata::default(), &cx).unwrap()
}

fn check(image: &Image, how: &Resample, block: usize) {
    let whole = resample(image, how, &testing::context()).unwrap();
    let rows = by_rows(image, how, block);
    assert_eq!((rows.width(), rows.channels()), (whole.width(), whole.channels()));
    let wrong = rows.pixels().iter().zip(whole.pixels()).position(|(a, b)| a != b);
    assert_eq!(wrong, None, "{how:?} of {image:?}, {block} rows at a time");
}

/// The pixels of which a crop shows something.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
fn outer(crop: Rect) -> Bounds {
    let (left, top) = (crop.x as u32, crop.y as u32);
    let (right, bottom) = ((crop.x + crop.width).ceil(), (crop.y + crop.height).ceil());
    Bounds { left, top, width: right as u32 - left, height: bottom as u32 - top }
}

const KERNELS: [Kernel; 5] =
    [Kernel::Nearest, Kernel::Bilinear, Kernel::CatmullRom, Kernel::Mitchell, Kernel::Lanczos3];

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn rows_give_what_the_whole_picture_gives(
        (width, height) in (1_u32..160, 1_u32..160),
        channels in 1_u8..=4,
        (left, top, right, bottom) in (0.0..0.6_f64, 0.0..0.6_f64, 0.0..0.4_f64, 0.0..0.4_f64),
        (on_pixels, cut_off) in any::<(bool, bool)>(),
        (across, down) in (0.0..1.0_f64, 0.0..1.0_f64),
        kernel in prop::sample::select(KERNELS.as_slice()),
        (linear, crisp) in (any::<bool>(), any::<bool>()),
        block in 1_usize..40,
        seed in any::<u32>(),
    ) {
        let (w, h) = (f64::from(width), f64::from(height));
        let mut crop = Rect { x: left * w, y: top * h, width: 0.0, height: 0.0 };
        (crop.width, crop.height) = (w - crop.x - right * w, h - crop.y - bottom * h);
        if on_pixels {
            (crop.x, crop.y) = (crop.x.floor(), crop.y.floor());
            (crop.width, crop.height) = (crop.width.floor().max(1.0), crop.height.floor().max(1.0));
        }
        prop_assume!(crop.width >= 1.0 && crop.height >= 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
        let side = |part: f64, of: f64| ((part * of).ceil().max(1.0) as u32).min(of.floor() as u32);
        let size = (side(across, crop.width), side(down, crop.height));
        let within = if cut_off { outer(crop) } else { Bounds::all((width, height)) };
        let how = Resample { crop, within, size, kernel, linear, crisp };
        prop_assume!(Shrink::takes(&how, (width, height)));
        check(&noise(width, height, channels, seed), &how, block);
    }
}

/// So large that the resampler of whole pictures works in bands, which are a part of its result, and so wide that several
/// tiles and batches are needed.
#[test]
fn rows_give_what_bands_give() {
    for (width, height, channels, size, linear) in [
        (6000, 3000, 3, (200, 100), false),
        (6000, 3000, 1, (1500, 750), false),
        (3000, 3000, 4, (750, 375), false),
        (2000, 3000, 3, (250, 375), true),
        (1700, 2500, 4, (425, 625), true),
        (9000, 900, 4, (8999, 120), false),
        (900, 700, 3, (300, 700), false),
        (4000, 3000, 3, (333, 250), false),
        (4000, 3000, 1, (300, 225), false),
        (900, 700, 4, (300, 700), true),
        (900, 700, 4, (900, 300), false),
        (900, 700, 1, (900, 300), true),
    ] {
        let crop = Rect { x: 0.0, y: 0.0, width: f64::from(width), height: f64::from(height) };
        let image = noise(width, height, channels, 7);
        let within = Bounds::all((width, height));
        let kernel = Kernel::Lanczos3;
        let how = Resample { crop, within, size, kernel, linear, crisp: false };
        check(&image, &how, 32);
        check(&image, &Resample { kernel: Kernel::Nearest, ..how }, 10);
    }
}

#[test]
fn rows_that_are_missing_are_an_error() {
    let crop = Rect { x: 0.0, y: 0.0, width: 20.0, height: 20.0 };
    let (within, size, kernel) = (Bounds::all((20, 20)), (5, 5), Kernel::Lanczos3);
    let how = Resample { crop, within, size, kernel, linear: false, crisp: false };
    let mut shrink = Shrink::new(Shape { width: 20, height: 20, channels: 1 }, &how);
    let cx = testing::context();
    shrink.rows(&[0; 200], &cx).unwrap();
    assert_eq!(shrink.end(Metadata::default(), &cx).unwrap_err().code(), "image.resize");
}
