use std::collections::BTreeMap;

use mediaflow_core::backend::{Group, GroupStep};
use mediaflow_core::geometry::Rect;
use mediaflow_core::media::{Format, MediaInfo};
use mediaflow_core::plan::Demand;
use mediaflow_core::{Error, Limits, Result};

use super::work::{Canvas, ImagePlan, What, Work};
use crate::ops::{
    AutoOrient, Crop, Flatten, Flip, Flop, Grayscale, Jpeg, Negate, Png, Resize, Rotate, Watermark,
    Webp,
};
use crate::pixels::{Points, Turn};

/// The works of a group, each after those that it takes from, and its exits.
pub(super) fn compile(group: &Group) -> Result<ImagePlan> {
    let mut compiler =
        Compiler { works: Vec::new(), views: BTreeMap::new(), limits: &group.limits };
    for input in &group.inputs {
        compiler.source(&input.name, &input.info, input.demand)?;
    }
    for step in &group.steps {
        compiler.step(step).map_err(|e| e.with("step", &step.name).with("op", step.op.kind()))?;
    }
    let exits = group
        .exits
        .iter()
        .map(|name| Ok((name.clone(), compiler.pixels_of(name)?)))
        .collect::<Result<_>>()?;
    Ok(ImagePlan { works: compiler.works, exits })
}

struct Compiler<'a> {
    works: Vec<Work>,
    views: BTreeMap<String, View>,
    limits: &'a Limits,
}

/// A picture that is not made yet: a part of a work's result, seen in another way.
#[derive(Clone, Debug)]
struct View {
    base: usize,
    /// The part, in pixels of the base.
    crop: Rect,
    /// How it is turned afterwards.
    turn: Turn,
    /// What happens to its tones, at any time.
    points: Points,
    /// Its size after the turn.
    size: (u32, u32),
    /// The steps that are folded in.
    steps: Vec<String>,
    demand: Demand,
}

