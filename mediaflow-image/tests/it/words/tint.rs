use mediaflow_core::ops::{Brightness, Grayscale, Negate, Resize, Tint};
use mediaflow_core::{AnyOperation, Color};

use super::{cube, is_the_same_one_by_one, ramp};
use crate::support::{image, noise};

/// What OpenCV's conversions to CIELAB and back give, in floating point, for these greys.
const GREYS: [usize; 9] = [0, 1, 32, 64, 100, 128, 180, 220, 255];
const RED: [[u8; 3]; 9] = [
    [0, 0, 0],
    [4, 0, 0],
    [77, 0, 0],
    [149, 0, 0],
    [215, 0, 0],
    [255, 9, 2],
    [255, 124, 86],
    [255, 193, 166],
    [255, 255, 255],
];
const BLUE: [[u8; 3]; 9] = [
    [0, 0, 0],
    [1, 1, 3],
    [24, 26, 74],
    [38, 52, 150],
    [72, 85, 214],
    [108, 112, 249],
    [175, 166, 255],
    [222, 212, 255],
    [255, 255, 255],
];

#[tokio::test]
async fn a_tint_is_what_cielab_says() {
    for (color, wanted) in [(Color::rgb(255, 0, 0), RED), (Color::rgb(32, 64, 192), BLUE)] {
        let tinted = image(Tint::with(color), ramp()).await;
        assert_eq!(tinted.channels(), 3);
        for (grey, wanted) in GREYS.into_iter().zip(wanted) {
            let found = &tinted.pixels()[grey * 3..][..3];
            let off = found.iter().zip(wanted).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(off <= 1, "{color}: {grey} gives {found:?}, not {wanted:?}");
        }
    }
}

#[tokio::test]
async fn only_the_luma_counts() {
    for channels in [3, 4] {
        let how = Tint::with(Color::rgb(112, 66, 20));
        let grey = image(Grayscale::default(), cube(channels)).await;
        let tinted = image(how, cube(channels)).await;
        assert_eq!(tinted.pixels(), image(how, grey).await.pixels());
    }
}

#[tokio::test]
async fn it_joins_other_tones() {
    let tint = || AnyOperation::new(Tint::with(Color::rgb(32, 64, 192)));
    let brighter = || AnyOperation::new(Brightness::by(1.6));
    let negate = || AnyOperation::new(Negate::default());
    let grey = || AnyOperation::new(Grayscale::default());
    let small = || AnyOperation::new(Resize::width(40));
    for channels in [1, 2, 3, 4] {
        let picture = noise(97, 71, channels);
        for chain in [
            vec![brighter(), tint(), negate()],
            vec![grey(), negate(), tint(), brighter()],
            vec![tint(), grey(), tint()],
            vec![tint(), small(), negate()],
        ] {
            is_the_same_one_by_one(picture.clone(), chain).await;
        }
    }
}
