//! What an AV1 stream says of itself, before its decoder sees it.

/// The largest frame that a stream may hold, by its sequence headers, and how many frames it has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extent {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) frames: u32,
}

const SEQUENCE: u8 = 1;
const FRAME_HEADER: u8 = 3;
const FRAME: u8 = 6;

/// Walks through the units of a stream; nothing if one of them ends before it is whole.
pub(super) fn extent(stream: &[u8]) -> Option<Extent> {
    let mut extent = Extent::default();
    let mut rest = stream;
    while let Some((head, after)) = rest.split_first() {
        let (kind, extended, sized) = (head >> 3 & 15, head & 4 != 0, head & 2 != 0);
        let after = after.get(usize::from(extended)..)?;
        let (len, after) = if sized { leb128(after)? } else { (after.len(), after) };
        let (unit, after) = after.split_at_checked(len)?;
        match kind {
            SEQUENCE => {
                let (width, height) = sequence(Bits { bytes: unit, at: 0 })?;
                extent.width = extent.width.max(width);
                extent.height = extent.height.max(height);
            }
            FRAME_HEADER | FRAME => extent.frames += 1,
            _ => {}
        }
        rest = after;
    }
    Some(extent)
}

/// The size of the largest frame in a sequence header.
fn sequence(mut bits: Bits<'_>) -> Option<(u32, u32)> {
    bits.take(3)?;
    bits.flag()?;
    if bits.flag()? {
        bits.take(5)?;
    } else {
        let mut model = None;
        if bits.flag()? {
            bits.take(32)?;
            bits.take(32)?;
            if bits.flag()? {
                bits.unary()?;
            }
            if bits.flag()? {
                model = Some(bits.take(5)? + 1);
                bits.take(32)?;
                bits.take(10)?;
            }
        }
        let delayed = bits.flag()?;
        for _ in 0..=bits.take(5)? {
            bits.take(12)?;
            if bits.take(5)? > 7 {
                bits.flag()?;
            }
            if let Some(len) = model
                && bits.flag()?
            {
                bits.take(len)?;
                bits.take(len)?;
                bits.flag()?;
            }
            if delayed && bits.flag()? {
                bits.take(4)?;
            }
        }
    }
    let (width, height) = (bits.take(4)? + 1, bits.take(4)? + 1);
    Some((bits.take(width)? + 1, bits.take(height)? + 1))
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(8).enumerate() {
        value |= u64::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, bytes.get(index + 1..)?));
        }
    }
    None
}

struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn flag(&mut self) -> Option<bool> {
        let byte = self.bytes.get(self.at / 8)?;
        let bit = byte >> (7 - self.at % 8) & 1;
        self.at += 1;
        Some(bit == 1)
    }

    /// A number of so many bits, 32 at most.
    fn take(&mut self, count: u32) -> Option<u32> {
        (0..count).try_fold(0, |sum, _| Some(sum << 1 | u32::from(self.flag()?)))
    }

    /// Passes over a number that is as long as the zeros before it.
    fn unary(&mut self) -> Option<()> {
        let mut zeros = 0;
        while !self.flag()? {
            zeros += 1;
        }
        for _ in 0..zeros {
            self.flag()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_tells_its_size_and_its_frames() {
        // Written by libaom: the head of a picture of 67 x 49 in the short form; and a frame of two bytes.
        let header = [0x12, 0, 0x0A, 9, 0x18, 0x19, 0x61, 0x60, 0xD1, 1, 0x0D, 6, 0x84];
        let mut stream = header.to_vec();
        stream.extend([0x32, 2, 0x12, 0xE3]);
        let found = extent(&stream).unwrap();
        assert_eq!(found, Extent { width: 67, height: 49, frames: 1 });
        // One that is cut.
        assert_eq!(extent(&stream[..stream.len() - 1]), None);
        assert_eq!(extent(&header[..5]), None);
    }
}
