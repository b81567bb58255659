//! TIFF: files that libtiff, Pillow and tifffile have written, beside what Pillow makes of them.

use bytes::Bytes;
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Blob, Format, Image, MediaFile, OnDamage};
use mediaflow_core::ops::Resize;
use mediaflow_core::spec::Pipeline;
use mediaflow_core::{AnyOperation, Inputs, Limits, Reader as _, testing};
use mediaflow_image::{
    ImageBackend, ImageEncoders as _, ImageReader, MetadataPolicy, Png, Tiff, TiffCompression,
};

use crate::bad_input::limited;
use crate::stopping::stops;
use crate::support::{
    Branches, assert_same, beside, bytes, decode, decode_in, file, gradient, noise, probe, run,
    sample,
};

fn files() -> Vec<(MediaFile, MediaFile)> {
    beside("tiff")
}

#[tokio::test]
async fn files_of_other_programs_show_what_they_are_to_show() {
    let files = files();
    assert!(files.len() >= 25, "{}", files.len());
    for (file, shown) in files {
        let (info, wanted) = (probe(&file).await.unwrap(), decode(&shown).await.unwrap());
        let found = decode(&file).await.unwrap_or_else(|e| panic!("{}: {e:?}", file.name()));
        assert_eq!((info.format, info.alpha), (Format::TIFF, wanted.has_alpha()));
        assert_eq!((info.width, info.height), (wanted.width(), wanted.height()), "{}", file.name());
        assert_same(&found, &wanted, file.name());
    }
}

#[tokio::test]
async fn rows_give_what_the_whole_gives() {
    let large = file("large.tif", plain(2300, 2000, 50));
    let whole = decode(&large).await.unwrap();
    let small = vec![AnyOperation::new(Resize::new(200, 200, Fit::Inside))];
    let mut ran = Branches::of(large).chain("small", small).run().await.unwrap();
    let explanation = format!("{:?}", ran.explanation);
    assert!(explanation.contains("by rows"), "{explanation}");
    let wanted = crate::support::image(Resize::new(200, 200, Fit::Inside), whole).await;
    assert_same(&ran.image("small"), &wanted, "large.tif");
}

#[tokio::test]
async fn the_reader_passes_its_suite_with_them() {
    let samples: Vec<_> = files().into_iter().map(|(file, _)| file).collect();
    testing::exercise_reader(&ImageReader::new(), &samples).await;
}

#[tokio::test]
async fn the_first_page_that_is_no_thumbnail_is_taken_upright_with_who_made_it() {
    let photo = sample("tiff/turned-pages.tif");
    let info = probe(&photo).await.unwrap();
    assert_eq!((info.orientation, info.pages, info.frames), (6, 2, 1));
    let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|w| w == text);
    for policy in [MetadataPolicy::Private, MetadataPolicy::Strip, MetadataPolicy::Keep] {
        let mut ran = Branches::of(photo.clone())
            .chain("out", vec![AnyOperation::new(Png::new().metadata(policy))])
            .run()
            .await
            .unwrap();
        let content = bytes(&ran.file("out"));
        assert_eq!(has(&content, b"(c) Jane"), policy != MetadataPolicy::Strip, "{policy:?}");
        assert_eq!(has(&content, b"SN1"), policy == MetadataPolicy::Keep, "{policy:?}");
    }
}

/// One strip of so many rows for each part, without compression, the directory first.
fn plain(width: u16, height: u16, rows: u16) -> Vec<u8> {
    let strips = height.div_ceil(rows);
    let row = u32::from(width);
    let entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1)];
    let places = 8 + 2 + 12 * 9 + 4;
    let pixels = places + 8 * u32::from(strips);
    let mut tiff = b"II\x2A\0\x08\0\0\0\x09\0".to_vec();
    let mut entry = |tag: u16, kind: u16, count: u32, value: u32| {
        tiff.extend(tag.to_le_bytes());
        tiff.extend(kind.to_le_bytes());
        tiff.extend(count.to_le_bytes());
        tiff.extend(value.to_le_bytes());
    };
    let many = u32::from(strips);
    for (tag, value) in entries {
        entry(tag, 3, 1, u32::from(value));
    }
    entry(273, 4, many, places);
    entry(277, 3, 1, 1);
    entry(278, 3, 1, u32::from(rows));
    entry(279, 4, many, places + 4 * many);
    tiff.extend([0; 4]);
    (0..many).for_each(|strip| tiff.extend((pixels + strip * u32::from(rows) * row).to_le_bytes()));
    for strip in 0..strips {
        let rows = rows.min(height - strip * rows);
        tiff.extend((u32::from(rows) * row).to_le_bytes());
    }
    tiff.extend(noise(row, u32::from(height), 1).pixels());
    tiff
}

