//! WebP.

use bytes::Bytes;
use enough::{Stop, StopReason};
use mediaflow_core::media::{Format, Image, MediaInfo, Medium, Metadata};
use mediaflow_core::ops::check_range;
use mediaflow_core::plan::Demand;
use mediaflow_core::{Error, Limits, Operation, Result, RunContext, schema_of};
use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use webpx::EncoderConfig;

use crate::codec::{
    Cancellable, Codec, Header, MetadataPolicy, PICTURES, Reading, Walk, check_side, encoded, exif,
    fitting, kept, too_large,
};
use crate::error::{self, corrupt, truncated, unsupported};
use crate::pixels::widen;
use crate::word::{Compile, Encoder, View, Word};

/// `webp`: encodes as WebP, lossy or lossless.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Webp {
    /// From 1 to 100; for lossless files, how hard they are compressed. Default 80.
    #[serde(default = "eighty")]
    pub quality: u8,
    /// Keep every pixel as it is. Default false.
    #[serde(default)]
    pub lossless: bool,
    /// How hard it is compressed, from 0 (fast) to 6 (small). Default 4.
    #[serde(default = "four")]
    pub effort: u8,
    /// The quality is lowered until the file has no more bytes than this. An error if it never does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// What of the metadata is written. Default `private`.
    #[serde(default)]
    pub metadata: MetadataPolicy,
}

impl Default for Webp {
    fn default() -> Self {
        Self::quality(eighty())
    }
}

impl Webp {
    /// Lossy, at this quality, from 1 to 100.
    #[must_use]
    pub fn quality(quality: u8) -> Self {
        Self {
            quality,
            lossless: false,
            effort: four(),
            max_bytes: None,
            metadata: MetadataPolicy::default(),
        }
    }

    /// Every pixel as it is.
    #[must_use]
    pub fn lossless() -> Self {
        Self { lossless: true, ..Self::default() }
    }

    /// With this effort, from 0 to 6.
    #[must_use]
    pub fn effort(mut self, effort: u8) -> Self {
        self.effort = effort;
        self
    }

    /// In no more bytes than this.
    #[must_use]
    pub fn max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = Some(bytes);
        self
    }

    /// With this metadata.
    #[must_use]
    pub fn metadata(mut self, policy: MetadataPolicy) -> Self {
        self.metadata = policy;
        self
    }
}

impl From<u8> for Webp {
    fn from(quality: u8) -> Self {
        Self::quality(quality)
    }
}

#[derive(Debug)]
pub(super) struct WebpCodec;

impl Codec for WebpCodec {
    fn format(&self) -> Format {
        Format::WEBP
    }

    fn probe(&self, walk: &mut Walk, limits: &Limits) -> Result<Header> {
        probe(walk, limits)
    }

    fn decode(
        &self,
        bytes: &Bytes,
        header: &Header,
        _eighths: u32,
        reading: &Reading<'_>,
    ) -> Result<Image> {
        decode(bytes, header, reading)
    }

    /// Planes of a lossy file, or the pixels of a lossless one with alpha.
    fn memory(&self, _bytes: u64, pixels: u64, _eighths: u32) -> u64 {
        4 * pixels
    }

    fn word(&self) -> Option<Word> {
        Some(Word::of::<Webp>())
    }
}

impl Operation for Webp {
    const KIND: &'static str = "webp";
    const ALIASES: &'static [&'static str] = &["image.webp"];
    const MEDIA: &'static [Medium] = PICTURES;

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Still
    }

    fn writes(&self) -> Option<Format> {
        Some(Format::WEBP)
    }

    fn validate(&self) -> Result<()> {
        check_range("quality", f64::from(self.quality), 1.0, 100.0)?;
        check_range("effort", f64::from(self.effort), 0.0, 6.0)
    }

    fn describe(&self, inputs: &[MediaInfo]) -> Result<MediaInfo> {
        let info = encoded(inputs, Format::WEBP)?;
        let channels = match info.channels {
            1 => 3,
            2 => 4,
            channels => channels,
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

impl Compile for Webp {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::file(*self)]
    }
}

impl Encoder for Webp {
    fn format(&self) -> Format {
        Format::WEBP
    }

    fn explain(&self) -> String {
        if self.lossless {
            "webp, lossless".to_owned()
        } else {
            format!("webp, quality {}", self.quality)
        }
    }

    /// What the library holds, and while the file is made smaller the best one so far.
    fn memory(&self, pixels: u64) -> u64 {
        pixels * if self.max_bytes.is_some() { 9 } else { 8 }
    }

