//! JPEGs that become JPEGs without a loss, and those that are encoded anew.

use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Image, MediaFile, Metadata, OnDamage};
use mediaflow_core::ops::{AutoOrient, Crop, Flip, Flop, Negate, Resize, Rotate};
use mediaflow_core::{AnyOperation, ErrorKind, testing};
use mediaflow_image::{Chroma, Jpeg, MetadataPolicy};

use crate::support::{
    Branches, Ran, as_jpeg, bytes, decode, file, gradient, image, photo, probe, psnr, run, run_any,
};

fn op(operation: impl mediaflow_core::Operation) -> AnyOperation {
    AnyOperation::new(operation)
}

/// What is done with a file, and how.
async fn ran(source: &MediaFile, mut steps: Vec<AnyOperation>, how: Jpeg) -> Ran {
    steps.push(op(how));
    Branches::of(source.clone()).chain("out", steps).run().await.unwrap()
}

/// Whether it was not decoded.
fn is_copied(ran: &Ran) -> bool {
    let actions: Vec<_> = ran.explanation.stages.iter().map(|stage| &*stage.action).collect();
    let copied = actions == ["copy"];
    let decodes = u32::from(!copied);
    assert_eq!((ran.explanation.decodes, ran.decodes), (decodes, decodes), "{}", ran.explanation);
    assert!(copied || actions.last() == Some(&"encode"), "{}", ran.explanation);
    copied
}

/// An EXIF block with an orientation, behind the JFIF header.
fn turned(jpeg: &MediaFile, orientation: u8) -> MediaFile {
    let mut whole = bytes(jpeg);
    let mut exif = b"\xFF\xE1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0, 0]);
    whole.splice(20..20, exif);
    file("turned.jpg", whole)
}

async fn made(size: (u32, u32), chroma: Chroma, progressive: bool, grey: bool) -> MediaFile {
    let how = Jpeg::quality(90).chroma(chroma);
    let how = if progressive { how.progressive() } else { how };
    let picture = gradient(size.0, size.1, if grey { 1 } else { 3 });
    run(how, picture).await.unwrap().into_file().unwrap()
}

fn unit(chroma: Chroma, grey: bool) -> (u32, u32) {
    match chroma {
        _ if grey => (8, 8),
        Chroma::Quarter => (16, 16),
        Chroma::Half => (16, 8),
        _ => (8, 8),
    }
}

/// The picture as it is shown, and steps on it one by one.
async fn one_by_one(source: &MediaFile, steps: &[AnyOperation]) -> Image {
    let mut shown = decode(source).await.unwrap();
    for step in steps {
        let inputs = mediaflow_core::Inputs::one(shown);
        shown = run_any(step.clone(), inputs).await.unwrap().into_image().unwrap();
    }
    shown
}

/// What mirrors the columns, and the rows, of a file with this orientation.
fn backwards(orientation: u8) -> (bool, bool) {
    (matches!(orientation, 2 | 3 | 7 | 8), matches!(orientation, 3 | 4 | 6 | 7))
}

#[tokio::test]
async fn every_orientation_sampling_and_size() {
    let (mut copied, mut encoded) = (0, 0);
    for (chroma, grey) in [
        (Chroma::Quarter, false),
        (Chroma::Half, false),
        (Chroma::Full, false),
        (Chroma::Full, true),
    ] {
        for size in [(96, 64), (101, 64), (96, 71), (101, 71)] {
            for progressive in [false, true] {
                let stored = made(size, chroma, progressive, grey).await;
                for orientation in 1..=8 {
                    let source = turned(&stored, orientation);
                    let mut ran =
                        ran(&source, vec![op(AutoOrient::default())], Jpeg::default()).await;
                    let (x, y) = backwards(orientation);
                    let (across, down) = unit(chroma, grey);
                    let fits = (!x || size.0 % across == 0) && (!y || size.1 % down == 0);
                    let what = format!("{chroma:?} {size:?} {progressive} {orientation}");
                    assert_eq!(is_copied(&ran), fits, "{what}: {}", ran.explanation);
                    let result = ran.file("out");
                    let info = probe(&result).await.unwrap();
                    assert_eq!(
                        (info.orientation, info.progressive),
                        (1, progressive && fits),
                        "{what}"
                    );
                    let alike =
                        psnr(&decode(&result).await.unwrap(), &decode(&source).await.unwrap());
                    // The transform back to pixels rounds, and colours between samples are made up in another way.
                    assert!(alike > if fits { 46.0 } else { 30.0 }, "{what}: {alike:.1}");
                    (copied, encoded) = (copied + u32::from(fits), encoded + u32::from(!fits));
                }
            }
        }
    }
    assert!(copied > 120 && encoded > 60, "{copied} {encoded}");
}

