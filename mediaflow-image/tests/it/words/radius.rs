use mediaflow_core::media::Image;
use mediaflow_core::ops::Radius;

use crate::support::{image, noise};

/// How much of a pixel lies inside of a rounded rectangle, by 32 times 32 points of it.
fn covered(x: u32, y: u32, (width, height): (u32, u32), radius: f64) -> f64 {
    let radius = radius.min(f64::from(width.min(height)) / 2.0);
    let mut inside = 0.0;
    for (dx, dy) in (0..32).flat_map(|dx| (0..32).map(move |dy| (dx, dy))) {
        let at = |start: u32, part: i32| f64::from(start) + (f64::from(part) + 0.5) / 32.0;
        let beyond =
            |at: f64, side: u32| (radius - at).max(at - (f64::from(side) - radius)).max(0.0);
        let (x, y) = (beyond(at(x, dx), width), beyond(at(y, dy), height));
        inside += if x.hypot(y) <= radius { 1.0 } else { 0.0 };
    }
    inside / 1024.0
}

#[tokio::test]
async fn corners_are_parts_of_circles() {
    for (channels, width, height, radius) in
        [(3, 40, 30, 12.0), (1, 33, 33, 5.5), (4, 20, 50, 1000.0), (2, 21, 21, 1.0)]
    {
        let before = noise(width, height, channels);
        let after = image(Radius::by(radius), before.clone()).await;
        let (n, made) = (usize::from(channels), usize::from(after.channels()));
        assert_eq!(made, if n < 3 { 2 } else { 4 });
        let pixels = before.pixels().chunks(n).zip(after.pixels().chunks(made));
        for (index, (before, after)) in (0_u32..).zip(pixels) {
            assert_eq!(before[..made - 1], after[..made - 1], "colours stay");
            let alpha = before.get(made - 1).map_or(255.0, |alpha| f64::from(*alpha));
            let (x, y) = (index % width, index / width);
            let wanted = alpha * covered(x, y, (width, height), radius);
            let off = (wanted - f64::from(after[made - 1])).abs();
            assert!(off <= 26.0, "{radius} at {x}, {y}: {after:?}, not {wanted}");
        }
    }
}

#[tokio::test]
async fn without_a_radius_nothing_is_cut_off() {
    let picture = noise(9, 7, 3);
    let made = image(Radius::by(0.0), picture.clone()).await;
    assert_eq!((made.channels(), made.pixels()), (3, picture.pixels()));
    let disc = image(Radius::max(), Image::new(64, 64, 1, vec![7; 4096]).unwrap()).await;
    // The area of a circle.
    let area: f64 = disc.pixels().chunks(2).map(|pixel| f64::from(pixel[1]) / 255.0).sum();
    assert!((area - std::f64::consts::PI * 32.0 * 32.0).abs() < 6.0, "{area}");
}
