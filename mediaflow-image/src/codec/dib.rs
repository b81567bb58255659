//! A picture as Windows keeps it in memory: what is in a BMP behind its head, and in most icons.

use mediaflow_core::Result;
use mediaflow_core::media::Format;

use crate::error::{corrupt, truncated, unsupported};

/// What a header says, and where everything is, counted from the beginning of the bytes that were given.
#[derive(Debug)]
pub(crate) struct Dib {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Bits of a pixel: 1 to 32.
    pub(crate) bits: u16,
    /// Whether the first row is the upper one.
    top_down: bool,
    /// Bits of a code, if runs of pixels are written once.
    runs: Option<u8>,
    /// Which bits are red, green, blue and alpha.
    masks: [u32; 4],
    palette: Vec<[u8; 3]>,
    /// Where the pixels begin, if nothing else says it.
    pub(crate) pixels: usize,
    /// Where a profile is, and its length, counted from the header.
    pub(crate) profile: Option<(usize, usize)>,
}

/// Bytes from its beginning on that have the header and the palette, of every kind.
pub(crate) const HEAD: usize = 4096;

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|number| u16::from_le_bytes(*number))
}

fn long(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|number| u32::from_le_bytes(*number))
}

impl Dib {
    /// Reads a header, which begins with its size.
    pub(crate) fn read(bytes: &[u8], format: &Format) -> Result<Self> {
        Self::parse(bytes, format).unwrap_or_else(|| Err(truncated(format)))
    }

    fn parse(bytes: &[u8], format: &Format) -> Option<Result<Self>> {
        let size = usize::try_from(long(bytes, 0)?).ok()?;
        // The oldest kind has shorter sides, and shorter colours.
        let old = size == 12;
        if !old && !(16..=124).contains(&size) {
            return Some(Err(corrupt(format, "its header is of no known size")));
        }
        let (width, height, bits) = if old {
            (u32::from(short(bytes, 4)?), i64::from(short(bytes, 6)?), short(bytes, 10)?)
        } else {
            let height = long(bytes, 8)?.cast_signed();
            (long(bytes, 4)?, i64::from(height), short(bytes, 14)?)
        };
        let of = |at: usize| if size >= at + 4 { long(bytes, at) } else { Some(0) };
        let packing = of(16)?;
        let (by_masks, runs) = match (packing, bits) {
            (0, 1 | 2 | 4 | 8 | 16 | 24 | 32) => (false, None),
            (1, 8) => (false, Some(8)),
            (2, 4) => (false, Some(4)),
            (3 | 6, 16 | 32) if size >= 40 => (true, None),
            _ => {
                let what = format!("pixels of {bits} bits, packed as {packing}, are not decoded");
                return Some(Err(unsupported(format, what)));
            }
        };
        let beside = if by_masks && size == 40 { if packing == 6 { 16 } else { 12 } } else { 0 };
        let masks = if by_masks {
            let alpha = if beside == 16 || size >= 56 { long(bytes, 52)? } else { 0 };
            [long(bytes, 40)?, long(bytes, 44)?, long(bytes, 48)?, alpha]
        } else if bits == 16 {
            [0x7C00, 0x3E0, 0x1F, 0]
        } else {
            [0xFF_0000, 0xFF00, 0xFF, 0]
        };
        let most = if bits <= 8 { 1_usize << bits } else { 0 };
        let said = usize::try_from(of(32)?).ok()?;
        let count = if said == 0 { most } else { said.min(1 << 16) };
        let (start, entry) = (size + beside, if old { 3 } else { 4 });
        let palette = bytes.get(start..)?.chunks_exact(entry).take(count.min(most));
        let palette = palette.map(|colour| [colour[2], colour[1], colour[0]]).collect();
        let profile = (size == 124 && of(56)? == u32::from_be_bytes(*b"MBED"))
            .then(|| Some((usize::try_from(of(112)?).ok()?, usize::try_from(of(116)?).ok()?)));
        Some(Ok(Self {
            width,
            height: u32::try_from(height.abs()).ok()?,
            bits,
            top_down: height < 0,
            runs,
            masks,
            palette,
            pixels: start + count * entry,
            profile: profile.flatten(),
        }))
    }

    /// Whether some of the bits of a pixel are alpha.
    pub(crate) fn has_alpha(&self) -> bool {
        self.masks[3] != 0
    }

    /// Takes the highest byte of 32 bits for alpha, as icons have it.
    pub(crate) fn with_alpha(mut self) -> Self {
        if self.bits == 32 && !self.has_alpha() {
            self.masks[3] = 0xFF00_0000;
        }
        self
    }

    /// Bytes of a row.
    pub(crate) fn stride(&self) -> usize {
        stride(self.width, self.bits)
    }

    /// Bytes that are held beside the pixels.
    pub(crate) fn memory(&self) -> u64 {
        let pixels = u64::from(self.width) * u64::from(self.height);
        if self.runs.is_some() { pixels } else { 0 }
    }

