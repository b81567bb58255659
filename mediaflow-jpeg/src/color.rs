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
                    let to = to.as_chunks_mut::<3>().0.chunks_mut(TOGETHER);
                    let parts = luma.chunks(TOGETHER).zip(blue.chunks(TOGETHER));
                    for (to, ((y, cb), cr)) in to.zip(parts.zip(red.chunks(TOGETHER))) {
                        let mut colours = [[0; TOGETHER]; 3];
                        converted((y, cb, cr), &mut colours);
                        let [red, green, blue] = &colours;
                        for (to, ((r, g), b)) in to.iter_mut().zip(red.iter().zip(green).zip(blue))
                        {
                            *to = [*r, *g, *b];
                        }
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

/// So many pixels are converted before they are put together.
const TOGETHER: usize = 64;

/// Red, green and blue, each by itself.
fn converted((y, cb, cr): (&[u8], &[u8], &[u8]), colours: &mut [[u8; TOGETHER]; 3]) {
    let [red, green, blue] = colours;
    let to = red.iter_mut().zip(green).zip(blue);
    for (((red, green), blue), ((y, cb), cr)) in to.zip(y.iter().zip(cb).zip(cr)) {
        [*red, *green, *blue] = rgb(*y, *cb, *cr);
    }
}

/// In whole numbers, as libjpeg does it. Its factors 1.402, 0.344, 0.714 and 1.772, times 65,536, are taken without their whole
/// parts, so that they have 16 bits: of such products processors make many at a time.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i16::from(y), i16::from(cb) - 128, i16::from(cr) - 128);
    let (blueness, redness) = (i32::from(cb), i32::from(cr));
    let red = y + cr + ((26_345 * redness + HALF) >> 16) as i16;
    let green = y - cr + ((-22_554 * blueness + 18_734 * redness + HALF) >> 16) as i16;
    let blue = y + 2 * cb + ((-14_942 * blueness + HALF) >> 16) as i16;
    [red, green, blue].map(|value| value.clamp(0, 255) as u8)
}

#[cfg(test)]
mod tests {
    use super::rgb;

    #[test]
    fn colours_are_those_of_the_whole_factors() {
        let clamped = |value: i32| u8::try_from(value.clamp(0, 255)).unwrap_or_default();
        for y in [0, 1, 100, 254, 255] {
            for (cb, cr) in (0..=255).flat_map(|cb| (0..=255).map(move |cr| (cb, cr))) {
                let (luma, b, r) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
                let part = |sum: i32| luma + ((sum + (1 << 15)) >> 16);
                let whole = [part(91_881 * r), part(-22_554 * b - 46_802 * r), part(116_130 * b)];
                assert_eq!(rgb(y, cb, cr), whole.map(clamped), "{y} {cb} {cr}");
            }
        }
    }
}
