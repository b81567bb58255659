//! The formats: one file, or one folder, for each. Here they are registered, and nowhere else is one named.
//!
//! Uses: codec, error, pixels, word.

#[cfg(feature = "avif")]
mod avif;
#[cfg(feature = "bitmaps")]
mod bmp;
mod gif;
#[cfg(feature = "bitmaps")]
mod ico;
mod jpeg;
mod png;
#[cfg(feature = "bitmaps")]
mod pnm;
#[cfg(feature = "bitmaps")]
mod qoi;
#[cfg(feature = "tiff")]
mod tiff;
mod webp;

use mediaflow_core::media::{Blob, Format, Image, MediaFile, MediaInfo, Metadata};
use mediaflow_core::plan::Demand;
use mediaflow_core::reader::FormatSpec;
use mediaflow_core::spec::Chain;
use mediaflow_core::{Error, Limits, Result, RunContext, codes};

#[cfg(feature = "avif")]
pub use avif::Avif;
pub use gif::Gif;
pub use jpeg::{Chroma, Jpeg};
pub use png::Png;
#[cfg(feature = "bitmaps")]
pub use qoi::Qoi;
#[cfg(feature = "tiff")]
pub use tiff::{Tiff, TiffCompression};
pub use webp::Webp;

use crate::codec::{self, Codec, Header, Nothing, Reading, Rows};
use crate::pixels::Shape;
use crate::word::Word;

/// What is read here.
const CODECS: &[&dyn Codec] = &[
    #[cfg(feature = "avif")]
    &avif::AvifCodec,
    #[cfg(feature = "bitmaps")]
    &bmp::BmpCodec,
    &gif::GifCodec,
    #[cfg(feature = "bitmaps")]
    &ico::IcoCodec(&png::PngCodec),
    &jpeg::JpegCodec,
    &png::PngCodec,
    #[cfg(feature = "bitmaps")]
    &pnm::PnmCodec,
    #[cfg(feature = "bitmaps")]
    &qoi::QoiCodec,
    #[cfg(feature = "tiff")]
    &tiff::TiffCodec(&jpeg::JpegCodec),
    &webp::WebpCodec,
];

/// The image encoders as verbs of a [`Chain`]: each takes a quality, or the encoder with all of its settings.
///
/// ```
/// use mediaflow_core::geometry::Fit;
/// use mediaflow_core::ops::Resize;
/// use mediaflow_core::spec::Pipeline;
/// use mediaflow_image::{ImageEncoders, Jpeg};
///
/// let photo = Pipeline::from("uploads/cat.jpg")
///     .output("public/large.webp", |photo| photo.resize((1600, 1600, Fit::Inside)).webp(82))
///     .output("public/thumb.jpg", |photo| {
///         photo.resize(Resize::cover(320, 320).north()).jpeg(Jpeg::quality(78).progressive())
///     })
///     .build()?;
/// assert_eq!(photo.outputs.len(), 2);
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
pub trait ImageEncoders: Sized {
    /// As AVIF, at a quality from 1 to 100. See [`Avif`].
    #[cfg(feature = "avif")]
    #[must_use]
    fn avif(self, how: impl Into<Avif>) -> Self;
    /// As GIF, in 256 colours. For other settings give the [`Gif`] to [`Chain::then`].
    #[must_use]
    fn gif(self) -> Self;
    /// As JPEG, at a quality from 1 to 100. See [`Jpeg`].
    #[must_use]
    fn jpeg(self, how: impl Into<Jpeg>) -> Self;
    /// As PNG. For other settings give the [`Png`] to [`Chain::then`].
    #[must_use]
    fn png(self) -> Self;
    /// As QOI.
    #[cfg(feature = "bitmaps")]
    #[must_use]
    fn qoi(self) -> Self;
    /// As TIFF. For other settings give the [`Tiff`] to [`Chain::then`].
    #[cfg(feature = "tiff")]
    #[must_use]
    fn tiff(self) -> Self;
    /// As lossy WebP, at a quality from 1 to 100. See [`Webp`].
    #[must_use]
    fn webp(self, how: impl Into<Webp>) -> Self;
}

impl ImageEncoders for Chain {
    #[cfg(feature = "avif")]
    fn avif(self, how: impl Into<Avif>) -> Self {
        self.then(how.into())
    }

    fn gif(self) -> Self {
        self.then(Gif::new())
    }

    fn jpeg(self, how: impl Into<Jpeg>) -> Self {
        self.then(how.into())
    }

    fn png(self) -> Self {
        self.then(Png::new())
    }

    #[cfg(feature = "bitmaps")]
    fn qoi(self) -> Self {
        self.then(Qoi::new())
    }

    #[cfg(feature = "tiff")]
    fn tiff(self) -> Self {
        self.then(Tiff::new())
    }

    fn webp(self, how: impl Into<Webp>) -> Self {
        self.then(how.into())
    }
}