#[tokio::test]
async fn chains_of_turns_and_crops_are_one_copy() {
    let source = turned(&made((160, 96), Chroma::Quarter, false, false).await, 6);
    let chains = [
        (vec![op(Rotate::by(90.0)), op(Flop::default())], true),
        (vec![op(Crop::new(16, 32, 41, 70)), op(Rotate::by(180.0))], false),
        (vec![op(Crop::new(16, 32, 48, 71))], true),
        (vec![op(Flip::default()), op(Crop::new(32, 48, 33, 22))], true),
        (vec![op(Crop::new(7, 32, 41, 70))], false),
        (vec![op(Crop::new(23, 9, 41, 39)), op(Rotate::by(180.0))], true),
        (vec![op(Rotate::by(33.0))], false),
        (vec![op(Negate::default())], false),
        (vec![op(Resize::new(50, 50, Fit::Inside))], false),
        (vec![], true),
    ];
    for (index, (steps, expected)) in chains.into_iter().enumerate() {
        let mut ran = ran(&source, steps.clone(), Jpeg::default()).await;
        assert_eq!(is_copied(&ran), expected, "{index}: {}", ran.explanation);
        if expected {
            let wanted = one_by_one(&source, &steps).await;
            let alike = psnr(&decode(&ran.file("out")).await.unwrap(), &wanted);
            assert!(alike > 42.0, "{index}: {alike:.1}");
        }
    }
}

#[tokio::test]
async fn whoever_asks_for_more_gets_pixels() {
    let source = made((96, 64), Chroma::Quarter, false, false).await;
    for how in [
        Jpeg::quality(80),
        Jpeg::default().max_bytes(100_000),
        Jpeg::default().chroma(Chroma::Full),
    ] {
        assert!(!is_copied(&ran(&source, vec![], how).await), "{how:?}");
    }
    for how in [
        Jpeg::default(),
        Jpeg::default().metadata(MetadataPolicy::Keep),
        Jpeg::default().progressive(),
    ] {
        let mut ran = ran(&source, vec![], how).await;
        assert!(is_copied(&ran), "{how:?}");
        let result = ran.file("out");
        assert_eq!(probe(&result).await.unwrap().progressive, how.progressive);
        assert!(decode(&result).await.unwrap().pixels() == decode(&source).await.unwrap().pixels());
        let text = ran.explanation.to_string();
        let way = if how.progressive { "its coefficients" } else { "its data as it stands" };
        assert!(text.contains(way) && text.contains("without a loss"), "{text}");
    }
}

async fn metadata(file: &MediaFile) -> Metadata {
    decode(file).await.unwrap().metadata().clone()
}

/// Other metadata alone: the data of the picture is the same to the byte, and beside it is what an encoder would have written.
#[tokio::test]
async fn metadata_changes_alone() {
    for name in ["dandelions.jpg", "mountains.jpg"] {
        let source = photo(name);
        let whole = bytes(&source);
        for policy in [
            MetadataPolicy::Private,
            MetadataPolicy::Strip,
            MetadataPolicy::Copyright,
            MetadataPolicy::Keep,
        ] {
            let mut copied = ran(&source, vec![], Jpeg::default().metadata(policy)).await;
            assert!(is_copied(&copied), "{name} {policy:?}: {}", copied.explanation);
            let copy = copied.file("out");
            let mut encoded = ran(&source, vec![], Jpeg::quality(60).metadata(policy)).await;
            let (one, other) = (metadata(&copy).await, metadata(&encoded.file("out")).await);
            assert_eq!((one.exif, one.xmp), (other.exif, other.xmp), "{name} {policy:?}");
            let copy = bytes(&copy);
            let scan = copy.windows(2).position(|pair| pair == [0xFF, 0xDA]).unwrap();
            let part = &copy[scan..scan + 100_000];
            assert!(whole.windows(part.len()).any(|window| window == part), "{name} {policy:?}");
            assert!(copy.len() <= whole.len() + 64, "{name} {policy:?}");
        }
    }
}

