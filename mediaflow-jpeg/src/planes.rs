use crate::color;
use crate::failure::Unsupported;
use crate::header::{Frame, Tables};

/// The components of a picture at a part of its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planes {
    width: u32,
    height: u32,
    pub(crate) rgb: bool,
    pub(crate) planes: Vec<Plane>,
}

/// Samples of one component, row by row, 0 to 255.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    width: u32,
    height: u32,
    /// How many pixels of the picture one sample stands for, across and down.
    pub(crate) per: (u32, u32),
    stride: usize,
    samples: Vec<u8>,
}

impl Planes {
    /// In pixels: of the component with the most samples.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In pixels: of the component with the most samples.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// 1 or 3.
    #[must_use]
    pub fn channels(&self) -> u8 {
        if self.planes.len() == 1 { 1 } else { 3 }
    }

    /// Each component: grey, or luma and two of colour, or red, green and blue.
    #[must_use]
    pub fn planes(&self) -> &[Plane] {
        &self.planes
    }

    /// Grey, or red, green and blue of each pixel, row by row.
    #[must_use]
    pub fn to_pixels(&self) -> Vec<u8> {
        color::pixels(self)
    }
}

impl Plane {
    /// In samples.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// In samples.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// One row of samples, counted from the top; none below the last one.
    #[must_use]
    pub fn row(&self, y: u32) -> &[u8] {
        let begin = self.stride * y as usize;
        let row = self.samples.get(begin..begin + self.width as usize);
        row.filter(|_| y < self.height).unwrap_or_default()
    }
}

/// The means of all blocks while a picture is read, those outside of it too.
#[derive(Debug)]
pub(crate) struct Means {
    components: Vec<OfComponent>,
}

#[derive(Debug)]
struct OfComponent {
    stride: usize,
    means: Vec<i16>,
    /// What one of them is a multiple of.
    step: i32,
}

impl Means {
    pub(crate) fn new(frame: &Frame) -> Self {
        let (across, down) = frame.units();
        let component = |part: &crate::header::Component| {
            let stride = (across * part.across) as usize;
            let means = vec![0; stride * (down * part.down) as usize];
            OfComponent { stride, means, step: 0 }
        };
        Self { components: frame.components.iter().map(component).collect() }
    }

    /// Takes the step of a component, as it is now.
    pub(crate) fn step(
        &mut self,
        index: usize,
        frame: &Frame,
        tables: &Tables,
    ) -> Result<(), Unsupported> {
        let step = tables.quant[frame.components[index].quant].ok_or(Unsupported::Tables)?;
        self.components[index].step = i32::from(step);
        Ok(())
    }

    /// The means of a component, and how many are in a row.
    pub(crate) fn of(&mut self, index: usize) -> (&mut [i16], usize) {
        let OfComponent { means, stride, .. } = &mut self.components[index];
        (means, *stride)
    }

    /// Puts means of whole units where they belong, from this unit on, and adds to each what its component lacks.
    pub(crate) fn place(&mut self, frame: &Frame, first: usize, found: &[i16], lack: [i16; 3]) {
        let across = frame.units().0 as usize;
        let unit: u32 = frame.components.iter().map(|part| part.across * part.down).sum();
        let mut begin = 0;
        let parts = frame.components.iter().zip(&mut self.components).zip(lack);
        for ((part, OfComponent { stride, means, .. }), lack) in parts {
            let (wide, tall) = (part.across as usize, part.down as usize);
            let (mut row, mut column) = (first / across, first % across);
            for blocks in found.chunks_exact(unit as usize) {
                let blocks = &blocks[begin..begin + wide * tall];
                let corner = row * tall * *stride + column * wide;
                for (y, blocks) in blocks.chunks_exact(wide).enumerate() {
                    let at = corner + y * *stride;
                    let to = means.get_mut(at..at + wide).unwrap_or_default();
                    to.iter_mut().zip(blocks).for_each(|(to, mean)| *to = mean.wrapping_add(lack));
                }
                column += 1;
                if column == across {
                    (row, column) = (row + 1, 0);
                }
            }
            begin += wide * tall;
        }
    }

    /// The samples that they give.
    pub(crate) fn planes(self, frame: &Frame) -> Planes {
        let planes = frame.components.iter().zip(self.components).map(|(part, of)| {
            let OfComponent { stride, means, step } = of;
            let (width, height) = frame.blocks(part);
            let samples = means.into_iter().map(|mean| sample(mean, step)).collect();
            let per = (frame.most.0 / part.across, frame.most.1 / part.down);
            Plane { width, height, per, stride, samples }
        });
        let (width, height) = (frame.width.div_ceil(8), frame.height.div_ceil(8));
        Planes { width, height, rgb: frame.rgb, planes: planes.collect() }
    }
}

/// A mean is eight times that of the pixels, less 128.
#[expect(clippy::cast_sign_loss, reason = "it is within 0 and 255")]
fn sample(mean: i16, step: i32) -> u8 {
    (((i32::from(mean) * step + 4) >> 3) + 128).clamp(0, 255) as u8
}
