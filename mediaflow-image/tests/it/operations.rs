use mediaflow_core::Color;
use mediaflow_core::geometry::{Fit, Gravity};
use mediaflow_core::media::Image;
use mediaflow_core::ops::{
    AutoOrient, Crop, Flatten, Flip, Flop, Grayscale, Kernel, Negate, Resize, Rotate, Watermark,
};
use mediaflow_core::{Inputs, Operation};
use mediaflow_image::{Jpeg, Png, Webp};
use proptest::prelude::*;

use crate::support::{as_webp, decode, gradient, image, run, run_on};

fn grey(width: u32, height: u32, pixels: &[u8]) -> Image {
    Image::new(width, height, 1, pixels.to_vec()).unwrap()
}

#[tokio::test]
async fn crop_keeps_the_rectangle() {
    let letters = grey(3, 3, b"abcdefghi");
    assert_eq!(image(Crop::new(1, 1, 2, 2), letters.clone()).await.pixels(), b"efhi");
    let error = run(Crop::new(2, 0, 2, 1), letters).await.unwrap_err();
    assert_eq!((error.code(), error.fact("size")), ("op.crop", Some("3x3")));
}

#[tokio::test]
async fn mirrors_and_quarter_turns_move_pixels_only() {
    let letters = grey(3, 2, b"abcdef");
    assert_eq!(image(Flip::default(), letters.clone()).await.pixels(), b"defabc");
    assert_eq!(image(Flop::default(), letters.clone()).await.pixels(), b"cbafed");
    assert_eq!(image(AutoOrient::default(), letters.clone()).await.pixels(), b"abcdef");
    for (angle, expected) in
        [(90.0, b"daebfc"), (180.0, b"fedcba"), (-90.0, b"cfbead"), (720.0, b"abcdef")]
    {
        assert_eq!(image(Rotate::by(angle), letters.clone()).await.pixels(), expected, "{angle}");
    }
}

#[tokio::test]
async fn any_other_angle_shows_the_ground_in_the_corners() {
    let white = Image::new(100, 100, 3, vec![255; 30_000]).unwrap();
    let turned = image(Rotate::by(45.0).background(Color::rgb(9, 9, 9)), white.clone()).await;
    assert_eq!((turned.width(), turned.height()), (142, 142));
    assert_eq!(turned.pixels()[..3], [9, 9, 9]);
    let middle = (71 * 142 + 71) * 3;
    assert_eq!(turned.pixels()[middle..middle + 3], [255, 255, 255]);
    let open = image(Rotate::by(45.0), white).await;
    assert_eq!((open.channels(), open.pixels()[3]), (4, 0));
}

#[tokio::test]
async fn tones_have_their_known_answers() {
    let pixel = |bytes: &[u8]| {
        Image::new(1, 1, u8::try_from(bytes.len()).unwrap(), bytes.to_vec()).unwrap()
    };
    assert_eq!(image(Negate::default(), pixel(&[0, 100, 255])).await.pixels(), [255, 155, 0]);
    assert_eq!(image(Negate::default(), pixel(&[0, 100, 255, 7])).await.pixels(), [255, 155, 0, 7]);
    assert_eq!(image(Grayscale::default(), pixel(&[255, 0, 0])).await.pixels(), [54]);
    assert_eq!(image(Grayscale::default(), pixel(&[0, 255, 0, 9])).await.pixels(), [182, 9]);
    assert_eq!(
        image(Flatten::on(Color::BLACK), pixel(&[200, 100, 0, 128])).await.pixels(),
        [100, 50, 0]
    );
    assert_eq!(
        image(Flatten::on(Color::rgb(0, 0, 255)), pixel(&[255, 0])).await.pixels(),
        [0, 0, 255]
    );
}

#[tokio::test]
async fn the_fits_give_the_sizes_that_they_promise() {
    let photo = gradient(400, 300, 3);
    for (fit, size) in [
        (Fit::Cover, (100, 100)),
        (Fit::Contain, (100, 100)),
        (Fit::Fill, (100, 100)),
        (Fit::Inside, (100, 75)),
        (Fit::Outside, (133, 100)),
    ] {
        let resized = image(Resize::new(100, 100, fit), photo.clone()).await;
        assert_eq!((resized.width(), resized.height()), size, "{fit:?}");
    }
    let same =
        image(Resize::new(1000, 1000, Fit::Inside).without_enlargement(), photo.clone()).await;
    assert_eq!(same.pixels(), photo.pixels());
}

