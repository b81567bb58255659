//! From high dynamic range to what every screen shows: BT.2020 with PQ or HLG to BT.709.
//!
//! Light is computed from the code values (SMPTE ST 2084; ARIB STD-B67 with the system gamma of BT.2100 for 1,000 cd/m²), taken
//! into the primaries of BT.709, and compressed where it is brighter than half of the white of graphics, 203 cd/m² (BT.2408), by
//! the Möbius curve that players use. All three colours of a pixel are scaled alike, so that hues stay.

use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::Result;

use super::{caps_filter, make};

/// The white of graphics and of paper, in cd/m².
const WHITE: f32 = 203.0;
/// The brightest light that is told from still brighter, in cd/m².
const PEAK: f32 = 1000.0;
/// Up to this part of white nothing is compressed.
const KNEE: f32 = 0.5;

/// How light is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Pq,
    Hlg,
}

/// Which red, green and blue there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gamut {
    Bt2020,
    /// Of cinemas and telephones, with the white of day.
    P3,
    Bt709,
}

/// Elements from R'G'B' of this gamut with this coding, at 16 bits, to R'G'B' of BT.709.
///
/// # Errors
/// `video.missing_plugin`.
pub(super) fn map(coding: Coding, gamut: Gamut) -> Result<Vec<gst::Element>> {
    let wide = gst::Caps::builder("video/x-raw").field("format", "RGBA64_LE").build();
    let mapped = make("capssetter")?;
    let narrow = gst::Caps::builder("video/x-raw").field("colorimetry", "1:1:5:1").build();
    mapped.set_property("caps", narrow);
    let table = Table::new(coding, gamut);
    if let Some(pad) = mapped.static_pad("sink") {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer_mut()
                && let Ok(mut pixels) = buffer.make_mut().map_writable()
            {
                table.map(pixels.as_mut_slice());
            }
            gst::PadProbeReturn::Ok
        });
    }
    Ok(vec![make("videoconvert")?, caps_filter(&wide)?, mapped])
}

/// Light by code value, and code values by light.
#[derive(Debug)]
struct Table {
    light: Vec<f32>,
    /// By the square root of light, because the eye tells dark ones apart.
    code: Vec<u16>,
    is_scene: bool,
    gamut: Gamut,
}

const CODES: usize = 4096;

impl Table {
    fn new(coding: Coding, gamut: Gamut) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
        let part = |number: usize| number as f32 / (CODES - 1) as f32;
        let light = |number: usize| match coding {
            Coding::Pq => pq(part(number)) / WHITE,
            Coding::Hlg => hlg(part(number)),
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "`as` saturates, which is wanted"
        )]
        let code = |number: usize| (oetf(part(number).powi(2)) * 65_535.0 + 0.5) as u16;
        Self {
            light: (0..CODES).map(light).collect(),
            code: (0..CODES).map(code).collect(),
            is_scene: coding == Coding::Hlg,
            gamut,
        }
    }

    /// Pixels of four numbers of 16 bits.
    fn map(&self, pixels: &mut [u8]) {
        for pixel in pixels.chunks_exact_mut(8) {
            let number = |at: usize| u16::from_le_bytes([pixel[at], pixel[at + 1]]);
            let code = |at: usize| usize::from(number(at) >> 4);
            let mut wide = [0, 2, 4].map(|at| self.light.get(code(at)).copied().unwrap_or(0.0));
            if self.is_scene {
                // The light of a display depends on the brightness of the scene.
                let bright = 0.2627 * wide[0] + 0.6780 * wide[1] + 0.0593 * wide[2];
                let gain = bright.powf(0.2) * PEAK / WHITE;
                wide = wide.map(|light| light * gain);
            }
            let narrow = to_bt709(self.gamut, wide);
            let brightest = narrow.iter().copied().fold(0.0, f32::max);
            let gain = if brightest > KNEE { compress(brightest) / brightest } else { 1.0 };
            for (at, light) in [0, 2, 4].into_iter().zip(narrow) {
                let code = self.coded((light * gain).clamp(0.0, 1.0));
                pixel[at..at + 2].copy_from_slice(&code.to_le_bytes());
            }
        }
    }

    fn coded(&self, light: f32) -> u16 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a part of a table of a few thousand"
        )]
        let at = (light.sqrt() * (CODES - 1) as f32 + 0.5) as usize;
        self.code.get(at).copied().unwrap_or(u16::MAX)
    }
}

