use bytes::Bytes;
use mediaflow_core::media::{Blob, Format, Image, Metadata};
use mediaflow_core::{Error, Result, codes};
use png::{BitDepth, DecodingError, InterlaceInfo, Reader, Transformations};

use super::outline::{Outline, read};
use crate::codec::{Cancellable, Header, Reading, Rows, Walk, block, credited};
use crate::error::{corrupt, truncated};
use crate::pixels::{Deep, Shape, fits};

pub(super) fn decode(bytes: &Bytes, header: &Header, reading: &Reading<'_>) -> Result<Image> {
    let outline = outline(bytes, reading)?;
    let made = made(bytes, &outline, None, reading)?;
    let metadata = metadata(&outline, made.converted);
    Ok(Image::new(header.width, header.height, made.channels, made.pixels)?.with_metadata(metadata))
}

/// The same, handed on row by row, of a picture that is not interlaced.
pub(super) fn rows(bytes: &Bytes, to: &mut dyn Rows, reading: &Reading<'_>) -> Result<()> {
    let outline = outline(bytes, reading)?;
    let mut made = made(bytes, &outline, Some(to), reading)?;
    made.fill(reading)
}

fn outline(bytes: &Bytes, reading: &Reading<'_>) -> Result<Outline> {
    let mut walk = Walk::new(&Blob::bytes(bytes.clone()), Format::PNG)?;
    let outline = read(&mut walk, reading.cx.limits(), true)?;
    for damage in &outline.damage {
        reading.warn(damage);
    }
    Ok(outline)
}

fn metadata(outline: &Outline, converted: bool) -> Metadata {
    let mut metadata = Metadata::default();
    let texts = &outline.texts;
    metadata.exif = outline.exif.clone().or_else(|| texts.exif.clone()).map(Bytes::from);
    metadata.xmp = texts.xmp.clone().map(Bytes::from);
    credited(&mut metadata, || texts.credit.clone());
    metadata.icc = outline.profile.clone().filter(|_| !converted).map(Bytes::from);
    metadata
}

fn made<'a>(
    bytes: &Bytes,
    outline: &Outline,
    to: Option<&'a mut dyn Rows>,
    reading: &Reading<'_>,
) -> Result<Made<'a>> {
    let given = if outline.mend { mended(bytes, outline) } else { bytes.clone() };
    let mut made = Made::of(&given, outline, false, to, reading)?;
    if made.is_broken() && outline.beside && !outline.mend {
        let to = made.to.take();
        let mut again = Made::of(&mended(bytes, outline), outline, false, to, reading)?;
        if !again.is_broken() {
            reading.warn("a chunk beside its picture breaks the rules, and was passed over");
            made = again;
        } else if let Some(to) = again.to.take() {
            // Its rows are those of the second try now.
            made = Made::of(&given, outline, false, Some(to), reading)?;
        }
    }
    match made.error.take() {
        Some(error) => mostly(made, error, &mended(bytes, outline), outline, reading),
        None => Ok(made),
    }
}

/// What becomes of a picture whose decoder ended with an error.
fn mostly<'a>(
    mut made: Made<'a>,
    error: DecodingError,
    mended: &[u8],
    outline: &Outline,
    reading: &Reading<'_>,
) -> Result<Made<'a>> {
    let cut = is_cut(&error);
    if made.is_full() && (cut || !made.in_pixels) {
        reading.warn("the end of the file is missing or damaged; all rows are there");
        return Ok(made);
    }
    let error = error_of(error);
    if !reading.accepts_damage() || error.code() == codes::LIMIT_IMAGE_BYTES {
        return Err(error);
    }
    // Without checksums it may come further.
    if !cut {
        made = Made::of(mended, outline, true, made.to.take(), reading)?;
    }
    reading.cx.check()?;
    if made.have == 0 {
        return Err(error);
    }
    reading.missing(made.of.saturating_sub(made.have), made.of, made.counted);
    Ok(made)
}

