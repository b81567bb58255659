//! BMP, icons, PNM and QOI: files of Pillow, of ffmpeg and by hand, beside what Pillow makes of them.

use mediaflow_core::media::{Blob, Format, MediaFile, OnDamage};
use mediaflow_core::ops::Resize;
use mediaflow_core::spec::Pipeline;
use mediaflow_core::{AnyOperation, Inputs, Limits, testing};
use mediaflow_image::{ImageBackend, ImageEncoders as _, ImageReader, Qoi};

use crate::bad_input::limited;
use crate::stopping::stops;
use crate::support::{
    Branches, assert_same, beside, bytes, decode, decode_in, file, gradient, noise, probe, run,
    sample,
};

#[tokio::test]
async fn files_of_other_programs_show_what_they_are_to_show() {
    let files = beside("bitmaps");
    assert!(files.len() >= 25, "{}", files.len());
    for (file, shown) in files {
        let (info, wanted) = (probe(&file).await.unwrap(), decode(&shown).await.unwrap());
        let found = decode(&file).await.unwrap_or_else(|e| panic!("{}: {e:?}", file.name()));
        assert_eq!((info.width, info.height), (wanted.width(), wanted.height()), "{}", file.name());
        assert_eq!(info.alpha, wanted.has_alpha(), "{}", file.name());
        assert_same(&found, &wanted, file.name());
        let small = || vec![AnyOperation::new(Resize::width(12))];
        let mut ran = Branches::of(file.clone()).chain("small", small()).run().await.unwrap();
        let whole = crate::support::image(Resize::width(12), found).await;
        assert_same(&ran.image("small"), &whole, file.name());
    }
}

#[tokio::test]
async fn the_reader_passes_its_suite_with_them() {
    // Of a text so much is not there in a third that there is no picture; of runs the rest may be of the first colour.
    let samples: Vec<_> = beside("bitmaps").into_iter().map(|(file, _)| file).collect();
    testing::exercise_reader(&ImageReader::new(), &samples).await;
}

#[tokio::test]
async fn what_was_cut_is_an_error_or_said_to_be_missing() {
    let qoi = run(Qoi::new(), noise(64, 100, 3)).await.unwrap().into_file().unwrap();
    let whole = [&qoi, &sample("bitmaps/rgb-24.bmp"), &sample("bitmaps/rgb-binary.ppm")];
    for file in whole.into_iter().chain([&sample("bitmaps/pal-rle8.bmp")]) {
        let (all, wanted) = (bytes(file), decode(file).await.unwrap());
        for percent in [50, 80] {
            let what = format!("{} at {percent} %", file.format());
            let cut = all[..all.len() * percent / 100].to_vec();
            let cut = MediaFile::new("cut", file.format().clone(), Blob::bytes(cut));
            assert_eq!(decode(&cut).await.unwrap_err().code(), "image.truncated", "{what}");
            let cx = testing::context();
            let found = decode_in(&cut.with_on_damage(OnDamage::Accept), &cx).await.unwrap();
            let alike = found.rows().zip(wanted.rows()).filter(|(a, b)| a == b).count();
            let missing = 100 - alike * 100 / found.rows().len();
            let warnings = cx.take_warnings();
            let said = format!("`cut`: {missing} % of the rows are missing");
            assert!(warnings.contains(&said), "{what}: {said}, {warnings:?}");
            assert!(missing.abs_diff(100 - percent) < 20, "{what}: {missing}");
        }
    }
}

#[tokio::test]
async fn the_end_of_a_qoi_may_be_missing() {
    let all = bytes(&sample("bitmaps/rgba-pillow.qoi"));
    let cx = testing::context();
    decode_in(&file("short.qoi", all[..all.len() - 3].to_vec()), &cx).await.unwrap();
    assert_eq!(cx.take_warnings(), ["`short.qoi`: the end of the file is missing"]);
}

