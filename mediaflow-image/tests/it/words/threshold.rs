use mediaflow_core::AnyOperation;
use mediaflow_core::ops::{Grayscale, Negate, Resize, Sepia, Threshold};

use super::{cube, is_the_same_one_by_one, ramp};
use crate::support::{image, noise};

#[tokio::test]
async fn a_pixel_is_white_from_the_value_on() {
    for value in [0, 1, 128, 255] {
        let made = image(Threshold::at(value), ramp()).await;
        assert_eq!(made.channels(), 1);
        for (grey, found) in (0..=255).zip(made.pixels()) {
            assert_eq!(*found, if grey >= value { 255 } else { 0 }, "{grey} at {value}");
        }
    }
    let made = image(Threshold::default(), cube(4)).await;
    let luma = image(Grayscale::default(), cube(4)).await;
    assert_eq!(made.channels(), 2);
    for (found, luma) in made.pixels().chunks_exact(2).zip(luma.pixels().chunks_exact(2)) {
        assert_eq!(found, [if luma[0] >= 128 { 255 } else { 0 }, luma[1]]);
    }
}

#[tokio::test]
async fn it_joins_other_tones() {
    let scan = || AnyOperation::new(Threshold::at(100));
    for chain in [
        vec![AnyOperation::new(Sepia::default()), scan(), AnyOperation::new(Negate::default())],
        vec![
            scan(),
            AnyOperation::new(Resize::width(40)),
            scan(),
            AnyOperation::new(Sepia::default()),
        ],
    ] {
        for channels in [1, 3, 4] {
            is_the_same_one_by_one(noise(97, 71, channels), chain.clone()).await;
        }
    }
}
