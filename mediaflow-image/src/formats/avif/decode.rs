use aom_decode::{Config, Decoder};
use bytes::Bytes;
use mediaflow_core::Result;
use mediaflow_core::media::{Blob, Format, Image, Metadata};

use super::items::Colours;
use super::light::Light;
use super::named;
use super::outline::{self, Outline, Picture};
use super::planes::{Planes, undecoded};
use super::stream;
use crate::codec::{Reading, Walk};
use crate::error::{corrupt, truncated};
use crate::pixels::{Deep, Shape, fits, to_byte, try_bands};

/// So many frames may be in the stream of a still, each a layer over the one before.
const LAYERS: u32 = 8;

/// Decodes the still of a file.
pub(super) fn decode(bytes: &Bytes, reading: &Reading<'_>) -> Result<Image> {
    let mut walk = Walk::new(&Blob::bytes(bytes.clone()), Format::AVIF)?;
    let outline = outline::read(&mut walk, reading.cx.limits())?;
    let (width, height) = outline.picture.size;
    let shape = Shape { width, height, channels: outline.header.channels };
    let len = usize::try_from(shape.bytes()).map_err(|_| absurd())?;
    let mut metadata = metadata(&outline, bytes, reading);
    let mut canvas = Canvas { shape, pixels: vec![255; len], numbers: Vec::new() };
    let mut finish = None;
    each(&outline.picture, bytes, outline.colours, reading, |planes, colours, place| {
        if planes.is_grey() != (shape.channels < 3) {
            return Err(corrupt(&Format::AVIF, "its colours are not those that it names"));
        }
        let finish = finish
            .get_or_insert_with(|| Finish::new(&outline, colours, shape, &mut metadata, reading));
        canvas.paint(planes, place, finish, reading)
    })?;
    if let Some(alpha) = &outline.alpha {
        if alpha.size != outline.picture.size {
            return Err(corrupt(&Format::AVIF, "its alpha is of another size"));
        }
        each(alpha, bytes, None, reading, |planes, _, place| canvas.alpha(planes, place, reading))?;
        if outline.multiplied {
            canvas.divide(reading)?;
        }
    }
    Ok(Image::new(width, height, shape.channels, canvas.pixels)?.with_metadata(metadata))
}

