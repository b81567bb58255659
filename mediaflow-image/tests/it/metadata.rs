use bytes::Bytes;
use mediaflow_core::AnyOperation;
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Image, MediaFile, Metadata};
use mediaflow_core::ops::{Crop, Resize};
use mediaflow_image::{Jpeg, MetadataPolicy, Png, Webp};

use crate::support::{
    Branches, as_jpeg, as_png, bytes, decode, file, gradient, probe, psnr, run, run_any,
};

/// A TIFF block with an orientation, a serial number and a copyright.
fn exif(orientation: u8) -> Bytes {
    let mut tiff = b"MM\0\x2A\0\0\0\x08\0\x03".to_vec();
    tiff.extend([1, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0]);
    tiff.extend(b"\x82\x98\0\x02\0\0\0\x09\0\0\0\x32");
    tiff.extend(b"\xA4\x31\0\x02\0\0\0\x04SN1\0");
    tiff.extend([0; 4]);
    tiff.extend(b"(c) Jane\0");
    tiff.into()
}

fn with_exif(image: Image, orientation: u8) -> Image {
    let mut metadata = Metadata::default();
    metadata.exif = Some(exif(orientation));
    metadata.xmp = Some(Bytes::from_static(b"<x:xmpmeta/>"));
    image.with_metadata(metadata)
}

/// A photo as a camera stores it: turned away, with the orientation that turns it back.
async fn stored(upright: &Image, orientation: u8) -> MediaFile {
    // Each orientation undoes one way to hold the camera; 6 and 8 undo one another.
    let held: AnyOperation = match orientation {
        2 => AnyOperation::new(mediaflow_core::ops::Flop::default()),
        3 => AnyOperation::new(mediaflow_core::ops::Rotate::by(180.0)),
        4 => AnyOperation::new(mediaflow_core::ops::Flip::default()),
        6 => AnyOperation::new(mediaflow_core::ops::Rotate::by(-90.0)),
        8 => AnyOperation::new(mediaflow_core::ops::Rotate::by(90.0)),
        _ => AnyOperation::new(mediaflow_core::ops::AutoOrient::default()),
    };
    let inputs = mediaflow_core::Inputs::one(upright.clone());
    let mut image = run_any(held, inputs).await.unwrap().into_image().unwrap();
    if matches!(orientation, 5 | 7) {
        image = transposed(&image, orientation == 7);
    }
    // The encoder writes an upright orientation; a camera would not.
    let marked = bytes(&as_jpeg(with_exif(image, 1), 95).await);
    let at = marked.windows(4).position(|w| w == [1, 0x12, 0, 3]).unwrap();
    let mut marked = marked;
    marked[at + 9] = orientation;
    file("camera.jpg", marked)
}

fn transposed(image: &Image, across: bool) -> Image {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let pixels = (0..width * height).flat_map(|i| {
        let (x, y) = (i / height, i % height);
        let (x, y) = if across { (width - 1 - x, height - 1 - y) } else { (x, y) };
        image.pixels()[(y * width + x) * 3..][..3].to_vec()
    });
    Image::new(image.height(), image.width(), 3, pixels.collect()).unwrap()
}

#[tokio::test]
async fn every_orientation_is_upright_after_decode_resize_and_crop() {
    let upright = gradient(96, 64, 3);
    let small = crate::support::image(Resize::new(48, 48, Fit::Inside), upright.clone()).await;
    let part = crate::support::image(Crop::new(8, 16, 40, 24), upright.clone()).await;
    for orientation in 1..=8 {
        let photo = stored(&upright, orientation).await;
        let info = probe(&photo).await.unwrap();
        assert_eq!((info.orientation, (info.width, info.height)), (orientation, (96, 64)));
        assert!(psnr(&decode(&photo).await.unwrap(), &upright) > 35.0, "{orientation}");
        let mut ran = Branches::of(photo)
            .chain("small", vec![AnyOperation::new(Resize::new(48, 48, Fit::Inside))])
            .chain("part", vec![AnyOperation::new(Crop::new(8, 16, 40, 24))])
            .chain(
                "file",
                vec![AnyOperation::new(Jpeg::quality(90).metadata(MetadataPolicy::Keep))],
            )
            .run()
            .await
            .unwrap();
        assert!(psnr(&ran.image("small"), &small) > 35.0, "{orientation}");
        assert!(psnr(&ran.image("part"), &part) > 35.0, "{orientation}");
        let kept = probe(&ran.file("file")).await.unwrap();
        assert_eq!((kept.orientation, kept.width, kept.height), (1, 96, 64));
    }
}

