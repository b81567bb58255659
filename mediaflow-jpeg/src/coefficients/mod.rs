//! All coefficients of a picture: read from files, put together, and written with the shortest codes.
//!
//! Uses: area, bits, codes, corners, differences, failure, feed, header, progressive, view.

mod order;
mod read;
mod scans;
mod shortest;
mod tokens;
mod view;
mod write;

use crate::failure::Unsupported;
use crate::header::{Frame, Jpeg};

/// The coefficients of a picture, quantised as they stand in a file.
///
/// What is done to them costs no quality. Strips of a picture can be encoded one after the other, and put
/// [together](Self::append) here: the codes are then the shortest ones for the whole, as of an encoder that had it all. A part of a
/// picture can be had, and it can be [turned](Self::view).
#[derive(Clone, Debug)]
pub struct Coefficients {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) rgb: bool,
    pub(crate) components: Vec<Component>,
}

/// The coefficients of one component.
#[derive(Clone, Debug)]
pub(crate) struct Component {
    /// Blocks in a unit.
    pub(crate) across: u32,
    pub(crate) down: u32,
    /// The steps, in the order of a file.
    pub(crate) steps: [u16; 64],
    /// Blocks in a row: whole units.
    pub(crate) stride: usize,
    /// Rows of blocks, each coefficient in the order of a file.
    pub(crate) blocks: Vec<Block>,
}

/// In the order of a file: the mean first.
pub(crate) type Block = [i16; 64];

impl Coefficients {
    /// In pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Bytes that those of such a file take.
    #[must_use]
    pub fn memory(jpeg: &Jpeg<'_>) -> u64 {
        let (across, down) = jpeg.frame.units();
        let blocks: u32 = jpeg.frame.components.iter().map(|part| part.across * part.down).sum();
        u64::from(across) * u64::from(down) * u64::from(blocks) * size_of::<Block>() as u64
    }

    /// Puts others below these: the next strip of the same picture.
    ///
    /// # Errors
    /// [`Unsupported::Structure`] if they are no such strip: of another width, sampling or quality, or if what is there ends within
    /// a unit. They are left as they were.
    pub fn append(&mut self, below: Self) -> Result<(), Unsupported> {
        let unit = 8 * self.components.iter().map(|part| part.down).max().unwrap_or(1);
        let alike = |(one, other): (&Component, &Component)| {
            (one.across, one.down, one.steps) == (other.across, other.down, other.steps)
        };
        let fits = self.width == below.width
            && self.rgb == below.rgb
            && self.height.is_multiple_of(unit)
            && self.components.len() == below.components.len()
            && self.components.iter().zip(&below.components).all(alike);
        if !fits {
            return Err(Unsupported::Structure);
        }
        self.height += below.height;
        for (part, below) in self.components.iter_mut().zip(below.components) {
            part.blocks.extend(below.blocks);
        }
        Ok(())
    }

    /// Room for those of a picture.
    fn new(jpeg: &Jpeg<'_>) -> Self {
        let Frame { width, height, rgb, .. } = jpeg.frame;
        let (units_across, units_down) = jpeg.frame.units();
        let parts = jpeg.frame.components.iter().map(|part| {
            let stride = (units_across * part.across) as usize;
            let rows = (units_down * part.down) as usize;
            let blocks = vec![[0; 64]; stride * rows];
            Component { across: part.across, down: part.down, steps: [0; 64], stride, blocks }
        });
        Self { width, height, rgb, components: parts.collect() }
    }

    /// The frame of a file of these.
    fn frame(&self, progressive: bool) -> Frame {
        Frame::of(self.width, self.height, self.rgb, progressive, &self.samplings())
    }

    fn samplings(&self) -> Vec<(u32, u32)> {
        self.components.iter().map(|part| (part.across, part.down)).collect()
    }
}
