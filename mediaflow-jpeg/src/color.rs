#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "values are brought into their ranges before"
)]

use crate::planes::{Plane, Planes};

/// Bits of the weights between two samples.
const BITS: u32 = 6;

impl Planes {
    /// Grey, or red, green and blue of each pixel, row by row.
    #[must_use]
    pub fn to_pixels(&self) -> Vec<u8> {
        let (width, height) = (self.width() as usize, self.height());
        let channels = usize::from(self.channels());
        let mut pixels = vec![0; width * height as usize * channels];
        let mut rows = vec![vec![0; width]; channels];
        let mut mixed = Vec::new();
        for (y, to) in (0..height).zip(pixels.chunks_exact_mut((width * channels).max(1))) {
            for (plane, row) in self.planes().iter().zip(&mut rows) {
                upsampled(plane, y, &mut mixed, row);
            }
            match &*rows {
                [luma, blue, red] if !self.rgb => {
                    let parts = luma.iter().zip(blue).zip(red);
                    for (to, ((y, cb), cr)) in to.as_chunks_mut::<3>().0.iter_mut().zip(parts) {
                        *to = rgb(*y, *cb, *cr);
                    }
                }
                rows => {
                    for (channel, row) in rows.iter().enumerate() {
                        let places = to.iter_mut().skip(channel).step_by(channels);
                        places.zip(row).for_each(|(to, from)| *to = *from);
                    }
                }
            }
        }
        pixels
    }
}

/// One row of pixels of a component. Between its samples values are mixed, as if each were the colour at the middle of what it
/// stands for.
fn upsampled(plane: &Plane, y: u32, mixed: &mut Vec<u32>, to: &mut [u8]) {
    let (across, down) = plane.per;
    if (across, down) == (1, 1) {
        let row = plane.row(y);
        let len = row.len().min(to.len());
        to[..len].copy_from_slice(&row[..len]);
        return;
    }
    let near = |place: i64| plane.row(place.clamp(0, i64::from(plane.height()) - 1) as u32);
    let at = i64::from(y / down);
    let (towards, weight) = weight(y % down, down);
    mixed.clear();
    let pairs = near(at).iter().zip(near(at + towards));
    mixed.extend(pairs.map(|(here, there)| mix(u32::from(*here), u32::from(*there), weight)));
    let last = mixed.len().saturating_sub(1);
    let weights: Vec<_> = (0..across).map(|phase| self::weight(phase, across)).collect();
    for (x, to) in to.chunks_mut(across as usize).enumerate() {
        let here = mixed[x.min(last)];
        let neighbours = [mixed[x.saturating_sub(1).min(last)], mixed[(x + 1).min(last)]];
        for (to, (towards, weight)) in to.iter_mut().zip(&weights) {
            let there = neighbours[usize::from(*towards > 0)];
            *to = ((mix(here, there, *weight) + (1 << (2 * BITS - 1))) >> (2 * BITS)) as u8;
        }
    }
}

fn mix(here: u32, there: u32, weight: u32) -> u32 {
    here * ((1 << BITS) - weight) + there * weight
}

/// Of the pixels that a sample stands for, how near one of them is to which neighbour.
fn weight(phase: u32, of: u32) -> (i64, u32) {
    let off = 2 * i64::from(phase) + 1 - i64::from(of);
    let weight = (off.unsigned_abs() as u32 * (1 << BITS) + of) / (2 * of);
    (off.signum(), weight)
}

/// In whole numbers, as libjpeg does it.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let red = y + ((91_881 * cr + HALF) >> 16);
    let green = y + ((-22_554 * cb - 46_802 * cr + HALF) >> 16);
    let blue = y + ((116_130 * cb + HALF) >> 16);
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}
