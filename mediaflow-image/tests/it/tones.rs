//! Tones, borders, blur and sharpening against their definitions, computed here in the plainest way.

use mediaflow_core::geometry::Fit;
use mediaflow_core::media::Image;
use mediaflow_core::ops::{
    Blur, Brightness, Contrast, Extend, Gamma, Grayscale, Negate, Resize, Saturation, Sepia,
    Sharpen,
};
use mediaflow_core::{AnyOperation, Color, Operation};

use crate::support::{Branches, as_png, image, noise, run_any};

/// Every colour of a coarse cube, in `channels` channels.
fn colours(channels: u8) -> Image {
    let levels = [0_u8, 1, 51, 100, 127, 128, 180, 254, 255];
    let mut pixels = Vec::new();
    for r in levels {
        for g in levels {
            for b in levels {
                match channels {
                    1 => pixels.push(r),
                    2 => pixels.extend([r, g]),
                    3 => pixels.extend([r, g, b]),
                    _ => pixels.extend([r, g, b, r ^ b]),
                }
            }
        }
    }
    Image::new(81, 9, channels, pixels).unwrap()
}

/// A filter of <https://www.w3.org/TR/filter-effects-1/> on colours from 0 to 1, for each pixel.
async fn follows(operation: impl Operation + Clone, filter: impl Fn([f64; 3]) -> [f64; 3]) {
    for channels in [1, 2, 3, 4] {
        let before = colours(channels);
        let after = image(operation.clone(), before.clone()).await;
        let (from, to) = (usize::from(channels), usize::from(after.channels()));
        let pixels = before.pixels().chunks_exact(from).zip(after.pixels().chunks_exact(to));
        for (before, after) in pixels {
            let rgb = if from > 2 { [before[0], before[1], before[2]] } else { [before[0]; 3] };
            let wanted =
                filter(rgb.map(|v| f64::from(v) / 255.0)).map(|v| v.clamp(0.0, 1.0) * 255.0);
            let colours = if to > 2 { 3 } else { 1 };
            for (value, wanted) in after[..colours].iter().zip(wanted) {
                let off = (f64::from(*value) - wanted).abs();
                assert!(off <= 0.51, "{operation:?}: {before:?} gives {after:?}, not {wanted}");
            }
            if from.is_multiple_of(2) {
                assert_eq!(before[from - 1], after[to - 1], "{operation:?}: alpha");
            }
        }
    }
}

fn times(matrix: [[f64; 3]; 3], colour: [f64; 3]) -> [f64; 3] {
    matrix.map(|row| row.iter().zip(colour).map(|(weight, value)| weight * value).sum())
}

#[tokio::test]
async fn tones_are_those_of_css() {
    for amount in [0.0, 0.4, 1.0, 1.7, 10.0] {
        follows(Brightness::by(amount), |colour| colour.map(|v| v * amount)).await;
        follows(Contrast::by(amount), |colour| colour.map(|v| v * amount - 0.5 * amount + 0.5))
            .await;
        let s = amount;
        let matrix = [
            [0.213 + 0.787 * s, 0.715 - 0.715 * s, 0.072 - 0.072 * s],
            [0.213 - 0.213 * s, 0.715 + 0.285 * s, 0.072 - 0.072 * s],
            [0.213 - 0.213 * s, 0.715 - 0.715 * s, 0.072 + 0.928 * s],
        ];
        follows(Saturation::by(amount), |colour| times(matrix, colour)).await;
    }
    for amount in [0.0, 0.3, 1.0] {
        let k = 1.0 - amount;
        let matrix = [
            [0.393 + 0.607 * k, 0.769 - 0.769 * k, 0.189 - 0.189 * k],
            [0.349 - 0.349 * k, 0.686 + 0.314 * k, 0.168 - 0.168 * k],
            [0.272 - 0.272 * k, 0.534 - 0.534 * k, 0.131 + 0.869 * k],
        ];
        follows(Sepia::by(amount), |colour| times(matrix, colour)).await;
    }
    for amount in [0.1, 0.45, 1.0, 2.2, 10.0] {
        follows(Gamma::by(amount), |colour| colour.map(|v| v.powf(1.0 / amount))).await;
    }
}

