use super::{Block, Coefficients, Component};
use crate::Control;
use crate::failure::{Failure, Unsupported};
use crate::header::Frame;
use crate::view::View;

impl Coefficients {
    /// A part of the picture, turned. Its pixels are those of the picture: the coefficients are only laid down elsewhere, turned
    /// and with another sign. Blocks that have no pixel of the part, which fill up its last units, show nothing of what was cut off.
    ///
    /// # Errors
    /// [`Unsupported::Units`] for a part that does not begin on a unit (see [`View::is_on_units`]) or lies outside;
    /// [`Failure::Stopped`].
    pub fn view(self, view: &View, control: &Control<'_>) -> Result<Self, Failure> {
        let Frame { most, .. } = self.frame(false);
        let unit = (8 * most.0, 8 * most.1);
        if !view.is_within((self.width, self.height)) || !view.is_on_units(unit) {
            return Err(Unsupported::Units.into());
        }
        let lay = Lay::new(view, unit);
        let parts = self.components.into_iter();
        let components =
            parts.map(|part| lay.component(&part, control)).collect::<Result<_, _>>()?;
        let (width, height) = view.size();
        let mut made = Self { width, height, rgb: self.rgb, components };
        made.fill_up();
        Ok(made)
    }

    /// Gives blocks beyond the edges the mean of the block before them, as libjpeg does.
    fn fill_up(&mut self) {
        let frame = self.frame(false);
        for (part, framed) in self.components.iter_mut().zip(&frame.components) {
            let (columns, rows) = frame.blocks(framed);
            let (columns, rows, across) = (columns as usize, rows as usize, part.across as usize);
            for at in 0..part.blocks.len() {
                let (row, column) = (at / part.stride, at % part.stride);
                let before = match (row < rows, column < columns) {
                    (true, true) => continue,
                    (true, false) => at - 1,
                    // The last one of this unit in the row above.
                    (false, _) => at - part.stride - column % across + across - 1,
                };
                let mean = part.blocks[before][0];
                part.blocks[at] = [0; 64];
                part.blocks[at][0] = mean;
            }
        }
    }
}

/// How blocks and their coefficients are laid down.
struct Lay {
    transpose: bool,
    x: Axis,
    y: Axis,
    /// Of each coefficient which one it was, and its sign.
    order: [(usize, i16); 64],
}

/// An axis of the picture as it was.
struct Axis {
    /// The unit at whose edge the result begins, and how many it has.
    first: u32,
    units: u32,
    back: bool,
}

impl Lay {
    fn new(view: &View, unit: (u32, u32)) -> Self {
        let (back_x, back_y) = view.backwards();
        Self {
            transpose: view.transpose,
            x: Axis::new((view.left, view.width), unit.0, back_x),
            y: Axis::new((view.top, view.height), unit.1, back_y),
            order: order(view),
        }
    }

    fn component(&self, from: &Component, control: &Control<'_>) -> Result<Component, Failure> {
        let (width, height) = (self.x.units * from.across, self.y.units * from.down);
        let turn = |pair: (u32, u32)| if self.transpose { (pair.1, pair.0) } else { pair };
        let ((columns, rows), (across, down)) =
            (turn((width, height)), turn((from.across, from.down)));
        let mut blocks = Vec::with_capacity(columns as usize * rows as usize);
        for row in 0..rows {
            control.check()?;
            blocks.extend((0..columns).map(|column| {
                let (x, y) = turn((column, row));
                let (x, y) = (self.x.block(x, from.across), self.y.block(y, from.down));
                self.block(&from.blocks[y * from.stride + x])
            }));
        }
        let steps = self.order.map(|(was, _)| from.steps[was]);
        Ok(Component { across, down, steps, stride: columns as usize, blocks })
    }

    fn block(&self, from: &Block) -> Block {
        self.order.map(|(was, sign)| from[was].wrapping_mul(sign))
    }
}

impl Axis {
    fn new((start, length): (u32, u32), unit: u32, back: bool) -> Self {
        let begin = if back { start + length } else { start };
        Self { first: begin / unit, units: length.div_ceil(unit), back }
    }

    /// Where the block stands that comes to be here, of a component that has so many in a unit.
    fn block(&self, index: u32, in_unit: u32) -> usize {
        let first = self.first * in_unit;
        (if self.back { first - 1 - index } else { first + index }) as usize
    }
}

/// Of each coefficient, in the order of a file, which one it was and its sign: waves of an odd number of halves are mirrored by
/// their inverse.
fn order(view: &View) -> [(usize, i16); 64] {
    let waves = waves();
    waves.map(|(across, down)| {
        let was = if view.transpose { (down, across) } else { (across, down) };
        let was = waves.iter().position(|wave| *wave == was).unwrap_or(0);
        let odd = (view.mirror_x && across % 2 == 1) != (view.mirror_y && down % 2 == 1);
        (was, if odd { -1 } else { 1 })
    })
}

/// Halves of waves across and down, in the order of a file: along the diagonals, up and down in turn.
fn waves() -> [(u32, u32); 64] {
    let (mut across, mut down) = (0, 0);
    std::array::from_fn(|_| {
        let here = (across, down);
        match (across + down) % 2 {
            0 if across == 7 => down += 1,
            0 if down == 0 => across += 1,
            0 => (across, down) = (across + 1, down - 1),
            _ if down == 7 => across += 1,
            _ if across == 0 => down += 1,
            _ => (across, down) = (across - 1, down + 1),
        }
        here
    })
}
