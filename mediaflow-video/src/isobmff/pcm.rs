//! Sound that is not compressed, in MP4 and QuickTime: what its samples are, and where they lie.
//!
//! The index says both, and there is nothing to decode: demuxers that treat it like coded sound get its times wrong. Sources:
//! QuickTime File Format (sound sample descriptions, versions 0 to 2), ISO/IEC 23003-5 (`ipcm`, `fpcm`).

use super::boxes::{be16, be32, be64, boxes, find};
use super::tables::chunks;

/// Uncompressed sound.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pcm {
    pub(crate) sample: Sample,
    pub(crate) channels: u32,
    /// Frames, of one sample for each channel, in a second.
    pub(crate) rate: u32,
    /// Where the chunks begin in the file, and how many frames each has.
    pub(crate) chunks: Vec<(u64, u64)>,
}

/// One number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sample {
    pub(crate) bits: u32,
    pub(crate) float: bool,
    pub(crate) big_endian: bool,
    pub(crate) signed: bool,
}

impl Pcm {
    /// Bytes of one sample for each channel.
    pub(crate) fn frame(&self) -> u64 {
        u64::from(self.sample.bits / 8) * u64::from(self.channels)
    }

    /// Reads a sample entry, with its header, and the tables beside it; nothing if this sound is compressed.
    pub(super) fn read(entry: &[u8], stbl: &[u8]) -> Option<Self> {
        let kind: [u8; 4] = entry.get(4..8)?.try_into().ok()?;
        let version = be16(entry, 16)?;
        let (mut channels, mut bits) = (u32::from(be16(entry, 24)?), u32::from(be16(entry, 26)?));
        let mut rate = be32(entry, 32)? >> 16;
        let (mut flags, mut inner) = (0, 36);
        match version {
            0 => {}
            1 => inner = 52,
            _ => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "`as` saturates, which is wanted"
                )]
                let told = f64::from_bits(be64(entry, 40)?) as u32;
                rate = told;
                (channels, bits, flags) = (be32(entry, 48)?, be32(entry, 56)?, be32(entry, 60)?);
                inner = 72;
            }
        }
        let inner = entry.get(inner..).unwrap_or_default();
        let little = || is_little(inner);
        let int = |bits, big_endian| Sample { bits, float: false, big_endian, signed: true };
        let float = |bits, big_endian| Sample { bits, float: true, big_endian, signed: true };
        let sample = match &kind {
            b"sowt" => int(bits, false),
            b"twos" => int(bits, true),
            b"raw " | b"NONE" if bits == 8 => Sample { signed: false, ..int(8, true) },
            b"raw " | b"NONE" => int(bits, true),
            b"in24" => int(24, !little()),
            b"in32" => int(32, !little()),
            b"fl32" => float(32, !little()),
            b"fl64" => float(64, !little()),
            b"lpcm" => Sample {
                bits,
                float: flags & 1 != 0,
                big_endian: flags & 2 != 0,
                signed: flags & 5 != 0,
            },
            b"ipcm" | b"fpcm" => {
                let config = find(inner, *b"pcmC")?;
                let (little, bits) = (config.get(4)? & 1 != 0, u32::from(*config.get(5)?));
                if &kind == b"fpcm" { float(bits, !little) } else { int(bits, !little) }
            }
            _ => return None,
        };
        let bits_are_known = if sample.float {
            matches!(sample.bits, 32 | 64)
        } else {
            matches!(sample.bits, 8 | 16 | 24 | 32)
        };
        let is_sound = bits_are_known && rate > 0 && (1..=64).contains(&channels);
        let chunks: Vec<_> = chunks(stbl)?.collect();
        (is_sound && !chunks.is_empty()).then_some(Self { sample, channels, rate, chunks })
    }
}

/// Whether an `enda` box, here or in a `wave` box, says that the least byte comes first.
fn is_little(inner: &[u8]) -> bool {
    let says = |body: &[u8]| find(body, *b"enda").is_some_and(|enda| enda.get(1) == Some(&1));
    says(inner) || boxes(inner).any(|found| found.kind == *b"wave" && says(found.body))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrap(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
        [&(u32::try_from(body.len()).unwrap() + 8).to_be_bytes()[..], &kind, body].concat()
    }

    fn tables() -> Vec<u8> {
        let mut stsc = vec![0, 0, 0, 0, 0, 0, 0, 2];
        for (first, samples) in [(1_u32, 10_u32), (3, 4)] {
            stsc.extend([first.to_be_bytes(), samples.to_be_bytes(), [0, 0, 0, 1]].concat());
        }
        let stco = [0_u32, 3, 100, 200, 300].map(u32::to_be_bytes).concat();
        [wrap(*b"stsc", &stsc), wrap(*b"stco", &stco)].concat()
    }

    fn entry(kind: [u8; 4], bits: u16, rest: &[u8]) -> Vec<u8> {
        let mut body = vec![0; 8];
        body.extend([0; 8]);
        body.extend([2_u16.to_be_bytes(), bits.to_be_bytes(), [0; 2], [0; 2]].concat());
        body.extend((48_000_u32 << 16).to_be_bytes());
        body.extend(rest);
        wrap(kind, &body)
    }

    #[test]
    fn boxes_in_boxes_are_not_followed() {
        let level = |left: u32| [(left * 8).to_be_bytes(), *b"wave"].concat();
        let deep: Vec<u8> = (1..=100_000).rev().flat_map(level).collect();
        assert!(Pcm::read(&entry(*b"in24", 24, &deep), &tables()).is_some());
    }

    #[test]
    fn chunks_and_numbers_of_each_kind() {
        let pcm = Pcm::read(&entry(*b"sowt", 16, &[]), &tables()).unwrap();
        assert_eq!((pcm.rate, pcm.channels, pcm.frame()), (48_000, 2, 4));
        assert_eq!(pcm.chunks, [(100, 10), (200, 10), (300, 4)]);
        assert!(!pcm.sample.big_endian);
        let enda = wrap(*b"enda", &[0, 1]);
        let float = Pcm::read(&entry(*b"fl32", 16, &enda), &tables()).unwrap().sample;
        assert!(float.float && !float.big_endian && float.bits == 32);
        let eight = Pcm::read(&entry(*b"raw ", 8, &[]), &tables()).unwrap().sample;
        assert!(!eight.signed);
        assert_eq!(Pcm::read(&entry(*b"mp4a", 16, &[]), &tables()), None);
    }
}
