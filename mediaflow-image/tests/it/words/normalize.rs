use mediaflow_core::media::Image;
use mediaflow_core::ops::{Grayscale, Normalize};

use super::cube;
use crate::support::{image, noise};

/// Noise from 60 to 145.
fn pale() -> Image {
    let values = noise(40, 30, 1).into_pixels().iter().map(|value| 60 + value / 3).collect();
    Image::new(40, 30, 1, values).unwrap()
}

/// `ImageOps.autocontrast(image, cutoff=(lower, 100 - upper))` of Pillow 13, which cuts fractions off.
#[tokio::test]
async fn grey_is_stretched_as_pillow_does_it() {
    assert_eq!(pale().pixels()[..12], [80, 137, 112, 139, 64, 133, 90, 64, 65, 143, 143, 105]);
    for (how, wanted) in [
        (Normalize::default(), [60_u8, 233, 157, 239, 12, 221, 91, 12, 15, 251, 251, 136]),
        (Normalize::between(5.0, 80.0), [67, 255, 195, 255, 3, 255, 107, 3, 7, 255, 255, 167]),
    ] {
        let made = image(how, pale()).await;
        for (found, wanted) in made.pixels().iter().zip(wanted) {
            assert!(
                (wanted..=wanted.saturating_add(1)).contains(found),
                "{how:?}: {found} {wanted}"
            );
        }
    }
}

#[tokio::test]
async fn colours_are_moved_alike_and_count_by_their_alpha() {
    for channels in [3, 4] {
        let picture = cube(channels);
        let n = usize::from(channels);
        let luma = image(Grayscale::default(), picture.clone()).await;
        let how = Normalize::between(10.0, 70.0);
        // All lumas in order, each as often as its alpha says.
        let mut all = Vec::new();
        for (pixel, luma) in picture.pixels().chunks(n).zip(luma.pixels().chunks(n - 2)) {
            let alpha = pixel.get(3).map_or(255, |alpha| usize::from(*alpha));
            all.extend(std::iter::repeat_n(luma[0], alpha));
        }
        all.sort_unstable();
        let (low, high) = (f64::from(all[all.len() / 10]), f64::from(all[all.len() * 7 / 10]));
        let made = image(how, picture.clone()).await;
        for (before, after) in picture.pixels().chunks(n).zip(made.pixels().chunks(n)) {
            for (value, found) in before[..3].iter().zip(after) {
                let wanted = ((f64::from(*value) - low) * 255.0 / (high - low)).clamp(0.0, 255.0);
                assert!((wanted - f64::from(*found)).abs() <= 0.51, "{value}: {found} {wanted}");
            }
            assert_eq!(before[3..], after[3..]);
        }
    }
}

#[tokio::test]
async fn one_tone_stays() {
    for picture in [
        Image::new(9, 9, 3, vec![90; 243]).unwrap(),
        Image::new(9, 9, 2, [200, 0].repeat(81)).unwrap(),
    ] {
        assert_eq!(image(Normalize::default(), picture.clone()).await.pixels(), picture.pixels());
    }
}
