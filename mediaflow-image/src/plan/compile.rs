use std::collections::BTreeMap;
use std::sync::Arc;

use mediaflow_core::backend::{Group, GroupStep};
use mediaflow_core::geometry::Rect;
use mediaflow_core::media::{Format, MediaInfo};
use mediaflow_core::ops::Kernel;
use mediaflow_core::plan::Demand;
use mediaflow_core::{Error, Limits, Result, codes};

use super::picture::inner;
use super::words::words;
use super::work::{ImagePlan, What, Work};
use crate::pixels::{Tones, Turn, channels_on};
use crate::word::{Canvas, Encoder, Part, View};

/// The works of a group, each after those that it takes from, and its exits.
pub(super) fn compile(group: &Group) -> Result<ImagePlan> {
    let mut compiler =
        Compiler { works: Vec::new(), pending: BTreeMap::new(), limits: &group.limits };
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
        .collect::<Result<Vec<_>>>()?;
    let mut works = compiler.works;
    spare(&mut works, &exits);
    Ok(ImagePlan { works, exits, on_damage: group.on_damage })
}

struct Compiler<'a> {
    works: Vec<Work>,
    pending: BTreeMap<String, Pending>,
    limits: &'a Limits,
}

/// A picture that is not made yet: a part of a work's result, seen in another way.
#[derive(Clone, Debug)]
struct Pending {
    base: usize,
    /// The part, in pixels of the base.
    crop: Rect,
    /// How it is turned afterwards.
    turn: Turn,
    /// What happens to its tones, before or after the turn.
    tones: Tones,
    /// Its size after the turn.
    size: (u32, u32),
    /// The steps that are folded in.
    steps: Vec<String>,
    demand: Demand,
}

