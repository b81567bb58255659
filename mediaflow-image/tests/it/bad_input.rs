use mediaflow_core::Reader as _;
use mediaflow_core::media::{Blob, Format, MediaFile, Scratch};
use mediaflow_core::ops::Resize;
use mediaflow_core::{
    AnyOperation, CancellationToken, CpuPool, ErrorKind, Limits, RunContext, testing,
};
use mediaflow_image::{Chroma, ImageReader, Jpeg, Png, Webp};

use crate::files::gif;
use crate::support::{
    Branches, as_jpeg, as_png, as_webp, bytes, decode, decode_in, file, gradient, photo, probe, run,
};

pub(crate) fn limited(limits: Limits) -> RunContext {
    RunContext::builder(CpuPool::new(1), Scratch::in_folder(std::env::temp_dir()))
        .limits(limits)
        .build(None)
}

fn png_chunk(kind: [u8; 4], len: u32) -> Vec<u8> {
    [&len.to_be_bytes()[..], &kind].concat()
}

fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(png_chunk(*b"IHDR", 13));
    png.extend(width.to_be_bytes());
    png.extend(height.to_be_bytes());
    png.extend([8, 2, 0, 0, 0, 0, 0, 0, 0]);
    png
}

fn jpeg_header(marker: u8, width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = vec![0xFF, 0xD8, 0xFF, marker, 0, 17, 8];
    jpeg.extend(height.to_be_bytes());
    jpeg.extend(width.to_be_bytes());
    jpeg.extend([3, 1, 0x22, 0, 2, 0x11, 0, 3, 0x11, 0]);
    jpeg.extend([0xFF, 0xDA, 0, 2]);
    jpeg
}

#[tokio::test]
async fn an_empty_file_and_a_text_are_refused() {
    let empty = MediaFile::new("empty.jpg", Format::JPEG, Blob::bytes(vec![]));
    let error = probe(&empty).await.unwrap_err();
    assert_eq!((error.code(), error.fact("source")), ("media.empty", Some("empty.jpg")));
    let text = MediaFile::new("text.jpg", Format::JPEG, Blob::bytes(b"not a photo".to_vec()));
    assert_eq!(probe(&text).await.unwrap_err().code(), "image.corrupt");
    let sniffed = MediaFile::sniff("text.jpg", Blob::bytes(b"not a photo".to_vec())).unwrap_err();
    assert_eq!(sniffed.code(), "media.unrecognised");
}

#[tokio::test]
async fn a_file_that_was_cut_anywhere_is_never_half_a_success() {
    let picture = gradient(160, 120, 3);
    let baseline = as_jpeg(picture.clone(), 85).await;
    let progressive =
        run(Jpeg::quality(85).progressive(), picture.clone()).await.unwrap().into_file().unwrap();
    let gif = file("two.gif", gif(2));
    for whole in [baseline, progressive, as_png(picture.clone()).await, as_webp(picture).await, gif]
    {
        let all = bytes(&whole);
        let picture = decode(&whole).await.unwrap();
        for percent in [3, 10, 25, 50, 75, 90, 97, 99] {
            let cut = all[..all.len() * percent / 100].to_vec();
            let cut = MediaFile::new("cut", whole.format().clone(), Blob::bytes(cut));
            let what = format!("{} at {percent} %", whole.format());
            match decode(&cut).await {
                Err(error) => assert_eq!(error.code(), "image.truncated", "{what}: {error:?}"),
                // Only the end that says that it is one was cut off.
                Ok(image) if percent > 90 => {
                    assert!(image.pixels() == picture.pixels(), "{what}");
                }
                Ok(_) => panic!("{what} is a success"),
            }
        }
    }
}

#[tokio::test]
async fn a_truncated_photo_is_an_error_at_every_scale() {
    let all = bytes(&photo("fig.jpg"));
    let cut = file("fig.jpg", all[..all.len() * 2 / 3].to_vec());
    let info = probe(&cut).await.unwrap();
    let error = ImageReader::new().verify(&cut, &info, &testing::context()).await.unwrap_err();
    assert_eq!(error.code(), "verify.decode");
    assert_eq!(decode(&cut).await.unwrap_err().code(), "image.truncated");
}