/// Tones are folded into one pass, and into a resize only where that changes nothing.
#[tokio::test]
async fn tones_together_are_what_they_are_one_by_one() {
    let original = noise(97, 71, 3);
    let source = as_png(original.clone()).await;
    let op = AnyOperation::new::<Brightness>;
    let small = || AnyOperation::new(Resize::new(40, 40, Fit::Inside));
    let chains = [
        vec![
            op(Brightness::by(1.6)),
            AnyOperation::new(Contrast::by(1.4)),
            AnyOperation::new(Gamma::by(0.7)),
        ],
        vec![
            AnyOperation::new(Sepia::default()),
            AnyOperation::new(Grayscale::default()),
            AnyOperation::new(Sepia::by(0.5)),
            AnyOperation::new(Negate::default()),
        ],
        vec![
            AnyOperation::new(Saturation::by(3.0)),
            AnyOperation::new(Grayscale::default()),
            op(Brightness::by(0.5)),
        ],
        vec![
            AnyOperation::new(Grayscale::default()),
            op(Brightness::by(1.5)),
            AnyOperation::new(Saturation::by(2.0)),
        ],
        vec![op(Brightness::by(3.0)), small()],
        vec![
            AnyOperation::new(Contrast::by(4.0)),
            AnyOperation::new(Sepia::default()),
            small(),
            AnyOperation::new(Negate::default()),
        ],
        vec![
            AnyOperation::new(Gamma::by(3.0)),
            small(),
            AnyOperation::new(Extend::all(3)),
            AnyOperation::new(Blur::by(1.0)),
        ],
    ];
    for (index, chain) in chains.into_iter().enumerate() {
        let mut one_by_one = original.clone();
        for step in &chain {
            let inputs = mediaflow_core::Inputs::one(one_by_one);
            one_by_one = run_any(step.clone(), inputs).await.unwrap().into_image().unwrap();
        }
        let mut ran = Branches::of(source.clone()).chain("out", chain).run().await.unwrap();
        let made = ran.image("out");
        assert_eq!(made.channels(), one_by_one.channels(), "chain {index}\n{}", ran.explanation);
        assert_eq!(made.pixels(), one_by_one.pixels(), "chain {index}\n{}", ran.explanation);
    }
}

/// Half the pixels are cut off by the brightness: a resize before it would mix them as they were.
#[tokio::test]
async fn a_tone_that_cuts_off_is_not_moved_behind_a_resize() {
    let checks: Vec<u8> =
        (0..64 * 64).map(|i| if (i + i / 64) % 2 == 0 { 20 } else { 220 }).collect();
    let source = as_png(Image::new(64, 64, 1, checks).unwrap()).await;
    let chain = vec![
        AnyOperation::new(Brightness::by(2.0)),
        AnyOperation::new(Resize::new(16, 16, Fit::Fill)),
    ];
    let mut ran = Branches::of(source).chain("out", chain).run().await.unwrap();
    let middle = ran.image("out").pixels()[16 * 8 + 8];
    // Of 40 and 255; the other way round it would be twice 120.
    assert!(middle.abs_diff(148) <= 3, "{middle}");
}

#[tokio::test]
async fn a_border_is_added_on_each_side() {
    let letters = Image::new(2, 2, 1, b"abcd".to_vec()).unwrap();
    let how = Extend::new(1, 2, 0, 1).background(Color::rgb(46, 46, 46));
    let framed = image(how, letters.clone()).await;
    assert_eq!((framed.width(), framed.height(), framed.channels()), (5, 3, 1));
    assert_eq!(std::str::from_utf8(framed.pixels()).unwrap(), "......ab...cd..");
    let open = image(Extend::all(1), letters.clone()).await;
    assert_eq!((open.channels(), &open.pixels()[..2]), (2, &[0, 0][..]));
    let red = image(Extend::all(1).background(Color::rgb(255, 0, 0)), letters.clone()).await;
    assert_eq!((red.channels(), &red.pixels()[..3]), (3, &[255, 0, 0][..]));
    assert_eq!(&red.pixels()[15..18], b"aaa");
    assert_eq!(image(Extend::default(), letters.clone()).await.pixels(), letters.pixels());
    let source = as_png(noise(60, 40, 3)).await;
    let cropped = vec![
        AnyOperation::new(mediaflow_core::ops::Crop::new(10, 10, 20, 10)),
        AnyOperation::new(Extend::all(5).background(Color::WHITE)),
    ];
    let mut ran = Branches::of(source).chain("out", cropped).run().await.unwrap();
    let framed = ran.image("out");
    let before = noise(60, 40, 3);
    let part = &before.pixels()[(10 * 60 + 10) * 3..][..60];
    assert_eq!((framed.width(), framed.height()), (30, 20));
    assert_eq!(&framed.pixels()[(5 * 30 + 5) * 3..][..60], part);
}