impl Compiler<'_> {
    fn source(&mut self, name: &str, info: &MediaInfo, demand: Demand) -> Result<()> {
        if info.width == 0 || info.height == 0 {
            return Err(Error::input(codes::MEDIA_NO_PICTURE, "there is no picture to work on")
                .with("source", name));
        }
        let what = What::Source { name: name.to_owned(), info: info.clone() };
        let base = self.add(what, vec![], info.stored_size(), info.channels, demand, vec![]);
        let mut picture = self.whole(base);
        picture.turn = Turn::exif(info.orientation);
        picture.size = (info.width, info.height);
        self.pending.insert(name.to_owned(), picture);
        Ok(())
    }

    fn step(&mut self, step: &GroupStep) -> Result<()> {
        let mut picture = self.pending(step.from.first())?;
        picture.steps.push(step.name.clone());
        picture.demand = step.demand;
        let views = words().find_map(|word| word.views(&step.op, picture.size));
        let views = views.ok_or_else(|| {
            Error::internal(codes::PLAN_UNCLAIMED, "the image backend has no such step")
        })?;
        for view in views {
            picture = self.fold(picture, view, step)?;
        }
        let side = picture.size.0.max(picture.size.1);
        if side > self.limits.side {
            return Err(Error::limit(
                codes::LIMIT_SIDE,
                format!("a result of {side} pixels on a side is too large"),
            )
            .with("limit", "side")
            .with("allowed", self.limits.side)
            .help("ask for a smaller picture, or raise `Limits::side`"));
        }
        self.pending.insert(step.name.clone(), picture);
        Ok(())
    }

    fn fold(&mut self, picture: Pending, view: View, step: &GroupStep) -> Result<Pending> {
        Ok(match view {
            View::Part { left, top, size } => picture.part((left, top), size),
            View::Turn(turn) => picture.turned(turn),
            View::Tone(tone) => Pending { tones: picture.tones.then(tone), ..picture },
            View::Scale { crop, size, kernel, linear } => {
                self.scaled(picture, (crop, kernel, linear), size)
            }
            View::Canvas(canvas) => {
                let mut picture = self.cut(picture);
                picture.size = canvas.size;
                let base = self.finish(picture, Some(canvas));
                self.whole(base)
            }
            View::Whole(work) => self.opaque(picture, What::Whole(work), step)?,
            View::Facts(finder) => self.opaque(picture, What::Facts(finder), step)?,
            View::File(encoder) => match self.copied(&picture, &encoder, step) {
                Some(file) => file,
                None => self.opaque(picture, What::File(encoder), step)?,
            },
        })
    }

    /// A step that makes pixels, or a file, of its own.
    fn opaque(&mut self, mut picture: Pending, what: What, step: &GroupStep) -> Result<Pending> {
        picture.steps.retain(|name| *name != step.name);
        let demand = picture.demand;
        let mut from = vec![self.pixels(picture)];
        for name in step.from.iter().skip(1) {
            let other = self.pending(Some(name))?;
            from.push(self.pixels(other));
        }
        let size = (step.output.width, step.output.height);
        let steps = vec![step.name.clone()];
        let base = self.add(what, from, size, step.output.channels, demand, steps);
        Ok(self.whole(base))
    }

    /// A source of which an encoder makes a file as it stands.
    fn copied(
        &mut self,
        picture: &Pending,
        encoder: &Arc<dyn Encoder>,
        step: &GroupStep,
    ) -> Option<Pending> {
        let Work { what: What::Source { name, info }, size, .. } = &self.works[picture.base] else {
            return None;
        };
        let part = Part { crop: inner(picture.crop, (1.0, 1.0)).of(*size), turn: picture.turn };
        if !is_file(info) || !picture.tones.is_none() || encoder.copies(info, &part).is_none() {
            return None;
        }
        let (name, info, encoder) = (name.clone(), info.clone(), Arc::clone(encoder));
        let what = What::Copy { name, info, part, encoder };
        // Named after the encoder.
        let mut steps = picture.steps.clone();
        steps.rotate_right(1);
        let size = (step.output.width, step.output.height);
        let base = self.add(what, vec![], size, step.output.channels, Demand::FULL, steps);
        Some(self.whole(base))
    }

    fn scaled(
        &mut self,
        mut picture: Pending,
        (crop, kernel, linear): (Rect, Kernel, bool),
        size: (u32, u32),
    ) -> Pending {
        // Cut-off tones and mixing do not commute, and in light no tones do.
        if !picture.tones.is_none() && (linear || !picture.tones.commute()) {
            let (demand, steps) = (picture.demand, picture.steps.pop().into_iter().collect());
            let base = self.pixels(picture);
            picture = Pending { steps, demand, ..self.whole(base) };
        }
        let cut = picture.crop != whole(self.works[picture.base].size);
        let (crop, within) = (picture.in_base(crop), cut.then_some(picture.crop));
        let what = What::Resample { crop, within, kernel, linear };
        let channels = self.works[picture.base].channels;
        let made = picture.turn.size(size);
        let (from, steps) = (vec![picture.base], picture.steps);
        let base = self.add(what, from, made, channels, picture.demand, steps);
        Pending { turn: picture.turn, tones: picture.tones, size, ..self.whole(base) }
    }

    /// The work whose result is the picture itself.
    fn pixels(&mut self, picture: Pending) -> usize {
        let mut picture = self.cut(picture);
        if picture.turn == Turn::NONE && picture.tones.is_none() {
            let steps = std::mem::take(&mut picture.steps);
            note(&mut self.works[picture.base].steps, steps);
            return picture.base;
        }
        self.finish(picture, None)
    }

    /// The same picture, all of its base.
    fn cut(&mut self, mut picture: Pending) -> Pending {
        let Work { size, channels, .. } = self.works[picture.base];
        if picture.crop != whole(size) {
            let size = picture.turn.size(picture.size);
            let what = What::Cut { crop: picture.crop };
            let steps = std::mem::take(&mut picture.steps);
            picture.base =
                self.add(what, vec![picture.base], size, channels, picture.demand, steps);
            picture.crop = whole(size);
        }
        picture
    }

    fn finish(&mut self, picture: Pending, canvas: Option<Canvas>) -> usize {
        let channels = match self.works[picture.base].channels {
            0 => 0,
            channels => picture.tones.channels(channels),
        };
        let channels = match canvas {
            Some(canvas) if channels > 0 => channels_on(canvas.ground, channels),
            _ => channels,
        };
        let Pending { base, turn, tones, size, steps, demand, .. } = picture;
        self.add(What::Finish { turn, tones, canvas }, vec![base], size, channels, demand, steps)
    }

    fn pixels_of(&mut self, name: &str) -> Result<usize> {
        let picture = self.pending.get(name).cloned().ok_or_else(|| unknown(name))?;
        Ok(self.pixels(picture))
    }

    fn pending(&self, name: Option<&String>) -> Result<Pending> {
        let name = name.ok_or_else(|| {
            Error::input(codes::SPEC_INPUTS, "the step needs one more input")
                .help("name it in `from`")
        })?;
        let picture = self.pending.get(name).ok_or_else(|| unknown(name))?;
        if self.works[picture.base].what.is_encoder() {
            return Err(Error::input(codes::PLAN_ENCODED, "the step comes after an encoder")
                .with("from", name)
                .help("let it take from the step before the encoder"));
        }
        Ok(picture.clone())
    }

    fn whole(&self, base: usize) -> Pending {
        let Work { size, demand, .. } = self.works[base];
        Pending {
            base,
            crop: whole(size),
            turn: Turn::NONE,
            tones: Tones::default(),
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
                let pass = None;
                self.works.push(Work { what, from, size, channels, demand, steps, pass });
                self.works.len() - 1
            }
        }
    }
}

