use mediaflow_core::media::Image;
use mediaflow_core::ops::{Clahe, Grayscale};

use crate::support::{image, noise};

/// Dark noise that becomes brighter to the right.
fn dim() -> Image {
    let noise = noise(64, 48, 1).into_pixels();
    let bright = noise.iter().zip((0_u8..64).cycle()).map(|(value, x)| value / 4 + 40 + x / 2);
    Image::new(64, 48, 1, bright.collect()).unwrap()
}

/// `createCLAHE(clipLimit, tileGridSize)` of OpenCV 5.
#[tokio::test]
async fn it_is_that_of_opencv() {
    for (tiles, limit, first, middle, last, sum) in [
        (
            4,
            2.0,
            [53, 138, 104, 142, 33, 134],
            [121, 124, 68, 107, 73, 79],
            [101, 97, 85, 109, 159, 85],
            373_315,
        ),
        (
            8,
            4.0,
            [64, 191, 138, 202, 27, 187],
            [99, 106, 29, 92, 36, 50],
            [92, 83, 58, 96, 202, 58],
            374_908,
        ),
        (
            2,
            40.0,
            [37, 209, 138, 216, 5, 200],
            [105, 117, 28, 94, 38, 49],
            [123, 114, 88, 143, 240, 88],
            399_155,
        ),
    ] {
        let made = image(Clahe::new(tiles, limit), dim()).await;
        let at = |x: usize, y: usize| &made.pixels()[y * 64 + x..][..6];
        for (found, wanted) in [(at(0, 0), first), (at(30, 20), middle), (at(58, 47), last)] {
            let off = found.iter().zip(wanted).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(off <= 1, "{tiles} {limit}: {found:?}, not {wanted:?}");
        }
        let found: u32 = made.pixels().iter().map(|value| u32::from(*value)).sum();
        // A twentieth of a tone on the average: they round in another way.
        assert!(found.abs_diff(sum) < 64 * 48 / 20, "{tiles} {limit}: {found}, not {sum}");
    }
}

#[tokio::test]
async fn colours_move_with_their_luma() {
    for channels in [3, 4] {
        let picture = noise(50, 37, channels);
        let n = usize::from(channels);
        let luma = image(Grayscale::default(), picture.clone()).await;
        let made = image(Clahe::default(), picture.clone()).await;
        let grey = image(Clahe::default(), luma.clone()).await;
        let pixels = picture.pixels().chunks(n).zip(made.pixels().chunks(n));
        let lumas = luma.pixels().chunks(n - 2).zip(grey.pixels().chunks(n - 2));
        for ((before, after), (luma, grey)) in pixels.zip(lumas) {
            let moved = i16::from(grey[0]) - i16::from(luma[0]);
            for (before, after) in before[..3].iter().zip(after) {
                let wanted = (i16::from(*before) + moved).clamp(0, 255);
                assert!((wanted - i16::from(*after)).abs() <= 1, "{before} {moved} {after}");
            }
            assert_eq!(before[3..], after[3..]);
        }
    }
}

#[tokio::test]
async fn a_picture_with_fewer_pixels_than_tiles_is_equalized() {
    for (width, height) in [(1, 1), (3, 70), (9, 2)] {
        let made = image(Clahe::new(64, 2.0), noise(width, height, 3)).await;
        assert_eq!((made.width(), made.height()), (width, height));
    }
    let clear = Image::new(16, 16, 2, [90, 0].repeat(256)).unwrap();
    assert_eq!(image(Clahe::default(), clear.clone()).await.width(), 16);
}