/// The pure-Rust decoder does not tell where its data ended.
#[cfg(feature = "turbo")]
#[tokio::test]
async fn an_end_marker_behind_the_cut_deceives_nobody() {
    let all = bytes(&photo("fig.jpg"));
    let forged = [&all[..all.len() * 2 / 3], &[0xFF, 0xD9]].concat();
    assert_eq!(decode(&file("forged.jpg", forged)).await.unwrap_err().code(), "image.truncated");
}

#[tokio::test]
async fn too_many_pixels_are_refused_by_the_header() {
    let mut png = png_header(30_000, 30_000);
    png.extend(png_chunk(*b"IDAT", 4));
    png.extend([0; 8]);
    let error = probe(&file("huge.png", png)).await.unwrap_err();
    assert_eq!((error.code(), error.fact("size")), ("limit.pixels", Some("30000x30000")));
    let error = probe(&file("huge.jpg", jpeg_header(0xC0, 30_000, 30_000))).await.unwrap_err();
    assert_eq!(error.code(), "limit.pixels");
}

#[tokio::test]
async fn a_colour_profile_of_a_gibibyte_costs_nothing() {
    let mut png = png_header(1, 1);
    png.extend(png_chunk(*b"iCCP", 1 << 30));
    png.extend(b"bomb\0\0");
    let error = probe(&file("bomb.png", png)).await.unwrap_err();
    assert_eq!(
        (error.code(), error.fact("limit")),
        ("limit.metadata_bytes", Some("metadata_bytes"))
    );
}

#[tokio::test]
async fn a_small_colour_profile_that_inflates_is_given_up_at_the_limit() {
    use std::io::Write as _;
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(&vec![0; 40 << 20]).unwrap();
    let content = [&b"bomb\0\0"[..], &packed.finish().unwrap()].concat();
    assert!(content.len() < 1 << 20);
    let mut png = png_header(1, 1);
    let mut sum = flate2::Crc::new();
    sum.update(&[&b"iCCP"[..], &content].concat());
    png.extend(png_chunk(*b"iCCP", u32::try_from(content.len()).unwrap()));
    png.extend(content);
    png.extend(sum.sum().to_be_bytes());
    assert_eq!(probe(&file("bomb.png", png)).await.unwrap_err().code(), "limit.metadata_bytes");
}

#[tokio::test]
async fn metadata_of_a_jpeg_is_counted() {
    let mut jpeg = vec![0xFF, 0xD8];
    for _ in 0..3 {
        jpeg.extend([0xFF, 0xE5, 0xFF, 0xFF]);
        jpeg.extend(vec![0; 65_533]);
    }
    jpeg.extend(&jpeg_header(0xC0, 16, 16)[2..]);
    let tight = limited(Limits { metadata_bytes: 100_000, ..Limits::default() });
    let error = decode_in(&file("fat.jpg", jpeg), &tight).await.unwrap_err();
    assert_eq!(error.code(), "limit.metadata_bytes");
}

#[tokio::test]
async fn a_progressive_jpeg_has_a_budget_of_memory_and_scans() {
    let error = probe(&file("big.jpg", jpeg_header(0xC2, 16_000, 16_000))).await.unwrap_err();
    assert_eq!((error.code(), error.fact("limit")), ("limit.image_bytes", Some("image_bytes")));
    let few = limited(Limits { scans: 2, ..Limits::default() });
    let progressive = run(Jpeg::quality(85).progressive(), gradient(64, 64, 3))
        .await
        .unwrap()
        .into_file()
        .unwrap();
    assert_eq!(decode_in(&progressive, &few).await.unwrap_err().code(), "limit.scans");
}

#[tokio::test]
async fn the_estimate_counts_coefficients_and_the_file() {
    let estimate = async |file: MediaFile| {
        let small = vec![AnyOperation::new(Resize::width(40)), AnyOperation::new(Png::new())];
        Branches::of(file).chain("small", small).run().await.unwrap().explanation.estimate.bytes
    };
    let photo = gradient(1024, 768, 3);
    let encoded = async |how: Jpeg| run(how, photo.clone()).await.unwrap().into_file().unwrap();
    let whole = encoded(Jpeg::quality(85)).await;
    let progressive = encoded(Jpeg::quality(85).progressive()).await;
    let (usual, more) = (estimate(whole.clone()).await, estimate(progressive.clone()).await);
    // Two bytes for each sample of 4:2:0.
    let coefficients = 1024 * 768 * 3;
    let longer = whole.blob().len().abs_diff(progressive.blob().len());
    assert!(more.abs_diff(usual + coefficients) <= longer, "{more} bytes, and {usual} without");
    // What follows the end of a file is read with it.
    let tail = 400_000;
    let long = file("long.jpg", [bytes(&whole), vec![0; tail]].concat());
    assert_eq!(estimate(long).await, usual + tail as u64);
}

