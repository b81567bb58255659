//! GIF as it is written: read again here, and by other programs where they are installed.

use std::process::Command;

use bytes::Bytes;
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Image, MediaFile, Metadata};
use mediaflow_core::ops::Resize;
use mediaflow_core::spec::Pipeline;
use mediaflow_core::{AnyOperation, Inputs, testing};
use mediaflow_image::{Gif, ImageBackend, ImageEncoders as _, MetadataPolicy};

use crate::stopping::stops;
use crate::support::{bytes, decode, gradient, image, noise, photo, probe, psnr, run};

async fn written(how: Gif, picture: Image) -> MediaFile {
    run(how, picture).await.unwrap().into_file().unwrap()
}

/// What a program says of a file, if it is installed.
fn asked(file: &MediaFile, program: &str, before: &[&str], after: &[&str]) -> Option<Vec<u8>> {
    let content = bytes(file);
    let sum = content.iter().fold(7_u32, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte));
    let path = std::env::temp_dir().join(format!("ours-{}-{sum}.gif", std::process::id()));
    std::fs::write(&path, content).unwrap();
    let said = Command::new(program).args(before).arg(&path).args(after).output();
    std::fs::remove_file(&path).unwrap();
    let said = said.ok()?;
    assert!(said.status.success(), "{program}: {}", String::from_utf8_lossy(&said.stderr));
    Some(said.stdout)
}

/// The pixels of a file as `FFmpeg` sees them.
fn elsewhere(file: &MediaFile, layout: &str) -> Option<Vec<u8>> {
    let how = ["-f", "rawvideo", "-pix_fmt", layout, "-"];
    asked(file, "ffmpeg", &["-v", "error", "-i"], &how)
}

/// So many colours, of which each is there often.
fn few(colours: u32, width: u32, height: u32) -> Image {
    let pixel = |index: u32| {
        let [low, high, ..] = (index.wrapping_mul(2_654_435_761) % colours * 7).to_le_bytes();
        [low, high, low ^ 0x55]
    };
    Image::new(width, height, 3, (0..width * height).flat_map(pixel).collect()).unwrap()
}

#[tokio::test]
async fn a_picture_of_few_colours_is_kept_to_the_bit() {
    for colours in [1, 2, 3, 4, 5, 16, 17, 255, 256] {
        for (width, height) in [(1, 1), (61, 37), (300, 200)] {
            let picture = few(colours, width, height);
            let file = written(Gif::new(), picture.clone()).await;
            assert!(decode(&file).await.unwrap().pixels() == picture.pixels(), "{colours}");
            let others = elsewhere(&file, "rgb24");
            assert!(others.is_none_or(|pixels| pixels == picture.pixels()), "{colours}");
        }
    }
    let grey = gradient(64, 64, 1);
    let again = decode(&written(Gif::new(), grey.clone()).await).await.unwrap();
    assert!(again.pixels().chunks_exact(3).eq(grey.pixels().iter().map(|value| [*value; 3])));
}

#[tokio::test]
async fn what_is_hardly_there_is_not_seen() {
    let picture = gradient(90, 50, 4);
    let mut pixels = picture.into_pixels();
    for (index, pixel) in pixels.chunks_exact_mut(4).enumerate() {
        pixel[3] = if index % 7 == 0 { 127 } else { 128 };
    }
    let picture = Image::new(90, 50, 4, pixels).unwrap();
    for colours in [2, 16, 256] {
        let file = written(Gif::new().colors(colours), picture.clone()).await;
        assert!(probe(&file).await.unwrap().alpha);
        let again = decode(&file).await.unwrap();
        let alphas = again.pixels().chunks_exact(4).map(|pixel| pixel[3]);
        assert!(alphas.eq((0..90 * 50).map(|index| if index % 7 == 0 { 0 } else { 255 })));
        let others = elsewhere(&file, "rgba");
        assert!(others.is_none_or(|pixels| {
            pixels
                .chunks_exact(4)
                .map(|pixel| pixel[3])
                .eq(again.pixels().chunks_exact(4).map(|p| p[3]))
        }));
    }
    let nothing = Image::new(3, 2, 4, vec![0; 24]).unwrap();
    let again = decode(&written(Gif::new(), nothing).await).await.unwrap();
    assert!(again.pixels().chunks_exact(4).all(|pixel| pixel[3] == 0));
}

