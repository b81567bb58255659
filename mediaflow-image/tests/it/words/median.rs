use mediaflow_core::media::Image;
use mediaflow_core::ops::Median;

use crate::support::{image, noise};

/// The median by its definition: all values of the square in order, colours as often as their alpha says.
fn median(image: &Image, size: u32) -> Vec<u8> {
    let (width, height) = (i64::from(image.width()), i64::from(image.height()));
    let (n, radius) = (usize::from(image.channels()), i64::from(size / 2));
    let mut made = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for channel in 0..n {
            let mut values = Vec::new();
            for (dy, dx) in (-radius..=radius).flat_map(|y| (-radius..=radius).map(move |x| (y, x)))
            {
                let (x, y) = ((x + dx).clamp(0, width - 1), (y + dy).clamp(0, height - 1));
                let pixel = &image.pixels()[usize::try_from(y * width + x).unwrap() * n..][..n];
                let is_colour = image.has_alpha() && channel < n - 1;
                let times = if is_colour { usize::from(pixel[n - 1]) } else { 1 };
                values.extend(std::iter::repeat_n(pixel[channel], times));
            }
            values.sort_unstable();
            made.push(values.get(values.len() / 2).copied().unwrap_or(0));
        }
    }
    made
}

#[tokio::test]
async fn it_is_the_middle_of_the_values_around() {
    for (channels, size) in [(1, 3), (1, 5), (3, 3), (3, 9), (2, 3), (4, 5), (3, 51)] {
        let picture = noise(13, 9, channels);
        let made = image(Median::of(size), picture.clone()).await;
        assert_eq!(made.pixels(), median(&picture, size), "{channels} {size}");
    }
    let mut clear = noise(8, 8, 4).into_pixels();
    clear.chunks_mut(4).take(30).for_each(|pixel| pixel[3] = 0);
    let clear = Image::new(8, 8, 4, clear).unwrap();
    assert_eq!(image(Median::of(3), clear.clone()).await.pixels(), median(&clear, 3));
}

/// Sums over all samples and the middle pixel, by `medianBlur` of OpenCV 5 and, for the largest, `median_filter` of SciPy with
/// `mode="nearest"`.
#[tokio::test]
async fn it_is_that_of_opencv_and_scipy() {
    let picture = noise(23, 17, 3);
    for (size, sum, middle) in [
        (3, 142_367, [139, 209, 118]),
        (5, 141_681, [135, 151, 123]),
        (9, 143_955, [135, 124, 130]),
    ] {
        let made = image(Median::of(size), picture.clone()).await;
        assert_eq!(made.pixels().iter().map(|v| u32::from(*v)).sum::<u32>(), sum, "{size}");
        assert_eq!(made.pixels()[(8 * 23 + 10) * 3..][..3], middle, "{size}");
    }
}
