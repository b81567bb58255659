//! A pass over a source: what is taken from it is made while its rows go by.

use mediaflow_core::geometry::Rect;
use mediaflow_core::media::{Image, Media, MediaInfo, Metadata};
use mediaflow_core::{Error, Inputs, Result, RunContext, codes};

use super::compile::is_file;
use super::picture::{self, Made, Results};
use super::work::{ImagePlan, What, Work};
use crate::codec::{Rows, block, hand_on};
use crate::formats;
use crate::pixels::{Bounds, RowsToSrgb, Shape, Shrink, Tones, Turn};

/// A picture that is smaller than this is as well there as a whole: bytes.
const SMALL: u64 = 4 << 20;

/// How far the widest kernel reaches, in pixels of the smaller of picture and result.
const REACH: f64 = 3.5;

/// The sources that can be taken row by row, each with all works of that pass.
pub(super) fn possible(plan: &ImagePlan) -> Vec<(usize, Vec<usize>)> {
    let sources = plan.works.iter().enumerate().filter_map(|(source, work)| {
        let What::Source { info, .. } = &work.what else { return None };
        let codec = formats::of(&info.format).filter(|_| is_large(info))?;
        let mut members = vec![source];
        let all = codec.by_rows(info) && takers(plan, source, &mut members);
        all.then_some((source, members))
    });
    sources.collect()
}

/// Whether all that takes from a work can be made from rows.
fn takers(plan: &ImagePlan, from: usize, members: &mut Vec<usize>) -> bool {
    if plan.exits.iter().any(|(_, exit)| *exit == from) {
        return false;
    }
    let mut some = false;
    for index in (0..plan.works.len()).filter(|index| plan.works[*index].from.contains(&from)) {
        some = true;
        members.push(index);
        let fits = match &plan.works[index].what {
            What::Resample { .. } | What::Cut { .. } => true,
            What::Finish { turn: Turn::NONE, canvas: None, .. } => takers(plan, index, members),
            _ => false,
        };
        if !fits {
            return false;
        }
    }
    some
}

fn shape(work: &Work) -> Shape {
    let channels = if work.channels == 0 { 4 } else { work.channels };
    Shape { width: work.size.0, height: work.size.1, channels }
}

fn is_large(info: &MediaInfo) -> bool {
    is_file(info) && info.pixels() * u64::from(info.channels.max(1)) >= SMALL
}

/// The works that a pass leaves behind, by index.
pub(super) fn results(plan: &ImagePlan, source: usize) -> impl Iterator<Item = (usize, &Work)> {
    let works = plan.works.iter().enumerate();
    works.filter(move |(_, work)| work.pass == Some(source) && is_result(work))
}

/// Whether a work of a pass is made for others, and not only a step on the way.
pub(super) fn is_result(work: &Work) -> bool {
    matches!(work.what, What::Resample { .. } | What::Cut { .. })
}

/// Bytes that a pass holds beside its results and the file.
pub(super) fn memory(plan: &ImagePlan, source: usize) -> u64 {
    let from = shape(&plan.works[source]);
    let row = from.row_bytes();
    // The block that comes, and once more for what changes colours.
    let blocks = 3 * (row * block(row)) as u64;
    let each = |(_, work): (usize, &Work)| match &work.what {
        What::Resample { crop, linear, .. } if Shrink::fits(*crop, work.size) => {
            Shrink::memory(from, work.size, *linear)
        }
        What::Resample { crop, linear, .. } => {
            let all = Bounds::all((from.width, from.height));
            let (_, (width, height)) = around(*crop, all, work.size);
            let part = Shape { width, height, ..from }.bytes();
            // The part, rows that are made narrower, and all of that in light.
            if *linear { 8 * part } else { 2 * part }
        }
        _ => 0,
    };
    blocks + results(plan, source).map(each).sum::<u64>()
}

