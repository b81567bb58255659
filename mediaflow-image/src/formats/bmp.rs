//! BMP: bitmaps of Windows and OS/2.

use bytes::Bytes;
use mediaflow_core::media::{Format, MediaInfo, Metadata};
use mediaflow_core::{Limits, Result};

use crate::codec::dib::{Dib, HEAD};
use crate::codec::{Codec, Header, Reading, Rows, Walk, each_row};
use crate::error::{corrupt, truncated};
use crate::pixels::Shape;

#[derive(Debug)]
pub(super) struct BmpCodec;

const NAME: Format = Format::BMP;

/// Bytes in front of the header.
const FRONT: usize = 14;

/// The header, and where the pixels begin.
fn read(head: &[u8]) -> Result<(Dib, usize)> {
    if !head.starts_with(b"BM") {
        return Err(corrupt(&NAME, "the signature is damaged"));
    }
    let dib = Dib::read(head.get(FRONT..).unwrap_or_default(), &NAME)?;
    let said = head.get(10..).and_then(|rest| rest.first_chunk());
    let said = said.map_or(0, |place| u32::from_le_bytes(*place));
    let pixels = usize::try_from(said).ok().filter(|place| *place > FRONT);
    let pixels = pixels.unwrap_or(FRONT + dib.pixels);
    Ok((dib, pixels))
}

impl Codec for BmpCodec {
    fn format(&self) -> Format {
        NAME
    }

    fn probe(&self, walk: &mut Walk, limits: &Limits) -> Result<Header> {
        let len = usize::try_from(walk.left()).unwrap_or(HEAD).min(HEAD);
        let (dib, _) = read(&walk.bytes(len)?)?;
        limits.check_metadata(dib.profile.map_or(0, |(_, len)| len as u64))?;
        let mut header = Header::new(NAME);
        (header.width, header.height) = (dib.width, dib.height);
        header.channels = if dib.has_alpha() { 4 } else { 3 };
        header.icc = dib.profile.is_some();
        header.decoder_bytes = dib.memory();
        Ok(header)
    }

    fn by_rows(&self, _info: &MediaInfo) -> bool {
        true
    }

    fn rows(
        &self,
        bytes: &Bytes,
        header: &Header,
        to: &mut dyn Rows,
        reading: &Reading<'_>,
    ) -> Result<()> {
        let (dib, pixels) = read(&bytes[..bytes.len().min(HEAD)])?;
        let mut metadata = Metadata::default();
        if let Some((at, len)) = dib.profile {
            let (start, end) =
                (FRONT.saturating_add(at), FRONT.saturating_add(at).saturating_add(len));
            metadata.icc = bytes.get(start..end).map(|profile| bytes.slice_ref(profile));
            if metadata.icc.is_none() {
                reading.warn("its colour profile is missing, and was ignored");
            }
        }
        let (width, height, channels) = (header.width, header.height, header.channels);
        let shape = Shape { width, height, channels };
        to.begin(shape, metadata)?;
        let pixels = bytes.get(pixels..).unwrap_or_default();
        let unpacked = dib.unpacked(pixels);
        each_row(shape, to, reading, truncated(&NAME), |y, row| {
            dib.row(pixels, unpacked.as_ref(), y, row)
        })
    }

    /// A few rows; the numbers of packed pixels are in the header.
    fn memory(&self, _bytes: u64, _pixels: u64, _eighths: u32) -> u64 {
        0
    }
}