#[tokio::test]
async fn what_is_resized_in_bands_ends_where_the_picture_does() {
    // At 300 pixels the last band begins and ends between two rows of the picture.
    let photo = Image::new(4000, 3000, 3, vec![200; 4000 * 3000 * 3]).unwrap();
    for width in [300, 301, 333, 1111] {
        let small = image(Resize::new(width, width, Fit::Inside), photo.clone()).await;
        assert!(small.width() == width && small.pixels().iter().all(|value| *value == 200));
    }
}

#[tokio::test]
async fn one_side_is_enough_for_every_fit() {
    let photo = gradient(400, 300, 3);
    for fit in ["cover", "contain", "fill", "inside", "outside"] {
        for (side, pixels, size) in [("width", 64, (64, 48)), ("height", 600, (800, 600))] {
            let step = format!(r#"{{"{side}": {pixels}, "fit": "{fit}"}}"#);
            let step: Resize = serde_json::from_str(&step).unwrap();
            step.validate().unwrap();
            let resized = image(step, photo.clone()).await;
            assert_eq!(
                (resized.width(), resized.height(), resized.channels()),
                (size.0, size.1, 3)
            );
        }
    }
}

#[tokio::test]
async fn cover_keeps_what_gravity_says_and_contain_adds_the_background() {
    let mut pixels = vec![0; 100 * 300];
    pixels.iter_mut().skip(200).step_by(300).for_each(|p| *p = 255);
    // Three squares beside each other: black, grey, white.
    let pixels = (0..100 * 300).map(|i| [0, 128, 255][(i % 300) / 100]).collect::<Vec<u8>>();
    let strip = grey(300, 100, &pixels);
    for (gravity, middle) in [
        (Gravity::West, 0),
        (Gravity::Center, 128),
        (Gravity::East, 255),
        (Gravity::Focal { x: 0.9, y: 0.5 }, 255),
    ] {
        let square = image(Resize::new(50, 50, Fit::Cover).gravity(gravity), strip.clone()).await;
        assert_eq!(square.pixels()[25 * 50 + 25], middle, "{gravity:?}");
    }
    let boxed =
        image(Resize::new(30, 30, Fit::Contain).background(Color::rgb(7, 7, 7)), strip.clone())
            .await;
    assert_eq!((boxed.channels(), boxed.pixels()[0]), (1, 7));
    assert_eq!(boxed.pixels()[15 * 30 + 29], 255);
    let open = image(Resize::new(30, 30, Fit::Contain), strip).await;
    assert_eq!((open.channels(), open.pixels()[1]), (2, 0));
}

#[tokio::test]
async fn every_kernel_keeps_a_flat_colour_flat() {
    for kernel in
        [Kernel::Nearest, Kernel::Bilinear, Kernel::CatmullRom, Kernel::Mitchell, Kernel::Lanczos3]
    {
        for channels in 1..=4_u8 {
            let flat =
                Image::new(64, 48, channels, vec![77; 64 * 48 * usize::from(channels)]).unwrap();
            let how = Resize::new(20, 15, Fit::Fill).kernel(kernel);
            let resized = image(how.clone(), flat.clone()).await;
            let near = |value: &u8| value.abs_diff(77) <= 2;
            assert!(resized.pixels().iter().all(near), "{kernel:?} {channels}");
            let linear = image(how.linear(), flat).await;
            assert!(linear.pixels().iter().all(near), "{kernel:?} {channels} linear");
        }
    }
}

#[tokio::test]
async fn linear_light_keeps_a_fine_pattern_bright() {
    let checks = grey(
        64,
        64,
        &(0..64 * 64).map(|i| if (i % 64 + i / 64) % 2 == 0 { 0 } else { 255 }).collect::<Vec<_>>(),
    );
    let numbers = image(Resize::new(8, 8, Fit::Fill), checks.clone()).await;
    let light = image(Resize::new(8, 8, Fit::Fill).linear(), checks).await;
    // Half the light is 188 in sRGB, half the number is 128.
    assert!(numbers.pixels()[27].abs_diff(128) <= 2, "{}", numbers.pixels()[27]);
    assert!(light.pixels()[27].abs_diff(188) <= 2, "{}", light.pixels()[27]);
}

#[tokio::test]
async fn transparent_pixels_do_not_bleed_into_a_resize() {
    // White, and red that nobody sees.
    let pixels = (0..32 * 32)
        .flat_map(|i| if i % 32 < 16 { [255, 255, 255, 255] } else { [255, 0, 0, 0] })
        .collect();
    let half = Image::new(32, 32, 4, pixels).unwrap();
    let small = image(Resize::new(9, 9, Fit::Fill), half).await;
    for pixel in small.pixels().chunks_exact(4).filter(|pixel| pixel[3] > 8) {
        assert!(pixel[1] > 250 && pixel[2] > 250, "{pixel:?}");
    }
}

#[tokio::test]
async fn a_watermark_lies_where_gravity_and_offset_say() {
    let base = Image::new(20, 10, 3, vec![0; 600]).unwrap();
    let mark = Image::new(2, 2, 4, [255, 255, 255, 255].repeat(4)).unwrap();
    let lit = |image: &Image| -> Vec<(usize, usize)> {
        let width = image.width() as usize;
        let pixels = image.pixels().chunks_exact(3).enumerate();
        pixels.filter(|(_, pixel)| pixel[0] > 0).map(|(i, _)| (i % width, i / width)).collect()
    };
    let lay = async |how: Watermark| {
        let inputs = Inputs::one(base.clone()).and("logo", mark.clone());
        run_on(how, inputs).await.unwrap().into_image().unwrap()
    };
    assert_eq!(lit(&lay(Watermark::new()).await), [(18, 8), (19, 8), (18, 9), (19, 9)]);
    let moved = lay(Watermark::new().gravity(Gravity::Northwest).offset(3)).await;
    assert_eq!(lit(&moved)[0], (3, 3));
    let faint = lay(Watermark::new().opacity(0.5)).await;
    assert_eq!(faint.pixels()[(8 * 20 + 18) * 3], 128);
    assert_eq!(lit(&lay(Watermark::new().tiled()).await).len(), 200);
    assert_eq!(lit(&lay(Watermark::new().tiled().offset(2)).await).len(), 60);
    let apart = lay(Watermark::new().tiled().offset(u32::MAX)).await;
    assert_eq!(lit(&apart), [(0, 0), (1, 0), (0, 1), (1, 1)], "the next ones are far outside");
    let scaled = lay(Watermark::new().scale(0.25)).await;
    assert_eq!(lit(&scaled).len(), 25);
}

#[tokio::test]
async fn a_step_with_wrong_parameters_says_what_is_wrong() {
    assert_eq!(Jpeg::quality(0).validate().unwrap_err().code(), "op.range");
    assert_eq!(Webp::quality(101).validate().unwrap_err().fact("quality"), Some("101"));
    assert_eq!(Png::new().effort(11).validate().unwrap_err().code(), "op.range");
    assert_eq!(Watermark::new().opacity(1.5).validate().unwrap_err().code(), "op.range");
    assert_eq!(Crop::new(0, 0, 0, 5).validate().unwrap_err().code(), "op.crop");
    assert_eq!(Flatten::on(Color::TRANSPARENT).validate().unwrap_err().code(), "op.background");
    assert_eq!(Rotate::by(f64::NAN).validate().unwrap_err().code(), "op.range");
}

#[tokio::test]
async fn max_bytes_is_kept_or_the_smallest_size_is_told() {
    let photo = gradient(600, 400, 3);
    let small =
        run(Jpeg::quality(95).max_bytes(6_000), photo.clone()).await.unwrap().into_file().unwrap();
    assert!(small.blob().len() <= 6_000, "{}", small.blob().len());
    let webp =
        run(Webp::quality(95).max_bytes(1_500), photo.clone()).await.unwrap().into_file().unwrap();
    assert!(webp.blob().len() <= 1_500, "{}", webp.blob().len());
    let error = run(Jpeg::quality(95).max_bytes(100), photo).await.unwrap_err();
    assert_eq!(error.code(), "image.max_bytes");
    assert!(error.fact("smallest").unwrap().parse::<u64>().unwrap() > 100);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn negating_twice_changes_nothing(width in 1..20_u32, height in 1..20_u32, channels in 1..=4_u8, seed in any::<u8>()) {
        let count = width as usize * height as usize * usize::from(channels);
        let pixels: Vec<u8> = (0..count).map(|i| u8::try_from(i % 251).unwrap().wrapping_mul(seed)).collect();
        let original = Image::new(width, height, channels, pixels).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let twice = runtime.block_on(async { image(Negate::default(), image(Negate::default(), original.clone()).await).await });
        prop_assert_eq!(twice.pixels(), original.pixels());
    }

    #[test]
    fn lossless_webp_brings_every_pixel_back(width in 1..40_u32, height in 1..40_u32) {
        let original = gradient(width, height, 3);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let back = runtime.block_on(async { decode(&as_webp(original.clone()).await).await.unwrap() });
        prop_assert_eq!(back.pixels(), original.pixels());
    }
}
