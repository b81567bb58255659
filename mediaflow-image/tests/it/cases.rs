//! Files as people have sent them elsewhere: good pictures with damage beside them, drawn for this purpose.

use mediaflow_core::AnyOperation;
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Image, MediaFile};
use mediaflow_core::ops::Resize;
use mediaflow_image::{Jpeg, Png};

use crate::support::{Branches, bytes, decode, file, sample};

/// What a step and an encoder make of it, decoded again.
async fn made(source: &MediaFile, step: Option<Resize>, encoder: AnyOperation) -> Image {
    let steps = step.map(AnyOperation::new).into_iter().chain([encoder]);
    let mut ran = Branches::of(source.clone()).chain("out", steps.collect()).run().await.unwrap();
    decode(&ran.file("out")).await.unwrap()
}

fn at(image: &Image, x: u32, y: u32) -> [u8; 3] {
    let channels = usize::from(image.channels());
    let pixel = &image.pixels()[(y * image.width() + x) as usize * channels..][..channels];
    if channels < 3 { [pixel[0]; 3] } else { [pixel[0], pixel[1], pixel[2]] }
}

fn is_near(found: [u8; 3], wanted: [u8; 3], tolerance: u8) {
    let off = found.iter().zip(wanted).map(|(a, b)| a.abs_diff(b)).max().unwrap();
    assert!(off <= tolerance, "{found:?} is not {wanted:?}");
}

#[tokio::test]
async fn a_jpeg_is_what_it_would_be_without_the_damage() {
    for (damaged, clean, size) in [
        ("sos-params.jpg", "sos-params-clean.jpg", (80, 60)),
        ("stray-bytes-between.jpg", "stray-bytes-clean.jpg", (160, 120)),
    ] {
        for step in [None, Some(Resize::new(size.0, size.1, Fit::Inside))] {
            let [damaged, clean] = [damaged, clean].map(sample);
            let encoder = || AnyOperation::new(Png::new());
            let found = made(&damaged, step.clone(), encoder()).await;
            let wanted = made(&clean, step, encoder()).await;
            assert_eq!(found.pixels(), wanted.pixels(), "{}", damaged.name());
        }
    }
}

#[tokio::test]
async fn a_profile_for_other_colours_is_neither_applied_nor_passed_on() {
    for name in ["profile-mismatch-grey.png", "profile-mismatch-rgb.jpg"] {
        let step = || Some(Resize::new(32, 24, Fit::Fill));
        for encoder in [AnyOperation::new(Jpeg::quality(95)), AnyOperation::new(Png::new())] {
            let steps = vec![AnyOperation::new(step().unwrap()), encoder];
            let mut ran = Branches::of(sample(name)).chain("out", steps).run().await.unwrap();
            let written = bytes(&ran.file("out"));
            for mark in [&b"iCCP"[..], b"ICC_PROFILE"] {
                assert!(!written.windows(mark.len()).any(|part| part == mark), "{name}");
            }
            let image = decode(&file("out", written)).await.unwrap();
            is_near(at(&image, 16, 12), [128; 3], 2);
        }
    }
}

#[tokio::test]
async fn a_png_with_a_broken_profile_is_decoded() {
    let source = sample("png-broken-profile-nozlib.png");
    let step = Some(Resize::new(64, 48, Fit::Fill));
    let image = made(&source, step, AnyOperation::new(Png::new())).await;
    is_near(at(&image, 16, 12), [220, 40, 40], 2);
    is_near(at(&image, 48, 12), [40, 180, 60], 2);
}

#[tokio::test]
async fn a_gif_without_its_end_or_with_zeros_before_it_is_decoded() {
    for name in ["gif-trailer-none.gif", "gif-trailer-nul.gif"] {
        let image = made(&sample(name), None, AnyOperation::new(Png::new())).await;
        is_near(at(&image, 12, 12), [220, 40, 40], 0);
    }
}
