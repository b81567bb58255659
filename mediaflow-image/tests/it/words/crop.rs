use mediaflow_core::geometry::Gravity;
use mediaflow_core::media::{Image, MediaFile};
use mediaflow_core::ops::{Crop, Extend, Flop, Resize, Rotate};
use mediaflow_core::{AnyOperation, Color, Operation};
use proptest::prelude::*;
use serde_json::json;

use super::is_the_same_one_by_one;
use crate::support::{Branches, as_png, decode, gradient, image, photo, psnr, run};

fn letters() -> Image {
    Image::new(4, 3, 1, b"abcdefghijkl".to_vec()).unwrap()
}

async fn kept(how: serde_json::Value) -> String {
    let how: Crop = serde_json::from_value(how).unwrap();
    how.validate().unwrap();
    String::from_utf8(image(how, letters()).await.into_pixels()).unwrap()
}

#[tokio::test]
async fn a_part_is_given_in_pixels_in_percent_or_by_its_shape() {
    assert_eq!(kept(json!({"left": 1, "top": 1, "width": 2, "height": 2})).await, "fgjk");
    assert_eq!(kept(json!({"left": "25%", "width": "50%", "height": 1})).await, "bc");
    assert_eq!(kept(json!({"width": "50%", "height": 1, "gravity": "southeast"})).await, "kl");
    assert_eq!(kept(json!({"aspect": "4:1"})).await, "efgh");
    assert_eq!(kept(json!({"aspect": 1, "gravity": "west"})).await, "abcefgijk");
    assert_eq!(kept(json!({"aspect": 0.5, "height": 2, "top": 1})).await, "ei");
    assert_eq!(kept(json!({"aspect": "2:1", "width": 2, "gravity": "east"})).await, "gh");
    let focal = json!({"focal": {"x": 0.9, "y": 0.1}});
    assert_eq!(kept(json!({"width": 2, "height": 1, "gravity": focal})).await, "cd");
}

#[tokio::test]
async fn what_makes_no_rectangle_is_refused_with_a_reason() {
    for (how, code) in [
        (json!({"width": 3}), "op.crop"),
        (json!({"width": 0, "height": 2}), "op.crop"),
        (json!({"width": "0%", "height": 2}), "op.crop"),
        (json!({"width": 1, "height": 2, "aspect": "1:1"}), "op.crop"),
        (json!({"left": 1, "width": 1, "height": 2, "gravity": "east"}), "op.crop"),
        (
            json!({"width": 1, "height": 2, "gravity": {"focal": {"x": 2, "y": 0}}}),
            "geometry.focal",
        ),
    ] {
        let parsed: Crop = serde_json::from_value(how.clone()).unwrap();
        assert_eq!(parsed.validate().unwrap_err().code(), code, "{how}");
    }
    for wrong in [
        json!({"width": "101%", "height": 2}),
        json!({"width": -1, "height": 2}),
        json!({"width": 1.5, "height": 2}),
        json!({"width": "half", "height": 2}),
        json!({"aspect": "0:1"}),
        json!({"aspect": "wide"}),
        json!({"aspect": 1e9}),
        json!({"aspect": "NaN:1"}),
    ] {
        assert!(serde_json::from_value::<Crop>(wrong.clone()).is_err(), "{wrong}");
    }
    let nothing = Crop::percent(f64::NAN, 0.0, 50.0, 50.0);
    assert_eq!(nothing.validate().unwrap_err().code(), "geometry.length");
    let wide: Crop = serde_json::from_value(json!({"width": "100%", "aspect": 1})).unwrap();
    let error = run(wide, letters()).await.unwrap_err();
    assert_eq!((error.code(), error.fact("crop")), ("op.crop", Some("4x4+0+0")));
}

#[tokio::test]
async fn it_is_a_view_beside_others() {
    let chain = vec![
        AnyOperation::new(Rotate::by(90.0)),
        AnyOperation::new(Crop::percent(10.0, 20.0, 60.0, 50.0)),
        AnyOperation::new(Flop::default()),
        AnyOperation::new(Crop::aspect(1.0, 2.0).gravity(Gravity::West)),
    ];
    is_the_same_one_by_one(gradient(90, 70, 3), chain).await;
    let small =
        image(Resize::cover(45, 30), image(Crop::aspect(3.0, 2.0), gradient(90, 90, 3)).await)
            .await;
    assert_eq!((small.width(), small.height()), (45, 30));
}

proptest! {
    /// Whatever is cut in parts has each pixel once.
    #[test]
    fn parts_meet(side in 1..5000_u32, cut in 0.0..100.0_f64) {
        let part = |from: f64, length: f64| Crop::percent(from, 0.0, length, 100.0).place((side, 7)).unwrap();
        let ((start, _), (first, _)) = part(0.0, cut);
        let ((middle, _), (last, _)) = part(cut, 100.0 - cut);
        prop_assert_eq!(start, 0);
        // A part that is less than half a pixel has one all the same.
        let tiny = cut.min(100.0 - cut) / 100.0 * f64::from(side) < 0.5;
        prop_assert!(tiny || middle == first, "{} {}", first, middle);
        prop_assert_eq!(middle + last, side);
    }

    #[test]
    fn the_largest_of_a_shape_fits(width in 1..5000_u32, height in 1..5000_u32, ratio in 0.01..100.0_f64) {
        let ((left, top), size) = Crop::aspect(ratio, 1.0).place((width, height)).unwrap();
        prop_assert!(size.0 == width || size.1 == height);
        prop_assert!(left + size.0 <= width && top + size.1 <= height);
        let (exact, made) = (f64::from(size.1) * ratio, f64::from(size.0));
        prop_assert!((exact - made).abs() <= 0.5 + ratio / 2.0 || size.0 == 1 || size.1 == 1);
    }
}

/// A part that begins in the middle of a pixel of a smaller decode lies where it would if all of the photo were decoded.
#[tokio::test]
async fn a_part_of_a_smaller_decode_lies_where_it_should() {
    let photo = photo("mountains.jpg");
    let all = as_png(decode(&photo).await.unwrap()).await;
    for (left, top) in [(1000, 704), (1001, 703), (1003, 705)] {
        for width in [150, 300] {
            let cut = || AnyOperation::new(Crop::new(left, top, 1500, 1100));
            let resize = || AnyOperation::new(Resize::width(width));
            let framed = || AnyOperation::new(Extend::all(60).background(Color::WHITE));
            for (name, steps) in [
                ("alone", &(|| vec![cut(), resize()]) as &dyn Fn() -> _),
                ("framed", &|| vec![cut(), framed(), resize()]),
            ] {
                let run = async |source: &MediaFile| {
                    let ran = Branches::of(source.clone()).chain("cut", steps()).run();
                    ran.await.unwrap().image("cut")
                };
                let psnr = psnr(&run(&photo).await, &run(&all).await);
                assert!(psnr > 36.0, "{name}, from {left}, {top}, to {width}: {psnr:.1} dB");
            }
        }
    }
}
