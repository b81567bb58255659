use std::any::Any;
use std::array;

use mediaflow_core::ops::{Cube, Lut};

use crate::pixels::{Curves, Recolour, Tone, to_byte};
use crate::word::{Compile, View};

impl Compile for Lut {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        if self.strength == 0.0 {
            return Vec::new();
        }
        let tone = if self.cube.is_3d() {
            Tone::recolour("look-up table", Tetrahedra::of(self))
        } else {
            let tables = array::from_fn(|channel| along(self, channel));
            match self.cube.keeps_grey() {
                true => Tone::curve("look-up table", false, |value| value_of(&tables[0], value)),
                false => Tone::recolour("look-up table", Curves(tables)),
            }
        };
        vec![View::Tone(tone)]
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a value from 0 to 255"
)]
fn value_of(table: &[u8; 256], value: f64) -> f64 {
    f64::from(table[value as u8 as usize])
}

/// Where each value of a channel lies in a table: before which point begins its part, and how far in that.
fn places(cube: &Cube, channel: usize) -> [(usize, f32); 256] {
    let [low, high] = cube.domain().map(|domain| domain[channel]);
    let last = cube.size() - 1;
    array::from_fn(|value| {
        let part = (value as f32 / 255.0 - low) / (high - low);
        let at = part.clamp(0.0, 1.0) * last as f32;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between the ends of the table"
        )]
        let point = (at as usize).min(last - 1);
        (point, at - point as f32)
    })
}

/// What becomes of each value of a channel, in a table with one side.
#[expect(clippy::cast_possible_truncation, reason = "a factor needs no more digits")]
fn along(how: &Lut, channel: usize) -> [u8; 256] {
    let (values, strength) = (how.cube.values(), how.strength as f32);
    let places = places(&how.cube, channel);
    array::from_fn(|value| {
        let (point, part) = places[value];
        let (from, to) = (values[point][channel], values[point + 1][channel]);
        let found = (from + part * (to - from)) * 255.0;
        to_byte(value as f32 + strength * (found.clamp(0.0, 255.0) - value as f32))
    })
}

/// A table with three sides: the cell around a colour is cut into six tetrahedra along the diagonal from its darkest corner to its
/// brightest.
#[derive(Debug)]
struct Tetrahedra {
    cube: Cube,
    strength: f32,
    places: Box<[[(usize, f32); 256]; 3]>,
}

impl Tetrahedra {
    #[expect(clippy::cast_possible_truncation, reason = "a factor needs no more digits")]
    fn of(how: &Lut) -> Self {
        let places = Box::new(array::from_fn(|channel| places(&how.cube, channel)));
        Self { cube: how.cube.clone(), strength: how.strength as f32, places }
    }
}

impl Recolour for Tetrahedra {
    fn recolour(&self, rgb: [u8; 3]) -> [u8; 3] {
        let size = self.cube.size();
        let [r, g, b]: [(usize, f32); 3] =
            array::from_fn(|channel| self.places[channel][usize::from(rgb[channel])]);
        // From the first corner along the longest part to the last, each with its step in the table.
        let mut ways = [(r.1, 1), (g.1, size), (b.1, size * size)];
        for (one, other) in [(0, 1), (1, 2), (0, 1)] {
            if ways[one].0 < ways[other].0 {
                ways.swap(one, other);
            }
        }
        let mut corner = r.0 + size * (g.0 + size * b.0);
        let values = self.cube.values();
        let mut before = 1.0;
        let mut found = [0.0; 3];
        for (part, step) in ways.into_iter().chain([(0.0, 0)]) {
            for (sum, value) in found.iter_mut().zip(values[corner]) {
                *sum += (before - part) * value;
            }
            before = part;
            corner += step;
        }
        array::from_fn(|channel| {
            let value = f32::from(rgb[channel]);
            let found = (found[channel] * 255.0).clamp(0.0, 255.0);
            to_byte(value + self.strength * (found - value))
        })
    }

    fn same(&self, other: &dyn Any) -> bool {
        other.downcast_ref::<Self>().is_some_and(|other| {
            self.cube == other.cube && self.strength.to_bits() == other.strength.to_bits()
        })
    }

    fn gives_colours(&self) -> bool {
        true
    }
}
