use std::collections::BTreeSet;

use mediaflow_core::ops::{Align, Text};
use mediaflow_core::{Result, RunContext};
use rustybuzz::ttf_parser::OutlineBuilder;
use zeno::{Command, Mask as Drawing, Vector};

use super::faces::Faces;
use super::lines::{Line, lines};

/// A text in its lines, turned as it is to be.
pub(crate) struct Block<'a> {
    faces: Faces<'a>,
    lines: Vec<Line>,
    /// Letters that no font has.
    pub(crate) missing: BTreeSet<char>,
    how: &'a Text,
    /// Before it is turned, in pixels.
    size: (f32, f32),
}

/// How much of each pixel of a part of a picture is covered: from 0 to 255.
pub(crate) struct Mask {
    pub(crate) left: u32,
    pub(crate) top: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) pixels: Vec<u8>,
}

impl<'a> Block<'a> {
    /// With lines that are no wider than `room` pixels, if that can be.
    ///
    /// # Errors
    /// `font.broken`.
    pub(crate) fn of(how: &'a Text, room: f64) -> Result<Self> {
        let faces = Faces::of(&how.fonts)?;
        let size = short(how.size);
        let (lines, missing) = lines(&how.text, short(room) / size, &faces);
        let widest = lines.iter().map(|line| line.width).fold(0.0, f32::max);
        let (above, below) = faces.reach();
        let steps = lines.iter().skip(1).map(|_| short(how.line_height)).sum::<f32>();
        let size = (widest * size, (above + below + steps) * size);
        Ok(Self { faces, lines, missing, how, size })
    }

    /// The box around it, once it is turned, in pixels.
    pub(crate) fn around(&self) -> (f64, f64) {
        let (sin, cos) = self.how.rotation.to_radians().sin_cos();
        let (width, height) = (f64::from(self.size.0), f64::from(self.size.1));
        (width * cos.abs() + height * sin.abs(), width * sin.abs() + height * cos.abs())
    }

    /// Draws it with the box around it at a place in a picture of this size. Nothing if it is not to be seen there.
    pub(crate) fn mask(
        &self,
        at: (f64, f64),
        within: (u32, u32),
        cx: &RunContext,
    ) -> Result<Option<Mask>> {
        let (around, size) = (self.around(), short(self.how.size));
        let middle = (at.0 + around.0 / 2.0, at.1 + around.1 / 2.0);
        // Letters may stand out of their box: by a size, as a rule by far less.
        let span = |at: f64, length: f64, side: u32| {
            let first = (at - self.how.size).floor().clamp(0.0, f64::from(side));
            let last = (at + length + self.how.size).ceil().clamp(first, f64::from(side));
            (whole(first), whole(last - first))
        };
        let (left, width) = span(at.0, around.0, within.0);
        let (top, height) = span(at.1, around.1, within.1);
        if width == 0 || height == 0 {
            return Ok(None);
        }
        let middle = (middle.0 - f64::from(left), middle.1 - f64::from(top));
        let (sin, cos) = self.how.rotation.to_radians().sin_cos();
        let turn = Turn {
            sin: short(sin),
            cos: short(cos),
            from: (self.size.0 / 2.0, self.size.1 / 2.0),
            to: (short(middle.0), short(middle.1)),
        };
        let mut commands = Vec::new();
        let mut line_y = self.faces.reach().0 * size;
        for line in &self.lines {
            cx.check()?;
            let spare = self.size.0 - line.width * size;
            let start = match self.how.alignment() {
                Align::Left => 0.0,
                Align::Center => spare / 2.0,
                Align::Right => spare,
            };
            for glyph in &line.glyphs {
                let face = self.faces.get(glyph.face);
                let unit = short(face.units_per_em().max(1).into());
                let place = (start + glyph.x * size, line_y + glyph.y * size);
                let mut pen = Pen { commands: &mut commands, scale: size / unit, place, turn };
                face.outline_glyph(glyph.id, &mut pen);
            }
            line_y += short(self.how.line_height) * size;
        }
        cx.check()?;
        let (pixels, _) = Drawing::new(&commands[..]).size(width, height).render();
        Ok(Some(Mask { left, top, width, height, pixels }))
    }
}

/// Turns a point of the block around its middle, and puts that into its place.
#[derive(Clone, Copy)]
struct Turn {
    sin: f32,
    cos: f32,
    from: (f32, f32),
    to: (f32, f32),
}

/// Takes the outline of a glyph down.
struct Pen<'a> {
    commands: &'a mut Vec<Command>,
    /// Pixels of a unit of the font.
    scale: f32,
    place: (f32, f32),
    turn: Turn,
}

impl Pen<'_> {
    fn point(&self, x: f32, y: f32) -> Vector {
        let Turn { sin, cos, from, to } = self.turn;
        let x = self.place.0 + x * self.scale - from.0;
        let y = self.place.1 - y * self.scale - from.1;
        Vector::new(to.0 + x * cos - y * sin, to.1 + x * sin + y * cos)
    }
}

impl OutlineBuilder for Pen<'_> {
    fn move_to(&mut self, x: f32, y: f32) {
        self.commands.push(Command::MoveTo(self.point(x, y)));
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.commands.push(Command::LineTo(self.point(x, y)));
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.commands.push(Command::QuadTo(self.point(x1, y1), self.point(x, y)));
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let [one, two, end] = [(x1, y1), (x2, y2), (x, y)].map(|(x, y)| self.point(x, y));
        self.commands.push(Command::CurveTo(one, two, end));
    }

    fn close(&mut self) {
        self.commands.push(Command::Close);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "places in a picture need no more digits")]
fn short(value: f64) -> f32 {
    value as f32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "within a side of a picture"
)]
fn whole(value: f64) -> u32 {
    value as u32
}
