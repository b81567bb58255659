//! Colour profiles and deep colours against their definitions.

use mediaflow_core::AnyOperation;
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Image, MediaFile};
use mediaflow_core::ops::{Crop, Flop, Kernel, Resize, Rotate};
use mediaflow_image::{Chroma, Jpeg};
use moxcms::{ColorProfile, ToneReprCurve};

use crate::support::{Branches, as_png, decode, file, image, run};

/// A PNG as a camera would write it: with this profile, and these samples as they are.
fn png(size: (u32, u32), colour: png::ColorType, deep: bool, data: &[u8], icc: &[u8]) -> MediaFile {
    let mut bytes = Vec::new();
    let mut info = png::Info::with_size(size.0, size.1);
    info.color_type = colour;
    info.bit_depth = if deep { png::BitDepth::Sixteen } else { png::BitDepth::Eight };
    info.icc_profile = (!icc.is_empty()).then(|| icc.into());
    let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    file("camera.png", bytes)
}

/// How sRGB writes this much light, in 255 steps.
fn srgb(light: f64) -> f64 {
    255.0 * if light <= 0.003_130_8 { 12.92 * light } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

fn grey(gamma: f32) -> Vec<u8> {
    ColorProfile::new_gray_with_gamma(gamma).encode().unwrap()
}

#[tokio::test]
async fn grey_with_a_profile_is_what_srgb_shows() {
    let levels: Vec<u8> = (0..=255).collect();
    for gamma in [1.0, 1.8, 2.2, 2.6] {
        for channels in [1, 2] {
            let data: Vec<u8> =
                levels.iter().flat_map(|v| [*v, 255].into_iter().take(channels)).collect();
            let colour = if channels == 1 {
                png::ColorType::Grayscale
            } else {
                png::ColorType::GrayscaleAlpha
            };
            let source = png((256, 1), colour, false, &data, &grey(gamma));
            let shown = decode(&source).await.unwrap();
            assert_eq!(usize::from(shown.channels()), channels);
            for (level, pixel) in levels.iter().zip(shown.pixels().chunks_exact(channels)) {
                let wanted = srgb((f64::from(*level) / 255.0).powf(f64::from(gamma)));
                let off = (f64::from(pixel[0]) - wanted).abs();
                assert!(off <= 1.2, "gamma {gamma}: {level} is {} for {wanted:.1}", pixel[0]);
            }
        }
    }
}

#[tokio::test]
async fn light_is_mixed_after_the_conversion() {
    // Half black and half white is half of the light, whatever numbers the profile has for it.
    for (channels, colour) in [(1, png::ColorType::Grayscale), (2, png::ColorType::GrayscaleAlpha)]
    {
        let data: Vec<u8> = (0..64 * 64_usize)
            .flat_map(|i| {
                let level = if (i % 64 + i / 64) % 2 == 0 { 255 } else { 0 };
                [level, 255].into_iter().take(channels)
            })
            .collect();
        let source = png((64, 64), colour, false, &data, &grey(1.4));
        let step = Resize::new(8, 8, Fit::Fill).linear();
        let mut ran =
            Branches::of(source).chain("small", vec![AnyOperation::new(step)]).run().await.unwrap();
        let small = ran.image("small");
        let middle = small.pixels()[(4 * 8 + 4) * usize::from(small.channels())];
        assert!(middle.abs_diff(188) <= 2, "{channels}: {middle}");
    }
}

#[tokio::test]
async fn sixteen_bits_are_rounded() {
    let samples = [0_u16, 127, 128, 129, 255, 256, 33_023, 33_024, 33_025, 65_279, 65_407, 65_535];
    let data: Vec<u8> = samples.iter().flat_map(|sample| sample.to_be_bytes()).collect();
    let wanted: Vec<u8> = samples
        .iter()
        .map(|sample| u8::try_from((u32::from(*sample) + 128) / 257).unwrap())
        .collect();
    let shown = decode(&png((12, 1), png::ColorType::Grayscale, true, &data, b"")).await.unwrap();
    assert_eq!(shown.pixels(), wanted);
    let shown = decode(&png((4, 1), png::ColorType::Rgb, true, &data, b"")).await.unwrap();
    assert_eq!(shown.pixels(), wanted);
}

#[tokio::test]
async fn sixteen_bits_are_converted_before_they_are_rounded() {
    // Light itself, in which the shadows have few of 256 numbers.
    let mut light = ColorProfile::new_srgb();
    for curve in [&mut light.red_trc, &mut light.green_trc, &mut light.blue_trc] {
        *curve = Some(ToneReprCurve::Lut(Vec::new()));
    }
    light.cicp = None;
    let light = light.encode().unwrap();
    let samples: Vec<u16> = (0..64).map(|step| step * 20).chain([20_000, 40_000, 65_535]).collect();
    for (profile, colour, copies) in
        [(light, png::ColorType::Rgb, 3), (grey(1.0), png::ColorType::Grayscale, 1)]
    {
        let data: Vec<u8> =
            samples.iter().flat_map(|sample| sample.to_be_bytes().repeat(copies)).collect();
        let width = u32::try_from(samples.len()).unwrap();
        let shown = decode(&png((width, 1), colour, true, &data, &profile)).await.unwrap();
        assert_eq!(shown.metadata().icc, None);
        for (sample, pixel) in samples.iter().zip(shown.pixels().chunks_exact(copies)) {
            let wanted = srgb(f64::from(*sample) / 65_535.0);
            let off = (f64::from(pixel[0]) - wanted).abs();
            assert!(off <= 1.0, "{sample} is {} for {wanted:.1}", pixel[0]);
        }
    }
}

/// Red on the left and blue on the right, and so that a crop begins or ends between them.
fn two_colours(width: u32, height: u32, red: u32) -> Image {
    let pixels = (0..height)
        .flat_map(|_| (0..width).flat_map(|x| if x < red { [255, 0, 0] } else { [0, 0, 255] }));
    Image::new(width, height, 3, pixels.collect()).unwrap()
}

#[tokio::test]
async fn what_a_crop_has_cut_off_does_not_come_back_with_a_resize() {
    let source = as_png(two_colours(301, 200, 101)).await;
    let kernels =
        [Kernel::Bilinear, Kernel::CatmullRom, Kernel::Mitchell, Kernel::Lanczos3, Kernel::Nearest];
    for (crop, colour) in
        [(Crop::new(0, 10, 101, 150), [255, 0, 0]), (Crop::new(101, 0, 200, 200), [0, 0, 255])]
    {
        for kernel in kernels {
            for fit in [Fit::Cover, Fit::Contain, Fit::Fill, Fit::Inside, Fit::Outside] {
                for linear in [false, true] {
                    let mut step = Resize::new(37, 41, fit).kernel(kernel);
                    step.linear = linear;
                    step.background =
                        Some(mediaflow_core::Color::rgb(colour[0], colour[1], colour[2]));
                    let turned = vec![
                        AnyOperation::new(crop),
                        AnyOperation::new(Rotate::by(90.0)),
                        AnyOperation::new(Flop::default()),
                        AnyOperation::new(step.clone()),
                    ];
                    let steps = vec![AnyOperation::new(crop), AnyOperation::new(step.clone())];
                    let mut ran = Branches::of(source.clone())
                        .chain("straight", steps)
                        .chain("turned", turned)
                        .run()
                        .await
                        .unwrap();
                    for name in ["straight", "turned"] {
                        let shown = ran.image(name);
                        let pure = shown.pixels().chunks_exact(3).all(|pixel| pixel == colour);
                        assert!(pure, "{name} {fit:?} {kernel:?}, linear {linear}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_crop_and_a_resize_give_what_each_gives_by_itself() {
    let picture = crate::support::noise(120, 90, 3);
    let crop = Crop::new(13, 7, 71, 60);
    for step in [
        Resize::new(30, 30, Fit::Cover),
        Resize::new(50, 20, Fit::Fill),
        Resize::new(200, 200, Fit::Inside),
        Resize::width(33).linear(),
    ] {
        let alone = image(step.clone(), image(crop, picture.clone()).await).await;
        let steps = vec![AnyOperation::new(crop), AnyOperation::new(step)];
        let mut ran =
            Branches::of(as_png(picture.clone()).await).chain("out", steps).run().await.unwrap();
        assert_eq!(ran.image("out").pixels(), alone.pixels());
    }
}

#[tokio::test]
async fn a_scaled_decode_brings_back_nothing_that_was_cut_off() {
    // 404 is no multiple of 8: at 1/8 one pixel shows both sides of the edge.
    let how = Jpeg::quality(95).chroma(Chroma::Full);
    let source = run(how, two_colours(1200, 800, 404)).await.unwrap().into_file().unwrap();
    for (crop, colour) in
        [(Crop::new(0, 0, 404, 800), [254, 0, 0]), (Crop::new(404, 0, 796, 800), [0, 0, 254])]
    {
        for size in [40, 90] {
            let steps = vec![
                AnyOperation::new(crop),
                AnyOperation::new(Resize::new(size, size, Fit::Fill)),
            ];
            let mut ran = Branches::of(source.clone()).chain("out", steps).run().await.unwrap();
            for pixel in ran.image("out").pixels().chunks_exact(3) {
                let off = pixel.iter().zip(colour).map(|(a, b)| a.abs_diff(b)).max().unwrap();
                assert!(off <= 12, "{pixel:?} at {size}");
            }
        }
    }
}