#[tokio::test]
async fn the_policy_decides_what_is_written() {
    let photo = with_exif(gradient(32, 32, 3), 6);
    let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|w| w == text);
    for policy in [
        MetadataPolicy::Private,
        MetadataPolicy::Copyright,
        MetadataPolicy::Strip,
        MetadataPolicy::Keep,
    ] {
        let files = [
            run(Jpeg::quality(80).metadata(policy), photo.clone()).await,
            run(Png::new().metadata(policy), photo.clone()).await,
            run(Webp::quality(80).metadata(policy), photo.clone()).await,
        ];
        for written in files {
            let written = written.unwrap().into_file().unwrap();
            let content = bytes(&written);
            let shown = format!("{} {policy:?}", written.format());
            assert_eq!(has(&content, b"(c) Jane"), policy != MetadataPolicy::Strip, "{shown}");
            assert_eq!(has(&content, b"SN1"), policy == MetadataPolicy::Keep, "{shown}");
            assert_eq!(has(&content, b"xmpmeta"), policy == MetadataPolicy::Keep, "{shown}");
            assert_eq!(probe(&written).await.unwrap().orientation, 1, "{shown}");
            decode(&written).await.unwrap();
        }
    }
}

#[tokio::test]
async fn what_only_xmp_says_is_kept_as_well_and_upright() {
    const PACKET: &[u8] =
        b"<x:xmpmeta tiff:Orientation='6'><dc:rights>(c) Jane</dc:rights>SN1</x:xmpmeta>";
    let mut metadata = Metadata::default();
    metadata.xmp = Some(Bytes::from_static(PACKET));
    let photo = gradient(32, 32, 3).with_metadata(metadata);
    let has = |bytes: &[u8], text: &[u8]| bytes.windows(text.len()).any(|w| w == text);
    for policy in [MetadataPolicy::Private, MetadataPolicy::Copyright, MetadataPolicy::Keep] {
        let files = [
            run(Jpeg::quality(80).metadata(policy), photo.clone()).await,
            run(Png::new().metadata(policy), photo.clone()).await,
            run(Webp::quality(80).metadata(policy), photo.clone()).await,
        ];
        for written in files {
            let written = written.unwrap().into_file().unwrap();
            let (content, keep) = (bytes(&written), policy == MetadataPolicy::Keep);
            let shown = format!("{} {policy:?}", written.format());
            assert!(has(&content, b"(c) Jane"), "{shown}");
            assert_eq!(has(&content, b"SN1"), keep, "{shown}");
            assert_eq!(has(&content, b"tiff:Orientation='1'"), keep, "{shown}");
        }
    }
}

