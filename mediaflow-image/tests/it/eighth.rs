//! JPEG at an eighth of its size, as thumbnails and the verification of results take it, and at a quarter: by a decoder of its own,
//! in every build.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use mediaflow_core::media::{Image, MediaFile, OnDamage};
use mediaflow_core::plan::Demand;
use mediaflow_core::{Reader as _, Result, RunContext, testing};
use mediaflow_image::{Chroma, ImageReader, Jpeg};

use crate::support::{bytes, decode, file, noise, photo, psnr, run};

async fn eighth_in(file: &MediaFile, cx: &RunContext) -> Result<Image> {
    ImageReader::new().decode(file, Demand::NONE, cx).await?.into_image()
}

async fn eighth(file: &MediaFile) -> Result<Image> {
    eighth_in(file, &testing::context()).await
}

async fn quarter(file: &MediaFile) -> Result<Image> {
    let cx = testing::context();
    ImageReader::new().decode(file, Demand::scale(0.22), &cx).await?.into_image()
}

/// A file of one scan.
fn baseline(image: &Image, how: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, 90);
    how(&mut encoder);
    let side = |pixels: u32| u16::try_from(pixels).unwrap();
    let (width, height) = (side(image.width()), side(image.height()));
    encoder.encode(image.pixels(), width, height, ColorType::Rgb).unwrap();
    bytes
}

/// The mean of each so many by so many pixels.
fn means(image: &Image, side: usize) -> Image {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (channels, pixels) = (usize::from(image.channels()), image.pixels());
    let mut small = Vec::new();
    let corners = |y| (0..width).step_by(side).map(move |x| (y, x));
    for (y, x) in (0..height).step_by(side).flat_map(corners) {
        for channel in 0..channels {
            let (mut sum, mut count) = (0, 0);
            let row = |y| (x..width.min(x + side)).map(move |x| (y, x));
            for (y, x) in (y..height.min(y + side)).flat_map(row) {
                sum += usize::from(pixels[(y * width + x) * channels + channel]);
                count += 1;
            }
            small.push(u8::try_from((sum + count / 2) / count).unwrap());
        }
    }
    let small_side = |pixels: usize| u32::try_from(pixels.div_ceil(side)).unwrap();
    Image::new(small_side(width), small_side(height), image.channels(), small).unwrap()
}

#[tokio::test]
async fn small_pictures_show_the_means_of_blocks() {
    let names = ["dandelions.jpg", "fig.jpg", "mountains.jpg", "spaniels.jpg"];
    let mut files: Vec<_> = names.into_iter().map(photo).collect();
    let picture = decode(&photo("fig.jpg")).await.unwrap();
    let ways = [
        (Chroma::Quarter, SamplingFactor::F_2_2),
        (Chroma::Half, SamplingFactor::F_2_1),
        (Chroma::Full, SamplingFactor::F_1_1),
    ];
    for (chroma, sampling) in ways {
        let progressive = Jpeg::quality(90).chroma(chroma).progressive();
        files.push(run(progressive, picture.clone()).await.unwrap().into_file().unwrap());
        let baseline = baseline(&picture, |encoder| encoder.set_sampling_factor(sampling));
        files.push(file("baseline.jpg", baseline));
    }
    for file in files {
        let whole = decode(&file).await.unwrap();
        for (small, side) in [(eighth(&file).await, 8), (quarter(&file).await, 4)] {
            let (small, wanted) = (small.unwrap(), means(&whole, side));
            assert_eq!((small.width(), small.height()), (wanted.width(), wanted.height()));
            let alike = psnr(&small, &wanted);
            assert!(alike > 38.0, "{} by {side}: {alike} dB", file.name());
        }
    }
}

#[tokio::test]
async fn an_end_marker_behind_the_cut_deceives_nobody_at_an_eighth() {
    for name in ["fig.jpg", "spaniels.jpg"] {
        let all = bytes(&photo(name));
        for percent in [30, 66, 99] {
            let forged = [&all[..all.len() * percent / 100], &[0xFF, 0xD9]].concat();
            let forged = file("forged.jpg", forged);
            for decoded in [eighth(&forged).await, quarter(&forged).await] {
                let error = decoded.unwrap_err();
                assert_eq!(error.code(), "image.truncated", "{name} at {percent} %");
            }
        }
    }
}

#[tokio::test]
async fn a_cut_in_the_last_scan_is_found_at_an_eighth() {
    for name in ["mountains.jpg", "dandelions.jpg"] {
        let all = bytes(&photo(name));
        for percent in [90, 99] {
            let cut = file("cut.jpg", all[..all.len() * percent / 100].to_vec());
            for decoded in [eighth(&cut).await, quarter(&cut).await] {
                let error = decoded.unwrap_err();
                assert_eq!(error.code(), "image.truncated", "{name} at {percent} %");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_code_and_restarts_out_of_order_are_errors_at_an_eighth() {
    let mut ones = bytes(&photo("fig.jpg"));
    let middle = ones.len() / 2;
    ones.splice(middle..middle + 30, [0xFF, 0].repeat(15));
    let mut renumbered = baseline(&noise(256, 192, 3), |encoder| encoder.set_restart_interval(8));
    assert!(eighth(&file("restarts.jpg", renumbered.clone())).await.is_ok());
    let second = renumbered.windows(2).position(|pair| pair == [0xFF, 0xD1]).unwrap();
    renumbered[second + 1] = 0xD5;
    for damaged in [ones, renumbered] {
        let damaged = file("damaged.jpg", damaged);
        for decoded in [eighth(&damaged).await, quarter(&damaged).await] {
            assert_eq!(decoded.unwrap_err().code(), "image.corrupt");
        }
    }
}

#[tokio::test]
async fn of_a_damaged_picture_what_is_there_is_accepted_at_an_eighth() {
    let all = baseline(&noise(800, 640, 3), |_| {});
    let wanted = eighth(&file("whole.jpg", all.clone())).await.unwrap();
    let forged = [&all[..all.len() / 2], &[0xFF, 0xD9]].concat();
    for damaged in [all[..all.len() / 2].to_vec(), forged] {
        let damaged = file("cut.jpg", damaged);
        assert_eq!(eighth(&damaged).await.unwrap_err().code(), "image.truncated");
        let cx = testing::context();
        let shown = eighth_in(&damaged.with_on_damage(OnDamage::Accept), &cx).await.unwrap();
        let warnings = cx.take_warnings();
        assert!(warnings.iter().any(|warning| warning.contains("% of the rows are missing")));
        let rows = wanted.pixels().len() * 2 / 5;
        assert!(shown.pixels()[..rows] == wanted.pixels()[..rows]);
    }
}
