use mediaflow_core::AnyOperation;
use mediaflow_core::ops::{Brightness, Hue, Resize, Sepia};

use super::{is_the_same_one_by_one, ramp, recolours};
use crate::support::{image, noise};

/// <https://www.w3.org/TR/filter-effects-1/#feColorMatrixElement>: `hueRotate`.
#[tokio::test]
async fn a_hue_is_turned_as_css_has_it() {
    for angle in [0.0_f64, 30.0, 90.0, 120.0, 180.0, -45.0, 360.0] {
        let (sin, cos) = angle.to_radians().sin_cos();
        let matrix = [
            [
                0.213 + cos * 0.787 - sin * 0.213,
                0.715 - cos * 0.715 - sin * 0.715,
                0.072 - cos * 0.072 + sin * 0.928,
            ],
            [
                0.213 - cos * 0.213 + sin * 0.143,
                0.715 + cos * 0.285 + sin * 0.140,
                0.072 - cos * 0.072 - sin * 0.283,
            ],
            [
                0.213 - cos * 0.213 - sin * 0.787,
                0.715 - cos * 0.715 + sin * 0.715,
                0.072 + cos * 0.928 + sin * 0.072,
            ],
        ];
        recolours(Hue::by(angle), |rgb| {
            matrix.map(|row| row.iter().zip(rgb).map(|(weight, value)| weight * value).sum())
        })
        .await;
        assert_eq!(image(Hue::by(angle), ramp()).await.pixels(), ramp().pixels());
    }
}

#[tokio::test]
async fn it_joins_other_tones() {
    let hue = || AnyOperation::new(Hue::by(100.0));
    for chain in [
        vec![AnyOperation::new(Sepia::default()), hue(), AnyOperation::new(Brightness::by(1.3))],
        vec![hue(), AnyOperation::new(Resize::width(40)), hue()],
    ] {
        for channels in [1, 3, 4] {
            is_the_same_one_by_one(noise(97, 71, channels), chain.clone()).await;
        }
    }
}
