//! Pictures of more light than a screen for sRGB gives: PQ and HLG, brought down to it.

use super::items::Colours;
use crate::pixels::to_byte;

/// Candelas per square metre of white paper, which becomes the white of sRGB: ITU-R BT.2408.
const WHITE: f32 = 203.0;

/// The most light in a picture that does not say it, and of a screen for HLG.
const USUAL: f32 = 1000.0;

/// Brings numbers of PQ or HLG to sRGB. What is as bright as grey paper keeps its light; what is brighter is pressed together below
/// white, by the curve of ITU-R BT.2390, by one factor for red, green and blue, so that hues stay.
#[derive(Debug)]
pub(super) struct Light {
    hybrid: bool,
    /// For numbers from 0 to 1: their light, white paper being 1.
    lights: Vec<f32>,
    /// The factor for the number, in PQ, of the strongest of the three.
    factors: Vec<f32>,
    /// sRGB for the root of light.
    bytes: Vec<u8>,
    matrix: [[f32; 3]; 3],
}

/// Steps of the tables: finer than 12 bits are.
const STEPS: u16 = 8192;

impl Light {
    /// For pictures whose numbers stand for this, with so much light at most; nothing if they are not of this kind.
    pub(super) fn new(colours: Colours, most: Option<u16>) -> Option<Self> {
        let hybrid = match colours.transfer {
            16 => false,
            18 => true,
            _ => return None,
        };
        let most = if hybrid { USUAL } else { most.map_or(USUAL, f32::from) };
        let table = |of: &dyn Fn(f32) -> f32| -> Vec<f32> {
            (0..=STEPS).map(|step| of(f32::from(step) / f32::from(STEPS))).collect()
        };
        let lights = if hybrid { table(&scene) } else { table(&|number| light(number) / WHITE) };
        let factors = table(&|number| {
            let before = light(number);
            if before > 0.0 { light(pressed(number, most)) / before } else { 1.0 }
        });
        let bytes = table(&|root| srgb(root * root) * 255.0).into_iter().map(to_byte).collect();
        let matrix = match colours.primaries {
            1 | 2 => [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            11 | 12 => {
                [[1.224_9, -0.224_9, 0.0], [-0.042_1, 1.042_1, 0.0], [-0.019_6, -0.078_7, 1.098_3]]
            }
            _ => [
                [1.660_5, -0.587_6, -0.072_9],
                [-0.124_6, 1.132_9, -0.008_3],
                [-0.018_2, -0.100_5, 1.118_7],
            ],
        };
        Some(Self { hybrid, lights, factors, bytes, matrix })
    }

    /// One pixel.
    pub(super) fn convert(&self, numbers: [f32; 3]) -> [u8; 3] {
        let mut light = numbers.map(|number| at(&self.lights, number));
        let strongest = if self.hybrid {
            // A screen makes bright scenes brighter still.
            let scene = light[0] * 0.2627 + light[1] * 0.6780 + light[2] * 0.0593;
            let screen = USUAL / WHITE * scene.max(0.0).powf(0.2);
            light = light.map(|light| light * screen);
            number(light.into_iter().fold(0.0, f32::max) * WHITE)
        } else {
            numbers.into_iter().fold(0.0, f32::max)
        };
        let factor = at(&self.factors, strongest);
        self.matrix.map(|row| {
            let sum = row[0] * light[0] + row[1] * light[1] + row[2] * light[2];
            at(&self.bytes, (sum * factor).clamp(0.0, 1.0).sqrt())
        })
    }
}

/// The entry of a table for a number from 0 to 1.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn at<T: Copy>(table: &[T], number: f32) -> T {
    table[((number * f32::from(STEPS) + 0.5) as usize).min(usize::from(STEPS))]
}

const M1: f32 = 2610.0 / 16_384.0;
const M2: f32 = 2523.0 / 32.0;
const C1: f32 = 3424.0 / 4096.0;
const C2: f32 = 2413.0 / 128.0;
const C3: f32 = 2392.0 / 128.0;

/// The light of a number of PQ, in candelas per square metre.
fn light(number: f32) -> f32 {
    let root = number.powf(1.0 / M2);
    let share = (root - C1).max(0.0) / (C2 - C3 * root);
    10_000.0 * share.powf(1.0 / M1)
}

/// The number of PQ for so much light.
fn number(light: f32) -> f32 {
    let share = (light / 10_000.0).clamp(0.0, 1.0).powf(M1);
    ((C1 + C2 * share) / (1.0 + C3 * share)).powf(M2)
}

/// A number of PQ, pressed together so that so much light becomes white.
fn pressed(bright: f32, most: f32) -> f32 {
    let (most, white) = (number(most), number(WHITE));
    if most <= white {
        return bright.min(white);
    }
    let (this, aim) = ((bright / most).min(1.0), white / most);
    let knee = 1.5 * aim - 0.5;
    if this < knee {
        return bright;
    }
    let t = (this - knee) / (1.0 - knee);
    let (square, cube) = (t * t, t * t * t);
    let curve = (2.0 * cube - 3.0 * square + 1.0) * knee
        + (cube - 2.0 * square + t) * (1.0 - knee)
        + (3.0 * square - 2.0 * cube) * aim;
    curve * most
}

/// The light of a scene for a number of HLG.
fn scene(number: f32) -> f32 {
    const A: f32 = 0.178_832_77;
    const B: f32 = 0.284_668_92;
    const C: f32 = 0.559_910_7;
    if number <= 0.5 { number * number / 3.0 } else { (((number - C) / A).exp() + B) / 12.0 }
}

fn srgb(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colours(transfer: u16) -> Colours {
        Colours { primaries: 9, transfer, matrix: 9, full: true }
    }

    #[test]
    fn grey_paper_keeps_its_light_and_what_is_brighter_its_order() {
        let light = Light::new(colours(16), None).unwrap();
        // Half of the light of white paper is 188 in sRGB; a little of it is pressed away.
        let grey = |candelas: f32| light.convert([number(candelas); 3]);
        assert_eq!(grey(0.0), [0; 3]);
        assert_eq!(grey(20.3), [89; 3]);
        assert!(grey(101.5)[0].abs_diff(188) <= 2, "{:?}", grey(101.5));
        assert_eq!(grey(1000.0), [255; 3]);
        let steps: Vec<_> = (0..100_u8).map(|step| grey(f32::from(step) * 10.0)[0]).collect();
        assert!(steps.is_sorted() && steps[20] > 200 && steps[20] < 240, "{steps:?}");
    }

    #[test]
    fn both_kinds_agree_on_white_paper() {
        // By BT.2408 it is 58 % in PQ, and 75 % in HLG.
        let pq = Light::new(colours(16), None).unwrap().convert([0.58; 3]);
        let hlg = Light::new(colours(18), None).unwrap().convert([0.75; 3]);
        assert!(pq[0].abs_diff(hlg[0]) <= 3, "{pq:?} {hlg:?}");
        assert!(Light::new(colours(13), None).is_none());
    }

    #[test]
    fn colours_keep_their_hue() {
        let light = Light::new(Colours { primaries: 1, ..colours(16) }, Some(4000)).unwrap();
        let [r, g, b] = light.convert([number(3000.0), number(1500.0), 0.0]);
        assert!(r > 245 && b == 0, "{r} {g} {b}");
        // Half of the light.
        assert!(g.abs_diff(185) <= 4, "{r} {g} {b}");
    }
}