/// All formats, for the registry.
pub(crate) fn specs() -> Vec<FormatSpec> {
    CODECS.iter().map(|codec| codec.spec()).collect()
}

/// The encoders as words.
pub(crate) fn words() -> impl Iterator<Item = Word> {
    CODECS.iter().filter_map(|codec| codec.word())
}

/// The codec of a format.
pub(crate) fn of(format: &Format) -> Option<&'static dyn Codec> {
    CODECS.iter().copied().find(|codec| codec.format() == *format)
}

/// Reads the header of a file in one of the formats.
///
/// # Errors
/// `image.truncated`, `image.corrupt`, `image.unsupported`, `limit.*`, and what reading the blob can give.
pub(crate) fn probe(format: &Format, blob: &Blob, limits: &Limits) -> Result<Header> {
    codec::probe(known(format, blob)?, blob, limits)
}

/// Pixels as stored.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) image: Image,
    /// How many decoded pixels one stored pixel became: 1, or less after a scaled decode. The right and bottom edge may
    /// hold a part of a pixel.
    pub(crate) scale: f64,
    /// Whether it was made smaller by averaging.
    pub(crate) averaged: bool,
}

/// Decodes a file, at the smallest scale that satisfies `demand`.
///
/// # Errors
/// What [`probe`] gives, `image.truncated`, `image.corrupt`, `image.unsupported`, and `job.cancelled`.
pub(crate) fn decode(file: &MediaFile, demand: Demand, cx: &RunContext) -> Result<Decoded> {
    decode_unnamed(file, demand, cx).map_err(|e| e.with("source", file.name()))
}

fn decode_unnamed(file: &MediaFile, demand: Demand, cx: &RunContext) -> Result<Decoded> {
    let (blob, limits) = (file.blob(), cx.limits());
    let codec = known(file.format(), blob)?;
    let header = codec::probe(codec, blob, limits)?;
    let bytes = blob.read(limits.image_bytes)?;
    cx.check()?;
    let eighths = codec.eighths((header.width, header.height), demand);
    let reading = Reading::new(file, cx);
    let decoded = codec.decode(&bytes, &header, eighths, &reading);
    // A decoder that was interrupted reports a read error; the reason is the better news.
    let image = decoded.or_else(|error| cx.check().and(Err(error)))?;
    let mut metadata = image.metadata().clone();
    reading.fit_profile(&mut metadata, image.channels());
    Ok(Decoded {
        image: image.with_metadata(metadata),
        scale: f64::from(eighths) / 8.0,
        averaged: eighths < 8 && codec.averages(),
    })
}

/// Decodes a file in full, and hands on its rows.
///
/// # Errors
/// What [`decode`] gives, and what `to` gives.
pub(crate) fn rows(file: &MediaFile, to: &mut dyn Rows, cx: &RunContext) -> Result<()> {
    rows_unnamed(file, to, cx).map_err(|e| e.with("source", file.name()))
}

fn rows_unnamed(file: &MediaFile, to: &mut dyn Rows, cx: &RunContext) -> Result<()> {
    let (blob, limits) = (file.blob(), cx.limits());
    let codec = known(file.format(), blob)?;
    let header = codec::probe(codec, blob, limits)?;
    let bytes = blob.read(limits.image_bytes)?;
    cx.check()?;
    let reading = Reading::new(file, cx);
    let mut to = Fitting { to, reading };
    codec.rows(&bytes, &header, &mut to, &reading).or_else(|error| cx.check().and(Err(error)))
}

/// Leaves out a profile that does not fit the picture.
struct Fitting<'a> {
    to: &'a mut dyn Rows,
    reading: Reading<'a>,
}

impl Rows for Fitting<'_> {
    fn begin(&mut self, shape: Shape, mut metadata: Metadata) -> Result<()> {
        self.reading.fit_profile(&mut metadata, shape.channels);
        self.to.begin(shape, metadata)
    }

    fn rows(&mut self, rows: &[u8]) -> Result<()> {
        self.to.rows(rows)
    }
}

/// Reads every byte of a file, as cheaply as can be.
///
/// # Errors
/// What [`decode`] gives.
pub(crate) fn check(file: &MediaFile, info: &MediaInfo, cx: &RunContext) -> Result<()> {
    match of(file.format()) {
        Some(codec) if codec.by_rows(info) => rows(file, &mut Nothing, cx),
        _ => decode(file, Demand::NONE, cx).map(drop),
    }
}

fn known(format: &Format, blob: &Blob) -> Result<&'static dyn Codec> {
    if blob.is_empty() {
        return Err(Error::input(codes::MEDIA_EMPTY, "the file has no bytes")
            .help("the upload was probably cut off: send it again"));
    }
    of(format).ok_or_else(|| {
        let known: Vec<_> = CODECS.iter().map(|codec| codec.format().to_string()).collect();
        let known = known.join(", ");
        Error::unsupported(codes::IMAGE_FORMAT, "this format is not decoded here")
            .with("format", format)
            .help(format!("send a file in one of these: {known}"))
    })
}
