//! What each kind of work does with pictures that may be smaller than the plan counts with.

use mediaflow_core::geometry::Rect;
use mediaflow_core::media::{Blob, Facts, Image, Media, MediaFile, MediaInfo};
use mediaflow_core::ops::Kernel;
use mediaflow_core::{Error, Inputs, Result, RunContext, codes};

use super::work::{What, Work};
use crate::formats::decode;
use crate::pixels::{self, Bounds, Resample, srgb};
use crate::word::Encoder;

/// What a work has made.
#[derive(Clone)]
pub(super) enum Made {
    Picture(Picture),
    File(MediaFile),
    Facts(Facts),
}

/// What works have made, or why they have not, each by its index.
pub(super) type Results = Vec<(usize, Result<Made>)>;

#[derive(Clone)]
pub(super) struct Picture {
    pub(super) image: Image,
    /// Its pixels per pixel that the plan counts with, across and down.
    scale: (f64, f64),
    /// Whether its decoder has averaged pixels, and no resize has come since.
    averaged: bool,
}

/// Does a work. `taken` is what its works before it have made, `inputs` what the plan was given.
pub(super) fn make(
    work: &Work,
    taken: Vec<Picture>,
    inputs: &Inputs,
    cx: &RunContext,
) -> Result<Made> {
    if let What::Source { name, info } = &work.what {
        return source(work, name, info, inputs, cx).map(Made::Picture);
    }
    if let What::Copy { .. } = work.what {
        return copied(work, inputs, cx).map(Made::File);
    }
    if let What::Whole(whole) = &work.what {
        let averaged = taken.first().is_some_and(|picture| picture.averaged);
        let images = taken.into_iter().map(|picture| srgb(picture.image, cx));
        let image = whole.run(images.collect::<Result<_>>()?, cx)?;
        return Ok(Made::Picture(of(image, work, averaged)));
    }
    let picture = taken
        .into_iter()
        .next()
        .ok_or_else(|| Error::internal(codes::PLAN_NO_INPUT, "a work was given no picture"))?;
    let Picture { scale, averaged, .. } = picture;
    let made = match &work.what {
        What::Resample { .. } => {
            let size = (picture.image.width(), picture.image.height());
            let how = how(work, size, scale, averaged)?;
            of(resampled(picture, &how, cx)?, work, false)
        }
        What::Cut { crop } => of(cut(&picture, *crop, cx)?, work, averaged),
        What::Finish { turn, tones, canvas } => {
            let image = tones.apply(turn.apply(srgb(picture.image, cx)?, cx)?, cx)?;
            let image = match canvas {
                Some(canvas) => pixels::pad(image, canvas.size, canvas.offset, canvas.ground, cx)?,
                None => image,
            };
            of(image, work, averaged)
        }
        What::File(encoder) => {
            return encoded(&**encoder, work, picture.image, cx).map(Made::File);
        }
        What::Facts(finder) => {
            return finder.find(srgb(picture.image, cx)?, cx).map(Made::Facts);
        }
        What::Source { .. } | What::Whole(_) | What::Copy { .. } => picture,
    };
    Ok(Made::Picture(made))
}

/// What of a picture of this scale is resized, and to what.
pub(super) fn how(
    work: &Work,
    of: (u32, u32),
    scale: (f64, f64),
    averaged: bool,
) -> Result<Resample> {
    let What::Resample { crop, within, kernel, linear } = work.what else {
        return Err(Error::internal(codes::PLAN_UNCLAIMED, "this is no resize"));
    };
    let size = scaled(work.size, work.demand.as_scale());
    let crop = in_pixels(crop, scale);
    let within = within.map_or(Bounds::all(of), |within| inner(within, scale));
    let halved = averaged && scale == (0.5, 0.5);
    let crisp = halved && f64::from(size.0) >= 0.7 * crop.width;
    Ok(Resample { crop, within, size, kernel, linear, crisp })
}

/// The result of a resize that was made by rows.
pub(super) fn shrunk(image: Image, work: &Work, cx: &RunContext) -> Result<Picture> {
    Ok(of(srgb(image, cx)?, work, false))
}

/// The result of a work of whose source only a part is there, which begins at this place, and beyond which nothing is mixed in.
pub(super) fn of_part(
    image: Image,
    (left, top): (u32, u32),
    work: &Work,
    cx: &RunContext,
) -> Result<Picture> {
    if let What::Cut { .. } = work.what {
        return Ok(of(image, work, false));
    }
    let scale = (1.0, 1.0);
    let within = Bounds::all((image.width(), image.height()));
    let how = how(work, (image.width(), image.height()), scale, false)?;
    let Rect { x, y, .. } = how.crop;
    let crop = Rect { x: x - f64::from(left), y: y - f64::from(top), ..how.crop };
    let how = Resample { crop, within, ..how };
    let image = resampled(Picture { image, scale, averaged: false }, &how, cx)?;
    Ok(of(image, work, false))
}

fn of(image: Image, work: &Work, averaged: bool) -> Picture {
    Picture { scale: scale_of(&image, work.size), image, averaged }
}

fn source(
    work: &Work,
    name: &str,
    info: &MediaInfo,
    inputs: &Inputs,
    cx: &RunContext,
) -> Result<Picture> {
    let media = inputs.named(name).ok_or_else(|| {
        Error::internal(codes::PLAN_NO_INPUT, "an input was not given").with("source", name)
    })?;
    let picture = match media {
        Media::File(file) => {
            cx.count_decode();
            let decoded = decode(file, work.demand, cx)?;
            let scale = (decoded.scale, decoded.scale);
            Picture { image: decoded.image, scale, averaged: decoded.averaged }
        }
        Media::Image(image) => of(image.clone(), work, false),
        _ => {
            return Err(Error::unsupported(codes::MEDIA_NO_PICTURE, "the input is no picture")
                .with("source", name));
        }
    };
    let size = (picture.image.width(), picture.image.height());
    check_described(size, info).map_err(|e| e.with("source", name))?;
    Ok(picture)
}

