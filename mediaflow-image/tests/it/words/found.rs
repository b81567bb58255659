//! Parts whose gravity is found in the picture, beside those that sharp 0.35.5 keeps.

use mediaflow_core::geometry::{Fit, Gravity};
use mediaflow_core::media::{Image, Medium};
use mediaflow_core::ops::{Crop, Resize, Watermark};
use mediaflow_core::{AnyOperation, Operation};
use serde_json::json;

use crate::support::{Branches, image, noise, photo, probe};

/// `sharp(photo).resize(width, height, { position })`: `-info.cropOffsetLeft - info.cropOffsetTop`, one of which is always 0.
const SHARP: [(&str, (u32, u32), u32, u32); 13] = [
    ("dandelions.jpg", (320, 320), 250, 154),
    ("dandelions.jpg", (200, 600), 700, 218),
    ("fig.jpg", (320, 320), 91, 13),
    ("fig.jpg", (600, 200), 103, 156),
    ("fig.jpg", (200, 600), 371, 172),
    ("mountains.jpg", (320, 320), 107, 42),
    ("mountains.jpg", (600, 200), 167, 96),
    ("mountains.jpg", (200, 600), 600, 75),
    ("spaniels.jpg", (320, 320), 0, 126),
    ("spaniels.jpg", (600, 200), 40, 440),
    ("spaniels.jpg", (200, 600), 87, 74),
    ("coffee.png", (600, 200), 62, 25),
    ("coffee.png", (200, 600), 237, 436),
];

/// Where a part of a picture begins.
fn place(whole: &Image, part: &Image) -> u32 {
    let n = u32::from(whole.channels());
    let row = (whole.width() * n) as usize;
    let kept = (part.width() * n) as usize;
    let begins = |(x, y): (u32, u32)| {
        let rows = whole.pixels().chunks_exact(row).skip(y as usize);
        let start = (x * n) as usize;
        rows.zip(part.pixels().chunks_exact(kept))
            .all(|(row, part)| row[start..start + kept] == *part)
    };
    let (right, down) = (whole.width() - part.width(), whole.height() - part.height());
    let places = (0..=right).map(|x| (x, 0)).chain((0..=down).map(|y| (0, y)));
    let (x, y) = places.into_iter().find(|place| begins(*place)).expect("it is a part");
    x + y
}

#[tokio::test]
async fn parts_are_those_that_sharp_keeps() {
    let mut others = Vec::new();
    for (name, (width, height), attention, entropy) in SHARP {
        let cover = Resize::cover(width, height);
        let mut ran = Branches::of(photo(name))
            .chain("whole", vec![AnyOperation::new(Resize::new(width, height, Fit::Outside))])
            .chain("attention", vec![AnyOperation::new(cover.clone().gravity(Gravity::Attention))])
            .chain("entropy", vec![AnyOperation::new(cover.gravity(Gravity::Entropy))])
            .run()
            .await
            .unwrap();
        let whole = ran.image("whole");
        let found = ["attention", "entropy"].map(|way| {
            let part = ran.image(way);
            assert_eq!((part.width(), part.height()), (width, height));
            place(&whole, &part)
        });
        // A cell of attention.
        let cell = whole.width().max(whole.height()).div_ceil(32) + 1;
        let both = [("attention", found[0], attention), ("entropy", found[1], entropy)];
        for (way, found, sharp) in both.into_iter().filter(|(_, a, b)| a.abs_diff(*b) > cell) {
            others.push(format!("{name} {width}x{height} {way}: {found}, sharp {sharp}"));
        }
    }
    // Where two places are nearly alike, pixels that were made smaller in another way decide otherwise.
    assert!(others.len() <= 2, "{others:#?}");
}

#[tokio::test]
async fn a_part_is_found_where_there_is_something() {
    let mut pixels = vec![200_u8; 400 * 300 * 4];
    let texture = noise(60, 60, 4);
    for (y, row) in texture.pixels().chunks_exact(240).enumerate() {
        pixels[((220 + y) * 400 + 30) * 4..][..240].copy_from_slice(row);
    }
    for channels in [1, 2, 3, 4] {
        let n = usize::from(channels);
        let part =
            pixels.chunks_exact(4).flat_map(|pixel| pixel[4 - n..].iter().copied()).collect();
        let picture = Image::new(400, 300, channels, part).unwrap();
        for gravity in ["attention", "entropy"] {
            let how = json!({"width": 100, "height": "30%", "gravity": gravity});
            let how: Crop = serde_json::from_value(how).unwrap();
            let kept = image(how, picture.clone()).await;
            assert_eq!((kept.width(), kept.height(), kept.channels()), (100, 90, channels));
            let plain = picture.pixels()[..n].to_vec();
            let some = kept.pixels().chunks_exact(n).filter(|pixel| *pixel != plain).count();
            assert!(some > 3000, "{gravity} {channels}: {some} of 3,600");
            let again = image(how, picture.clone()).await;
            assert_eq!(kept.pixels(), again.pixels(), "{gravity}");
            let all = Crop::sized(400, 300).gravity(how.gravity.unwrap());
            assert_eq!(image(all, picture.clone()).await.pixels(), picture.pixels());
        }
    }
}

#[tokio::test]
async fn nothing_is_found_where_nothing_is_cut_off() {
    let found = Gravity::Attention;
    for refused in [
        Resize::new(9, 9, Fit::Contain).gravity(found).validate(),
        Resize::new(9, 9, Fit::Inside).gravity(Gravity::Entropy).validate(),
        Watermark::new().gravity(found).validate(),
    ] {
        assert_eq!(refused.unwrap_err().code(), "geometry.gravity");
    }
    let film = probe(&photo("fig.jpg")).await.unwrap().with_medium(Medium::Video);
    let cover = Resize::cover(9, 9).gravity(found);
    assert_eq!(cover.describe(&[film]).unwrap_err().code(), "geometry.gravity");
    let outside = Resize::cover(9, 9).gravity(Gravity::focal(1.1, 0.0));
    assert_eq!(outside.validate().unwrap_err().code(), "geometry.focal");
}
