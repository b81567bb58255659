use mediaflow_core::AnyOperation;
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Resize, Sepia, Vibrance};

use super::{is_the_same_one_by_one, ramp, recolours};
use crate::support::{image, noise};

#[tokio::test]
async fn weak_colours_move_further_than_strong_ones() {
    for amount in [-2.0_f64, -0.7, 0.0, 0.4, 2.0] {
        recolours(Vibrance::by(amount), |[r, g, b]| {
            let strength = (r.max(g).max(b) - r.min(g).min(b)) / 255.0;
            let factor = if amount > 0.0 {
                1.0 + amount * (1.0 - strength)
            } else {
                1.0 + amount * (1.0 + strength)
            };
            let luma = 0.212_656 * r + 0.715_158 * g + 0.072_186 * b;
            [r, g, b].map(|value| luma + (value - luma) * factor)
        })
        .await;
        assert_eq!(image(Vibrance::by(amount), ramp()).await.pixels(), ramp().pixels());
    }
}

/// `vibrance=intensity=0.4:alternate=1:rlum=0.212656:blum=0.072186`, and -0.7, of ffmpeg 5.1, which cuts fractions off.
#[tokio::test]
async fn it_is_that_of_ffmpeg() {
    let colours = [[200, 100, 50], [100, 90, 80], [255, 0, 0], [10, 200, 220], [250, 240, 10]];
    let picture = Image::new(5, 1, 3, colours.concat()).unwrap();
    for (amount, wanted) in [
        (0.4, [[213_u8, 97, 38], [103, 89, 75], [255, 0, 0], [0, 202, 224], [250, 240, 4]]),
        (-0.7, [[108, 119, 125], [93, 91, 88], [0, 75, 75], [202, 150, 144], [216, 220, 255]]),
    ] {
        let made = image(Vibrance::by(amount), picture.clone()).await;
        for (found, wanted) in made.pixels().iter().zip(wanted.concat()) {
            assert!((wanted..=wanted.saturating_add(1)).contains(found), "{found}, not {wanted}");
        }
    }
}

#[tokio::test]
async fn it_joins_other_tones() {
    let vivid = || AnyOperation::new(Vibrance::by(0.8));
    for chain in [
        vec![vivid(), AnyOperation::new(Sepia::default()), vivid()],
        vec![vivid(), AnyOperation::new(Resize::width(40)), vivid()],
    ] {
        for channels in [1, 3, 4] {
            is_the_same_one_by_one(noise(97, 71, channels), chain.clone()).await;
        }
    }
}
