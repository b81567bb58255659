use std::f64::consts::PI;

use mediaflow_core::ops::Kernel;

use crate::pixels::resize::crisp_weight;

/// How much a pixel weighs, by its distance from the middle of a result's pixel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weighing {
    pub(super) weight: fn(f64) -> f64,
    /// From here on it is zero.
    pub(super) reach: f64,
}

impl Weighing {
    /// The same arithmetic as the resampler's of whole pictures.
    pub(super) fn of(kernel: Kernel, crisp: bool) -> Self {
        let (weight, reach): (fn(f64) -> f64, f64) = match kernel {
            Kernel::Lanczos3 if crisp => (crisp_weight, 3.5),
            Kernel::Nearest => (bilinear, 0.0),
            Kernel::Bilinear => (bilinear, 1.0),
            Kernel::CatmullRom => (catmull_rom, 2.0),
            Kernel::Mitchell => (mitchell, 2.0),
            Kernel::Lanczos3 => (lanczos3, 3.0),
        };
        Self { weight, reach }
    }
}

fn bilinear(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 { 1.0 - x } else { 0.0 }
}

fn catmull_rom(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

fn mitchell(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (7.0 * x / 6.0 - 2.0) * x * x + 16.0 / 18.0
    } else if x < 2.0 {
        ((2.0 - 7.0 * x / 18.0) * x - 10.0 / 3.0) * x + 16.0 / 9.0
    } else {
        0.0
    }
}

fn lanczos3(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    let x = x * PI;
    if x == 0.0 { 1.0 } else { x.sin() / x }
}
