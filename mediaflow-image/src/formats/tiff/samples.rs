use mediaflow_core::Result;

use super::directory::Order;
use super::layout::{Colours, Layout};
use crate::pixels::{Deep, eight_bits};

/// Turns differences in a row of a part back into samples, of which so many lie together.
pub(super) fn undo_differences(row: &mut [u8], bits: u8, together: usize, order: Order) {
    if bits == 8 {
        for at in together..row.len() {
            row[at] = row[at].wrapping_add(row[at - together]);
        }
        return;
    }
    let (samples, _) = row.as_chunks_mut::<2>();
    for at in together..samples.len() {
        let of = |bytes: [u8; 2]| match order {
            Order::Little => u16::from_le_bytes(bytes),
            Order::Big => u16::from_be_bytes(bytes),
        };
        let sum = of(samples[at]).wrapping_add(of(samples[at - together]));
        samples[at] = match order {
            Order::Little => sum.to_le_bytes(),
            Order::Big => sum.to_be_bytes(),
        };
    }
}

/// Reads samples out of a row of a part, and puts them to each `step`th place.
pub(super) fn spread(row: &[u8], bits: u8, order: Order, to: &mut [u16], step: usize) {
    let places = to.iter_mut().step_by(step.max(1));
    match (bits, order) {
        (8, _) => places.zip(row).for_each(|(to, byte)| *to = u16::from(*byte)),
        (16, Order::Little) => {
            let (numbers, _) = row.as_chunks();
            places.zip(numbers).for_each(|(to, number)| *to = u16::from_le_bytes(*number));
        }
        (16, Order::Big) => {
            let (numbers, _) = row.as_chunks();
            places.zip(numbers).for_each(|(to, number)| *to = u16::from_be_bytes(*number));
        }
        _ => {
            let (mut held, mut count, mut bytes) = (0_u32, 0, row.iter());
            for to in places {
                while count < bits {
                    held = held << 8 | u32::from(bytes.next().copied().unwrap_or_default());
                    count += 8;
                }
                count -= bits;
                let sample = held >> count & ((1 << bits) - 1);
                *to = u16::try_from(sample).unwrap_or_default();
            }
        }
    }
}

/// Makes pixels of samples.
pub(super) struct Painter<'a> {
    layout: &'a Layout,
    palette: &'a [[u8; 3]],
    /// Of samples of more than 8 bits.
    deep: Option<Deep>,
    wide: Vec<u8>,
}

impl<'a> Painter<'a> {
    pub(super) fn new(layout: &'a Layout, palette: &'a [[u8; 3]], deep: Option<Deep>) -> Self {
        Self { layout, palette, deep, wide: Vec::new() }
    }

    /// Whether the bytes of a row are its pixels as they stand.
    pub(super) fn is_direct(&self) -> bool {
        let layout = self.layout;
        let colours = match layout.colours {
            Colours::Grey { inverted } => !inverted,
            Colours::Rgb | Colours::Luma => true,
            Colours::Indexed | Colours::Inks => false,
        };
        let alpha = layout.alpha.is_none_or(|alpha| !alpha.multiplied);
        let all = layout.samples == usize::from(layout.channels());
        colours && alpha && all && layout.bits == 8 && !layout.planar
    }

    /// Makes a row of pixels out of the samples of a row.
    ///
    /// # Errors
    /// `image.icc`.
    pub(super) fn paint(&mut self, row: &[u16], to: &mut [u8]) -> Result<()> {
        let Some(deep) = &mut self.deep else {
            pixels(self.layout, self.palette, row, to);
            return Ok(());
        };
        self.wide.resize(2 * to.len(), 0);
        let channels = usize::from(self.layout.channels());
        let wide = self.wide.chunks_exact_mut(2 * channels);
        for (pixel, to) in row.chunks_exact(self.layout.samples).zip(wide) {
            let (numbers, _) = to.as_chunks_mut();
            pixel_of(self.layout, pixel, numbers, u16::to_be_bytes);
        }
        deep.convert(&self.wide, to)
    }
}

fn pixels(layout: &Layout, palette: &[[u8; 3]], row: &[u16], to: &mut [u8]) {
    let to = to.chunks_exact_mut(usize::from(layout.channels()));
    let pixels = row.chunks_exact(layout.samples).zip(to);
    if layout.colours == Colours::Indexed {
        for (pixel, to) in pixels {
            let colour = palette.get(usize::from(pixel[0])).copied().unwrap_or_default();
            to.copy_from_slice(&colour);
        }
        return;
    }
    for (pixel, to) in pixels {
        pixel_of(layout, pixel, to, eight_bits);
    }
}

/// One pixel of numbers of 16 bits, each as it is kept.
fn pixel_of<T>(layout: &Layout, pixel: &[u16], to: &mut [T], keep: impl Fn(u16) -> T) {
    const FULL: u32 = u16::MAX as u32;
    let most = (1_u32 << layout.bits) - 1;
    let full = |sample: u16| (u32::from(sample) * FULL + most / 2) / most;
    let narrow = |number: u32| u16::try_from(number.min(FULL)).unwrap_or(u16::MAX);
    let colours = usize::from(layout.colours.channels());
    let alpha = layout.alpha.map(|alpha| (full(pixel[alpha.sample]), alpha.multiplied));
    for (channel, to) in to.iter_mut().take(colours).enumerate() {
        let mut number = full(pixel[channel]);
        match layout.colours {
            Colours::Grey { inverted: true } => number = FULL - number,
            // As browsers show photos of inks without a profile.
            Colours::Inks => {
                number = ((FULL - number) * (FULL - full(pixel[3])) + FULL / 2) / FULL;
            }
            _ => {}
        }
        if let Some((alpha, true)) = alpha {
            number = (number * FULL + alpha / 2).checked_div(alpha).unwrap_or(0);
        }
        *to = keep(narrow(number));
    }
    if let (Some((alpha, _)), Some(to)) = (alpha, to.get_mut(colours)) {
        *to = keep(narrow(alpha));
    }
}