#[tokio::test]
async fn what_was_cut_is_an_error_or_said_to_be_missing() {
    let all = plain(64, 100, 8);
    let whole = decode(&file("plain.tif", all.clone())).await.unwrap();
    for percent in [30, 60, 95] {
        let cut = file("cut.tif", all[..all.len() * percent / 100].to_vec());
        assert_eq!(decode(&cut).await.unwrap_err().code(), "image.truncated", "{percent}");
        let cx = testing::context();
        let cut = cut.with_on_damage(OnDamage::Accept);
        let image = decode_in(&cut, &cx).await.unwrap();
        let rows = image.rows().zip(whole.rows()).take_while(|(a, b)| a == b).count();
        let warnings = cx.take_warnings();
        let said = format!("`cut.tif`: {} % of the rows are missing", 100 - rows);
        assert!(warnings.contains(&said), "{rows} rows, {warnings:?}");
        assert!(rows.abs_diff(percent) < 8, "{rows} rows of {percent} %");
    }
    // Its directory is at the end: nothing is known of the others.
    let photo = bytes(&sample("tiff/rgb-strips-lzw-big-endian.tif"));
    let cut = file("cut.tif", photo[..photo.len() / 2].to_vec()).with_on_damage(OnDamage::Accept);
    assert_eq!(decode(&cut).await.unwrap_err().code(), "image.truncated");
}

#[tokio::test]
async fn a_strip_that_is_damaged_costs_its_rows_alone() {
    for name in ["rgb-planes-tiles-deflate.tif", "runs-g4.tif", "photostrips-x.tif"] {
        let mut damaged = bytes(&sample(&format!("tiff/{name}")));
        damaged[8..40].fill(0);
        let damaged = file("damaged.tif", damaged);
        assert_eq!(decode(&damaged).await.unwrap_err().code(), "image.corrupt", "{name}");
        let cx = testing::context();
        let damaged = damaged.with_on_damage(OnDamage::Accept);
        decode_in(&damaged, &cx).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
        let warnings = cx.take_warnings();
        assert!(warnings.iter().any(|warning| warning.contains("% of the rows")), "{warnings:?}");
    }
}

#[tokio::test]
async fn damage_beside_the_picture_is_a_warning() {
    let mut damaged = bytes(&sample("tiff/turned-pages.tif"));
    // The profile lies behind the end now, and so does the page after the next one.
    let profile = damaged.windows(4).position(|w| w == [0x73, 0x87, 7, 0]).unwrap();
    damaged[profile + 8..profile + 12].fill(0x7F);
    let cx = testing::context();
    let image = decode_in(&file("damaged.tif", damaged), &cx).await.unwrap();
    let wanted = decode(&sample("tiff/turned.png")).await.unwrap();
    assert_same(&image, &wanted, "damaged.tif");
    let warnings = cx.take_warnings();
    assert!(warnings.iter().any(|warning| warning.contains("was ignored")), "{warnings:?}");
    // A list of pages that leads back to its beginning.
    let mut circle = plain(8, 8, 8);
    let next = 8 + 2 + 12 * 9;
    circle[next..next + 4].copy_from_slice(&8_u32.to_le_bytes());
    let cx = testing::context();
    decode_in(&file("circle.tif", circle), &cx).await.unwrap();
    assert!(cx.take_warnings()[0].contains("circle"));
}

#[tokio::test]
async fn limits_hold_before_a_strip_is_unpacked() {
    let value = |index: usize| 10 + 12 * index + 8;
    let mut huge = plain(60_000, 1, 1);
    huge[value(1)..value(1) + 2].copy_from_slice(&60_000_u16.to_le_bytes());
    assert_eq!(probe(&file("huge.tif", huge)).await.unwrap_err().code(), "limit.pixels");
    // One strip of all rows is unpacked as a whole.
    let one = file("one.tif", plain(1000, 1000, 1000));
    let tight = limited(Limits { image_bytes: 1_000_000, ..Limits::default() });
    let info = ImageReader::new().probe(&one, &tight).await.unwrap();
    assert_eq!(info.decoder_bytes, 1_000_000);
    let tight = limited(Limits { image_bytes: 999_999, ..Limits::default() });
    let error = ImageReader::new().probe(&one, &tight).await.unwrap_err();
    assert_eq!(error.code(), "limit.image_bytes");
}

