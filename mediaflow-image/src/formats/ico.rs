//! Icons and cursors of Windows: the largest of the pictures in such a file.

use bytes::Bytes;
use mediaflow_core::media::{Blob, Format, MediaInfo, Metadata};
use mediaflow_core::{Limits, Result};

use crate::codec::dib::{self, Dib, HEAD};
use crate::codec::{self, Codec, Header, Reading, Rows, Walk, each_row};
use crate::error::truncated;
use crate::pixels::Shape;

/// Icons, with the codec of the files that the larger ones are.
#[derive(Debug)]
pub(super) struct IcoCodec(pub(super) &'static dyn Codec);

const NAME: Format = Format::ICO;

/// Where the largest picture is, and its length.
fn largest(walk: &mut Walk) -> Result<(u64, u64)> {
    let (zero, kind, count) = (walk.u16_le()?, walk.u16_le()?, walk.u16_le()?);
    if zero != 0 || !matches!(kind, 1 | 2) {
        return Err(walk.corrupt("the signature is damaged"));
    }
    let mut found: Option<((u32, u16), u64, u64)> = None;
    for _ in 0..count {
        let [width, height, _, _] = walk.array::<4>()?;
        // A side of 256 pixels is written as zero. Of a cursor the depth is a place, and no more than a tie is decided by it.
        let side = |side: u8| if side == 0 { 256 } else { u32::from(side) };
        walk.u16_le()?;
        let depth = walk.u16_le()?;
        let (len, at) = (walk.u32_le()?, walk.u32_le()?);
        let better = (side(width) * side(height), depth);
        if found.is_none_or(|(best, ..)| better > best) {
            found = Some((better, u64::from(at), u64::from(len)));
        }
    }
    let (_, at, len) = found.ok_or_else(|| walk.corrupt("there is no picture in it"))?;
    Ok((at, len))
}

/// A picture without a file around it: above the rows of a mask, which are counted in its height.
fn bitmap(bytes: &[u8]) -> Result<Dib> {
    let mut dib = Dib::read(&bytes[..bytes.len().min(HEAD)], &NAME)?.with_alpha();
    dib.height /= 2;
    Ok(dib)
}

impl IcoCodec {
    /// Whether a picture is a file of the other format.
    fn is_inner(&self, bytes: &[u8]) -> bool {
        Format::sniff(bytes) == Some(self.0.format())
    }
}

impl Codec for IcoCodec {
    fn format(&self) -> Format {
        NAME
    }

    fn probe(&self, walk: &mut Walk, limits: &Limits) -> Result<Header> {
        let (at, len) = largest(walk)?;
        limits.check_metadata(len)?;
        walk.go(at)?;
        if at > walk.at() + walk.left() {
            return Err(truncated(&NAME));
        }
        let len = len.min(walk.left());
        let bytes = walk.bytes(usize::try_from(len).unwrap_or(usize::MAX))?;
        if self.is_inner(&bytes) {
            let inner = codec::probe(self.0, &Blob::bytes(bytes), limits)?;
            return Ok(Header { format: NAME, ..inner });
        }
        let dib = bitmap(&bytes)?;
        let mut header = Header::new(NAME);
        (header.width, header.height, header.channels) = (dib.width, dib.height, 4);
        header.decoder_bytes = dib.memory();
        Ok(header)
    }

    fn by_rows(&self, info: &MediaInfo) -> bool {
        self.0.by_rows(info)
    }

    fn rows(
        &self,
        bytes: &Bytes,
        header: &Header,
        to: &mut dyn Rows,
        reading: &Reading<'_>,
    ) -> Result<()> {
        let mut walk = Walk::new(&Blob::bytes(bytes.clone()), NAME)?;
        let (at, len) = largest(&mut walk)?;
        let at = usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
        let len = usize::try_from(len).unwrap_or(usize::MAX).min(bytes.len() - at);
        let bytes = bytes.slice(at..at + len);
        if self.is_inner(&bytes) {
            return self.0.rows(&bytes, header, to, reading);
        }
        let dib = bitmap(&bytes)?;
        let shape = Shape { width: dib.width, height: dib.height, channels: 4 };
        to.begin(shape, Metadata::default())?;
        let pixels = bytes.get(dib.pixels..).unwrap_or_default();
        let unpacked = dib.unpacked(pixels);
        let height = dib.height as usize;
        let mask = pixels.get(height.saturating_mul(dib.stride())..).unwrap_or_default();
        let stride = dib::stride(dib.width, 1);
        let mut colours = vec![0; 3 * dib.width as usize];
        each_row(shape, to, reading, truncated(&NAME), |y, row| {
            if dib.has_alpha() {
                return dib.row(pixels, None, y, row);
            }
            let is_there = dib.row(pixels, unpacked.as_ref(), y, &mut colours);
            let mask = mask.get((height - 1 - y) * stride..).unwrap_or_default();
            let pairs = row.chunks_exact_mut(4).zip(colours.chunks_exact(3));
            for (x, (to, colour)) in pairs.enumerate() {
                let hidden = dib::number(mask, x, 1) == 1;
                to[..3].copy_from_slice(colour);
                to[3] = if hidden { 0 } else { 255 };
            }
            is_there
        })
    }

    fn memory(&self, bytes: u64, pixels: u64, eighths: u32) -> u64 {
        self.0.memory(bytes, pixels, eighths)
    }
}
