use mediaflow_core::geometry::Rect;
use mediaflow_core::media::{Format, Image, Media, MediaInfo};
use mediaflow_core::{Error, Failure, Inputs, Outputs, Result, RunContext};

use super::work::{Canvas, ImagePlan, What, Work};
use crate::decode::decode;
use crate::encode;
use crate::ops::{file, srgb};
use crate::pixels::{self, Resample};

/// Runs the works in order, on this thread. A work that fails takes along only those that hang on it.
pub(super) fn execute(plan: &ImagePlan, inputs: Inputs, cx: &RunContext) -> Result<Outputs> {
    let mut run = Run { inputs, slots: Vec::new(), uses: uses(plan), cx };
    for (done, work) in plan.works.iter().enumerate() {
        cx.check()?;
        let made = run.work(work);
        run.slots.push(match made {
            Ok(made) => Slot::Made(made),
            Err(error) => {
                cx.check()?;
                let error = work
                    .steps
                    .first()
                    .into_iter()
                    .fold(error, |error, step| error.with("step", step));
                Slot::Failed(Failure::from(&error), Some(error))
            }
        });
        #[expect(clippy::cast_precision_loss, reason = "a share for people")]
        cx.progress((done + 1) as f32 / plan.works.len() as f32);
    }
    run.outputs(plan)
}

/// How often the result of each work is taken.
fn uses(plan: &ImagePlan) -> Vec<usize> {
    let mut uses = vec![0; plan.works.len()];
    let taken = plan
        .works
        .iter()
        .flat_map(|work| &work.from)
        .chain(plan.exits.iter().map(|(_, index)| index));
    for index in taken {
        uses[*index] += 1;
    }
    uses
}

struct Run<'a> {
    inputs: Inputs,
    slots: Vec<Slot>,
    uses: Vec<usize>,
    cx: &'a RunContext,
}

enum Slot {
    Made(Made),
    /// The failure for everybody, the error with its cause for the first who asks.
    Failed(Failure, Option<Error>),
    /// Taken by the last who wanted it.
    Spent,
}

#[derive(Clone)]
enum Made {
    Picture(Picture),
    File(mediaflow_core::media::MediaFile),
}

#[derive(Clone)]
struct Picture {
    image: Image,
    /// Its pixels per pixel that the plan counts with, across and down.
    scale: (f64, f64),
}

impl Run<'_> {
    fn work(&mut self, work: &Work) -> Result<Made> {
        if let What::Source { name, info } = &work.what {
            return self.source(work, name, info).map(Made::Picture);
        }
        let picture = self.take(work.from[0])?;
        let cx = self.cx;
        let scale = picture.scale;
        let image = match &work.what {
            What::Resample { crop, kernel, linear } => {
                let size = scaled(work.size, work.demand.as_scale());
                let crop = in_pixels(*crop, scale);
                // libjpeg-turbo halves by averaging; the pure-Rust decoder cuts off frequencies, which loses nothing.
                let halved = cfg!(feature = "turbo") && scale == (0.5, 0.5);
                let crisp = halved && f64::from(size.0) >= 0.7 * crop.width;
                let how = Resample { crop, size, kernel: *kernel, linear: *linear, crisp };
                resampled(picture, &how, cx)?
            }
            What::Cut { crop } => cut(&picture, *crop, work.size)?,
            What::Finish { turn, points, canvas } => {
                let image = points.apply(turn.apply(srgb(picture.image, cx)?)?)?;
                match canvas {
                    Some(canvas) => on_canvas(image, canvas, turn.size(scale))?,
                    None => image,
                }
            }
            What::Rotate(rotate) => {
                pixels::rotate(srgb(picture.image, cx)?, rotate.angle, rotate.background)?
            }
            What::Flatten(flatten) => {
                pixels::flatten(srgb(picture.image, cx)?, flatten.background)?
            }
            What::Watermark(watermark) => {
                let mark = self.take(work.from[1])?;
                watermark.apply(srgb(picture.image, cx)?, &srgb(mark.image, cx)?)?
            }
            What::Jpeg(how) => {
                return Ok(encoded(
                    work,
                    Format::JPEG,
                    encode::jpeg(srgb(picture.image, cx)?, how, cx)?,
                ));
            }
            What::Png(how) => {
                return Ok(encoded(
                    work,
                    Format::PNG,
                    encode::png(&srgb(picture.image, cx)?, how, cx)?,
                ));
            }
            What::Webp(how) => {
                return Ok(encoded(
                    work,
                    Format::WEBP,
                    encode::webp(srgb(picture.image, cx)?, how, cx)?,
                ));
            }
            What::Source { .. } => picture.image,
        };
        Ok(Made::Picture(Picture { scale: scale_of(&image, work.size), image }))
    }

    fn source(&self, work: &Work, name: &str, info: &MediaInfo) -> Result<Picture> {
        let media = self.inputs.named(name).ok_or_else(|| {
            Error::internal("plan.no_input", "an input was not given").with("source", name)
        })?;
        let picture = match media {
            Media::File(file) => {
                self.cx.count_decode();
                let decoded = decode(file, work.demand, self.cx)?;
                Picture { image: decoded.image, scale: (decoded.scale, decoded.scale) }
            }
            Media::Image(image) => {
                Picture { image: image.clone(), scale: scale_of(image, work.size) }
            }
            _ => {
                return Err(Error::unsupported("image.no_picture", "the input is no picture")
                    .with("source", name));
            }
        };
        check_described(&picture, info).map_err(|e| e.with("source", name))?;
        Ok(picture)
    }

    /// A picture, by value if nobody else wants it: then its pixels can be changed in place.
    fn take(&mut self, index: usize) -> Result<Picture> {
        match self.take_made(index)? {
            Made::Picture(picture) => Ok(picture),
            Made::File(_) => Err(Error::internal("plan.encoded", "a step was given a file")),
        }
    }

    fn take_made(&mut self, index: usize) -> Result<Made> {
        self.uses[index] = self.uses[index].saturating_sub(1);
        let last = self.uses[index] == 0;
        let slot = &mut self.slots[index];
        match slot {
            Slot::Failed(failure, error) => {
                Err(error.take().unwrap_or_else(|| failure.clone().into()))
            }
            Slot::Made(made) if !last => Ok(made.clone()),
            Slot::Made(_) => match std::mem::replace(slot, Slot::Spent) {
                Slot::Made(made) => Ok(made),
                Slot::Failed(failure, _) => Err(failure.into()),
                Slot::Spent => Err(spent()),
            },
            Slot::Spent => Err(spent()),
        }
    }

    fn outputs(mut self, plan: &ImagePlan) -> Result<Outputs> {
        let mut outputs = Outputs::new();
        let mut failed = Vec::new();
        for (name, index) in &plan.exits {
            let result = match self.take_made(*index) {
                Ok(Made::Picture(picture)) => srgb(picture.image, self.cx).map(Media::from),
                Ok(Made::File(file)) => Ok(file.into()),
                Err(error) => Err(error),
            };
            if let Err(error) = &result {
                failed.push(Failure::from(error));
            }
            outputs = outputs.and(name, result);
        }
        if failed.len() == plan.exits.len()
            && let Some((name, _)) = plan.exits.first()
        {
            return outputs.take(name).map(|_| Outputs::new());
        }
        Ok(outputs)
    }
}

