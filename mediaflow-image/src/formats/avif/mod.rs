//! AVIF: the still of a file is decoded, of one stream or of a grid of them; one still is written.
//!
//! Uses: codec, error, pixels, word.

mod boxes;
mod decode;
mod encode;
mod items;
mod light;
mod named;
mod outline;
mod params;
mod planes;
mod stream;
mod write;

use bytes::Bytes;
use mediaflow_core::media::{Format, Image, MediaInfo, Medium};
use mediaflow_core::ops::check_range;
use mediaflow_core::plan::Demand;
use mediaflow_core::reader::FormatSpec;
use mediaflow_core::{Limits, Operation, Result, RunContext, schema_of};
use schemars::Schema;

pub use params::Avif;

use crate::codec::{Codec, Header, PICTURES, Reading, Walk, encoded};
use crate::word::{Compile, Encoder, View, Word};

#[derive(Debug)]
pub(super) struct AvifCodec;

impl Codec for AvifCodec {
    fn format(&self) -> Format {
        Format::AVIF
    }

    /// Also files that are named for something else first, and for this as well.
    fn spec(&self) -> FormatSpec {
        FormatSpec::new(Format::AVIF).sniffed(|head| {
            let Some((b"ftyp", brands)) = boxes::boxes(head).next().as_ref().map(|(k, b)| (k, *b))
            else {
                return false;
            };
            // Behind the first one stands its version.
            let (brands, _) = brands.as_chunks::<4>();
            let named = |brand: &[u8; 4]| matches!(brand, b"avif" | b"avis");
            brands.iter().enumerate().any(|(place, brand)| place != 1 && named(brand))
        })
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

    /// Planes, once as decoded and once as filtered, and what is known of their blocks: 14 bytes were measured of 4:2:0 with 8 bits,
    /// 19 of 4:4:4 with more.
    fn memory(&self, _bytes: u64, pixels: u64, _eighths: u32) -> u64 {
        20 * pixels
    }

    fn word(&self) -> Option<Word> {
        Some(Word::of::<Avif>())
    }
}

impl Operation for Avif {
    const KIND: &'static str = "avif";
    const MEDIA: &'static [Medium] = PICTURES;

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Still
    }

    fn writes(&self) -> Option<Format> {
        Some(Format::AVIF)
    }

    fn validate(&self) -> Result<()> {
        check_range("quality", f64::from(self.quality), 1.0, 100.0)?;
        check_range("effort", f64::from(self.effort), 0.0, 9.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        encoded(inputs, Format::AVIF)
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Compile for Avif {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::file(*self)]
    }
}

impl Encoder for Avif {
    fn format(&self) -> Format {
        Format::AVIF
    }

    fn explain(&self) -> String {
        format!("avif, quality {}", self.quality)
    }

    /// What the library holds, of which 17 bytes were measured, and 30 with more effort; planes; and while the file is made smaller
    /// the best one so far.
    fn memory(&self, pixels: u64) -> u64 {
        pixels * if self.effort > 3 { 40 } else { 28 }
    }

    fn encode(&self, image: Image, cx: &RunContext) -> Result<Vec<u8>> {
        encode::encode(&image, self, cx)
    }
}