/// Light in cd/m² by SMPTE ST 2084.
fn pq(code: f32) -> f32 {
    let (m1, m2) = (2610.0 / 16_384.0, 2523.0 / 32.0);
    let (c1, c2, c3) = (3424.0 / 4096.0, 2413.0 / 128.0, 2392.0 / 128.0);
    let power = code.powf(1.0 / m2);
    10_000.0 * ((power - c1).max(0.0) / (c2 - c3 * power)).powf(1.0 / m1)
}

/// Light of the scene, from 0 to 1, by ARIB STD-B67.
fn hlg(code: f32) -> f32 {
    let (a, b, c) = (0.178_832_77, 0.284_668_92, 0.559_910_7);
    if code <= 0.5 { code * code / 3.0 } else { (((code - c) / a).exp() + b) / 12.0 }
}

/// The code value of light on a screen of BT.1886.
fn oetf(light: f32) -> f32 {
    light.powf(1.0 / 2.4)
}

/// From these primaries to those of BT.709 (BT.2087; SMPTE EG 432-1).
fn to_bt709(gamut: Gamut, light: [f32; 3]) -> [f32; 3] {
    let rows = match gamut {
        Gamut::Bt709 => return light,
        Gamut::Bt2020 => {
            [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
        }
        Gamut::P3 => [[1.2249, -0.2249, 0.0], [-0.0421, 1.0421, 0.0], [-0.0196, -0.0786, 1.0983]],
    };
    rows.map(|row| row.iter().zip(light).map(|(part, light)| part * light).sum::<f32>().max(0.0))
}

/// What becomes of light that is brighter than the knee: the peak becomes white.
fn compress(light: f32) -> f32 {
    let (knee, peak) = (KNEE, PEAK / WHITE);
    let a = -knee * knee * (peak - 1.0) / (knee * knee - 2.0 * knee + peak);
    let b = (knee * knee - 2.0 * knee * peak + peak) / (peak - 1.0);
    let scale = (b * b + 2.0 * b * knee + knee * knee) / (b - a);
    scale * (light.min(peak) + a) / (light.min(peak) + b)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(coding: Coding, codes: [f32; 3]) -> [u8; 3] {
        let mut pixel = [0; 8];
        for (at, code) in [0, 2, 4].into_iter().zip(codes) {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1")]
            let number = (code * 65_535.0) as u16;
            pixel[at..at + 2].copy_from_slice(&number.to_le_bytes());
        }
        Table::new(coding, Gamut::Bt2020).map(&mut pixel);
        [1, 3, 5].map(|at| pixel[at])
    }

    #[test]
    fn black_stays_black_and_white_is_bright() {
        assert_eq!(mapped(Coding::Pq, [0.0; 3]), [0; 3]);
        // 203 and 1,000 cd/m².
        let white = mapped(Coding::Pq, [0.5806; 3])[0];
        assert!((215..240).contains(&white), "{white}");
        assert!(mapped(Coding::Pq, [0.7518; 3])[0] >= 253);
        let white = mapped(Coding::Hlg, [0.75; 3])[0];
        assert!((215..240).contains(&white), "{white}");
    }

    #[test]
    fn white_is_white_in_every_gamut() {
        for gamut in [Gamut::Bt2020, Gamut::P3, Gamut::Bt709] {
            let white = to_bt709(gamut, [1.0; 3]);
            assert!(white.iter().all(|light| (light - 1.0).abs() < 0.001), "{gamut:?}: {white:?}");
        }
        let [red, ..] = to_bt709(Gamut::P3, [0.5, 0.0, 0.0]);
        assert!((red - 0.6125).abs() < 0.001, "{red}");
    }

    #[test]
    fn the_curve_is_smooth_and_grows() {
        assert!((compress(KNEE) - KNEE).abs() < 1e-3, "{}", compress(KNEE));
        assert!((compress(PEAK / WHITE) - 1.0).abs() < 1e-3);
        let steps: Vec<_> = (1..50).map(|step| compress(step as f32 / 10.0)).collect();
        assert!(steps.windows(2).all(|pair| pair[0] <= pair[1]));
    }
}