impl Pending {
    /// A part of this picture, in pixels of the base.
    fn in_base(&self, part: Rect) -> Rect {
        let part = self.turn.undo(part, (self.crop.width, self.crop.height));
        Rect { x: part.x + self.crop.x, y: part.y + self.crop.y, ..part }
    }

    fn part(mut self, (left, top): (u32, u32), size: (u32, u32)) -> Self {
        let [x, y, width, height] = [left, top, size.0, size.1].map(f64::from);
        self.crop = self.in_base(Rect { x, y, width, height });
        self.size = size;
        self
    }

    fn turned(mut self, turn: Turn) -> Self {
        self.turn = self.turn.then(turn);
        self.size = turn.size(self.size);
        self
    }
}

fn whole((width, height): (u32, u32)) -> Rect {
    Rect { x: 0.0, y: 0.0, width: f64::from(width), height: f64::from(height) }
}

/// Decodes no more of a source than is wanted for something else than a copy.
fn spare(works: &mut [Work], exits: &[(String, usize)]) {
    let is_copied = |source: &str| {
        works.iter().any(|work| matches!(&work.what, What::Copy { name, .. } if name == source))
    };
    let wanted = |work: &Work| match work.what {
        What::Resample { crop, kernel, .. } if kernel != Kernel::Nearest => {
            let across = f64::from(work.size.0) / crop.width;
            let down = f64::from(work.size.1) / crop.height;
            Demand::scale(across.max(down) * work.demand.as_scale())
        }
        _ => Demand::FULL,
    };
    let sources = works.iter().enumerate().filter_map(|(index, work)| match &work.what {
        What::Source { name, .. }
            if is_copied(name) && exits.iter().all(|(_, exit)| *exit != index) =>
        {
            let takers = works.iter().filter(|work| work.from.contains(&index));
            Some((index, takers.map(wanted).reduce(Demand::or)?))
        }
        _ => None,
    });
    for (source, wanted) in sources.collect::<Vec<_>>() {
        works[source].demand = wanted;
    }
}

fn note(steps: &mut Vec<String>, more: Vec<String>) {
    for step in more {
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
}

fn unknown(name: &str) -> Error {
    Error::internal(codes::PLAN_UNKNOWN_STEP, "the group has no such step or input")
        .with("from", name)
}

/// Whether an input comes as a file.
pub(super) fn is_file(info: &MediaInfo) -> bool {
    info.format != Format::RAW
}