/// Adobe's programs write kilobytes of what was done to a picture: in a JPEG that is more than a segment holds.
#[tokio::test]
async fn xmp_that_is_longer_than_a_segment_is_whole_or_not_there() {
    const WORDS: usize = 20_000;
    let words = "SN1 Planted words ".repeat(WORDS);
    let packet = format!(
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'>\
         <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>\
         <rdf:Description rdf:about='' xmlns:tiff='http://ns.adobe.com/tiff/1.0/' \
         xmlns:dc='http://purl.org/dc/elements/1.1/' tiff:Orientation='6'>\
         <dc:source>{words}</dc:source>\
         <dc:rights>(c) Jane</dc:rights></rdf:Description></rdf:RDF></x:xmpmeta>"
    );
    let mut metadata = Metadata::default();
    metadata.xmp = Some(packet.into());
    let photo = gradient(32, 32, 3).with_metadata(metadata);
    let jpeg = |policy| run(Jpeg::quality(80).metadata(policy), photo.clone());
    let kept = jpeg(MetadataPolicy::Keep).await.unwrap().into_file().unwrap();
    let count = |file: &MediaFile| {
        let content = bytes(file);
        content.windows(13).filter(|window| window == b"Planted words").count()
    };
    // Some lie across the end of a segment.
    assert!((WORDS - 10..=WORDS).contains(&count(&kept)), "{}", count(&kept));
    let read = decode(&kept).await.unwrap();
    let xmp = String::from_utf8(read.metadata().xmp.as_ref().unwrap().to_vec()).unwrap();
    assert_eq!(xmp.matches("Planted words").count(), WORDS);
    assert!(xmp.contains("tiff:Orientation='1'") && xmp.contains("(c) Jane"));
    let png = run(Png::new().metadata(MetadataPolicy::Keep), read.clone()).await.unwrap();
    assert_eq!(count(&png.into_file().unwrap()), WORDS);
    for policy in [MetadataPolicy::Private, MetadataPolicy::Copyright, MetadataPolicy::Strip] {
        let silent = Jpeg::quality(80).metadata(policy);
        let silent = run(silent, read.clone()).await.unwrap().into_file().unwrap();
        assert_eq!(count(&silent), 0, "{policy:?}");
    }
    // Another reader, where it is installed.
    let path = std::env::temp_dir().join(format!("long-xmp-{}.jpg", std::process::id()));
    std::fs::write(&path, bytes(&kept)).unwrap();
    let mut exiftool = std::process::Command::new("exiftool");
    let said = exiftool.args(["-s3", "-XMP-dc:Source"]).arg(&path).output();
    std::fs::remove_file(&path).unwrap();
    if let Ok(said) = said {
        let said = String::from_utf8(said.stdout).unwrap();
        assert_eq!(said.matches("Planted words").count(), WORDS, "{}", said.len());
    }
}

#[tokio::test]
async fn a_wide_colour_profile_becomes_srgb() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let mut metadata = Metadata::default();
    metadata.icc = Some(profile.into());
    let flat =
        Image::new(64, 64, 3, [200, 60, 60].repeat(64 * 64)).unwrap().with_metadata(metadata);
    // The encoders convert; a camera would not. So the profile is put back into a PNG by hand.
    let png = {
        let mut bytes = Vec::new();
        let mut info = png::Info::with_size(64, 64);
        info.color_type = png::ColorType::Rgb;
        info.bit_depth = png::BitDepth::Eight;
        info.icc_profile = flat.metadata().icc.as_deref().map(Into::into);
        let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
        writer.write_image_data(flat.pixels()).unwrap();
        writer.finish().unwrap();
        file("p3.png", bytes)
    };
    let converted = decode(&png).await.unwrap();
    assert_eq!(converted.metadata().icc, None);
    let [r, g, b] = [converted.pixels()[0], converted.pixels()[1], converted.pixels()[2]];
    assert!(r > 208 && g < 55 && b < 60, "{r} {g} {b}");

    let mut ran = Branches::of(png)
        .chain("small", vec![AnyOperation::new(Resize::width(16))])
        .run()
        .await
        .unwrap();
    let small = ran.image("small");
    assert!(small.pixels()[0].abs_diff(r) <= 1 && small.metadata().icc.is_none());
}

#[tokio::test]
async fn srgb_under_another_name_changes_no_pixel() {
    let profile = moxcms::ColorProfile::new_srgb().encode().unwrap();
    let mut metadata = Metadata::default();
    metadata.icc = Some(profile.into());
    let picture = gradient(20, 20, 3);
    let png = as_png(picture.clone().with_metadata(metadata)).await;
    assert_eq!(decode(&png).await.unwrap().pixels(), picture.pixels());
}
