//! GIF: its first frame is decoded, and none is written.
//!
//! Uses: codec, error.

mod decode;
mod outline;

use bytes::Bytes;
use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Limits, Result};

use crate::codec::{Codec, Header, Reading, Walk};

#[derive(Debug)]
pub(super) struct GifCodec;

impl Codec for GifCodec {
    fn format(&self) -> Format {
        Format::GIF
    }

    fn probe(&self, walk: &mut Walk, limits: &Limits) -> Result<Header> {
        outline::read(walk, limits).map(|outline| outline.header)
    }

    fn decode(
        &self,
        bytes: &Bytes,
        _header: &Header,
        _eighths: u32,
        reading: &Reading<'_>,
    ) -> Result<Image> {
        decode::decode(bytes, reading)
    }

    /// The numbers of the colours, and their packed form, beside the canvas.
    fn memory(&self, _bytes: u64, pixels: u64, _eighths: u32) -> u64 {
        2 * pixels
    }
}
