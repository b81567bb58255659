use std::cmp::Ordering;

use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::Data;
use crate::header::{Frame, Tables};

/// The units of a scan, and the blocks of one: place in the scan, component, and where in the unit.
pub(crate) struct Area {
    pub(crate) across: usize,
    pub(crate) units: usize,
    pub(crate) blocks: Vec<(usize, usize, usize, usize)>,
    /// Of each component of the scan which it is, and how many blocks of a unit are in a row, and in a column.
    pub(crate) parts: Vec<(usize, usize, usize)>,
}

impl Area {
    /// Of a scan of these components.
    pub(crate) fn new(frame: &Frame, of: &[usize]) -> Self {
        let alone = of.len() == 1;
        let (mut blocks, mut parts) = (Vec::new(), Vec::new());
        for (place, index) in of.iter().enumerate() {
            let part = &frame.components[*index];
            let (across, down) =
                if alone { (1, 1) } else { (part.across as usize, part.down as usize) };
            parts.push((*index, across, down));
            blocks.extend((0..down).flat_map(|y| (0..across).map(move |x| (place, *index, x, y))));
        }
        let (across, down) = match of {
            [index] => frame.blocks(&frame.components[*index]),
            _ => frame.units(),
        };
        Self { across: across as usize, units: across as usize * down as usize, blocks, parts }
    }

    /// Units between two restarts.
    pub(crate) fn every(&self, tables: &Tables) -> usize {
        if tables.restart == 0 { self.units } else { tables.restart as usize }
    }

    pub(crate) fn of(&self) -> u64 {
        (self.units * self.blocks.len()) as u64
    }

    /// Whether there are as many restarts as should be.
    pub(crate) fn check(&self, data: &Data, restart: u32) -> Result<(), Failure> {
        let every = if restart == 0 { self.units } else { restart as usize };
        match data.count.cmp(&self.units.div_ceil(every)) {
            Ordering::Less => {
                let blocks = (data.count * every * self.blocks.len()) as u64;
                Err(Damage::Ended { blocks, of: self.of() }.into())
            }
            _ if !data.in_order => Err(Damage::Restarts.into()),
            Ordering::Equal => Ok(()),
            // Some are written behind the last unit.
            Ordering::Greater => Err(Unsupported::Stray.into()),
        }
    }
}
