//! AVIF: files that libavif and `FFmpeg` have written, beside what Pillow makes of them, and what other programs make of ours.

use std::process::Command;

use bytes::Bytes;
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Blob, Format, Image, MediaFile, Metadata};
use mediaflow_core::ops::Resize;
use mediaflow_core::spec::Pipeline;
use mediaflow_core::{
    AnyOperation, CancellationToken, CpuPool, Inputs, Limits, RunContext, testing,
};
use mediaflow_image::{
    Avif, Chroma, ImageBackend, ImageEncoders as _, ImageReader, MetadataPolicy, Png,
};

use crate::bad_input::limited;
use crate::support::{
    Branches, beside, bytes, decode, decode_in, file, gradient, noise, photo, probe, psnr, run,
    sample,
};

fn files() -> Vec<(MediaFile, MediaFile)> {
    beside("avif")
}

#[tokio::test]
async fn files_of_other_programs_show_what_they_are_to_show() {
    let files = files();
    assert!(files.len() >= 15, "{}", files.len());
    for (file, shown) in files {
        let (info, wanted) = (probe(&file).await.unwrap(), decode(&shown).await.unwrap());
        let found = decode(&file).await.unwrap_or_else(|e| panic!("{}: {e:?}", file.name()));
        assert_eq!((info.format, info.alpha), (Format::AVIF, wanted.has_alpha()));
        assert_eq!((info.width, info.height), (wanted.width(), wanted.height()), "{}", file.name());
        // Between the samples of colour others take means a little differently, above all at the edges.
        let least = if file.name().contains("planes") { f64::INFINITY } else { 45.0 };
        let near = psnr(&found, &wanted);
        assert!(near >= least, "{}: {near} dB", file.name());
    }
}

#[tokio::test]
async fn the_reader_passes_its_suite_with_them() {
    let samples: Vec<_> = files().into_iter().map(|(file, _)| file).collect();
    testing::exercise_reader(&ImageReader::new(), &samples).await;
}

#[tokio::test]
async fn the_header_tells_what_the_picture_is() {
    let turned = probe(&sample("avif/phototurned-libavif.avif")).await.unwrap();
    assert_eq!((turned.orientation, turned.width, turned.height), (6, 49, 67));
    let grey = probe(&sample("avif/photo400-libavif.avif")).await.unwrap();
    assert_eq!((grey.channels, grey.frames), (1, 1));
    let sequence = probe(&sample("avif/photofirst-sequence.avif")).await.unwrap();
    assert_eq!(sequence.frames, 3);
    // By the name that it has first, or by another one.
    let mut other = bytes(&sample("avif/photo420-libavif.avif"));
    other[8..12].copy_from_slice(b"mif1");
    assert_eq!(file("other.avif", other).format(), &Format::AVIF);
    assert_eq!((Format::AVIF.mime(), Format::AVIF.extension()), ("image/avif", "avif"));
}

#[tokio::test]
async fn much_light_is_brought_down_with_a_warning() {
    let wanted = decode(&sample("light.png")).await.unwrap();
    for name in ["light-pq.avif", "light-hlg.avif"] {
        let cx = testing::context();
        let found = decode_in(&sample(name), &cx).await.unwrap();
        let warnings = cx.take_warnings();
        assert!(warnings.iter().any(|w| w.contains("high dynamic range")), "{warnings:?}");
        // What is darker than half of white paper keeps its light.
        assert!(psnr(&found, &wanted) > 33.0, "{name}: {} dB", psnr(&found, &wanted));
    }
}

#[tokio::test]
async fn what_was_cut_is_an_error() {
    let whole = bytes(&sample("avif/photoalpha-libavif.avif"));
    for percent in [0, 1, 5, 20, 50, 80, 99] {
        let cut = Blob::bytes(whole[..whole.len() * percent / 100].to_vec());
        let cut = MediaFile::new("cut.avif", Format::AVIF, cut);
        let error = decode(&cut).await.unwrap_err();
        let expected = if percent == 0 { "media.empty" } else { "image.truncated" };
        assert_eq!(error.code(), expected, "{percent}");
    }
}