/// A picture as far as it could be decoded.
struct Made<'a> {
    channels: u8,
    /// All of them, or those of some rows if they are handed on.
    pixels: Vec<u8>,
    /// Bytes of a row.
    stride: usize,
    /// Who takes the rows, and what it has said.
    to: Option<&'a mut dyn Rows>,
    refused: Option<Error>,
    /// So many of so many rows, or samples of an interlaced picture.
    have: u64,
    of: u64,
    counted: &'static str,
    /// Whether the pixels are in sRGB already.
    converted: bool,
    /// Why it ended before the end of the file, and whether among the pixels.
    error: Option<DecodingError>,
    in_pixels: bool,
}

impl<'a> Made<'a> {
    /// # Errors
    /// What the taker of the rows gives. Those of the decoder are kept.
    fn of(
        bytes: &[u8],
        outline: &Outline,
        careless: bool,
        to: Option<&'a mut dyn Rows>,
        reading: &Reading<'_>,
    ) -> Result<Self> {
        let mut made = Self {
            channels: 0,
            pixels: Vec::new(),
            stride: 0,
            to,
            refused: None,
            have: 0,
            of: 1,
            counted: "row",
            converted: false,
            error: None,
            in_pixels: true,
        };
        made.error = made.read(bytes, outline, careless, reading).err();
        made.refused.take().map_or(Ok(made), Err)
    }

    fn is_full(&self) -> bool {
        self.have >= self.of
    }

    fn is_broken(&self) -> bool {
        self.error.as_ref().is_some_and(|error| !is_cut(error))
    }

    fn read(
        &mut self,
        bytes: &[u8],
        outline: &Outline,
        careless: bool,
        reading: &Reading<'_>,
    ) -> Result<(), DecodingError> {
        let cx = reading.cx;
        // Above the pixels, which the decoder does not count, it needs a row or two; a palette; and at worst a deflate
        // window for each row pass.
        let limits =
            png::Limits { bytes: usize::try_from(cx.limits().image_bytes).unwrap_or(usize::MAX) };
        let mut decoder = png::Decoder::new_with_limits(Cancellable::new(bytes, cx), limits);
        decoder.set_transformations(Transformations::EXPAND);
        decoder.set_ignore_text_chunk(true);
        decoder.set_ignore_iccp_chunk(true);
        decoder.ignore_checksums(careless);
        let mut reader = decoder.read_info()?;
        let (width, height) = reader.info().size();
        let (colour, depth) = reader.output_color_type();
        let samples = colour.samples();
        let too_large = || DecodingError::LimitsExceeded;
        self.channels = u8::try_from(samples).map_err(|_| too_large())?;
        let stride = (width as usize).checked_mul(samples).ok_or_else(too_large)?;
        self.stride = stride;
        let rows = match self.to {
            Some(_) => block(stride).min(height as usize),
            None => height as usize,
        };
        self.pixels = vec![0; stride.checked_mul(rows).ok_or_else(too_large)?];
        let mut deep = (depth == BitDepth::Sixteen).then(|| {
            let profile = outline.profile.as_deref();
            let profile = profile.filter(|profile| fits(profile, self.channels).is_ok());
            self.converted = profile.is_some();
            Deep::new(profile, self.channels)
        });
        let shape = Shape { width, height, channels: self.channels };
        let metadata = metadata(outline, self.converted);
        self.hand_on(|to| to.begin(shape, metadata))?;
        if reader.info().interlaced {
            (self.counted, self.of) = ("pixel", u64::from(width) * u64::from(height));
            self.passes(&mut reader, deep.as_mut(), stride)?;
        } else {
            self.of = u64::from(height);
            self.rows(&mut reader, deep.as_mut(), stride)?;
        }
        self.in_pixels = false;
        // Without the closing chunk the file was cut; what follows the still in an animation was looked at before.
        if outline.header.frames == 1 { reader.finish() } else { Ok(()) }
    }