/// Makes all works of a pass: gives the results, by index.
///
/// # Errors
/// What decoding gives, and what [`RunContext::check`] gives. A result that fails by itself is among the others.
pub(super) fn run(
    plan: &ImagePlan,
    source: usize,
    inputs: &Inputs,
    cx: &RunContext,
) -> Result<Results> {
    let What::Source { name, info } = &plan.works[source].what else {
        return Err(Error::internal(codes::PLAN_NO_INPUT, "a pass begins with a source"));
    };
    let mut pass = Pass { plan, source, info, cx, takers: Vec::new() };
    match inputs.named(name) {
        Some(Media::File(file)) => {
            cx.count_decode();
            formats::rows(file, &mut pass, cx)
        }
        Some(Media::Image(image)) => hand_on(image, &mut pass, cx),
        Some(_) => Err(Error::unsupported(codes::MEDIA_NO_PICTURE, "the input is no picture")
            .with("source", name)),
        None => {
            Err(Error::internal(codes::PLAN_NO_INPUT, "an input was not given")
                .with("source", name))
        }
    }?;
    let mut made = Vec::new();
    pass.takers.into_iter().for_each(|taker| taker.end(cx, &mut made));
    Ok(made)
}

struct Pass<'a> {
    plan: &'a ImagePlan,
    source: usize,
    info: &'a MediaInfo,
    cx: &'a RunContext,
    takers: Vec<Taker<'a>>,
}

impl Rows for Pass<'_> {
    fn begin(&mut self, shape: Shape, metadata: Metadata) -> Result<()> {
        picture::check_described((shape.width, shape.height), self.info)?;
        self.takers = Taker::all(self.plan, self.source, shape, &metadata, self.cx)?;
        Ok(())
    }

    fn rows(&mut self, rows: &[u8]) -> Result<()> {
        self.takers.iter_mut().try_for_each(|taker| taker.rows(rows, self.cx))
    }
}

/// Who takes rows of this shape.
struct Taker<'a> {
    index: usize,
    work: &'a Work,
    shape: Shape,
    metadata: Metadata,
    does: Does<'a>,
}

enum Does<'a> {
    Shrink(Box<Shrink>, RowsToSrgb),
    Keep(Part),
    Colour(&'a Tones, RowsToSrgb, Vec<Taker<'a>>),
}

impl<'a> Taker<'a> {
    fn all(
        plan: &'a ImagePlan,
        from: usize,
        shape: Shape,
        metadata: &Metadata,
        cx: &RunContext,
    ) -> Result<Vec<Self>> {
        let all = plan.works.iter().enumerate().filter(|(_, work)| work.from.contains(&from));
        all.map(|(index, work)| {
            let does = Does::of(plan, index, shape, metadata, cx)?;
            let mut metadata = metadata.clone();
            if does.is_converted() {
                metadata.icc = None;
            }
            Ok(Self { index, work, shape, metadata, does })
        })
        .collect()
    }

    fn rows(&mut self, rows: &[u8], cx: &RunContext) -> Result<()> {
        match &mut self.does {
            Does::Shrink(shrink, to_srgb) => shrink.rows(&to_srgb.rows(rows)?, cx),
            Does::Keep(part) => {
                part.rows(rows);
                cx.check()
            }
            Does::Colour(tones, to_srgb, takers) => {
                let height = rows.len() / self.shape.row_bytes();
                let height = u32::try_from(height).unwrap_or(u32::MAX);
                let Shape { width, channels, .. } = self.shape;
                let image = Image::new(width, height, channels, to_srgb.rows(rows)?.into_owned())?;
                let image = tones.apply(image, cx)?;
                takers.iter_mut().try_for_each(|taker| taker.rows(image.pixels(), cx))
            }
        }
    }

    fn end(self, cx: &RunContext, made: &mut Results) {
        let Self { index, work, metadata, .. } = self;
        let picture = match self.does {
            Does::Colour(_, _, takers) => {
                takers.into_iter().for_each(|taker| taker.end(cx, made));
                return;
            }
            Does::Shrink(shrink, _) => {
                shrink.end(metadata, cx).and_then(|image| picture::shrunk(image, work, cx))
            }
            Does::Keep(part) => {
                part.end(metadata).and_then(|(at, image)| picture::of_part(image, at, work, cx))
            }
        };
        made.push((index, picture.map(Made::Picture)));
    }
}