    fn encode(&self, image: Image, cx: &RunContext) -> Result<Vec<u8>> {
        encode(image, self, cx)
    }
}

/// Reads the size, then seeks from chunk to chunk for metadata and frames. A file that breaks off in its pixels, or has none, is
/// an error: nothing of a picture can be shown before all of it is there.
fn probe(walk: &mut Walk, limits: &Limits) -> Result<Header> {
    if &walk.array::<4>()? != b"RIFF" {
        return Err(walk.corrupt("the signature is damaged"));
    }
    let size = u64::from(walk.u32_le()?);
    // Many files say a size that is not theirs; what matters is which chunks are whole.
    let end = walk.at() + size.min(walk.left());
    if &walk.array::<4>()? != b"WEBP" {
        return Err(walk.corrupt("the signature is damaged"));
    }
    let mut header = Header::new(walk.format().clone());
    header.frames = 0;
    let (mut metadata, mut pixels) = (0, false);
    while walk.at() + 8 <= end {
        let kind = walk.array::<4>()?;
        let len = u64::from(walk.u32_le()?);
        let next = walk.at() + len + (len & 1);
        if walk.at() + len > end {
            // What comes behind the pixels can be done without.
            let beside = pixels && !matches!(&kind, b"VP8 " | b"VP8L" | b"ANMF" | b"ALPH");
            if beside {
                break;
            }
            return Err(truncated(walk.format()));
        }
        pixels |= matches!(&kind, b"VP8 " | b"VP8L" | b"ANMF");
        match &kind {
            b"VP8 " | b"VP8L" | b"VP8X" if header.width == 0 => picture(walk, kind, &mut header)?,
            b"ANMF" => {
                header.frames += 1;
                limits.check_pixels(1, 1, header.frames)?;
            }
            b"ICCP" | b"EXIF" | b"XMP " => {
                metadata += len;
                limits.check_metadata(metadata)?;
                header.icc |= &kind == b"ICCP";
                if &kind == b"EXIF" {
                    let data = walk.bytes(usize::try_from(len).unwrap_or(usize::MAX))?;
                    header.orientation =
                        exif::orientation(data.strip_prefix(b"Exif\0\0").unwrap_or(&data));
                }
            }
            _ => {}
        }
        // The padding byte of the last chunk is missing in many files.
        walk.skip_to(next.min(end.max(walk.at())))?;
    }
    if !pixels {
        return Err(truncated(walk.format()));
    }
    header.frames = header.frames.max(1);
    Ok(header)
}

fn picture(walk: &mut Walk, kind: [u8; 4], header: &mut Header) -> Result<()> {
    match &kind {
        b"VP8X" => {
            let [flags, _, _, _] = walk.array::<4>()?;
            header.channels = if flags & 0x10 != 0 { 4 } else { 3 };
            let [w0, w1, w2, h0, h1, h2] = walk.array::<6>()?;
            header.width = u32::from_le_bytes([w0, w1, w2, 0]) + 1;
            header.height = u32::from_le_bytes([h0, h1, h2, 0]) + 1;
        }
        b"VP8L" => {
            if walk.u8()? != 0x2F {
                return Err(walk.corrupt("the lossless signature is damaged"));
            }
            let bits = walk.u32_le()?;
            header.width = (bits & 0x3FFF) + 1;
            header.height = ((bits >> 14) & 0x3FFF) + 1;
            header.channels = if bits >> 28 & 1 == 1 { 4 } else { 3 };
        }
        _ => {
            walk.skip(3)?;
            if walk.array::<3>()? != [0x9D, 0x01, 0x2A] {
                return Err(walk.corrupt("the picture does not begin with a key frame"));
            }
            header.width = u32::from(walk.u16_le()? & 0x3FFF);
            header.height = u32::from(walk.u16_le()? & 0x3FFF);
        }
    }
    Ok(())
}

/// The chunks of a WebP in memory: name and content.
fn chunks(bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let mut rest = bytes.get(12..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (kind, after) = rest.split_at_checked(4)?;
        let (len, after) = after.split_first_chunk::<4>()?;
        let len = usize::try_from(u32::from_le_bytes(*len)).ok()?;
        let data = after.get(..len)?;
        rest = after.get(len + (len & 1)..).unwrap_or_default();
        Some((kind, data))
    })
}

