/// The light of a number of sRGB; both from 0 to 1.
pub(crate) fn to_light(v: f64) -> f64 {
    if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
}

/// The number of sRGB for light; both from 0 to 1.
pub(crate) fn from_light(v: f64) -> f64 {
    if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}
