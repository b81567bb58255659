use mediaflow_core::media::Image;
use mediaflow_core::ops::{Extend, ExtendMode, Resize};
use mediaflow_core::{AnyOperation, Color, Operation};

use super::is_the_same_one_by_one;
use crate::support::{image, noise};

/// `vips embed e.png o.v 4 2 11 7 --extend ..` of libvips 8.14.
#[tokio::test]
async fn borders_of_the_picture_are_those_of_libvips() {
    let letters = Image::new(3, 2, 1, b"abcdef".to_vec()).unwrap();
    for (mode, wanted) in [
        (
            ExtendMode::Copy,
            "aaaaabcccccaaaaabcccccaaaaabcccccdddddefffffdddddefffffdddddefffffdddddefffff",
        ),
        (
            ExtendMode::Repeat,
            "cabcabcabcafdefdefdefdcabcabcabcafdefdefdefdcabcabcabcafdefdefdefdcabcabcabca",
        ),
        (
            ExtendMode::Mirror,
            "ffeddeffeddccbaabccbaaccbaabccbaaffeddeffeddffeddeffeddccbaabccbaaccbaabccbaa",
        ),
    ] {
        let made = image(Extend::new(2, 4, 3, 4).mode(mode), letters.clone()).await;
        assert_eq!((made.width(), made.height(), made.channels()), (11, 7, 1));
        assert_eq!(std::str::from_utf8(made.pixels()).unwrap(), wanted, "{mode:?}");
        let nothing = image(Extend::default().mode(mode), letters.clone()).await;
        assert_eq!(nothing.pixels(), letters.pixels());
    }
}

#[tokio::test]
async fn channels_stay_and_other_steps_come_before_and_after() {
    for channels in [1, 2, 3, 4] {
        let picture = noise(30, 20, channels);
        for mode in [ExtendMode::Copy, ExtendMode::Repeat, ExtendMode::Mirror, ExtendMode::Blur] {
            let how = Extend::new(45, 1, 0, 70).mode(mode);
            let made = image(how, picture.clone()).await;
            assert_eq!((made.width(), made.height(), made.channels()), (101, 65, channels));
            let small = || AnyOperation::new(Resize::width(20));
            let chain = vec![small(), AnyOperation::new(how), small()];
            is_the_same_one_by_one(noise(30, 20, 3), chain).await;
        }
    }
}

#[tokio::test]
async fn a_blurred_border_is_of_the_colours_of_the_picture() {
    // Red, and blue on its right half.
    let half = |x: u32| if x < 200 { [200, 10, 10, 255] } else { [10, 10, 200, 255] };
    for channels in [2, 3, 4] {
        let n = usize::from(channels);
        let row: Vec<u8> = (0..400).flat_map(|x| half(x)[4 - n..].to_vec()).collect();
        let picture = Image::new(400, 100, channels, row.repeat(100)).unwrap();
        let made = image(Extend::new(150, 0, 150, 0).mode(ExtendMode::Blur), picture.clone()).await;
        assert_eq!((made.width(), made.height(), made.channels()), (400, 400, channels));
        let pixel = |x: usize, y: usize| &made.pixels()[(y * 400 + x) * n..][..n];
        assert_eq!(made.pixels()[150 * 400 * n..250 * 400 * n], *picture.pixels());
        for y in [0, 149, 250, 399] {
            let ends = [(0, &row[..n]), (399, &row[399 * n..])];
            for (x, wanted) in ends {
                let off =
                    pixel(x, y).iter().zip(wanted).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
                assert!(off <= 2, "{channels} {x} {y}: {:?}, not {wanted:?}", pixel(x, y));
            }
            // From one to the other it goes slowly, and only in one direction.
            let reds: Vec<u8> = (150..250).map(|x| pixel(x, y)[0]).collect();
            assert!(reds.windows(2).all(|pair| pair[0].abs_diff(pair[1]) <= 12), "{reds:?}");
        }
    }
    let fixed = Extend::all(8).mode(ExtendMode::Blur).background(Color::WHITE);
    assert_eq!(fixed.validate().unwrap_err().code(), "op.range");
}

#[tokio::test]
async fn a_colour_that_is_not_seen_is_refused() {
    let how = Extend::all(3).mode(ExtendMode::Mirror).background(Color::WHITE);
    assert_eq!(how.validate().unwrap_err().code(), "op.range");
    let stored = serde_json::to_value(Extend::all(3).background(Color::WHITE)).unwrap();
    assert!(stored.get("mode").is_none(), "as it was stored before");
}