fn decode(bytes: &Bytes, header: &Header, reading: &Reading<'_>) -> Result<Image> {
    let cx = reading.cx;
    let bytes = &with_its_size(bytes, reading);
    let failed = |error| error_of(error, header);
    let mut decoder = image_webp::WebPDecoder::new(Cancellable::new(bytes, cx)).map_err(failed)?;
    let (width, height) = decoder.dimensions();
    // A canvas can be declared smaller here and larger in the frame.
    cx.limits().check_pixels(width, height, 1)?;
    let len = decoder
        .output_buffer_size()
        .ok_or_else(|| corrupt(&header.format, "the size is absurd"))?;
    let mut pixels = vec![0; len];
    decoder.read_image(&mut pixels).map_err(failed)?;
    let channels = if decoder.has_alpha() { 4 } else { 3 };
    Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata(bytes)))
}

/// The file with the size in its header that it has.
fn with_its_size(bytes: &Bytes, reading: &Reading<'_>) -> Bytes {
    let said = bytes.get(4..8).and_then(|size| size.try_into().ok()).map(u32::from_le_bytes);
    let Ok(size) = u32::try_from(bytes.len().saturating_sub(8)) else { return bytes.clone() };
    if said.is_none_or(|said| said <= size) {
        return bytes.clone();
    }
    reading.warn("the file is shorter than it says; its pixels are all there");
    let mut whole = bytes.to_vec();
    whole[4..8].copy_from_slice(&size.to_le_bytes());
    whole.into()
}

fn metadata(bytes: &Bytes) -> Metadata {
    let mut metadata = Metadata::default();
    for (kind, data) in chunks(bytes) {
        match kind {
            b"EXIF" => {
                let tiff = data.strip_prefix(b"Exif\0\0").unwrap_or(data);
                metadata.exif = Some(bytes.slice_ref(tiff));
            }
            b"ICCP" => metadata.icc = Some(bytes.slice_ref(data)),
            b"XMP " => metadata.xmp = Some(bytes.slice_ref(data)),
            _ => {}
        }
    }
    metadata
}

fn error_of(error: image_webp::DecodingError, header: &Header) -> Error {
    use image_webp::DecodingError as Webp;
    match error {
        Webp::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated(&header.format)
        }
        Webp::NotEnoughInitData => truncated(&header.format),
        Webp::UnsupportedFeature(what) => unsupported(&header.format, what),
        error => corrupt(&header.format, "the picture can not be decoded").because(error),
    }
}

fn encode(image: Image, how: &Webp, cx: &RunContext) -> Result<Vec<u8>> {
    check_side(&image, &Format::WEBP, 16_383)?;
    let kept = kept(image.metadata(), how.metadata);
    let image = widen(image, 3, cx)?;
    let config = || {
        let mut config =
            EncoderConfig::new().method(how.effort).lossless(how.lossless).thread_level(0);
        if let Some(profile) = &kept.icc {
            config = config.icc_profile(profile.to_vec());
        }
        if let Some(tiff) = &kept.exif {
            config = config.exif(tiff.to_vec());
        }
        if let Some(packet) = &kept.xmp {
            config = config.xmp(packet.to_vec());
        }
        config
    };
    let encode = |quality: u8| {
        let config = config().quality(f32::from(quality));
        let (width, height) = (image.width(), image.height());
        let encoder = match image.channels() {
            4 => webpx::Encoder::new_rgba(image.pixels(), width, height),
            _ => webpx::Encoder::new_rgb(image.pixels(), width, height),
        };
        encoder.config(config).encode(Poll(cx)).map_err(|e| refused(e, cx))
    };
    if !how.lossless {
        return fitting(how.max_bytes, how.quality, cx, encode);
    }
    let bytes = encode(how.quality)?;
    match how.max_bytes.filter(|max| bytes.len() as u64 > *max) {
        Some(max) => Err(too_large(bytes.len(), max)),
        None => Ok(bytes),
    }
}

/// Tells the encoder, after each row of blocks, whether the job was cancelled.
struct Poll<'a>(&'a RunContext);

impl Stop for Poll<'_> {
    fn check(&self) -> std::result::Result<(), StopReason> {
        self.0.check().map_err(|_| StopReason::Cancelled)
    }
}

fn refused(cause: impl std::fmt::Display, cx: &RunContext) -> Error {
    cx.check().err().unwrap_or_else(|| error::encode(&Format::WEBP, cause.to_string()))
}

fn eighty() -> u8 {
    80
}

fn four() -> u8 {
    4
}
