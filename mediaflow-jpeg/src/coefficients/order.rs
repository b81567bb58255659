use crate::header::Frame;

/// A place in a scan: component, and which of its blocks.
pub(super) type Place = (usize, usize);

/// The blocks of one unit, in order.
#[derive(Debug)]
pub(super) struct Order {
    /// Units of a scan, across and down.
    pub(super) across: usize,
    pub(super) down: usize,
    /// Of each block: which part of the scan it is of, and its component, stride, and blocks of a unit across and down; then where
    /// in the unit.
    blocks: Vec<(usize, usize, Step, usize, usize)>,
}

/// How far it is from one unit of a component to the next.
#[derive(Clone, Copy, Debug)]
struct Step {
    stride: usize,
    across: usize,
    down: usize,
}

impl Order {
    /// Of a scan of these components, whose rows have so many blocks.
    pub(super) fn new(frame: &Frame, parts: &[usize], stride: impl Fn(usize) -> usize) -> Self {
        let mut blocks = Vec::new();
        for (place, index) in parts.iter().enumerate() {
            let part = &frame.components[*index];
            let (across, down) = match parts.len() {
                1 => (1, 1),
                _ => (part.across as usize, part.down as usize),
            };
            let step = Step { stride: stride(*index), across, down };
            let places = (0..down).flat_map(|y| (0..across).map(move |x| (x, y)));
            blocks.extend(places.map(|(x, y)| (place, *index, step, x, y)));
        }
        let (across, down) = match parts {
            [alone] => frame.blocks(&frame.components[*alone]),
            _ => frame.units(),
        };
        Self { across: across as usize, down: down as usize, blocks }
    }

    pub(super) fn units(&self) -> usize {
        self.across * self.down
    }

    /// How many blocks the scan has.
    pub(super) fn count(&self) -> u64 {
        (self.units() * self.blocks.len()) as u64
    }

    pub(super) fn unit_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// The blocks of this unit: which part of the scan each is of, and its place.
    pub(super) fn unit(&self, unit: usize) -> impl Iterator<Item = (usize, Place)> {
        let (row, column) = (unit / self.across, unit % self.across);
        self.blocks.iter().map(move |(place, index, step, x, y)| {
            let block = (row * step.down + y) * step.stride + column * step.across + x;
            (*place, (*index, block))
        })
    }
}