/// The Gaussian blur by its definition: a sum over a square around each pixel.
fn blurred(image: &Image, sigma: f64) -> Vec<f64> {
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let channels = usize::from(image.channels());
    let radius = i64::from((0_i32..).find(|radius| f64::from(*radius) >= 3.0 * sigma).unwrap());
    let at = |x: i64, y: i64| {
        let (x, y) = (x.clamp(0, width - 1), y.clamp(0, height - 1));
        let start = usize::try_from(y * width + x).unwrap() * channels;
        &image.pixels()[start..start + channels]
    };
    let mut result = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (mut sums, mut opacity, mut total) = (vec![0.0; channels], 0.0, 0.0);
            for dy in -radius..=radius {
                for dx in -radius..=radius {
                    let weight = (-((dx * dx + dy * dy) as f64) / (2.0 * sigma * sigma)).exp();
                    let pixel = at(x + dx, y + dy);
                    let alpha = if image.has_alpha() {
                        f64::from(pixel[channels - 1]) / 255.0
                    } else {
                        1.0
                    };
                    sums.iter_mut()
                        .zip(pixel)
                        .for_each(|(sum, v)| *sum += weight * alpha * f64::from(*v));
                    opacity += weight * alpha;
                    total += weight;
                }
            }
            let colours = if image.has_alpha() { channels - 1 } else { channels };
            result.extend(
                sums[..colours].iter().map(|sum| if opacity > 0.0 { sum / opacity } else { 0.0 }),
            );
            if image.has_alpha() {
                result.push(opacity / total * 255.0);
            }
        }
    }
    result
}

#[tokio::test]
async fn a_blur_is_the_sum_that_defines_it() {
    for (channels, sigma) in [(1, 0.1), (1, 1.0), (3, 2.5), (2, 1.3), (4, 1.3), (3, 9.0)] {
        let picture = noise(31, 23, channels);
        let soft = image(Blur::by(sigma), picture.clone()).await;
        let opaque = |index: usize| {
            let n = usize::from(channels);
            !picture.has_alpha() || soft.pixels()[index / n * n + n - 1] > 3
        };
        for (index, (value, wanted)) in
            soft.pixels().iter().zip(blurred(&picture, sigma)).enumerate()
        {
            let off = (f64::from(*value) - wanted).abs();
            assert!(
                off <= 0.6 || !opaque(index),
                "{channels} {sigma} at {index}: {value}, not {wanted}"
            );
        }
    }
    let wide = image(Blur::by(100.0), noise(5, 3, 3)).await;
    assert_eq!((wide.width(), wide.height()), (5, 3));
}

#[tokio::test]
async fn sharpening_is_the_distance_from_the_blur() {
    for (channels, sigma, amount) in [(1, 1.0, 1.0), (3, 2.0, 0.5), (4, 1.0, 3.0), (3, 1.0, 0.0)] {
        let picture = noise(29, 17, channels);
        let sharp = image(Sharpen::new(sigma, amount), picture.clone()).await;
        let soft = blurred(&picture, sigma);
        let n = usize::from(channels);
        for (index, (value, soft)) in sharp.pixels().iter().zip(soft).enumerate() {
            let before = f64::from(picture.pixels()[index]);
            let alpha = picture.has_alpha() && index % n == n - 1;
            let wanted = if alpha { before } else { before + amount * (before - soft) };
            let off = (f64::from(*value) - wanted.clamp(0.0, 255.0)).abs();
            assert!(off <= 0.6, "{channels} {sigma} {amount} at {index}: {value}, not {wanted}");
        }
    }
}

#[tokio::test]
async fn parameters_out_of_bounds_are_refused() {
    assert_eq!(Brightness::by(-0.1).validate().unwrap_err().code(), "op.range");
    assert_eq!(Contrast::by(11.0).validate().unwrap_err().fact("amount"), Some("11"));
    assert_eq!(Saturation::by(f64::NAN).validate().unwrap_err().code(), "op.range");
    assert_eq!(Sepia::by(1.1).validate().unwrap_err().code(), "op.range");
    assert_eq!(Gamma::by(0.0).validate().unwrap_err().code(), "op.range");
    assert_eq!(Blur::by(101.0).validate().unwrap_err().code(), "op.range");
    assert_eq!(Sharpen::new(1.0, 10.5).validate().unwrap_err().code(), "op.range");
    assert_eq!(Extend::all(100_001).validate().unwrap_err().code(), "op.range");
    let far = AnyOperation::new(Extend::all(90_000));
    let error = run_any(far, mediaflow_core::Inputs::one(noise(2, 2, 1))).await.unwrap_err();
    assert_eq!(error.code(), "limit.side");
}
