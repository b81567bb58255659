use crate::area::Area;
use crate::header::Frame;

/// A place among the coefficients: component, and which of its blocks.
pub(super) type Place = (usize, usize);

/// The blocks of a scan, unit by unit.
pub(super) struct Order {
    pub(super) area: Area,
    /// Blocks in a row, of each component of the scan.
    strides: Vec<usize>,
}

impl Order {
    /// Of a scan of these components, whose rows have so many blocks.
    pub(super) fn new(frame: &Frame, parts: &[usize], stride: impl Fn(usize) -> usize) -> Self {
        let strides = parts.iter().map(|index| stride(*index)).collect();
        Self { area: Area::new(frame, parts), strides }
    }

    /// The blocks of this unit: which part of the scan each is of, and its place.
    pub(super) fn unit(&self, unit: usize) -> impl Iterator<Item = (usize, Place)> {
        let (row, column) = (unit / self.area.across, unit % self.area.across);
        self.area.blocks.iter().map(move |(place, index, x, y)| {
            let (_, across, down) = self.area.parts[*place];
            let block = (row * down + y) * self.strides[*place] + column * across + x;
            (*place, (*index, block))
        })
    }
}