impl Compiler<'_> {
    fn source(&mut self, name: &str, info: &MediaInfo, demand: Demand) -> Result<()> {
        if info.width == 0 || info.height == 0 {
            return Err(Error::input("image.no_picture", "there is no picture to work on")
                .with("source", name));
        }
        let what = What::Source { name: name.to_owned(), info: info.clone() };
        let base = self.add(what, vec![], (info.width, info.height), info.channels, demand, vec![]);
        let mut view = self.whole(base);
        view.turn = Turn::exif(info.orientation);
        view.size = info.upright_size();
        self.views.insert(name.to_owned(), view);
        Ok(())
    }

    fn step(&mut self, step: &GroupStep) -> Result<()> {
        let mut view = self.view(step.from.first())?;
        view.steps.push(step.name.clone());
        view.demand = step.demand;
        let op = &step.op;
        let view = if let Some(resize) = op.downcast_ref::<Resize>() {
            self.resize(view, resize)
        } else if let Some(crop) = op.downcast_ref::<Crop>() {
            view.cropped(crop)
        } else if op.downcast_ref::<AutoOrient>().is_some() {
            view
        } else if op.downcast_ref::<Flip>().is_some() {
            view.turned(Turn::FLIP)
        } else if op.downcast_ref::<Flop>().is_some() {
            view.turned(Turn::FLOP)
        } else if let Some(turn) = op.downcast_ref::<Rotate>().and_then(Rotate::turn) {
            view.turned(turn)
        } else if op.downcast_ref::<Negate>().is_some() {
            view.toned(Points::NEGATE)
        } else if op.downcast_ref::<Grayscale>().is_some() {
            view.toned(Points::GRAYSCALE)
        } else {
            self.opaque(view, step)?
        };
        let side = view.size.0.max(view.size.1);
        if side > self.limits.side {
            return Err(Error::limit(
                "limit.side",
                format!("a result of {side} pixels on a side is too large"),
            )
            .with("limit", "side")
            .with("allowed", self.limits.side)
            .help("ask for a smaller picture, or raise `Limits::side`"));
        }
        self.views.insert(step.name.clone(), view);
        Ok(())
    }

    /// A step that makes pixels, or a file, of its own.
    fn opaque(&mut self, mut view: View, step: &GroupStep) -> Result<View> {
        view.steps.pop();
        let (op, output) = (&step.op, &step.output);
        let what = if let Some(rotate) = op.downcast_ref::<Rotate>() {
            What::Rotate(*rotate)
        } else if let Some(flatten) = op.downcast_ref::<Flatten>() {
            What::Flatten(*flatten)
        } else if let Some(watermark) = op.downcast_ref::<Watermark>() {
            What::Watermark(*watermark)
        } else if let Some(jpeg) = op.downcast_ref::<Jpeg>() {
            What::Jpeg(*jpeg)
        } else if let Some(png) = op.downcast_ref::<Png>() {
            What::Png(*png)
        } else if let Some(webp) = op.downcast_ref::<Webp>() {
            What::Webp(*webp)
        } else {
            return Err(Error::internal("plan.unclaimed", "the image backend has no such step"));
        };
        let demand = view.demand;
        let mut from = vec![self.pixels(view)];
        if matches!(what, What::Watermark(_)) {
            let mark = self.view(step.from.get(1))?;
            from.push(self.pixels(mark));
        }
        let size = (output.width, output.height);
        let base = self.add(what, from, size, output.channels, demand, vec![step.name.clone()]);
        Ok(self.whole(base))
    }

    fn resize(&mut self, mut view: View, resize: &Resize) -> View {
        if resize.linear && !view.points.is_none() {
            // In light, tones and mixing do not commute.
            let base = self.pixels(view.clone());
            view = View { steps: view.steps, demand: view.demand, ..self.whole(base) };
        }
        let placement = resize.place(view.size);
        let crop = view.in_base(placement.crop);
        let what = What::Resample { crop, kernel: resize.kernel, linear: resize.linear };
        let channels = self.works[view.base].channels;
        let size = view.turn.size(placement.size);
        let base = self.add(what, vec![view.base], size, channels, view.demand, view.steps);
        let mut resized =
            View { turn: view.turn, points: view.points, size: placement.size, ..self.whole(base) };
        if placement.canvas == placement.size {
            return resized;
        }
        let canvas =
            Canvas { size: placement.canvas, offset: placement.offset, ground: resize.background };
        resized.size = placement.canvas;
        let base = self.finish(resized, Some(canvas));
        self.whole(base)
    }

    /// The work whose result is the picture itself.
    fn pixels(&mut self, mut view: View) -> usize {
        let size = self.works[view.base].size;
        if view.crop != whole(size) {
            let channels = self.works[view.base].channels;
            let size = view.turn.size(view.size);
            let what = What::Cut { crop: view.crop };
            view.base = self.add(
                what,
                vec![view.base],
                size,
                channels,
                view.demand,
                std::mem::take(&mut view.steps),
            );
            view.crop = whole(size);
        }
        if view.turn == Turn::NONE && view.points.is_none() {
            let steps = std::mem::take(&mut view.steps);
            note(&mut self.works[view.base].steps, steps);
            return view.base;
        }
        self.finish(view, None)
    }

    fn finish(&mut self, view: View, canvas: Option<Canvas>) -> usize {
        let channels = match self.works[view.base].channels {
            channels if view.points.grayscale && channels > 2 => channels - 2,
            channels => channels,
        };
        let what = What::Finish { turn: view.turn, points: view.points, canvas };
        self.add(what, vec![view.base], view.size, channels, view.demand, view.steps)
    }

    fn pixels_of(&mut self, name: &str) -> Result<usize> {
        let view = self.views.get(name).cloned().ok_or_else(|| unknown(name))?;
        Ok(self.pixels(view))
    }

    fn view(&self, name: Option<&String>) -> Result<View> {
        let name = name.ok_or_else(|| {
            Error::input("spec.inputs", "the step needs one more input").help("name it in `from`")
        })?;
        let view = self.views.get(name).ok_or_else(|| unknown(name))?;
        if self.works[view.base].what.is_encoder() {
            return Err(Error::input("plan.encoded", "the step comes after an encoder")
                .with("from", name)
                .help("let it take from the step before the encoder"));
        }
        Ok(view.clone())
    }

    fn whole(&self, base: usize) -> View {
        let Work { size, demand, .. } = self.works[base];
        View {
            base,
            crop: whole(size),
            turn: Turn::NONE,
            points: Points::default(),
            size,
            steps: vec![],
            demand,
        }
    }

    /// Adds a work, or finds the same one.
    fn add(
        &mut self,
        what: What,
        from: Vec<usize>,
        size: (u32, u32),
        channels: u8,
        demand: Demand,
        steps: Vec<String>,
    ) -> usize {
        let same = self
            .works
            .iter()
            .position(|work| work.what == what && work.from == from && work.size == size);
        match same {
            Some(index) => {
                let work = &mut self.works[index];
                work.demand = work.demand.or(demand);
                note(&mut work.steps, steps);
                index
            }
            None => {
                self.works.push(Work { what, from, size, channels, demand, steps });
                self.works.len() - 1
            }
        }
    }
}

impl View {
    /// A part of this view, in pixels of the base.
    fn in_base(&self, part: Rect) -> Rect {
        let part = self.turn.undo(part, (self.crop.width, self.crop.height));
        Rect { x: part.x + self.crop.x, y: part.y + self.crop.y, ..part }
    }

    fn cropped(mut self, crop: &Crop) -> Self {
        let [x, y, width, height] = [crop.left, crop.top, crop.width, crop.height].map(f64::from);
        self.crop = self.in_base(Rect { x, y, width, height });
        self.size = (crop.width, crop.height);
        self
    }

    fn turned(mut self, turn: Turn) -> Self {
        self.turn = self.turn.then(turn);
        self.size = turn.size(self.size);
        self
    }

    fn toned(mut self, points: Points) -> Self {
        self.points = self.points.then(points);
        self
    }
}

fn whole((width, height): (u32, u32)) -> Rect {
    Rect { x: 0.0, y: 0.0, width: f64::from(width), height: f64::from(height) }
}

fn note(steps: &mut Vec<String>, more: Vec<String>) {
    for step in more {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::internal("plan.unknown_step", "the group has no such step or input").with("from", name)
}

/// Whether an input comes as a file.
pub(super) fn is_file(info: &MediaInfo) -> bool {
    info.format != Format::RAW
}
