use mediaflow_core::Inputs;
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Crop, Pixelate};

use crate::support::{image, noise};

/// By its definition, in the part from `left` and `top` on.
fn blocks(picture: &Image, size: usize, part: (usize, usize, usize, usize)) -> Vec<f64> {
    let (left, top, width, height) = part;
    let (n, stride) = (usize::from(picture.channels()), picture.width() as usize);
    let mut pixels = numbers(picture);
    for y in top..top + height {
        for x in left..left + width {
            let begin = |at: usize, start: usize| start + (at - start) / size * size;
            let (from_x, from_y) = (begin(x, left), begin(y, top));
            let (to_x, to_y) =
                ((from_x + size).min(left + width), (from_y + size).min(top + height));
            let (mut sums, mut alphas, mut count) = (vec![0.0; n], 0.0, 0.0);
            for at in (from_y..to_y).flat_map(|y| (from_x..to_x).map(move |x| y * stride + x)) {
                let pixel = &picture.pixels()[at * n..][..n];
                let alpha = if picture.has_alpha() { f64::from(pixel[n - 1]) } else { 255.0 };
                sums.iter_mut().zip(pixel).for_each(|(sum, v)| *sum += alpha * f64::from(*v));
                alphas += alpha;
                count += 1.0;
            }
            let colours = n - usize::from(picture.has_alpha());
            let to = &mut pixels[(y * stride + x) * n..][..n];
            for (to, sum) in to[..colours].iter_mut().zip(sums) {
                *to = (sum / f64::max(alphas, 1.0) + 0.5).floor();
            }
            to[colours..].iter_mut().for_each(|to| *to = (alphas / count + 0.5).floor());
        }
    }
    pixels
}

fn numbers(image: &Image) -> Vec<f64> {
    image.pixels().iter().map(|value| f64::from(*value)).collect()
}

#[tokio::test]
async fn each_block_has_its_mean() {
    for channels in [1, 2, 3, 4] {
        for (width, height, size) in [(24, 16, 8), (25, 19, 7), (5, 4, 100)] {
            let picture = noise(width, height, channels);
            let made = image(Pixelate::by(size), picture.clone()).await;
            let all = (0, 0, width as usize, height as usize);
            assert_eq!(numbers(&made), blocks(&picture, size as usize, all), "{channels} {width}");
        }
        let picture = noise(40, 30, channels);
        let made = image(Pixelate::by(6).within(Crop::new(3, 5, 20, 15)), picture.clone()).await;
        assert_eq!(numbers(&made), blocks(&picture, 6, (3, 5, 20, 15)), "{channels}");
    }
}

/// `Image.reduce(8)` of Pillow 13.
#[tokio::test]
async fn means_are_those_of_pillow() {
    let made = image(Pixelate::by(8), noise(24, 16, 3)).await;
    let of_block = |x: usize, y: usize| &made.pixels()[(y * 8 * 24 + x * 8) * 3..][..3];
    assert_eq!(of_block(0, 0), [146, 128, 121]);
    assert_eq!(of_block(2, 0), [123, 122, 121]);
    assert_eq!(of_block(1, 1), [123, 127, 124]);
}

#[tokio::test]
async fn a_part_beyond_the_picture_is_refused() {
    let how = Pixelate::by(4).within(Crop::new(0, 0, 4, 4)).within(Crop::new(30, 0, 11, 5));
    let described = mediaflow_core::AnyOperation::new(how);
    let error = described.describe(&[Inputs::one(noise(40, 30, 3)).get(0).unwrap().info()]);
    assert_eq!(error.unwrap_err().code(), "op.crop");
    let empty = Pixelate::by(4).within(Crop::new(0, 0, 0, 4));
    assert_eq!(mediaflow_core::Operation::validate(&empty).unwrap_err().code(), "op.crop");
}
