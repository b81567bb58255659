//! What a format is: the contract of the files in `formats`, and what they share.
//!
//! Uses: error, pixels, word.

#[cfg(feature = "bitmaps")]
pub(crate) mod dib;
pub(crate) mod exif;
pub(crate) mod fields;
mod fitting;
mod header;
pub(crate) mod iptc;
pub(crate) mod lzw;
mod metadata;
mod read;
mod reading;
mod rows;
mod said;
mod walk;
pub(crate) mod xmp;

use std::fmt;

use bytes::Bytes;
use mediaflow_core::media::{Blob, Format, Image, MediaInfo, Medium};
use mediaflow_core::plan::Demand;
use mediaflow_core::reader::FormatSpec;
use mediaflow_core::{Error, Limits, Result, codes};

pub(crate) use fitting::{check_side, fitting, too_large};
pub(crate) use header::Header;
pub use mediaflow_core::media::MetadataPolicy;
pub(crate) use metadata::{credited, kept};
pub(crate) use read::Cancellable;
pub(crate) use reading::Reading;
use rows::Whole;
#[cfg(feature = "bitmaps")]
pub(crate) use rows::each_row;
pub(crate) use rows::{Nothing, Rows, block, hand_on};
pub(crate) use said::Said;
pub(crate) use walk::Walk;

use crate::word::Word;

/// One format of files: how it is recognised, looked into and decoded, and the word that writes it, if there is one.
///
/// Every limit that a header can break is checked by [`Codec::probe`], before a decoder sees the file. It reads a few bytes
/// of each part and seeks over the rest, so that a chunk that claims a gigabyte costs nothing.
pub(crate) trait Codec: fmt::Debug + Send + Sync {
    /// Its name.
    fn format(&self) -> Format;

    /// Its media type, and how it is recognised. Default: as core knows it.
    fn spec(&self) -> FormatSpec {
        FormatSpec::new(self.format())
    }

    /// Reads the header, without decoding. What the picture lacks behind it is for [`Codec::decode`] to tell.
    fn probe(&self, walk: &mut Walk, limits: &Limits) -> Result<Header>;

    /// Decodes the first frame, at so many eighths of its size, among those that [`Codec::eighths`] gives. Pixels as they are
    /// stored: not yet upright, not yet sRGB, with the metadata beside them. Damage beside the picture is a warning. Damage in
    /// it is an error: a grey lower half is never a success, unless damage is accepted; then it is a warning that says how
    /// much is missing. Default: by its rows.
    fn decode(
        &self,
        bytes: &Bytes,
        header: &Header,
        _eighths: u32,
        reading: &Reading<'_>,
    ) -> Result<Image> {
        let mut whole = Whole::default();
        self.rows(bytes, header, &mut whole, reading)?;
        whole.into_image()
    }

    /// Whether the rows of such a file come one by one, so that no more than a few are ever in memory. Default: they do not.
    fn by_rows(&self, _info: &MediaInfo) -> bool {
        false
    }

    /// Decodes the first frame as [`Codec::decode`] does, in full, and hands on its rows. Default: once it has all of them. A codec
    /// has one of both.
    fn rows(
        &self,
        bytes: &Bytes,
        header: &Header,
        to: &mut dyn Rows,
        reading: &Reading<'_>,
    ) -> Result<()> {
        hand_on(&self.decode(bytes, header, 8, reading)?, to, reading.cx)
    }

    /// At how many eighths of its stored size a picture is decoded of which so much is wanted. Default: all of it.
    fn eighths(&self, _size: (u32, u32), _wanted: Demand) -> u32 {
        8
    }

    /// Whether a decode at less than the full size averages pixels, which dims fine detail.
    fn averages(&self) -> bool {
        false
    }

    /// Bytes that decoding takes beside the file and the pixels, for so many bytes of pixels, and so many pixels, at so many
    /// eighths of the size.
    fn memory(&self, bytes: u64, pixels: u64, eighths: u32) -> u64;

    /// What a decode at so many eighths of the size has of its own, for people, with a blank before it. Default: nothing.
    fn tells(&self, _eighths: u32) -> &'static str {
        ""
    }

    /// Bytes that it takes beside all that where it decodes parts of a picture at the same time, at so many eighths of its size and
    /// for so many bytes of pixels. Default: it does not.
    fn memory_in_parts(&self, _info: &MediaInfo, _eighths: u32, _bytes: u64) -> u64 {
        0
    }

    /// The word that writes it.
    fn word(&self) -> Option<Word> {
        None
    }
}

/// What becomes a still: of an animation its first frame.
pub(crate) const PICTURES: &[Medium] = &[Medium::Still, Medium::Animation];

/// What an encoder makes of its input.
pub(crate) fn encoded(inputs: &[MediaInfo], format: Format) -> Result<MediaInfo> {
    let input = inputs.first().filter(|input| input.pixels() > 0).ok_or_else(|| {
        Error::input(codes::MEDIA_NO_PICTURE, "there is no picture to write")
            .with("format", &format)
    })?;
    let info = MediaInfo::still(format, input.width, input.height);
    Ok(info.with_channels(input.channels).with_estimated(input.estimated))
}

/// Reads the header of a file in the format of this codec.
pub(crate) fn probe(codec: &dyn Codec, blob: &Blob, limits: &Limits) -> Result<Header> {
    let mut walk = Walk::new(blob, codec.format())?;
    codec.probe(&mut walk, limits)?.check(limits)
}