/// Decodes the streams of a picture, one after the other, and hands on each with what its numbers stand for, and its place.
fn each(
    picture: &Picture,
    bytes: &Bytes,
    said: Option<Colours>,
    reading: &Reading<'_>,
    mut take: impl FnMut(&mut Planes<'_>, Colours, (usize, usize)) -> Result<()>,
) -> Result<()> {
    let mut decoder = Decoder::new(&Config { threads: 1 }).map_err(|error| undecoded(&error))?;
    let (width, height) = picture.tile;
    for (number, place) in (0_u32..).zip(&picture.tiles) {
        reading.cx.check()?;
        let stream = place.read(bytes).ok_or_else(|| truncated(&Format::AVIF))?;
        let extent = stream::extent(&stream).ok_or_else(|| truncated(&Format::AVIF))?;
        if extent.width > width || extent.height > height || extent.frames > LAYERS {
            return Err(corrupt(&Format::AVIF, "there is more in the picture than the file says"));
        }
        let frame = decoder.decode_frame(&stream).map_err(|error| undecoded(&error))?;
        let colours = said.unwrap_or_else(|| Colours {
            primaries: frame.color_primaries().map_or(2, |primaries| primaries as u16),
            transfer: frame.transfer_characteristics().map_or(2, |transfer| transfer as u16),
            matrix: frame.matrix_coefficients().map_or(2, |matrix| matrix as u16),
            full: frame.range() == aom_decode::color::Range::Full,
        });
        let mut planes = Planes::new(&frame, colours)?;
        if planes.size() != (width as usize, height as usize) {
            return Err(corrupt(&Format::AVIF, "the picture is not as large as the file says"));
        }
        let (left, top) = (number % picture.across * width, number / picture.across * height);
        take(&mut planes, colours, (left as usize, top as usize))?;
    }
    Ok(())
}

/// The picture that is made.
struct Canvas {
    shape: Shape,
    pixels: Vec<u8>,
    numbers: Vec<[f32; 3]>,
}

impl Canvas {
    /// How much of a part lies in the picture: columns, and rows.
    fn visible(&self, planes: &Planes<'_>, (left, top): (usize, usize)) -> (usize, usize) {
        let (width, height) = planes.size();
        let inside = |size: u32, from: usize| (size as usize).saturating_sub(from);
        (inside(self.shape.width, left).min(width), inside(self.shape.height, top).min(height))
    }

    fn paint(
        &mut self,
        planes: &mut Planes<'_>,
        (left, top): (usize, usize),
        finish: &mut Finish,
        reading: &Reading<'_>,
    ) -> Result<()> {
        let (columns, rows) = self.visible(planes, (left, top));
        let (row, channels) = (self.shape.row_bytes(), usize::from(self.shape.channels));
        // A pixel takes about as long as sixteen that are only copied.
        try_bands(rows, 16 * row, reading.cx, |band| {
            for y in band {
                planes.colours(&mut self.numbers).ok_or_else(absurd)?;
                let numbers = self.numbers.get(..columns).ok_or_else(absurd)?;
                let to = (top + y) * row + left * channels;
                let to = self.pixels.get_mut(to..to + columns * channels).ok_or_else(absurd)?;
                finish.row(numbers, to, channels)?;
            }
            Ok(())
        })
    }

    fn alpha(
        &mut self,
        planes: &mut Planes<'_>,
        (left, top): (usize, usize),
        reading: &Reading<'_>,
    ) -> Result<()> {
        let (columns, rows) = self.visible(planes, (left, top));
        let (row, channels) = (self.shape.row_bytes(), usize::from(self.shape.channels));
        try_bands(rows, 4 * row, reading.cx, |band| {
            for y in band {
                let values = planes.luma().and_then(|row| row.get(..columns)).ok_or_else(absurd)?;
                let to = (top + y) * row + left * channels;
                let to = self.pixels.get_mut(to..to + columns * channels).ok_or_else(absurd)?;
                for (pixel, value) in to.chunks_exact_mut(channels).zip(values) {
                    pixel[channels - 1] = to_byte(value * 255.0);
                }
            }
            Ok(())
        })
    }

    /// Undoes a multiplication by alpha.
    fn divide(&mut self, reading: &Reading<'_>) -> Result<()> {
        let (row, channels) = (self.shape.row_bytes(), usize::from(self.shape.channels));
        try_bands(self.shape.height as usize, 4 * row, reading.cx, |band| {
            let part = &mut self.pixels[band.start * row..band.end * row];
            for pixel in part.chunks_exact_mut(channels) {
                if let Some((alpha, colours)) = pixel.split_last_mut()
                    && *alpha > 0
                {
                    let by = 255.0 / f32::from(*alpha);
                    colours.iter_mut().for_each(|value| *value = to_byte(f32::from(*value) * by));
                }
            }
            Ok(())
        })
    }
}

/// From numbers between 0 and 1 to bytes.
enum Finish {
    Plain,
    /// More than 8 bits with a profile: cut to 8 bits first, dark colours would fall together.
    Deep(Deep, Vec<u8>),
    Bright(Light),
}

impl Finish {
    /// What has to be done with numbers that stand for this. A profile that remains to be applied is put to the metadata.
    fn new(
        outline: &Outline,
        colours: Colours,
        shape: Shape,
        metadata: &mut Metadata,
        reading: &Reading<'_>,
    ) -> Self {
        let profile = outline.profile.as_ref();
        let colour = shape.channels >= 3;
        if profile.is_none()
            && colour
            && let Some(light) = Light::new(colours, outline.light)
        {
            reading.warn("its high dynamic range was brought down to that of sRGB");
            return Self::Bright(light);
        }
        let named = || named::profile(colours).filter(|_| colour).map(Bytes::from);
        let profile = profile.cloned().or_else(named);
        match profile {
            Some(profile) if outline.header.depth > 8 && fits(&profile, shape.channels).is_ok() => {
                Self::Deep(Deep::new(Some(&profile), shape.channels), Vec::new())
            }
            profile => {
                metadata.icc = profile;
                Self::Plain
            }
        }
    }

    fn row(&mut self, numbers: &[[f32; 3]], to: &mut [u8], channels: usize) -> Result<()> {
        let colours = if channels < 3 { 1 } else { 3 };
        match self {
            Self::Plain => {
                for (pixel, numbers) in to.chunks_exact_mut(channels).zip(numbers) {
                    for (value, number) in pixel.iter_mut().zip(&numbers[..colours]) {
                        *value = to_byte(number * 255.0);
                    }
                }
            }
            Self::Bright(light) => {
                for (pixel, numbers) in to.chunks_exact_mut(channels).zip(numbers) {
                    pixel[..3].copy_from_slice(&light.convert(*numbers));
                }
            }
            Self::Deep(deep, words) => {
                words.clear();
                for numbers in numbers {
                    for number in &numbers[..colours] {
                        words.extend(word(*number).to_be_bytes());
                    }
                    if channels > colours {
                        words.extend([u8::MAX; 2]);
                    }
                }
                deep.convert(words, to)?;
            }
        }
        Ok(())
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn word(number: f32) -> u16 {
    (number * 65_535.0 + 0.5) as u16
}

/// What is said beside the picture, as far as it can be read.
fn metadata(outline: &Outline, bytes: &Bytes, reading: &Reading<'_>) -> Metadata {
    let mut metadata = Metadata::default();
    metadata.xmp = outline.xmp.as_ref().and_then(|place| place.read(bytes));
    if let Some(block) = outline.exif.as_ref().and_then(|place| place.read(bytes)) {
        let (skip, rest) = block.split_first_chunk::<4>().unwrap_or((&[0; 4], &[]));
        let skip = usize::try_from(u32::from_be_bytes(*skip)).unwrap_or(usize::MAX);
        match rest
            .get(skip..)
            .filter(|tiff| matches!(tiff.first_chunk(), Some(b"II\x2A\0" | b"MM\0\x2A")))
        {
            Some(tiff) => metadata.exif = Some(block.slice_ref(tiff)),
            None => reading.warn("its EXIF is damaged, and was ignored"),
        }
    }
    metadata
}

fn absurd() -> mediaflow_core::Error {
    corrupt(&Format::AVIF, "the size is absurd")
}