#[tokio::test]
async fn what_is_written_as_qoi_comes_back() {
    for picture in [gradient(97, 61, 3), gradient(97, 61, 4), noise(33, 40, 3), noise(33, 40, 4)] {
        let file = run(Qoi::new(), picture.clone()).await.unwrap().into_file().unwrap();
        assert_same(&decode(&file).await.unwrap(), &picture, "written.qoi");
    }
    // Long runs, and grey, which becomes colour.
    let flat = mediaflow_core::media::Image::new(100, 3, 1, vec![77; 300]).unwrap();
    let file = run(Qoi::new(), flat).await.unwrap().into_file().unwrap();
    assert_eq!(decode(&file).await.unwrap().pixels(), [77; 900]);
    assert!(file.blob().len() < 40);
    // Pillow has written the same picture in the same bytes.
    let source = decode(&sample("bitmaps/rgb.png")).await.unwrap();
    let ours = run(Qoi::new(), source).await.unwrap().into_file().unwrap();
    let theirs = decode(&sample("bitmaps/rgb-pillow.qoi")).await.unwrap();
    assert_same(&decode(&ours).await.unwrap(), &theirs, "ours.qoi");
}

#[tokio::test]
async fn the_word_keeps_its_promises() {
    let picture = || Inputs::one(gradient(60, 40, 4));
    testing::exercise_word(Qoi::new(), picture(), &ImageBackend::new()).await;
    let pipeline = Pipeline::from("in/a.jpg").output("out/b.qoi", |photo| photo.qoi());
    let pipeline = pipeline.build().unwrap();
    assert!(serde_json::to_string(&pipeline).unwrap().contains(r#""qoi""#));
    let picture = noise(700, 1500, 3);
    stops(AnyOperation::new(Qoi::new()), Inputs::one(picture.clone()), picture.pixels().len())
        .await;
}

#[tokio::test]
async fn limits_hold_by_the_header() {
    let mut qoi = b"qoif\0\0\xEA\x60\0\0\xEA\x60\x03\0".to_vec();
    qoi.extend([0; 8]);
    let bmp = {
        let mut bmp = bytes(&sample("bitmaps/pal-rle8.bmp"));
        bmp[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
        bmp[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
        bmp
    };
    for huge in
        [file("huge.qoi", qoi), file("huge.pnm", "P5 60000 60000 255\n"), file("huge.bmp", bmp)]
    {
        assert_eq!(probe(&huge).await.unwrap_err().code(), "limit.pixels", "{}", huge.name());
    }
    // A negative height that is no number without its sign.
    let mut bmp = bytes(&sample("bitmaps/rgb-24.bmp"));
    bmp[22..26].copy_from_slice(&i32::MIN.to_le_bytes());
    assert_eq!(probe(&file("huge.bmp", bmp)).await.unwrap_err().code(), "limit.pixels");
}

#[tokio::test]
async fn damaged_files_end_in_an_error_and_not_in_a_panic() {
    let mut seed = 1_u32;
    let tight = limited(Limits { pixels: 1 << 20, image_bytes: 32 << 20, ..Limits::default() });
    for (whole, _) in beside("bitmaps") {
        for _ in 0..80 {
            let mut bytes = bytes(&whole);
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                // Half of the damage is in the head.
                let near = if seed & 1 == 0 { bytes.len() } else { 80.min(bytes.len()) };
                let at = (seed >> 8) as usize % near;
                bytes[at] ^= seed.to_be_bytes()[0] | 1;
            }
            let how = if seed & 2 == 0 { OnDamage::Accept } else { OnDamage::Refuse };
            let damaged = MediaFile::new("damaged", whole.format().clone(), Blob::bytes(bytes));
            if let Err(error) = decode_in(&damaged.with_on_damage(how), &tight).await {
                assert_ne!(error.code(), "op.panicked", "{}", whole.name());
            }
        }
    }
}

#[test]
fn names_and_types_of_them_are_known() {
    assert_eq!((Format::ICO.mime(), Format::QOI.mime()), ("image/vnd.microsoft.icon", "image/qoi"));
    assert!(Format::PNM.is_named("ppm") && Format::BMP.is_named("bmp"));
}
