//! GIF: its first frame is decoded, and one frame is written.
//!
//! Uses: codec, pixels, word, error.

mod decode;
mod encode;
mod outline;
mod params;

use bytes::Bytes;
use mediaflow_core::media::{Format, Image, MediaInfo, Medium};
use mediaflow_core::ops::check_range;
use mediaflow_core::plan::Demand;
use mediaflow_core::{Limits, Operation, Result, RunContext, schema_of};
use schemars::Schema;

pub use params::Gif;

use crate::codec::{Codec, Header, PICTURES, Reading, Walk, encoded};
use crate::word::{Compile, Encoder, View, Word};

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

    fn word(&self) -> Option<Word> {
        Some(Word::of::<Gif>())
    }
}

impl Operation for Gif {
    const KIND: &'static str = "gif";
    const MEDIA: &'static [Medium] = PICTURES;

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Still
    }

    fn writes(&self) -> Option<Format> {
        Some(Format::GIF)
    }

    fn validate(&self) -> Result<()> {
        check_range("colors", f64::from(self.colors), 2.0, 256.0)?;
        check_range("dither", self.dither, 0.0, 1.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = encoded(inputs, Format::GIF)?;
        let channels = info.channels;
        Ok(info.with_channels(if channels < 3 { channels + 2 } else { channels }))
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Compile for Gif {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::file(*self)]
    }
}

impl Encoder for Gif {
    fn format(&self) -> Format {
        Format::GIF
    }

    fn explain(&self) -> String {
        format!("gif, {} colours", self.colors)
    }

    /// The picture in colour, its numbers, and the file, which may double while it grows; and what is counted of colours.
    fn memory(&self, pixels: u64) -> u64 {
        pixels * 8 + (8 << 20)
    }

    fn encode(&self, image: Image, cx: &RunContext) -> Result<Vec<u8>> {
        encode::encode(image, self, cx)
    }
}