impl<'a> Does<'a> {
    /// Whether rows are in sRGB before the work is done.
    fn is_converted(&self) -> bool {
        matches!(self, Self::Shrink(_, to_srgb) if to_srgb.has_profile())
    }

    fn of(
        plan: &'a ImagePlan,
        index: usize,
        shape: Shape,
        metadata: &Metadata,
        cx: &RunContext,
    ) -> Result<Self> {
        let work = &plan.works[index];
        let size = (shape.width, shape.height);
        Ok(match &work.what {
            What::Finish { tones, .. } => {
                let to_srgb = RowsToSrgb::new(metadata.icc.as_deref(), shape, cx);
                let mut metadata = metadata.clone();
                metadata.icc = None;
                let shape = Shape { channels: tones.channels(shape.channels), ..shape };
                let takers = Taker::all(plan, index, shape, &metadata, cx)?;
                Self::Colour(tones, to_srgb, takers)
            }
            What::Resample { .. } => {
                let how = picture::how(work, size, (1.0, 1.0), false)?;
                if Shrink::takes(&how, size) {
                    let early = picture::is_converted_first(how.linear, shape.channels);
                    let profile = metadata.icc.as_deref().filter(|_| early);
                    let to_srgb = RowsToSrgb::new(profile, shape, cx);
                    Self::Shrink(Box::new(Shrink::new(shape, &how)), to_srgb)
                } else {
                    let (at, size) = around(how.crop, how.within.of(size), how.size);
                    Self::Keep(Part::new(shape, at, size))
                }
            }
            What::Cut { crop } => {
                let Bounds { left, top, width, height } =
                    picture::inner(*crop, (1.0, 1.0)).of(size);
                Self::Keep(Part::new(shape, (left, top), (width, height)))
            }
            _ => return Err(Error::internal(codes::PLAN_UNCLAIMED, "it is not made from rows")),
        })
    }
}

/// A part of a picture, row by row.
struct Part {
    shape: Shape,
    at: (u32, u32),
    size: (u32, u32),
    /// Rows that have come.
    come: usize,
    pixels: Vec<u8>,
}

impl Part {
    fn new(shape: Shape, at: (u32, u32), size: (u32, u32)) -> Self {
        let kept = Shape { width: size.0, height: size.1, ..shape };
        let pixels = Vec::with_capacity(kept.row_bytes() * kept.height as usize);
        Self { shape, at, size, come: 0, pixels }
    }

    fn rows(&mut self, rows: &[u8]) {
        let (channels, top) = (usize::from(self.shape.channels), self.at.1 as usize);
        let across = self.at.0 as usize * channels..(self.at.0 + self.size.0) as usize * channels;
        for row in rows.chunks_exact(self.shape.row_bytes()) {
            if (top..top + self.size.1 as usize).contains(&self.come) {
                self.pixels.extend_from_slice(row.get(across.clone()).unwrap_or_default());
            }
            self.come += 1;
        }
    }

    fn end(self, metadata: Metadata) -> Result<((u32, u32), Image)> {
        let (width, height) = self.size;
        let image = Image::new(width, height, self.shape.channels, self.pixels)?;
        Ok((self.at, image.with_metadata(metadata)))
    }
}

/// The part that a resize looks at, where it begins and how large it is: pixels around the crop are mixed in.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, which is wanted"
)]
fn around(crop: Rect, within: Bounds, size: (u32, u32)) -> ((u32, u32), (u32, u32)) {
    let side = |start: f64, length: f64, made: u32, first: u32, room: u32| {
        let reach = REACH * (length / f64::from(made.max(1))).max(1.0) + 2.0;
        let last = first + room;
        let from = ((start - reach).floor().max(0.0) as u32).clamp(first, last - 1);
        (from, ((start + length + reach).ceil() as u32).clamp(from + 1, last) - from)
    };
    let (left, width) = side(crop.x, crop.width, size.0, within.left, within.width);
    let (top, height) = side(crop.y, crop.height, size.1, within.top, within.height);
    ((left, top), (width, height))
}