#[tokio::test]
async fn limits_hold_before_a_decoder_runs() {
    let whole = bytes(&sample("avif/photo420-libavif.avif"));
    let at = whole.windows(4).position(|w| w == b"ispe").unwrap() + 8;
    let mut huge = whole.clone();
    huge[at..at + 8].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    assert_eq!(probe(&file("huge.avif", huge)).await.unwrap_err().code(), "limit.pixels");
    // A stream that is larger than its file says.
    let mut small = whole.clone();
    small[at..at + 8].copy_from_slice(&[0, 0, 0, 8, 0, 0, 0, 8]);
    let error = decode(&file("small.avif", small)).await.unwrap_err();
    assert_eq!(error.code(), "image.corrupt");
    assert!(error.to_string().contains("more in the picture"), "{error}");
    // A box of what is said that is too large.
    let mut words = whole;
    let meta = words.windows(4).position(|w| w == b"meta").unwrap() - 4;
    words[meta..meta + 4].copy_from_slice(&0x7FFF_FFFF_u32.to_be_bytes());
    let error = probe(&file("words.avif", words)).await.unwrap_err();
    assert_eq!(error.code(), "limit.metadata_bytes");
}

#[tokio::test]
async fn damaged_files_end_in_an_error_and_not_in_a_panic() {
    let mut seed = 1_u32;
    let tight = limited(Limits { pixels: 1 << 20, image_bytes: 32 << 20, ..Limits::default() });
    for (whole, _) in files() {
        for _ in 0..30 {
            let mut bytes = bytes(&whole);
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let near = if seed & 1 == 0 { bytes.len() } else { 400.min(bytes.len()) };
                let at = (seed >> 8) as usize % near;
                bytes[at] ^= seed.to_be_bytes()[0] | 1;
            }
            let damaged = MediaFile::new("damaged", Format::AVIF, Blob::bytes(bytes));
            if let Err(error) = decode_in(&damaged, &tight).await {
                assert_ne!(error.code(), "op.panicked", "{}", whole.name());
            }
        }
    }
}

async fn written(how: Avif, image: Image) -> MediaFile {
    run(how, image).await.unwrap().into_file().unwrap()
}

/// The path of a file that others can read, which is gone with it.
struct Beside(std::path::PathBuf);

impl Beside {
    fn new(file: &MediaFile) -> Self {
        let number = fastrand(&bytes(file));
        let name = format!("ours-{}-{number}.avif", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes(file)).unwrap();
        Self(path)
    }

    /// What a program says of it, if it is installed.
    fn asked(&self, program: &str, before: &[&str], after: &[&str]) -> Option<Vec<u8>> {
        let said = Command::new(program).args(before).arg(&self.0).args(after).output().ok()?;
        assert!(said.status.success(), "{program}: {}", String::from_utf8_lossy(&said.stderr));
        Some(said.stdout)
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn fastrand(bytes: &[u8]) -> u32 {
    bytes.iter().fold(7, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)))
}

#[tokio::test]
async fn what_is_written_comes_back_and_others_read_it() {
    let mut both = gradient(97, 61, 4).into_pixels();
    let (pixels, _) = both.as_chunks_mut::<4>();
    let both = pixels.iter().flat_map(|pixel| [pixel[0], pixel[3]]).collect();
    let both = Image::new(97, 61, 2, both).unwrap();
    let coded = written(Avif::quality(85), both.clone()).await;
    assert!(psnr(&decode(&coded).await.unwrap(), &both) > 38.0);
    for channels in [1, 3, 4] {
        for (chroma, least) in [(Chroma::Quarter, 36.0), (Chroma::Half, 36.0), (Chroma::Full, 38.0)]
        {
            let picture = gradient(97, 61, channels);
            let file = written(Avif::quality(85).chroma(chroma), picture.clone()).await;
            let again = decode(&file).await.unwrap();
            assert_eq!(again.channels(), channels);
            let found = psnr(&again, &picture);
            assert!(found > least, "{channels} channels, {chroma:?}: {found} dB");
            if channels != 3 {
                continue;
            }
            let how = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
            let others = Beside::new(&file).asked("ffmpeg", &["-v", "error", "-i"], &how);
            if let Some(pixels) = others {
                let others = Image::new(97, 61, 3, pixels).unwrap();
                assert!(psnr(&others, &picture) > 30.0, "{} dB", psnr(&others, &picture));
            }
        }
    }
}

#[tokio::test]
async fn more_quality_takes_more_bytes_and_a_size_is_kept() {
    let photo = decode(&photo("fig.jpg")).await.unwrap();
    let photo = crate::support::image(Resize::new(120, 120, Fit::Inside), photo).await;
    let mut lengths = Vec::new();
    for quality in [20, 50, 80] {
        lengths.push(bytes(&written(Avif::quality(quality), photo.clone()).await).len());
    }
    assert!(lengths.is_sorted() && lengths[0] < lengths[2], "{lengths:?}");
    let aim = lengths[1] as u64;
    let fits = written(Avif::quality(90).max_bytes(aim), photo.clone()).await;
    assert!(bytes(&fits).len() as u64 <= aim);
    let error = run(Avif::quality(90).max_bytes(100), photo).await.unwrap_err();
    assert_eq!(error.code(), "image.max_bytes");
}

