//! What each operation makes of pixels, against its definition, computed in the plainest way, and against other programs.

mod border;
mod clahe;
mod compose;
mod crop;
mod duotone;
mod extend;
mod found;
mod hue;
mod lut;
mod median;
mod normalize;
mod pixelate;
mod posterize;
mod radius;
mod shadow;
mod sharpen;
#[cfg(feature = "text")]
mod text;
mod threshold;
mod tint;
mod trim_borders;
mod vibrance;
mod vignette;
mod watermark;
mod white_balance;

use mediaflow_core::media::Image;
use mediaflow_core::{AnyOperation, Inputs, Operation};

use crate::support::{Branches, as_png, image, run_any};

/// A grey picture with each value once.
fn ramp() -> Image {
    Image::new(256, 1, 1, (0..=255).collect()).unwrap()
}

/// Every colour of a coarse cube, in `channels` channels, 3 or 4.
fn cube(channels: u8) -> Image {
    let levels = [0_u8, 1, 51, 100, 127, 128, 180, 254, 255];
    let mut pixels = Vec::new();
    for r in levels {
        for g in levels {
            for b in levels {
                pixels.extend([r, g, b]);
                if channels == 4 {
                    pixels.push(r ^ b);
                }
            }
        }
    }
    Image::new(81, 9, channels, pixels).unwrap()
}

/// What becomes of each colour of a cube; alpha has to stay.
async fn recolours(operation: impl Operation + Clone, wanted: impl Fn([f64; 3]) -> [f64; 3]) {
    for channels in [3, 4] {
        let before = cube(channels);
        let after = image(operation.clone(), before.clone()).await;
        let n = usize::from(channels);
        let pixels = before.pixels().chunks_exact(n).zip(after.pixels().chunks_exact(n));
        for (before, after) in pixels {
            let wanted = wanted([before[0], before[1], before[2]].map(f64::from));
            for (value, wanted) in after.iter().zip(wanted) {
                let off = (f64::from(*value) - wanted.clamp(0.0, 255.0)).abs();
                assert!(off <= 0.51, "{operation:?}: {before:?} gives {after:?}, not {wanted}");
            }
            assert_eq!(before[3..], after[3..], "{operation:?}: alpha");
        }
    }
}

/// A chain as one plan is what its steps are one by one.
async fn is_the_same_one_by_one(original: Image, chain: Vec<AnyOperation>) {
    let mut one_by_one = original.clone();
    for step in &chain {
        let made = run_any(step.clone(), Inputs::one(one_by_one)).await.unwrap();
        one_by_one = made.into_image().unwrap();
    }
    let mut ran = Branches::of(as_png(original).await).chain("out", chain).run().await.unwrap();
    let made = ran.image("out");
    assert_eq!(made.channels(), one_by_one.channels(), "{}", ran.explanation);
    assert_eq!(made.pixels(), one_by_one.pixels(), "{}", ran.explanation);
}
