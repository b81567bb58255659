use mediaflow_core::geometry::{Gravity, Length};
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Align, Font, Rotate, Text};
use mediaflow_core::{AnyOperation, Color, Inputs, Operation, testing};
use serde_json::json;

use crate::support::{image, noise, psnr, run_in};

fn ground(width: u32, height: u32) -> Image {
    Image::new(width, height, 1, vec![0; (width * height) as usize]).unwrap()
}

async fn written(text: Text) -> Image {
    image(text, ground(400, 200)).await
}

/// Left, top, right and bottom of what is not black.
fn ink(image: &Image) -> [u32; 4] {
    let n = u32::from(image.channels());
    let lit = |index: &(u32, &u8)| *index.1 > 40;
    let places: Vec<_> = (0..).zip(image.pixels()).filter(lit).collect();
    let column = |index: u32| index / n % image.width();
    let row = |index: u32| index / n / image.width();
    let left = places.iter().map(|(index, _)| column(*index)).min().expect("there is something");
    let right = places.iter().map(|(index, _)| column(*index)).max().unwrap_or(0);
    [left, row(places[0].0), right, row(places[places.len() - 1].0)]
}

fn width(image: &Image) -> u32 {
    let [left, _, right, _] = ink(image);
    right - left
}

#[tokio::test]
async fn it_stands_in_its_corner_and_is_as_large_as_it_should_be() {
    // An H of Noto Sans is 0.714 of a size high.
    for (gravity, corner) in [
        (Gravity::Northwest, [true, true]),
        (Gravity::Northeast, [false, true]),
        (Gravity::Southwest, [true, false]),
        (Gravity::Southeast, [false, false]),
    ] {
        let made = written(Text::new("HH").size(50.0).gravity(gravity).offset(10)).await;
        let [left, top, right, bottom] = ink(&made);
        assert!((bottom - top).abs_diff(35) <= 1, "{gravity:?}: {top} to {bottom}");
        let beside = if corner[0] { left } else { 399 - right };
        assert!((10..20).contains(&beside), "{gravity:?}: {left} to {right}");
        let beyond = if corner[1] { top } else { 199 - bottom };
        assert!((20..45).contains(&beyond), "{gravity:?}: {top} to {bottom}");
    }
    let twice = written(Text::new("HH").size(100.0).gravity(Gravity::Center)).await;
    let once = written(Text::new("HH").size(50.0).gravity(Gravity::Center)).await;
    assert!(width(&twice).abs_diff(2 * width(&once)) <= 2);
}

#[tokio::test]
async fn letters_are_shaped_and_in_the_order_of_their_script() {
    let centred = |text: &str| written(Text::new(text).size(60.0).gravity(Gravity::Center));
    assert!(width(&centred("AVAVAV").await) + 10 < width(&centred("AHVAHV").await));
    let (composed, marked) = (centred("é ñ Å").await, centred("e\u{301} n\u{303} A\u{30A}").await);
    assert!(psnr(&composed, &marked) > 30.0);
    let backwards = centred("\u{202E}abc\u{202C}").await;
    assert_eq!(backwards.pixels(), centred("cba").await.pixels());
    // Signs follow the direction of the line that they are in.
    let mirrored = centred("\u{202E}(no\u{202C}").await;
    assert_eq!(mirrored.pixels(), centred("on)").await.pixels());
    for text in ["Ελληνικά", "Кириллица", "Tiếng Việt", "½ € “…”"] {
        let cx = testing::context();
        let text = Text::new(text).gravity(Gravity::Center);
        run_in(AnyOperation::new(text), Inputs::one(ground(400, 200)), &cx).await.unwrap();
        assert!(cx.take_warnings().is_empty());
    }
}

#[tokio::test]
async fn lines_are_broken_and_aligned() {
    let text = || Text::new("one two three four five six").size(30.0).gravity(Gravity::Northwest);
    let long = written(text()).await;
    assert!(width(&long) > 330 && ink(&long)[3] < 40);
    let narrow = written(text().width(120)).await;
    assert!(width(&narrow) <= 120 && ink(&narrow)[3] > 90, "{:?}", ink(&narrow));
    let part = written(text().width(Length::Percent(30.0))).await;
    assert_eq!(part.pixels(), narrow.pixels());
    let by_hand =
        written(Text::new("one two\nthree\nfour five\nsix").size(30.0).gravity(Gravity::Northwest));
    assert_eq!(by_hand.await.pixels(), narrow.pixels());
    let starts = |image: &Image| {
        let line = |top: u32| {
            let rows = image.pixels().chunks(400).skip(top as usize).take(34);
            rows.filter_map(|row| row.iter().position(|value| *value > 40)).min().unwrap()
        };
        (line(0), line(36))
    };
    let two = |align| Text::new("i\nmmmm").size(30.0).gravity(Gravity::Northwest).align(align);
    let [left, centre, right] = [Align::Left, Align::Center, Align::Right].map(two);
    let (first, second) = starts(&written(left).await);
    assert!(first.abs_diff(second) <= 2);
    let (first, second) = starts(&written(centre).await);
    assert!((40..60).contains(&(first - second)), "{first} {second}");
    let (first, second) = starts(&written(right).await);
    assert!((85..115).contains(&(first - second)), "{first} {second}");
    let gap = |lines: f64| Text::new("H\nH").size(30.0).gravity(Gravity::North).line_height(lines);
    let (tight, loose) = (ink(&written(gap(1.0)).await), ink(&written(gap(2.0)).await));
    assert_eq!(loose[3] - tight[3], 30);
}