#[tokio::test]
async fn what_is_copied_is_not_decoded_for_others_larger_than_they_need() {
    let small = || op(Resize::new(100, 100, Fit::Inside));
    let mut ran = Branches::of(photo("mountains.jpg"))
        .chain("clean", vec![op(Jpeg::default().metadata(MetadataPolicy::Strip))])
        .chain("turned", vec![op(Rotate::by(90.0)), op(Jpeg::default())])
        .chain("small", vec![small(), op(Jpeg::default())])
        .run()
        .await
        .unwrap();
    let text = ran.explanation.to_string();
    assert_eq!((ran.explanation.decodes, ran.decodes), (1, 1), "{text}");
    assert!(text.contains("at 1/8") && text.matches("copy ").count() == 2, "{text}");
    let turned = probe(&ran.file("turned")).await.unwrap();
    assert_eq!((turned.width, turned.height), (2448, 3264));
    let small = probe(&ran.file("small")).await.unwrap();
    assert_eq!((small.width, small.height), (100, 75));
}

#[tokio::test]
async fn damage_is_told_and_accepted_as_ever() {
    for progressive in [false, true] {
        let whole = bytes(&made((160, 96), Chroma::Quarter, progressive, false).await);
        let cut = file("cut.jpg", [&whole[..whole.len() / 2], b"\xFF\xD9"].concat());
        for steps in [vec![], vec![op(Rotate::by(90.0))]] {
            let chain = [steps, vec![op(Jpeg::default())]].concat();
            let branches =
                |file: &MediaFile| Branches::of(file.clone()).chain("out", chain.clone());
            let failed = branches(&cut).run().await.err().unwrap();
            assert_eq!(failed.kind(), ErrorKind::Input, "{failed}");
            let accepted = cut.clone().with_on_damage(OnDamage::Accept);
            let cx = testing::context();
            let mut ran = branches(&accepted).run_in(&cx).await.unwrap();
            let warnings = cx.take_warnings();
            assert!(warnings.iter().any(|text| text.contains("are missing")), "{warnings:?}");
            assert!(warnings.iter().any(|text| text.contains("encoded anew")), "{warnings:?}");
            decode(&ran.file("out")).await.unwrap();
        }
    }
}

/// Of a progressive file an eighth of the size, by which results are verified, does not take all scans.
#[tokio::test]
async fn damage_in_fine_detail_does_not_go_on() {
    let whole = bytes(&made((160, 96), Chroma::Quarter, true, false).await);
    let last = whole.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let middle = last.midpoint(whole.len());
    let cut = file("cut.jpg", [&whole[..middle], b"\xFF\xD9"].concat());
    let outcome = async |how: Jpeg| {
        let cx = testing::context();
        let ran = Branches::of(cut.clone()).chain("out", vec![op(how)]).run_in(&cx).await;
        (ran.err().map(|error| error.code().to_owned()), cx.take_warnings())
    };
    let (copied, warnings) = outcome(Jpeg::default()).await;
    assert_eq!(copied, outcome(Jpeg::quality(80)).await.0);
    // Not every decoder finds it.
    let anew = warnings.iter().any(|text| text.contains("encoded anew"));
    assert!(copied.is_some() || anew, "{warnings:?}");
}

#[tokio::test]
async fn colours_that_have_to_be_converted_are_decoded() {
    let profiles =
        [(moxcms::ColorProfile::new_srgb(), true), (moxcms::ColorProfile::new_display_p3(), false)];
    let plain = bytes(&made((96, 64), Chroma::Quarter, false, false).await);
    for (profile, stays) in profiles {
        let profile = profile.encode().unwrap();
        let mut with = plain.clone();
        let length = u16::try_from(profile.len() + 16).unwrap().to_be_bytes();
        let segment = [&b"\xFF\xE2"[..], &length, b"ICC_PROFILE\0\x01\x01", &profile].concat();
        with.splice(20..20, segment);
        let source = file("profile.jpg", with);
        assert_eq!(probe(&source).await.unwrap().unit.is_some(), stays);
        let mut ran = ran(&source, vec![], Jpeg::default()).await;
        assert_eq!(is_copied(&ran), stays);
        assert_eq!(decode(&ran.file("out")).await.unwrap().metadata().icc, None);
    }
    assert_eq!(probe(&photo("fig.jpg")).await.unwrap().unit, None);
    // A step on pixels has none to give.
    let picture = image(Flip::default(), decode(&photo("fig.jpg")).await.unwrap()).await;
    assert_eq!(probe(&as_jpeg(picture, 80).await).await.unwrap().unit, Some((16, 16)));
}
