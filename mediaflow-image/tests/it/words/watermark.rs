use mediaflow_core::Inputs;
use mediaflow_core::geometry::Gravity;
use mediaflow_core::media::Image;
use mediaflow_core::ops::{Blend, Watermark};

use crate::support::{noise, run_on};

async fn laid(how: Watermark, below: &Image, above: &Image) -> Image {
    let inputs = Inputs::one(below.clone()).and("mark", above.clone());
    run_on(how, inputs).await.unwrap().into_image().unwrap()
}

const BELOW: [[u8; 3]; 4] = [[200, 100, 50], [10, 128, 250], [20, 235, 127], [60, 40, 90]];
const ABOVE: [[u8; 3]; 4] = [[30, 180, 220], [240, 64, 128], [235, 20, 127], [120, 230, 10]];

/// `vips composite2 below.png above.png o.v ..` of libvips 8.14, which cuts fractions off.
const VIPS: [(Blend, [[u8; 3]; 4]); 11] = [
    (Blend::Multiply, [[23, 70, 43], [9, 32, 125], [18, 18, 63], [28, 36, 3]]),
    (Blend::Screen, [[206, 209, 226], [240, 159, 252], [236, 236, 190], [151, 233, 96]]),
    (Blend::Overlay, [[157, 141, 86], [18, 64, 250], [36, 218, 126], [56, 72, 7]]),
    (Blend::Darken, [[30, 100, 50], [10, 64, 128], [20, 20, 127], [60, 40, 10]]),
    (Blend::Lighten, [[200, 180, 220], [240, 128, 250], [235, 235, 127], [120, 230, 90]]),
    (Blend::ColorDodge, [[226, 255, 255], [170, 170, 255], [255, 255, 253], [113, 255, 93]]),
    (Blend::ColorBurn, [[0, 35, 17], [0, 0, 245], [0, 0, 0], [0, 16, 0]]),
    (Blend::HardLight, [[47, 163, 198], [226, 64, 250], [218, 36, 126], [56, 212, 7]]),
    (Blend::SoftLight, [[167, 124, 95], [32, 96, 250], [56, 219, 126], [57, 88, 36]]),
    (Blend::Difference, [[170, 80, 170], [230, 64, 121], [215, 215, 0], [60, 190, 80]]),
    (Blend::Exclusion, [[182, 138, 183], [231, 127, 127], [218, 218, 127], [123, 197, 92]]),
];

#[tokio::test]
async fn blend_modes_are_those_of_libvips() {
    let [below, above] = [BELOW, ABOVE].map(|px| Image::new(4, 1, 3, px.concat()).unwrap());
    for (blend, wanted) in VIPS {
        let made = laid(Watermark::new().blend(blend), &below, &above).await;
        for (found, wanted) in made.pixels().iter().zip(wanted.concat()) {
            assert!(found.abs_diff(wanted) <= 1, "{blend:?}: {:?}", made.pixels());
        }
    }
}

/// <https://www.w3.org/TR/compositing-1/#generalformula>: what both have in common is mixed, the rest of each shows as it is.
#[tokio::test]
async fn colours_are_mixed_as_far_as_both_are_there() {
    for (below_alpha, above_alpha) in [(255, 128), (200, 128), (90, 255), (0, 100), (40, 0)] {
        let with = |px: [[u8; 3]; 4], alpha: u8| {
            let pixels = px.iter().flat_map(|[r, g, b]| [*r, *g, *b, alpha]).collect();
            Image::new(4, 1, 4, pixels).unwrap()
        };
        let (below, above) = (with(BELOW, below_alpha), with(ABOVE, above_alpha));
        let (lower, upper) = (f64::from(below_alpha) / 255.0, f64::from(above_alpha) / 255.0);
        for (blend, _) in VIPS {
            let opaque =
                laid(Watermark::new().blend(blend), &with(BELOW, 255), &with(ABOVE, 255)).await;
            let made = laid(Watermark::new().blend(blend), &below, &above).await;
            let both = upper + lower - upper * lower;
            for index in (0..16).filter(|index| index % 4 < 3) {
                let at = |image: &Image| f64::from(image.pixels()[index]);
                let wanted = (upper * lower * at(&opaque)
                    + upper * (1.0 - lower) * at(&above)
                    + lower * (1.0 - upper) * at(&below))
                    / both;
                let off = (wanted - at(&made)).abs();
                assert!(off <= 1.0, "{blend:?} {lower} {upper}: {} {wanted}", at(&made));
            }
            let alpha = f64::from(made.pixels()[3]);
            assert!((alpha - both * 255.0).abs() <= 0.51, "{alpha}");
        }
    }
}

#[tokio::test]
async fn a_blend_knows_opacity_place_and_channels() {
    for (below, above) in [(1, 1), (1, 4), (2, 3), (3, 2), (3, 3), (4, 4)] {
        let (base, mark) = (noise(20, 12, below), noise(7, 5, above));
        let how = Watermark::new().gravity(Gravity::Northwest).offset(2).opacity(0.4);
        let plain = laid(how, &base, &mark).await;
        // What is no lighter and no darker than itself is the normal mode, but for roundings.
        let made = laid(how.blend(Blend::Darken), &base, &mark).await;
        assert_eq!(made.channels(), plain.channels());
        let n = usize::from(made.channels());
        for (index, (blended, plain)) in
            made.pixels().chunks(n).zip(plain.pixels().chunks(n)).enumerate()
        {
            let colours = n - usize::from(n.is_multiple_of(2));
            let (x, y) = (index % 20, index / 20);
            let inside = (2..9).contains(&x) && (2..7).contains(&y);
            if !inside {
                assert_eq!(blended, plain, "{x}, {y}");
            }
            let darker =
                blended[..colours].iter().zip(plain).all(|(a, b)| *a <= b.saturating_add(1));
            assert!(darker, "{x}, {y}: {blended:?} {plain:?}");
        }
        let tiled = laid(how.blend(Blend::Multiply).tiled(), &base, &mark).await;
        assert_eq!((tiled.width(), tiled.channels()), (20, made.channels()));
    }
    let stored = serde_json::to_value(Watermark::new()).unwrap();
    assert!(stored.get("blend").is_none(), "as it was stored before");
}
