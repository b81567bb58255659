use mediaflow_core::AnyOperation;
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Blob, Format, Image, MediaFile};
use mediaflow_core::ops::Resize;
use mediaflow_core::reader::Reader as _;
use mediaflow_image::{ImageReader, Jpeg};

use super::{decoded, inserted, is_told};
use crate::support::{Branches, as_jpeg, bytes, decode, file, gradient, psnr, run, sample};

/// Where the first marker of this name begins.
fn place(jpeg: &[u8], marker: u8) -> usize {
    jpeg.windows(2).position(|pair| pair == [0xFF, marker]).unwrap()
}

fn segment(marker: u8, length: usize, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(length).unwrap().to_be_bytes();
    [&[0xFF, marker][..], &length, content].concat()
}

/// By the decoder of small pictures.
async fn thumbnail(jpeg: &[u8]) -> Image {
    let step = AnyOperation::new(Resize::new(20, 15, Fit::Inside));
    let chain = Branches::of(file("thumbnail", jpeg)).chain("out", vec![step]);
    chain.run().await.unwrap().image("out")
}

async fn jpegs() -> Vec<(Vec<u8>, Image)> {
    let picture = gradient(200, 150, 3);
    let progressive =
        run(Jpeg::quality(85).progressive(), picture.clone()).await.unwrap().into_file().unwrap();
    let grey = as_jpeg(gradient(90, 70, 1), 85).await;
    let mut all = Vec::new();
    for whole in [as_jpeg(picture, 85).await, progressive, grey] {
        all.push((bytes(&whole), decode(&whole).await.unwrap()));
    }
    all
}

#[tokio::test]
async fn stray_bytes_between_the_segments_of_a_jpeg() {
    for (whole, wanted) in jpegs().await {
        for (marker, stray) in [
            (0xDB, &b"\x11\x22\x33"[..]),
            (0xC4, &[0; 40]),
            (0xDA, b"\x02\xFF\x00\xFF\x02 text"),
            (0xDB, &[b'x'; 5_000]),
            (0xC4, b"\xFF\xD3"),
            (0xDB, b"\xFF\xD8\xFF\x01"),
        ] {
            let damaged = inserted(&whole, place(&whole, marker), stray);
            let thumbnails = [thumbnail(&damaged).await, thumbnail(&whole).await];
            assert_eq!(thumbnails[0].pixels(), thumbnails[1].pixels(), "before {marker:02x}");
            is_told(damaged, &wanted, &format!("before {marker:02x}")).await;
        }
    }
}

#[tokio::test]
async fn stray_bytes_before_the_first_segment_of_a_jpeg() {
    let formats = ImageReader::new().formats();
    let sniff = formats.iter().find(|spec| spec.format == Format::JPEG).unwrap().sniff.unwrap();
    for (whole, wanted) in jpegs().await {
        for stray in [&b"\0"[..], b"stray", &[0; 3_000], b"\0\xFF\xFF\xFF", b"\xFF\0\x12"] {
            let damaged = inserted(&whole, 2, stray);
            assert!(sniff(&damaged));
            let damaged = MediaFile::new("damaged", Format::JPEG, Blob::bytes(damaged));
            assert_eq!(decode(&damaged).await.unwrap().pixels(), wanted.pixels());
        }
    }
    assert!(!sniff(b"\xFF") && !sniff(b"\0\xFF\xD8\xFF"));
}

#[tokio::test]
async fn restarts_behind_the_last_unit_of_a_jpeg() {
    let restarts = bytes(&sample("restarts.jpg"));
    let restarts = (restarts.clone(), decode(&file("whole", restarts)).await.unwrap());
    for (whole, wanted) in jpegs().await.into_iter().chain([restarts]) {
        let stray = b"\xFF\xD0\x11\x22\xFF\xD1\xFF\xD2";
        let damaged = inserted(&whole, whole.len() - 2, stray);
        assert_eq!(decoded(damaged.clone()).await.0.pixels(), wanted.pixels());
        let found = psnr(&thumbnail(&damaged).await, &thumbnail(&whole).await);
        assert!(found > 35.0, "{found} dB");
    }
}

#[tokio::test]
async fn stray_bytes_between_the_scans_of_a_jpeg_and_before_its_end() {
    for (whole, wanted) in jpegs().await {
        for marker in [0xC4, 0xDA, 0xD9] {
            let last = whole.windows(2).rposition(|pair| pair == [0xFF, marker]).unwrap();
            let damaged = inserted(&whole, last, b"\x11\x22\x33 stray");
            assert!(decoded(damaged).await.0.pixels() == wanted.pixels(), "{marker:02x}");
        }
    }
}

#[tokio::test]
async fn fill_bytes_and_what_follows_the_end_of_a_jpeg_are_nothing_to_tell() {
    for (whole, wanted) in jpegs().await {
        let fills = inserted(&whole, place(&whole, 0xC4), &[0xFF; 9]);
        for fine in [fills, [&whole[..], b"garbage \xFF\xC0 \xFF"].concat()] {
            assert_eq!(decoded(fine).await.0.pixels(), wanted.pixels());
        }
    }
}