#[tokio::test]
async fn what_is_not_decoded_says_what_to_do() {
    let mut floats = plain(8, 8, 8);
    floats[10 + 24 + 8] = 32;
    let error = decode(&file("floats.tif", floats)).await.unwrap_err();
    assert_eq!(error.code(), "image.unsupported");
    assert!(error.to_string().contains("32 bits"), "{error}");
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
                // Half of the damage is where directories may be.
                let near = if seed & 1 == 0 { bytes.len() } else { 300.min(bytes.len()) };
                let at = bytes.len() - 1 - (seed >> 8) as usize % near;
                bytes[at] ^= seed.to_be_bytes()[0] | 1;
            }
            let how = if seed & 2 == 0 { OnDamage::Accept } else { OnDamage::Refuse };
            let damaged = MediaFile::new("damaged", Format::TIFF, Blob::bytes(bytes));
            if let Err(error) = decode_in(&damaged.with_on_damage(how), &tight).await {
                assert_ne!(error.code(), "op.panicked", "{}", whole.name());
            }
        }
    }
}

#[test]
fn names_and_types_of_it_are_known() {
    assert_eq!((Format::TIFF.mime(), Format::TIFF.extension()), ("image/tiff", "tif"));
    assert!(Format::TIFF.is_named("tiff") && Format::TIFF.is_named("TIF"));
}

async fn written(how: Tiff, image: Image) -> MediaFile {
    run(how, image).await.unwrap().into_file().unwrap()
}

#[tokio::test]
async fn what_is_written_comes_back() {
    for channels in [1, 3, 4] {
        for compression in [TiffCompression::Deflate, TiffCompression::None] {
            // Several strips of the larger one.
            for (width, height) in [(97, 61), (700, 1000)] {
                let picture = gradient(width, height, channels);
                let file = written(Tiff::new().compression(compression), picture.clone()).await;
                assert_same(&decode(&file).await.unwrap(), &picture, "written.tif");
            }
        }
    }
}

#[tokio::test]
async fn the_policy_decides_what_is_written() {
    let photo = decode(&sample("tiff/turned-pages.tif")).await.unwrap();
    let mut metadata = photo.metadata().clone();
    metadata.xmp = Some(Bytes::from_static(b"<x:xmpmeta tiff:Orientation='6'/>"));
    let photo = photo.with_metadata(metadata);
    let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|w| w == text);
    for policy in [
        MetadataPolicy::Private,
        MetadataPolicy::Copyright,
        MetadataPolicy::Strip,
        MetadataPolicy::Keep,
    ] {
        let file = written(Tiff::new().metadata(policy), photo.clone()).await;
        let content = bytes(&file);
        assert_eq!(has(&content, b"(c) Jane"), policy != MetadataPolicy::Strip, "{policy:?}");
        assert_eq!(has(&content, b"SN1"), policy == MetadataPolicy::Keep, "{policy:?}");
        assert_eq!(has(&content, b"Orientation='1'"), policy == MetadataPolicy::Keep, "{policy:?}");
        let again = decode(&file).await.unwrap();
        assert_same(&again, &photo, "again.tif");
        assert_eq!(again.metadata().xmp.is_some(), policy == MetadataPolicy::Keep);
    }
}

#[tokio::test]
async fn the_word_keeps_its_promises() {
    let picture = || Inputs::one(gradient(60, 40, 4));
    testing::exercise_word(Tiff::new(), picture(), &ImageBackend::new()).await;
    let how = serde_json::from_str::<Tiff>(r#"{"compression":"none","max_bytes":900}"#).unwrap();
    let error = run(how, gradient(60, 40, 1)).await.unwrap_err();
    assert_eq!(error.code(), "image.max_bytes");
    let pipeline = Pipeline::from("in/a.jpg").output("out/b.tif", |photo| photo.tiff());
    let pipeline = pipeline.build().unwrap();
    let json = serde_json::to_string(&pipeline).unwrap();
    assert!(json.contains(r#""compression":"deflate""#), "{json}");
}

#[tokio::test]
async fn its_encoder_looks_strip_by_strip() {
    let picture = noise(700, 1500, 3);
    for compression in [TiffCompression::Deflate, TiffCompression::None] {
        let how = AnyOperation::new(Tiff::new().compression(compression));
        stops(how, Inputs::one(picture.clone()), picture.pixels().len()).await;
    }
}