#[tokio::test]
async fn the_estimate_counts_what_encoders_hold() {
    let estimate = async |encoder: AnyOperation| {
        let photo = Branches::of(as_png(gradient(1024, 768, 3)).await);
        photo.chain("out", vec![encoder]).run().await.unwrap().explanation.estimate.bytes
    };
    let jpeg = || Jpeg::quality(80);
    let pixels = 1024 * 768;
    let usual = estimate(AnyOperation::new(jpeg())).await;
    // Coefficients of all samples, where there are more of them.
    let full = estimate(AnyOperation::new(jpeg().chroma(Chroma::Full))).await;
    assert_eq!(full, usual + 3 * pixels);
    // While a file is made smaller, the best one so far is kept.
    let fitted = estimate(AnyOperation::new(jpeg().max_bytes(20_000))).await;
    assert_eq!(fitted, usual + pixels);
    let [usual, fitted] = [Webp::quality(80), Webp::quality(80).max_bytes(20_000)];
    let usual = estimate(AnyOperation::new(usual)).await;
    assert_eq!(estimate(AnyOperation::new(fitted)).await, usual + pixels);
}

#[tokio::test]
async fn frames_count_against_the_limits() {
    let many = file("many.gif", gif(50));
    let frames = limited(Limits { frames: 10, ..Limits::default() });
    assert_eq!(decode_in(&many, &frames).await.unwrap_err().code(), "limit.frames");
    let pixels = limited(Limits { pixels: 60, ..Limits::default() });
    assert_eq!(decode_in(&many, &pixels).await.unwrap_err().code(), "limit.pixels");
}

#[tokio::test]
async fn damaged_files_end_in_an_error_and_not_in_a_panic() {
    let picture = gradient(80, 60, 3);
    let files =
        [as_jpeg(picture.clone(), 85).await, as_png(picture.clone()).await, as_webp(picture).await];
    let mut seed = 1_u32;
    for whole in files.into_iter().chain([file("two.gif", gif(2))]) {
        for _ in 0..60 {
            let mut bytes = bytes(&whole);
            for _ in 0..4 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = seed as usize % bytes.len();
                bytes[at] ^= seed.to_be_bytes()[0] | 1;
            }
            let damaged = MediaFile::new("damaged", whole.format().clone(), Blob::bytes(bytes));
            if let Err(error) = decode(&damaged).await {
                assert_ne!(error.code(), "op.panicked", "{}", whole.format());
            }
        }
    }
}

#[tokio::test]
async fn a_cancelled_job_stops_in_the_decoder() {
    let cancel = CancellationToken::new();
    let cx = RunContext::builder(CpuPool::new(1), Scratch::in_folder(std::env::temp_dir()))
        .cancellation(cancel.clone())
        .build(None);
    cancel.cancel();
    let error = decode_in(&photo("coffee.png"), &cx).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[tokio::test]
async fn damage_that_never_ends_is_given_up() {
    let many = |begin: &[u8], part: &[u8], count: usize| [begin, &part.repeat(count)].concat();
    let mut gif = gif(1);
    gif.pop();
    let jpeg = many(b"\xFF\xD8", b"\xFF\xFE\0\x02", 500_000);
    let text = many(b"\xFF\xD8\xFF\xFE\x40\0", b"\xFF\xC4", 300_000);
    let chunks = many(&png_header(9, 9), b"\0\0\0\x01IDAT\0", 300_000);
    let files = [many(&gif, b"\0", 2_000_000), jpeg, text, chunks];
    for (index, bytes) in files.into_iter().enumerate() {
        let begun = std::time::Instant::now();
        let error = decode(&file("endless", bytes)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Input, "{index}: {error:?}");
        assert!(begun.elapsed().as_secs() < 10, "{index}");
    }
}
