use mediaflow_core::AnyOperation;
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Resize, Vignette};

use crate::support::{Branches, as_png, image, noise, psnr};

#[tokio::test]
async fn the_light_falls_off_by_the_fourth_power_of_a_cosine() {
    for (channels, width, height, amount) in
        [(1, 31, 20, 0.5), (3, 40, 40, 1.0), (4, 64, 9, 0.2), (2, 1, 1, 0.9), (3, 9, 9, 0.0)]
    {
        let before = noise(width, height, channels);
        let after = image(Vignette::by(amount), before.clone()).await;
        let n = usize::from(channels);
        let angle = (1.0 - amount).powf(0.25).acos();
        let (middle_x, middle_y) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
        let pixels = before.pixels().chunks(n).zip(after.pixels().chunks(n));
        for (index, (before, after)) in (0_u32..).zip(pixels) {
            let (x, y) = (f64::from(index % width) + 0.5, f64::from(index / width) + 0.5);
            let distance = (x - middle_x).hypot(y - middle_y) / middle_x.hypot(middle_y);
            let factor = (angle * distance).cos().powi(4);
            let colours = n - usize::from(n.is_multiple_of(2));
            for (before, after) in before[..colours].iter().zip(after) {
                let off = (f64::from(*before) * factor - f64::from(*after)).abs();
                assert!(off <= 0.6, "{amount} at {x}, {y}: {before} gives {after}");
            }
            assert_eq!(before[colours..], after[colours..]);
        }
    }
}

const FFMPEG: [((usize, usize), u8); 6] = [
    ((0, 0), 85),
    ((128, 0), 149),
    ((64, 48), 163),
    ((128, 96), 200),
    ((30, 150), 134),
    ((255, 191), 87),
];

/// `vignette=angle=PI/5:dither=0` of ffmpeg 5.1 on a flat picture; it measures from half a pixel further down on the right.
#[tokio::test]
async fn it_is_that_of_ffmpeg() {
    let flat = Image::new(256, 192, 1, vec![200; 256 * 192]).unwrap();
    let made = image(Vignette::by(0.571_618_6), flat).await;
    for ((x, y), wanted) in FFMPEG {
        let found = made.pixels()[y * 256 + x];
        assert!(found.abs_diff(wanted) <= 1, "{x}, {y}: {found}, not {wanted}");
    }
}

#[tokio::test]
async fn a_smaller_picture_is_as_dark() {
    let source = as_png(noise(400, 300, 3)).await;
    let op = || AnyOperation::new(Vignette::default());
    let small = || AnyOperation::new(Resize::width(100));
    let mut before =
        Branches::of(source.clone()).chain("out", vec![op(), small()]).run().await.unwrap();
    let mut after = Branches::of(source).chain("out", vec![small(), op()]).run().await.unwrap();
    let (before, after) = (before.image("out"), after.image("out"));
    assert!(psnr(&before, &after) > 40.0, "{}", psnr(&before, &after));
}