#[tokio::test]
async fn the_policy_decides_what_is_written() {
    let photo = decode(&sample("avif/phototurned-libavif.avif")).await.unwrap();
    let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|w| w == text);
    for policy in [
        MetadataPolicy::Private,
        MetadataPolicy::Copyright,
        MetadataPolicy::Strip,
        MetadataPolicy::Keep,
    ] {
        let file = written(Avif::quality(60).metadata(policy), photo.clone()).await;
        let content = bytes(&file);
        let (some, all) = (policy != MetadataPolicy::Strip, policy == MetadataPolicy::Keep);
        assert_eq!(has(&content, b"(c) Jane"), some, "{policy:?}");
        assert_eq!(has(&content, b"SN1"), all, "{policy:?}");
        let again = decode(&file).await.unwrap();
        assert_eq!(again.metadata().exif.is_some(), some, "{policy:?}");
        assert_eq!(again.metadata().xmp.is_some(), all, "{policy:?}");
        assert_eq!(probe(&file).await.unwrap().orientation, 1);
        // Another reader, where it is installed.
        let tags = ["-s3", "-Copyright", "-SerialNumber", "-XMP:Source"];
        let Some(said) = Beside::new(&file).asked("exiftool", &tags, &[]) else { continue };
        let said = String::from_utf8(said).unwrap();
        let expected = match (some, all) {
            (_, true) => "(c) Jane\nSN1\nSN1 planted\n",
            (true, _) => "(c) Jane\n",
            _ => "",
        };
        assert_eq!(said, expected, "{policy:?}");
    }
}

#[tokio::test]
async fn what_is_said_in_one_comes_into_other_formats() {
    let photo = sample("avif/phototurned-libavif.avif");
    for policy in [MetadataPolicy::Private, MetadataPolicy::Keep] {
        let png = vec![AnyOperation::new(Png::new().metadata(policy))];
        let mut ran = Branches::of(photo.clone()).chain("out", png).run().await.unwrap();
        let content = bytes(&ran.file("out"));
        let has = |text: &[u8]| content.windows(text.len()).any(|w| w == text);
        assert!(has(b"(c) Jane"));
        assert_eq!(has(b"SN1"), policy == MetadataPolicy::Keep, "{policy:?}");
    }
}

#[tokio::test]
async fn a_profile_is_written_beside_the_picture() {
    let profile = moxcms::ColorProfile::new_srgb().encode().unwrap();
    let mut metadata = Metadata::default();
    metadata.icc = Some(Bytes::from(profile));
    let file = written(Avif::default(), gradient(20, 20, 3).with_metadata(metadata)).await;
    // It is sRGB already: nothing is said twice.
    assert!(!bytes(&file).windows(4).any(|w| w == b"prof"));
}

#[tokio::test]
async fn the_word_keeps_its_promises() {
    let picture = || Inputs::one(gradient(60, 40, 4));
    testing::exercise_word(Avif::default(), picture(), &ImageBackend::new()).await;
    let how = r#"{"quality":40,"effort":0,"chroma":"4:4:4","max_bytes":9000}"#;
    let how = serde_json::from_str::<Avif>(how).unwrap();
    assert_eq!(how, Avif::quality(40).effort(0).chroma(Chroma::Full).max_bytes(9000));
    for bad in [r#"{"quality":0}"#, r#"{"effort":10}"#] {
        let bad = AnyOperation::new(serde_json::from_str::<Avif>(bad).unwrap());
        assert_eq!(bad.validate().unwrap_err().code(), "op.range", "{bad:?}");
    }
    let pipeline = Pipeline::from("in/a.jpg").output("out/b.avif", |photo| photo.avif(45));
    let json = serde_json::to_string(&pipeline.build().unwrap()).unwrap();
    assert!(json.contains(r#""quality":45"#), "{json}");
}

#[tokio::test]
async fn a_job_that_is_cancelled_tries_no_other_quality() {
    let cancel = CancellationToken::new();
    let scratch = mediaflow_core::media::Scratch::in_folder(std::env::temp_dir());
    let cx = RunContext::builder(CpuPool::new(1), scratch).cancellation(cancel.clone()).build(None);
    cancel.cancel();
    let how = AnyOperation::new(Avif::quality(90).max_bytes(100));
    let error = crate::support::run_in(how, Inputs::one(noise(64, 64, 4)), &cx).await.unwrap_err();
    assert_eq!(error.code(), "job.cancelled");
}