fn spent() -> Error {
    Error::internal("plan.spent", "a result was taken too often")
}

fn encoded(work: &Work, format: Format, bytes: Vec<u8>) -> Made {
    let name = work.steps.first().map_or("output", String::as_str);
    Made::File(file(name, format, bytes))
}

/// Resamples, and brings to sRGB on whichever side has fewer pixels.
fn resampled(picture: Picture, how: &Resample, cx: &RunContext) -> Result<Image> {
    let area = how.crop.width * how.crop.height;
    if f64::from(how.size.0) * f64::from(how.size.1) <= area {
        let small = pixels::resample(&picture.image, how)?;
        drop(picture);
        return srgb(small, cx);
    }
    pixels::resample(&srgb(picture.image, cx)?, how)
}

/// A part without scaling, on whole pixels.
fn cut(picture: &Picture, crop: Rect, size: (u32, u32)) -> Result<Image> {
    let Rect { x, y, .. } = in_pixels(crop, picture.scale);
    let (width, height) = (picture.image.width(), picture.image.height());
    let size =
        (side(f64::from(size.0) * picture.scale.0), side(f64::from(size.1) * picture.scale.1));
    let (left, top) = (floor(x).min(width - 1), floor(y).min(height - 1));
    pixels::crop(&picture.image, left, top, size.0.min(width - left), size.1.min(height - top))
}

fn on_canvas(image: Image, canvas: &Canvas, scale: (f64, f64)) -> Result<Image> {
    let Canvas { size, offset, ground } = *canvas;
    if scale == (1.0, 1.0) {
        return pixels::pad(image, size, offset, ground);
    }
    let room = (side(f64::from(size.0) * scale.0), side(f64::from(size.1) * scale.1));
    let offset = (floor(f64::from(offset.0) * scale.0), floor(f64::from(offset.1) * scale.1));
    let room = (room.0.max(image.width() + offset.0), room.1.max(image.height() + offset.1));
    pixels::pad(image, room, offset, ground)
}

/// The picture must have the shape that the plan was made for, if not the size: a crop box would lie elsewhere.
fn check_described(picture: &Picture, info: &MediaInfo) -> Result<()> {
    let (width, height) = (f64::from(picture.image.width()), f64::from(picture.image.height()));
    let (scale_x, scale_y) = (width / f64::from(info.width), height / f64::from(info.height));
    let off = (width - f64::from(info.width) * scale_y)
        .abs()
        .min((height - f64::from(info.height) * scale_x).abs());
    if off <= 1.5 {
        return Ok(());
    }
    Err(Error::internal("plan.described", "the picture has another shape than was said before")
        .with("said", format_args!("{}x{}", info.width, info.height))
        .with("is", format_args!("{width}x{height}"))
        .help("a custom step that changes the shape must say so in `Operation::describe`"))
}

fn scale_of(image: &Image, size: (u32, u32)) -> (f64, f64) {
    (f64::from(image.width()) / f64::from(size.0), f64::from(image.height()) / f64::from(size.1))
}

fn in_pixels(rect: Rect, (x, y): (f64, f64)) -> Rect {
    Rect { x: rect.x * x, y: rect.y * y, width: rect.width * x, height: rect.height * y }
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
fn ceil(value: f64) -> u32 {
    ((value - 1e-6).ceil() as u32).max(1)
}