/// The result of an encoder.
fn encoded(encoder: &dyn Encoder, work: &Work, image: Image, cx: &RunContext) -> Result<MediaFile> {
    Ok(file(encoder, work, encoder.encode(srgb(image, cx)?, cx)?))
}

/// A file that is named after the step of its encoder.
fn file(encoder: &dyn Encoder, work: &Work, bytes: Vec<u8>) -> MediaFile {
    let format = encoder.format();
    let step = work.steps.first().map_or("output", String::as_str);
    let name = format!("{step}.{}", format.extension());
    MediaFile::new(name, format, Blob::bytes(bytes))
}

/// What an encoder makes of a file as it stands. One that turns out to be damaged, or odd, goes the way of all others.
fn copied(work: &Work, inputs: &Inputs, cx: &RunContext) -> Result<MediaFile> {
    let What::Copy { name, info, part, encoder } = &work.what else {
        return Err(Error::internal(codes::PLAN_UNCLAIMED, "this is no copy"));
    };
    if let Some(Media::File(given)) = inputs.named(name)
        && let Some(bytes) = encoder.copy(given, part, cx)?
    {
        return Ok(file(&**encoder, work, bytes));
    }
    let Picture { image, .. } = source(work, name, info, inputs, cx)?;
    let Bounds { left, top, width, height } = part.crop;
    let image = pixels::crop(&image, (left, top), (width, height), cx)?;
    let image = part.turn.apply(srgb(image, cx)?, cx)?;
    let anew = encoded(&**encoder, work, image, cx)?;
    cx.warn(format!("`{name}` could not be copied without a loss, and was encoded anew"));
    Ok(anew)
}

/// Resamples, and brings to sRGB on whichever side has fewer pixels. What light a number stands for is known in sRGB only, and
/// grey with alpha is resampled as colour, to which its profile would not fit.
fn resampled(picture: Picture, how: &Resample, cx: &RunContext) -> Result<Image> {
    let area = how.crop.width * how.crop.height;
    if !is_converted_first(how.linear, picture.image.channels())
        && f64::from(how.size.0) * f64::from(how.size.1) <= area
    {
        let small = pixels::resample(&picture.image, how, cx)?;
        drop(picture);
        return srgb(small, cx);
    }
    pixels::resample(&srgb(picture.image, cx)?, how, cx)
}

/// Whether colours are brought to sRGB before a resize.
pub(super) fn is_converted_first(linear: bool, channels: u8) -> bool {
    linear || channels == 2
}

/// A part, not made smaller; in a scaled decode it may begin between two pixels.
fn cut(picture: &Picture, crop: Rect, cx: &RunContext) -> Result<Image> {
    let within = inner(crop, picture.scale);
    let crop = in_pixels(crop, picture.scale);
    let size = (side(crop.width), side(crop.height));
    let (kernel, linear, crisp) = (Kernel::Lanczos3, false, false);
    pixels::resample(&picture.image, &Resample { crop, within, size, kernel, linear, crisp }, cx)
}

/// The picture must have the shape that the plan was made for, if not the size: a crop box would lie elsewhere.
pub(super) fn check_described((width, height): (u32, u32), info: &MediaInfo) -> Result<()> {
    let (width, height) = (f64::from(width), f64::from(height));
    let said = info.stored_size();
    let (said_width, said_height) = (f64::from(said.0), f64::from(said.1));
    let (scale_x, scale_y) = (width / said_width, height / said_height);
    let off = (width - said_width * scale_y).abs().min((height - said_height * scale_x).abs());
    if off <= 1.5 {
        return Ok(());
    }
    Err(Error::internal(
        codes::PLAN_DESCRIBED,
        "the picture has another shape than was said before",
    )
    .with("said", format_args!("{}x{}", said.0, said.1))
    .with("is", format_args!("{width}x{height}"))
    .help("a custom step that changes the shape must say so in `Operation::describe`"))
}

fn scale_of(image: &Image, size: (u32, u32)) -> (f64, f64) {
    (f64::from(image.width()) / f64::from(size.0), f64::from(image.height()) / f64::from(size.1))
}

fn in_pixels(rect: Rect, (x, y): (f64, f64)) -> Rect {
    Rect { x: rect.x * x, y: rect.y * y, width: rect.width * x, height: rect.height * y }
}

/// The whole pixels of a picture at this scale that show nothing but this part; at least one.
pub(super) fn inner(part: Rect, scale: (f64, f64)) -> Bounds {
    let Rect { x, y, width, height } = in_pixels(part, scale);
    let ends = |start: f64, len: f64| match (ceil_from(start), floor(start + len)) {
        (first, end) if first < end => (first, end - first),
        _ => (floor(start), 1),
    };
    let ((left, width), (top, height)) = (ends(x, width), ends(y, height));
    Bounds { left, top, width, height }
}

fn scaled(size: (u32, u32), demand: f64) -> (u32, u32) {
    if demand >= 1.0 {
        return size;
    }
    (ceil(f64::from(size.0) * demand), ceil(f64::from(size.1) * demand))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn side(value: f64) -> u32 {
    (value.round() as u32).max(1)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn floor(value: f64) -> u32 {
    // A hair up: what the plan put on a pixel stays there.
    (value + 1e-6).floor() as u32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn ceil_from(value: f64) -> u32 {
    (value - 1e-6).ceil() as u32
}

fn ceil(value: f64) -> u32 {
    ceil_from(value).max(1)
}
