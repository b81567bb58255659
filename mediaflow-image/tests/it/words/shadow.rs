use mediaflow_core::Color;
use mediaflow_core::media::Image;
use mediaflow_core::ops::Shadow;

use crate::support::{image, noise};

/// By its definition: the alpha of the moved picture, blurred by a sum over all pixels around, and the picture on top.
fn shadow(picture: &Image, how: &Shadow, reach: i64) -> Vec<[f64; 4]> {
    let (width, height) = how.size((picture.width(), picture.height()));
    let (left, top) = how.place();
    let n = usize::from(picture.channels());
    let at = |x: i64, y: i64| {
        let inside = (0..i64::from(picture.width())).contains(&x)
            && (0..i64::from(picture.height())).contains(&y);
        let start = usize::try_from(y * i64::from(picture.width()) + x).unwrap_or(0) * n;
        inside.then(|| match picture.pixels()[start..start + n] {
            [v] => [v, v, v, 255],
            [v, a] => [v, v, v, a],
            [r, g, b] => [r, g, b, 255],
            [r, g, b, a] => [r, g, b, a],
            _ => [0; 4],
        })
    };
    let [r, g, b, opacity] = how.color.channels().map(f64::from);
    let mut made = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let (x, y) = (i64::from(x) - i64::from(left), i64::from(y) - i64::from(top));
        let (mut sum, mut all) = (0.0, 0.0);
        for (dy, dx) in (-reach..=reach).flat_map(|dy| (-reach..=reach).map(move |dx| (dy, dx))) {
            let weight = (-((dx * dx + dy * dy) as f64) / (2.0 * how.sigma * how.sigma)).exp();
            let alpha = at(x - i64::from(how.x) + dx, y - i64::from(how.y) + dy);
            sum += weight * alpha.map_or(0.0, |pixel| f64::from(pixel[3]));
            all += weight;
        }
        let below = sum / all * opacity / 255.0;
        let upper = at(x, y).unwrap_or([0; 4]).map(f64::from);
        let alpha = upper[3] + below * (1.0 - upper[3] / 255.0);
        let mixed = |over: f64, under: f64| {
            (over * upper[3] + under * (alpha - upper[3])) / alpha.max(1e-9)
        };
        made.push([mixed(upper[0], r), mixed(upper[1], g), mixed(upper[2], b), alpha]);
    }
    made
}

#[tokio::test]
async fn a_shadow_is_the_outline_moved_and_blurred() {
    let red = Color::rgba(200, 10, 20, 200);
    for (channels, how, reach) in [
        (3, Shadow::new(3, -2, 1.5), 5),
        (4, Shadow::new(-7, 4, 1.0).color(red), 3),
        (1, Shadow::new(0, 0, 0.5), 2),
        (2, Shadow::new(2, 2, 2.0).color(red), 6),
    ] {
        let picture = noise(17, 11, channels);
        let made = image(how, picture.clone()).await;
        let size = how.size((17, 11));
        assert_eq!((made.width(), made.height()), size);
        let n = usize::from(made.channels());
        assert_eq!(n, if channels == 1 { 2 } else { 4 });
        let wanted = shadow(&picture, &how, reach);
        for (index, (found, wanted)) in made.pixels().chunks(n).zip(wanted).enumerate() {
            let off = (f64::from(found[n - 1]) - wanted[3]).abs();
            assert!(off <= 1.1, "{how:?} at {index}: {found:?}, not {wanted:?}");
            if wanted[3] > 60.0 {
                let off = (f64::from(found[0]) - wanted[0]).abs();
                assert!(off <= 3.0, "{how:?} at {index}: {found:?}, not {wanted:?}");
            }
        }
    }
}

#[tokio::test]
async fn it_has_room_for_the_blur_and_for_the_way() {
    let size = |x, y, sigma| Shadow::new(x, y, sigma).size((100, 50));
    assert_eq!(size(0, 0, 2.0), (112, 62));
    assert_eq!(size(3, -4, 2.0), (112, 62));
    assert_eq!(size(20, 0, 2.0), (126, 62));
    assert_eq!((Shadow::new(20, -20, 2.0).place(), size(20, -20, 2.0)), ((0, 26), (126, 76)));
    let error = mediaflow_core::Operation::validate(&Shadow::new(0, 0, 0.0)).unwrap_err();
    assert_eq!((error.code(), error.fact("sigma")), ("op.range", Some("0")));
}
