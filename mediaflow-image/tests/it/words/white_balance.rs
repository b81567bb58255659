use mediaflow_core::media::Image;
use mediaflow_core::ops::WhiteBalance;

use super::ramp;
use crate::support::{image, noise};

fn light(value: u8) -> f64 {
    let v = f64::from(value) / 255.0;
    if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// The means of red, green and blue in light, each pixel as often as its alpha says.
fn means(image: &Image) -> [f64; 3] {
    let n = usize::from(image.channels());
    let (mut sums, mut all) = ([0.0; 3], 0.0);
    for pixel in image.pixels().chunks(n) {
        let alpha = pixel.get(3).map_or(255.0, |alpha| f64::from(*alpha));
        all += alpha;
        sums.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += alpha * light(*value));
    }
    sums.map(|sum| sum / all)
}

/// Noise under a warm lamp, and dark enough that nothing is cut off.
fn warm(channels: u8) -> Image {
    let n = usize::from(channels);
    let mut pixels = noise(90, 70, channels).into_pixels();
    for pixel in pixels.chunks_mut(n) {
        let parts = [10_u16, 8, 5];
        for (value, part) in pixel.iter_mut().zip(parts) {
            *value = u8::try_from(u16::from(*value) * part / 20 + 20).unwrap();
        }
    }
    Image::new(90, 70, channels, pixels).unwrap()
}

#[tokio::test]
async fn the_mean_becomes_grey_and_stays_as_bright() {
    for channels in [3, 4] {
        let before = warm(channels);
        let after = image(WhiteBalance::default(), before.clone()).await;
        let bright = |[r, g, b]: [f64; 3]| 0.2126 * r + 0.7152 * g + 0.0722 * b;
        let (cast, made) = (means(&before), means(&after));
        assert!(cast[0] / cast[2] > 1.5, "{cast:?}");
        for mean in made {
            let off = (mean / bright(cast) - 1.0).abs();
            assert!(off < 0.01, "{cast:?} gives {made:?}");
        }
        let n = usize::from(channels);
        for (before, after) in before.pixels().chunks(n).zip(after.pixels().chunks(n)) {
            let gain = bright(cast) / cast[0];
            let off = (light(after[0]) - light(before[0]) * gain).abs();
            assert!(off < 0.005, "{before:?} gives {after:?}");
            assert_eq!(before[3..], after[3..]);
        }
    }
}

#[tokio::test]
async fn grey_and_what_lacks_a_colour_stay() {
    let red = Image::new(2, 1, 3, vec![200, 0, 0, 100, 50, 0]).unwrap();
    for picture in [ramp(), noise(9, 9, 2), red] {
        assert_eq!(
            image(WhiteBalance::default(), picture.clone()).await.pixels(),
            picture.pixels()
        );
    }
}
