//! TIFF: its first page is decoded, whatever the layout of its samples; one page is written.
//!
//! Uses: codec, error, pixels, word.

mod decode;
mod directory;
mod encode;
mod fax;
mod layout;
mod metadata;
mod outline;
mod packed;
mod params;
mod samples;

use bytes::Bytes;
use mediaflow_core::media::{Format, Image, MediaInfo, Medium};
use mediaflow_core::plan::Demand;
use mediaflow_core::reader::FormatSpec;
use mediaflow_core::{Limits, Operation, Result, RunContext, schema_of};
use schemars::Schema;

pub use params::{Tiff, TiffCompression};

use crate::codec::{Codec, Header, PICTURES, Reading, Rows, Walk, encoded};
use crate::word::{Compile, Encoder, View, Word};

/// TIFF, with the codec of the files that its strips and tiles may be.
#[derive(Debug)]
pub(super) struct TiffCodec(pub(super) &'static dyn Codec);

impl Codec for TiffCodec {
    fn format(&self) -> Format {
        Format::TIFF
    }

    /// Also with places of 8 bytes, which core does not know.
    fn spec(&self) -> FormatSpec {
        FormatSpec::new(Format::TIFF).sniffed(|head| {
            head.starts_with(b"II\x2B\0\x08\0") || head.starts_with(b"MM\0\x2B\0\x08")
        })
    }

    fn probe(&self, walk: &mut Walk, limits: &Limits) -> Result<Header> {
        outline::read(walk, limits).map(|outline| outline.header)
    }

    fn by_rows(&self, _info: &MediaInfo) -> bool {
        true
    }

    fn rows(
        &self,
        bytes: &Bytes,
        _header: &Header,
        to: &mut dyn Rows,
        reading: &Reading<'_>,
    ) -> Result<()> {
        decode::rows(bytes, self.0, to, reading)
    }

    /// A few rows: what strips and tiles take is in the header.
    fn memory(&self, _bytes: u64, _pixels: u64, _eighths: u32) -> u64 {
        0
    }

    fn word(&self) -> Option<Word> {
        Some(Word::of::<Tiff>())
    }
}

impl Operation for Tiff {
    const KIND: &'static str = "tiff";
    const MEDIA: &'static [Medium] = PICTURES;

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Still
    }

    fn writes(&self) -> Option<Format> {
        Some(Format::TIFF)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        encoded(inputs, Format::TIFF)
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Compile for Tiff {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::file(*self)]
    }
}

impl Encoder for Tiff {
    fn format(&self) -> Format {
        Format::TIFF
    }

    fn explain(&self) -> String {
        match self.compression {
            TiffCompression::Deflate => "tiff, deflate".to_owned(),
            TiffCompression::None => "tiff, not packed".to_owned(),
        }
    }

    /// The file, which may double while it grows.
    fn memory(&self, pixels: u64) -> u64 {
        pixels * 4
    }

    fn encode(&self, image: Image, cx: &RunContext) -> Result<Vec<u8>> {
        encode::encode(&image, self, cx)
    }
}
