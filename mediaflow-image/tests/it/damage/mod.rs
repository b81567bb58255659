//! Damage beside a picture: the picture is what it would be without, and the report says so.

mod gif;
mod jpeg;
mod png;

use mediaflow_core::media::{Image, MediaFile};
use mediaflow_core::{RunContext, testing};

use crate::files;
use crate::support::{as_jpeg, as_png, as_webp, bytes, decode_in, file, gradient, sample};

/// The picture and the warnings.
async fn decoded(bytes: Vec<u8>) -> (Image, Vec<String>) {
    let cx: RunContext = testing::context();
    let image = decode_in(&file("damaged", bytes), &cx).await.unwrap();
    (image, cx.take_warnings())
}

/// The picture is this one, and something is said of the file.
async fn is_told(bytes: Vec<u8>, wanted: &Image, what: &str) {
    let (image, warnings) = decoded(bytes).await;
    assert_eq!(image.channels(), wanted.channels(), "{what}");
    assert!(image.pixels() == wanted.pixels(), "{what}");
    assert!(
        warnings.iter().any(|warning| warning.starts_with("`damaged`: ")),
        "{what}: {warnings:?}"
    );
}

fn inserted(bytes: &[u8], at: usize, more: &[u8]) -> Vec<u8> {
    [&bytes[..at], more, &bytes[at..]].concat()
}

#[tokio::test]
async fn the_size_in_the_header_of_a_webp_is_wrong() {
    let picture = gradient(33, 21, 4);
    let whole = bytes(&as_webp(picture.clone()).await);
    let metadata = [&whole[..], b"EXIF\x20\0\0\0II\x2A\0"].concat();
    let mut longer = whole.clone();
    longer[4] = longer[4].wrapping_add(8);
    let mut claimed = metadata.clone();
    let size = u32::try_from(metadata.len() + 20).unwrap();
    claimed[4..8].copy_from_slice(&size.to_le_bytes());
    for damaged in [longer, claimed] {
        is_told(damaged, &picture, "size").await;
    }
}

#[tokio::test]
async fn whole_files_are_nothing_to_tell() {
    let picture = gradient(60, 40, 3);
    let files: Vec<MediaFile> = vec![
        as_jpeg(picture.clone(), 85).await,
        as_png(picture.clone()).await,
        as_webp(picture).await,
        file("two.gif", files::gif(2)),
        sample("stray-bytes-clean.jpg"),
    ];
    for whole in files {
        let (_, warnings) = decoded(bytes(&whole)).await;
        assert_eq!(warnings, [""; 0], "{}", whole.format());
    }
}