#[tokio::test]
async fn comments_and_application_data_of_a_wrong_length_in_a_jpeg() {
    for (whole, wanted) in jpegs().await {
        for marker in [0xFE, 0xED] {
            let text = b"a comment of some length, in which nothing looks like a segment";
            for length in [text.len() + 2 - 20, text.len() + 2 + 30, text.len() + 400, 60_000] {
                for before in [0xDB, 0xC0, 0xC2, 0xC4] {
                    let Some(at) = whole.windows(2).position(|pair| pair == [0xFF, before]) else {
                        continue;
                    };
                    let damaged = inserted(&whole, at, &segment(marker, length, text));
                    let what = format!("{marker:02x} of {length} before {before:02x}");
                    is_told(damaged, &wanted, &what).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_thumbnail_in_application_data_of_a_wrong_length_is_not_the_picture() {
    let small = bytes(&as_jpeg(gradient(32, 24, 3), 80).await);
    for (whole, wanted) in jpegs().await {
        let content = [&b"Exif\0\0II\x2A\0\x08\0\0\0\0\0\0\0\0\0"[..], &small].concat();
        for length in [content.len() - 30, content.len() + 90] {
            let damaged = inserted(&whole, 2, &segment(0xE1, length, &content));
            is_told(damaged, &wanted, &format!("{length}")).await;
        }
    }
}

/// Nothing is wrong with such a file, whatever its comments hold: words, or the scans of a picture of their own.
#[tokio::test]
async fn comments_between_the_scans_of_a_jpeg_are_nothing_to_tell() {
    let all = jpegs().await;
    let small = run(Jpeg::quality(60).progressive(), gradient(40, 30, 3)).await.unwrap();
    let small = bytes(&small.into_file().unwrap());
    for (whole, wanted) in all {
        for text in [&b"words "[..], &small, b"\xFF\xDA", b"\xFF\xD9", b"\xFF\xD0", b"\xFF"] {
            for length in [300, 65_533] {
                let content: Vec<u8> = text.iter().copied().cycle().take(length).collect();
                for (marker, before) in [(0xFE, 0xC4), (0xFE, 0xDA), (0xE1, 0xDA), (0xFE, 0xD9)] {
                    let last = whole.windows(2).rposition(|pair| pair == [0xFF, before]).unwrap();
                    let fine = inserted(&whole, last, &segment(marker, length + 2, &content));
                    let what = format!("{marker:02x} before {before:02x}: {:02x?}", &content[..4]);
                    // Another decoder takes some of them.
                    let off = psnr(&thumbnail(&fine).await, &thumbnail(&whole).await);
                    assert!(off > 35.0, "{what}: {off} dB");
                    let (image, warnings) = decoded(fine).await;
                    assert!(image.pixels() == wanted.pixels(), "{what}");
                    assert_eq!(warnings, [""; 0], "{what}");
                }
            }
        }
    }
}

#[tokio::test]
async fn parameters_of_a_progressive_scan_in_a_baseline_jpeg() {
    let (whole, wanted) = jpegs().await.swap_remove(0);
    for odd in [[0, 0, 0], [0, 63, 0x11], [1, 5, 0], [0xFF, 0xFF, 0xFF]] {
        let mut damaged = whole.clone();
        let scan = place(&whole, 0xDA);
        let end = scan + 2 + usize::from(whole[scan + 3]);
        damaged[end - 3..end].copy_from_slice(&odd);
        assert!(decoded(damaged).await.0.pixels() == wanted.pixels(), "{odd:?}");
    }
}

#[tokio::test]
async fn the_end_marker_of_a_jpeg_is_missing() {
    for (whole, wanted) in jpegs().await {
        for less in [1, 2] {
            let damaged = whole[..whole.len() - less].to_vec();
            is_told(damaged, &wanted, &format!("less {less}")).await;
        }
    }
}

#[tokio::test]
async fn a_profile_stands_behind_the_frame_of_a_jpeg() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let content = [&b"ICC_PROFILE\0\x01\x01"[..], &profile].concat();
    let part = segment(0xE2, content.len() + 2, &content);
    for (whole, wanted) in jpegs().await.into_iter().filter(|(_, wanted)| wanted.channels() == 3) {
        let usual = decoded(inserted(&whole, 2, &part)).await.0;
        assert_ne!(usual.pixels(), wanted.pixels(), "it is applied");
        let behind = decoded(inserted(&whole, place(&whole, 0xDA), &part)).await.0;
        assert_eq!(behind.pixels(), usual.pixels());
        // One of two parts alone is no profile.
        let half = [&b"ICC_PROFILE\0\x01\x02"[..], &profile[..200]].concat();
        let half = segment(0xE2, half.len() + 2, &half);
        is_told(inserted(&whole, 2, &half), &wanted, "half a profile").await;
    }
}