    /// The numbers of the pixels of a picture whose runs are written once, and how many of its rows, from the lowest on, there are.
    pub(crate) fn unpacked(&self, packed: &[u8]) -> Option<Unpacked> {
        let bits = self.runs?;
        let (width, height) = (self.width as usize, self.height as usize);
        Some(unpack(packed, bits, width, height))
    }

    /// Makes a row of the picture, counted from the top, out of bytes that begin with its pixels: whether it is there.
    pub(crate) fn row(
        &self,
        pixels: &[u8],
        unpacked: Option<&Unpacked>,
        y: usize,
        to: &mut [u8],
    ) -> bool {
        let height = self.height as usize;
        let y = if self.top_down { y } else { height - 1 - y };
        let colour = |number: usize| self.palette.get(number).copied().unwrap_or_default();
        if let Some(unpacked) = unpacked {
            let width = self.width as usize;
            for (to, number) in to.chunks_exact_mut(3).zip(&unpacked.numbers[y * width..]) {
                to.copy_from_slice(&colour(usize::from(*number)));
            }
            return y < unpacked.rows;
        }
        let start = y.saturating_mul(self.stride());
        let Some(row) = pixels.get(start..start.saturating_add(self.stride())) else {
            return false;
        };
        let channels = if self.has_alpha() { 4 } else { 3 };
        let to = to.chunks_exact_mut(channels);
        match self.bits {
            24 => to.zip(row.chunks_exact(3)).for_each(|(to, pixel)| {
                to.copy_from_slice(&[pixel[2], pixel[1], pixel[0]]);
            }),
            16 | 32 => {
                let size = usize::from(self.bits / 8);
                to.zip(row.chunks_exact(size)).for_each(|(to, pixel)| {
                    let bits =
                        pixel.iter().rev().fold(0, |bits, byte| bits << 8 | u32::from(*byte));
                    to.iter_mut().zip(self.masks).for_each(|(to, mask)| *to = masked(bits, mask));
                });
            }
            bits => to.enumerate().for_each(|(x, to)| {
                to.copy_from_slice(&colour(number(row, x, usize::from(bits))));
            }),
        }
        true
    }
}

/// Bytes of a row of so many pixels: rows begin at each fourth byte.
pub(crate) fn stride(width: u32, bits: u16) -> usize {
    let bits = u64::from(width) * u64::from(bits);
    usize::try_from(bits.div_ceil(32) * 4).unwrap_or(usize::MAX)
}

/// A number of fewer than 8 bits, the first in the highest ones.
pub(crate) fn number(row: &[u8], x: usize, bits: usize) -> usize {
    let at = x * bits;
    let byte = row.get(at / 8).copied().map_or(0, usize::from);
    byte >> (8 - bits - at % 8) & ((1 << bits) - 1)
}

/// What some of the bits of a pixel say, as a byte.
fn masked(bits: u32, mask: u32) -> u8 {
    let most = u64::from(mask.checked_shr(mask.trailing_zeros()).unwrap_or(0));
    let value = u64::from((bits & mask).checked_shr(mask.trailing_zeros()).unwrap_or(0));
    let byte = (value * 255 + most / 2).checked_div(most).unwrap_or(0);
    u8::try_from(byte).unwrap_or(u8::MAX)
}

/// The numbers of the colours of all pixels, the lowest row first.
#[derive(Debug)]
pub(crate) struct Unpacked {
    numbers: Vec<u8>,
    /// So many rows were written before the data ended.
    rows: usize,
}

fn unpack(packed: &[u8], bits: u8, width: usize, height: usize) -> Unpacked {
    let mut numbers = vec![0; width * height];
    let (mut x, mut y, mut rest) = (0, 0, packed);
    let number = |byte: u8, index: usize| match (bits, index % 2) {
        (4, 0) => byte >> 4,
        (4, _) => byte & 15,
        _ => byte,
    };
    let mut put = |x: &mut usize, y: usize, number: u8| {
        if *x < width && y < height {
            numbers[y * width + *x] = number;
        }
        *x += 1;
    };
    while y < height
        && let [count, value, after @ ..] = rest
    {
        rest = after;
        match (*count, *value) {
            (0, 0) => (x, y) = (0, y + 1),
            // The end: what was not written is of the first colour.
            (0, 1) => y = height,
            (0, 2) => {
                let [right, up, after @ ..] = rest else { break };
                (x, y, rest) = (x + usize::from(*right), y + usize::from(*up), after);
            }
            (0, count) => {
                let count = usize::from(count);
                let bytes = (count * usize::from(bits)).div_ceil(8);
                let Some((stands, after)) = rest.split_at_checked(bytes) else { break };
                for index in 0..count {
                    put(&mut x, y, number(stands[index * usize::from(bits) / 8], index));
                }
                // Pairs of bytes begin at even places.
                rest = after.get(bytes % 2..).unwrap_or_default();
            }
            (count, value) => {
                (0..usize::from(count)).for_each(|index| put(&mut x, y, number(value, index)));
            }
        }
    }
    // A last row that is full needs no end.
    let rows = if y < height && x >= width { y + 1 } else { y };
    Unpacked { numbers, rows: rows.min(height) }
}
