use mediaflow_core::ops::Tint;

use crate::pixels::{Tone, from_light, to_light};
use crate::word::{Compile, View};

/// The white of sRGB (D65): X and Z where Y is 1.
const WHITE: (f64, f64) = (0.950_47, 1.088_83);

impl Compile for Tint {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        let [r, g, b, _] = self.color.channels();
        let [_, a, b] = lab([r, g, b].map(|value| f64::from(value) / 255.0));
        let shade = |luma: f64| {
            let [lightness, ..] = lab([luma / 255.0; 3]);
            // All of the colour in the middle, none of it in black and white.
            let weight = 1.0 - (lightness / 50.0 - 1.0).powi(2);
            srgb([lightness, weight * a, weight * b]).map(|value| value * 255.0)
        };
        vec![View::Tone(Tone::gradient("tint", false, shade))]
    }
}

/// CIELAB of a colour in sRGB, from 0 to 1.
fn lab(rgb: [f64; 3]) -> [f64; 3] {
    let [r, g, b] = rgb.map(to_light);
    let curve =
        |t: f64| if t > 216.0 / 24_389.0 { t.cbrt() } else { (24_389.0 / 27.0 * t + 16.0) / 116.0 };
    let x = curve((0.412_456 * r + 0.357_576 * g + 0.180_437 * b) / WHITE.0);
    let y = curve(0.212_673 * r + 0.715_152 * g + 0.072_175 * b);
    let z = curve((0.019_334 * r + 0.119_192 * g + 0.950_304 * b) / WHITE.1);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// And back; colours that sRGB does not have are below 0 or above 1.
fn srgb([lightness, a, b]: [f64; 3]) -> [f64; 3] {
    let y = (lightness + 16.0) / 116.0;
    let curve = |t: f64| {
        if t > 6.0 / 29.0 { t.powi(3) } else { (116.0 * t - 16.0) * 27.0 / 24_389.0 }
    };
    let (x, z) = (curve(y + a / 500.0) * WHITE.0, curve(y - b / 200.0) * WHITE.1);
    let y = curve(y);
    [
        3.240_454 * x - 1.537_138 * y - 0.498_531 * z,
        -0.969_266 * x + 1.876_011 * y + 0.041_556 * z,
        0.055_643 * x - 0.204_026 * y + 1.057_225 * z,
    ]
    .map(from_light)
}
