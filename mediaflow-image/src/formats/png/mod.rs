//! PNG.
//!
//! Uses: codec, error, pixels, word.

mod animation;
mod decode;
mod encode;
mod outline;
mod params;
mod text;

use bytes::Bytes;
use mediaflow_core::media::{Format, Image, MediaInfo, Medium};
use mediaflow_core::ops::check_range;
use mediaflow_core::plan::Demand;
use mediaflow_core::{Limits, Operation, Result, RunContext, schema_of};
use schemars::Schema;

pub use params::Png;

use crate::codec::{Codec, Header, PICTURES, Reading, Rows, Walk, encoded, hand_on};
use crate::word::{Compile, Encoder, View, Word};

#[derive(Debug)]
pub(super) struct PngCodec;

impl Codec for PngCodec {
    fn format(&self) -> Format {
        Format::PNG
    }

    fn probe(&self, walk: &mut Walk, limits: &Limits) -> Result<Header> {
        outline::read(walk, limits, false).map(|outline| outline.header)
    }

    fn decode(
        &self,
        bytes: &Bytes,
        header: &Header,
        _eighths: u32,
        reading: &Reading<'_>,
    ) -> Result<Image> {
        decode::decode(bytes, header, reading)
    }

    fn by_rows(&self, info: &MediaInfo) -> bool {
        !info.progressive
    }

    fn rows(
        &self,
        bytes: &Bytes,
        header: &Header,
        to: &mut dyn Rows,
        reading: &Reading<'_>,
    ) -> Result<()> {
        if header.progressive {
            return hand_on(&decode::decode(bytes, header, reading)?, to, reading.cx);
        }
        decode::rows(bytes, to, reading)
    }

    /// A few rows.
    fn memory(&self, _bytes: u64, _pixels: u64, _eighths: u32) -> u64 {
        0
    }

    fn word(&self) -> Option<Word> {
        Some(Word::of::<Png>())
    }
}

impl Operation for Png {
    const KIND: &'static str = "png";
    const ALIASES: &'static [&'static str] = &["image.png"];
    const MEDIA: &'static [Medium] = PICTURES;

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Still
    }

    fn writes(&self) -> Option<Format> {
        Some(Format::PNG)
    }

    fn validate(&self) -> Result<()> {
        check_range("effort", f64::from(self.effort), 0.0, 10.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        encoded(inputs, Format::PNG)
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Compile for Png {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::file(*self)]
    }
}

impl Encoder for Png {
    fn format(&self) -> Format {
        Format::PNG
    }

    fn explain(&self) -> String {
        format!("png, effort {}", self.effort)
    }

    fn memory(&self, pixels: u64) -> u64 {
        pixels * 2
    }

    fn encode(&self, image: Image, cx: &RunContext) -> Result<Vec<u8>> {
        encode::encode(&image, self, cx)
    }
}
