//! JPEG. It is decoded by the transform of the file itself at the smallest scale that will do: at an eighth and a quarter
//! by a decoder of our own, which reads the means of blocks and little else, at other scales by one of everything.
//!
//! Uses: codec, error, pixels, word.

mod copy;
mod decode;
mod encode;
mod frame;
#[cfg(feature = "turbo")]
mod halves;
mod mend;
mod outline;
mod packet;
mod params;
mod probe;
#[cfg(not(feature = "turbo"))]
mod pure;
mod segment;
mod small;
mod strips;
#[cfg(feature = "turbo")]
mod turbo;

use bytes::Bytes;
use mediaflow_core::media::{Format, Image, MediaFile, MediaInfo, Medium};
use mediaflow_core::ops::check_range;
use mediaflow_core::plan::Demand;
use mediaflow_core::reader::FormatSpec;
use mediaflow_core::{Error, Limits, Operation, Result, RunContext, codes, schema_of};
use schemars::Schema;

pub use params::{Chroma, Jpeg};

#[cfg(not(feature = "turbo"))]
use pure as library;
#[cfg(feature = "turbo")]
use turbo as library;

use crate::codec::{Codec, Header, PICTURES, Reading, Walk, encoded};
use crate::word::{Compile, Encoder, Part, View, Word};

/// How much larger than what is wanted a smaller decode is at least. What the transform alone has made smaller is not as near to
/// an exact resize: by two points of SSIMULACRA2 on photos, where nothing is left, and by none from a tenth on.
const LEFT: f64 = 1.1;

#[derive(Debug)]
pub(super) struct JpegCodec;

impl Codec for JpegCodec {
    fn format(&self) -> Format {
        Format::JPEG
    }

    /// By two bytes, as libjpeg does: others may stand before the first segment.
    fn spec(&self) -> FormatSpec {
        FormatSpec::new(self.format()).sniffed(|head| head.starts_with(&[0xFF, segment::SOI]))
    }

    fn probe(&self, walk: &mut Walk, limits: &Limits) -> Result<Header> {
        probe::probe(walk, limits)
    }

    fn decode(
        &self,
        bytes: &Bytes,
        header: &Header,
        eighths: u32,
        reading: &Reading<'_>,
    ) -> Result<Image> {
        decode::decode(bytes, header, eighths, reading)
    }

    /// 1, 2, 4 or 8: the smallest that leaves something to the resize.
    fn eighths(&self, (width, height): (u32, u32), wanted: Demand) -> u32 {
        // The decoders round up: of a narrow picture nothing would be saved, and its shape would change.
        if width.min(height) < 64 {
            return 8;
        }
        let wanted = wanted.as_scale() * LEFT;
        [1_u32, 2, 4].into_iter().find(|n| f64::from(*n) / 8.0 >= wanted).unwrap_or(8)
    }

    fn averages(&self) -> bool {
        library::AVERAGES
    }

    fn memory(&self, bytes: u64, _pixels: u64, eighths: u32) -> u64 {
        // What ours does not take, another one does.
        let of_library = library::memory(bytes);
        if small::is_for(eighths) { small::memory(bytes).max(of_library) } else { of_library }
    }

    fn tells(&self, eighths: u32) -> &'static str {
        match eighths {
            1 => " by the means of its blocks",
            2 => " by the means of quarters of its blocks",
            _ => "",
        }
    }

    #[cfg(feature = "turbo")]
    fn memory_in_parts(&self, info: &MediaInfo, eighths: u32, bytes: u64) -> u64 {
        halves::memory(info, eighths, bytes)
    }

    fn word(&self) -> Option<Word> {
        Some(Word::of::<Jpeg>())
    }
}

impl Operation for Jpeg {
    const KIND: &'static str = "jpeg";
    const ALIASES: &'static [&'static str] = &["image.jpeg"];
    const MEDIA: &'static [Medium] = PICTURES;

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Still
    }

    fn writes(&self) -> Option<Format> {
        Some(Format::JPEG)
    }

    fn validate(&self) -> Result<()> {
        check_range("quality", f64::from(self.aim()), 1.0, 100.0)?;
        if self.background.is_opaque() {
            return Ok(());
        }
        Err(Error::input(codes::OP_BACKGROUND, "a ground to flatten on must be opaque")
            .with("background", self.background))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = encoded(inputs, Format::JPEG)?;
        let channels = match info.channels {
            0 => 0,
            1 => 1,
            2 if self.background.is_grey() => 1,
            _ => 3,
        };
        Ok(info.with_channels(channels))
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }

    fn schema() -> Option<Schema> {
        schema_of::<Self>()
    }
}

impl Compile for Jpeg {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::file(*self)]
    }
}

impl Encoder for Jpeg {
    fn format(&self) -> Format {
        Format::JPEG
    }

    fn explain(&self) -> String {
        format!("jpeg, quality {}", self.aim())
    }

    /// All coefficients, of two bytes each, and the file; while it is made smaller also the best one so far.
    fn memory(&self, pixels: u64) -> u64 {
        let samples = match self.chroma {
            Chroma::Quarter => pixels * 3 / 2,
            Chroma::Half => pixels * 2,
            Chroma::Full => pixels * 3,
        };
        2 * samples + if self.max_bytes.is_some() { 2 * pixels } else { pixels }
    }

    fn encode(&self, image: Image, cx: &RunContext) -> Result<Vec<u8>> {
        encode::encode(image, self, cx)
    }

    fn copies(&self, of: &MediaInfo, part: &Part) -> Option<&'static str> {
        copy::how(self, of, part)
    }

    fn copy(&self, file: &MediaFile, part: &Part, cx: &RunContext) -> Result<Option<Vec<u8>>> {
        copy::copy(self, file, part, cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_decode_leaves_something_to_the_resize() {
        let eighths = |scale| JpegCodec.eighths((4000, 3000), Demand::scale(scale));
        let found = [0.01, 0.113, 0.114, 0.227, 0.228, 0.454, 0.455, 1.0].map(eighths);
        assert_eq!(found, [1, 1, 2, 2, 4, 4, 8, 8]);
    }
}