    fn rows(
        &mut self,
        reader: &mut Reader<Cancellable<'_>>,
        mut deep: Option<&mut Deep>,
        stride: usize,
    ) -> Result<(), DecodingError> {
        let mut scratch = vec![0; if deep.is_some() { 2 * stride } else { stride }];
        let mut pixels = std::mem::take(&mut self.pixels);
        let mut read = Ok(());
        while read.is_ok() && self.have < self.of {
            let mut come = 0;
            let left = usize::try_from(self.of - self.have).unwrap_or(usize::MAX);
            for row in pixels.chunks_exact_mut(stride).take(left) {
                read = match &mut deep {
                    None => reader.read_row(row).map(drop),
                    Some(deep) => reader.read_row(&mut scratch).and_then(|_| {
                        Ok(deep.convert(&scratch, row).map_err(std::io::Error::other)?)
                    }),
                };
                if read.is_err() {
                    break;
                }
                come += 1;
            }
            self.have += come as u64;
            self.hand_on(|to| to.rows(&pixels[..come * stride]))?;
        }
        self.pixels = pixels;
        read?;
        // Reads what is left of the pixels, their checksums among it.
        reader.read_row(&mut scratch).map(drop)
    }

    /// Gives rows to who takes them. What that says is kept: the error of a decoder can not hold it.
    fn hand_on(
        &mut self,
        give: impl FnOnce(&mut dyn Rows) -> Result<()>,
    ) -> Result<(), DecodingError> {
        let given = self.to.as_mut().map(|to| give(&mut **to));
        let Some(Err(error)) = given else { return Ok(()) };
        let refused = std::io::Error::other("the rows were refused");
        self.refused = Some(error);
        Err(refused.into())
    }

    /// Empty rows in the place of those that are missing.
    fn fill(&mut self, reading: &Reading<'_>) -> Result<()> {
        let Some(to) = self.to.as_deref_mut() else { return Ok(()) };
        let row = vec![0; self.stride];
        for _ in self.have..self.of {
            reading.cx.check()?;
            to.rows(&row)?;
        }
        Ok(())
    }

    fn passes(
        &mut self,
        reader: &mut Reader<Cancellable<'_>>,
        mut deep: Option<&mut Deep>,
        stride: usize,
    ) -> Result<(), DecodingError> {
        let mut shallow = vec![0; stride];
        while let Some(row) = reader.next_interlaced_row()? {
            let InterlaceInfo::Adam7(place) = row.interlace() else { break };
            let row = match &mut deep {
                None => row.data(),
                Some(deep) => {
                    let shallow = &mut shallow[..row.data().len() / 2];
                    deep.convert(row.data(), shallow).map_err(std::io::Error::other)?;
                    shallow
                }
            };
            png::expand_interlaced_row(&mut self.pixels, stride, row, place, 8 * self.channels);
            self.have += row.len() as u64 / u64::from(self.channels.max(1));
        }
        Ok(())
    }
}

/// The file without what is not the picture.
fn mended(bytes: &[u8], outline: &Outline) -> Bytes {
    let mut mended = bytes.get(..8).unwrap_or_default().to_vec();
    for (from, to) in &outline.picture {
        let to = usize::try_from(*to).unwrap_or(usize::MAX).min(bytes.len());
        let from = usize::try_from(*from).unwrap_or(usize::MAX);
        mended.extend_from_slice(bytes.get(from..to).unwrap_or_default());
    }
    mended.into()
}

fn is_cut(error: &DecodingError) -> bool {
    matches!(error, DecodingError::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof)
}

fn error_of(error: DecodingError) -> Error {
    match error {
        error if is_cut(&error) => truncated(&Format::PNG),
        DecodingError::LimitsExceeded => Error::limit(
            codes::LIMIT_IMAGE_BYTES,
            "the PNG takes more memory to decode than is allowed",
        )
        .with("limit", "image_bytes")
        .help("send a smaller file, or raise `Limits::image_bytes`"),
        error => corrupt(&Format::PNG, "the picture can not be decoded").because(error),
    }
}