#[tokio::test]
async fn a_photo_is_near_in_256_colours_and_in_sum_with_dither() {
    let photo = decode(&photo("dandelions.jpg")).await.unwrap();
    let photo = image(Resize::new(300, 300, Fit::Inside), photo).await;
    let found = async |how: Gif| decode(&written(how, photo.clone()).await).await.unwrap();
    let plain = found(Gif::new().dither(0.0)).await;
    assert!(psnr(&plain, &photo) > 34.0, "{} dB", psnr(&plain, &photo));
    let sixteen = found(Gif::new().colors(16).dither(0.0)).await;
    assert!(psnr(&sixteen, &photo) > 23.0, "{} dB", psnr(&sixteen, &photo));
    // Of a slope each pixel is further away, but the mean of a few is nearer.
    let slope = gradient(300, 200, 3);
    let found = async |how: Gif| decode(&written(how, slope.clone()).await).await.unwrap();
    let sixteen = found(Gif::new().colors(16).dither(0.0)).await;
    let dithered = found(Gif::new().colors(16)).await;
    assert!(psnr(&dithered, &slope) < psnr(&sixteen, &slope));
    let small = |picture: &Image| image(Resize::new(50, 50, Fit::Inside), picture.clone());
    let (wanted, with, without) =
        (small(&slope).await, small(&dithered).await, small(&sixteen).await);
    let (with, without) = (psnr(&with, &wanted), psnr(&without, &wanted));
    assert!(with > without + 4.0, "{with} dB with dither, {without} dB without");
}

#[tokio::test]
async fn the_policy_decides_what_is_written() {
    const PACKET: &[u8] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about='' xmlns:dc='http://purl.org/dc/elements/1.1/' dc:source='SN1'><dc:rights>(c) Jane</dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>";
    let mut metadata = Metadata::default();
    metadata.xmp = Some(Bytes::from_static(PACKET));
    let picture = gradient(40, 30, 3).with_metadata(metadata);
    for policy in [
        MetadataPolicy::Private,
        MetadataPolicy::Copyright,
        MetadataPolicy::Strip,
        MetadataPolicy::Keep,
    ] {
        let file = written(Gif::new().metadata(policy), picture.clone()).await;
        let again = decode(&file).await.unwrap();
        let (some, all) = (policy != MetadataPolicy::Strip, policy == MetadataPolicy::Keep);
        assert_eq!(again.metadata().xmp.is_some(), some, "{policy:?}");
        let has = |text: &[u8]| bytes(&file).windows(text.len()).any(|w| w == text);
        assert_eq!((has(b"(c) Jane"), has(b"SN1")), (some, all), "{policy:?}");
        let tags = ["-s3", "-XMP:Rights", "-XMP:Source", "-Warning"];
        let Some(said) = asked(&file, "exiftool", &tags, &[]) else { continue };
        let expected = match (some, all) {
            (_, true) => "(c) Jane\nSN1\n",
            (true, _) => "(c) Jane\n",
            _ => "",
        };
        assert_eq!(String::from_utf8(said).unwrap(), expected, "{policy:?}");
    }
}

#[tokio::test]
async fn the_word_keeps_its_promises() {
    let picture = || Inputs::one(gradient(60, 40, 4));
    testing::exercise_word(Gif::new(), picture(), &ImageBackend::new()).await;
    let how = r#"{"colors":16,"dither":0.5,"max_bytes":90}"#;
    let how = serde_json::from_str::<Gif>(how).unwrap();
    assert_eq!(how, Gif::new().colors(16).dither(0.5).max_bytes(90));
    assert_eq!(run(how, gradient(60, 40, 3)).await.unwrap_err().code(), "image.max_bytes");
    for bad in [Gif::new().colors(1), Gif::new().colors(257), Gif::new().dither(1.5)] {
        assert_eq!(AnyOperation::new(bad).validate().unwrap_err().code(), "op.range");
    }
    let pipeline = Pipeline::from("in/a.jpg").output("out/b.gif", |photo| photo.gif());
    let json = serde_json::to_string(&pipeline.build().unwrap()).unwrap();
    assert!(json.contains(r#""colors":256"#), "{json}");
}

#[tokio::test]
async fn its_encoder_looks_band_by_band() {
    let picture = noise(700, 1500, 3);
    let bytes = picture.pixels().len();
    stops(AnyOperation::new(Gif::new()), Inputs::one(picture), bytes).await;
}