#[tokio::test]
async fn it_is_turned_coloured_and_cut_off() {
    let text = || Text::new("Turned").size(50.0).gravity(Gravity::Center);
    let plain = written(text()).await;
    let turned = written(text().rotation(180.0)).await;
    assert!(psnr(&turned, &image(Rotate::by(180.0), plain.clone()).await) > 30.0);
    let upright = written(text().rotation(90.0)).await;
    let [left, top, right, bottom] = ink(&upright);
    assert!(bottom - top > 120 && right - left < 60, "{:?}", ink(&upright));
    let slanted = ink(&written(text().rotation(-30.0)).await);
    assert!(slanted[3] - slanted[1] > 80);
    for channels in 1..=4 {
        let before = noise(120, 80, channels);
        let colour = Color::rgba(255, 0, 0, 255);
        let made = image(text().size(30.0).color(colour), before.clone()).await;
        assert_eq!(made.channels(), if channels < 3 { channels + 2 } else { channels });
        let infos = [Inputs::one(before.clone()).get(0).unwrap().info()];
        assert_eq!(text().color(colour).describe(&infos).unwrap().channels, made.channels());
        let red =
            made.pixels().chunks(usize::from(made.channels())).filter(|px| px[..3] == [255, 0, 0]);
        assert!(red.count() > 200);
        let grey = image(text().size(30.0), before.clone()).await;
        assert_eq!(grey.channels(), channels);
        let nothing = image(text().opacity(0.0), before.clone()).await;
        assert_eq!(nothing.pixels(), before.pixels());
    }
    let half = written(text().opacity(0.5)).await;
    assert_eq!(half.pixels().iter().max(), Some(&128));
    for size in [400.0, 10_000.0] {
        let large = written(text().size(size).rotation(20.0)).await;
        assert_eq!((large.width(), large.height()), (400, 200));
    }
}

#[tokio::test]
async fn what_no_font_has_is_told_and_a_font_that_is_none_is_refused() {
    let cx = testing::context();
    let text = Text::new("ok 漢字").gravity(Gravity::Center);
    let made = run_in(AnyOperation::new(text), Inputs::one(ground(400, 200)), &cx).await.unwrap();
    assert!(width(&made.into_image().unwrap()) > 60, "boxes in their place");
    let warnings = cx.take_warnings();
    assert_eq!(warnings, ["no font has the letters \\u{5b57} \\u{6f22}"]);
    let broken = Font::new(b"OTTO, and then nothing".to_vec()).unwrap();
    let cx = testing::context();
    let step = AnyOperation::new(Text::new("ok").font(broken));
    let error = run_in(step, Inputs::one(ground(40, 20)), &cx).await.unwrap_err();
    assert_eq!((error.code(), error.fact("font")), ("font.broken", Some("1")));
    for (how, code) in [
        (json!({"text": ""}), "op.range"),
        (json!({"text": "a", "size": 0}), "op.range"),
        (json!({"text": "a", "gravity": "attention"}), "geometry.gravity"),
        (json!({"text": "a".repeat(10_001)}), "op.range"),
    ] {
        let how: Text = serde_json::from_value(how).unwrap();
        assert_eq!(how.validate().unwrap_err().code(), code);
    }
    assert!(serde_json::from_value::<Text>(json!({"text": "a", "fonts": ["d09GMg=="]})).is_err());
}

#[tokio::test]
async fn a_font_of_ones_own_is_taken_before_the_one_that_comes_along() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fonts/NotoSans-Regular.ttf");
    let own = Font::new(std::fs::read(path).unwrap()).unwrap();
    let stored = serde_json::to_value(Text::new("own").font(own)).unwrap();
    let how: Text = serde_json::from_value(stored).unwrap();
    assert_eq!(written(how).await.pixels(), written(Text::new("own")).await.pixels());
}
