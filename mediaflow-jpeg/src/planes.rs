use crate::corners::{Corner, PLACES};
use crate::failure::Unsupported;
use crate::header::{Component, Frame, Tables};
use crate::lanes::Piece;

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

/// What is known of all blocks while a picture is read, of those outside of it too.
#[derive(Debug)]
pub(crate) struct Means {
    components: Vec<OfComponent>,
}

#[derive(Debug)]
struct OfComponent {
    stride: usize,
    means: Vec<i16>,
    /// None, or one for each of the means.
    corners: Vec<Corner>,
    /// What they are multiples of.
    step: i32,
    steps: [i32; 3],
}

impl Means {
    /// Without corners if it may be coarse.
    pub(crate) fn new(frame: &Frame, coarse: bool) -> Self {
        let (across, down) = frame.units();
        let component = |part: &Component| {
            let stride = (across * part.across) as usize;
            let blocks = stride * (down * part.down) as usize;
            let fine = |most: u32, factor: u32| (most / factor).is_multiple_of(2);
            let fine = fine(frame.most.0, part.across) && fine(frame.most.1, part.down);
            let corners = if fine && !coarse { vec![[0; 3]; blocks] } else { Vec::new() };
            OfComponent { stride, means: vec![0; blocks], corners, step: 0, steps: [0; 3] }
        };
        Self { components: frame.components.iter().map(component).collect() }
    }

    /// Whether corners are wanted of the blocks of a component.
    pub(crate) fn has_corners(&self, index: usize) -> bool {
        !self.components[index].corners.is_empty()
    }

    /// Takes the steps of a component, as they are now.
    pub(crate) fn step(
        &mut self,
        index: usize,
        frame: &Frame,
        tables: &Tables,
    ) -> Result<(), Unsupported> {
        let steps = tables.quant[frame.components[index].quant].ok_or(Unsupported::Tables)?;
        self.components[index].step = i32::from(steps[0]);
        self.components[index].steps = PLACES.map(|place| i32::from(steps[place]));
        Ok(())
    }

    /// The means of a component, and how many are in a row.
    pub(crate) fn of(&mut self, index: usize) -> (&mut [i16], usize) {
        let OfComponent { means, stride, .. } = &mut self.components[index];
        (means, *stride)
    }

    /// The corners of a component, if they are wanted, and how many are in a row.
    pub(crate) fn corners_of(&mut self, index: usize) -> (&mut [Corner], usize) {
        let OfComponent { corners, stride, .. } = &mut self.components[index];
        (corners, *stride)
    }

    /// Puts what was read of whole units where it belongs, from this unit on, and adds to each mean what its component lacks.
    pub(crate) fn place(&mut self, frame: &Frame, first: usize, piece: Piece<'_>, lack: [i16; 3]) {
        let across = frame.units().0 as usize;
        let blocks = |part: &Component| (part.across * part.down) as usize;
        let unit: usize = frame.components.iter().map(blocks).sum();
        let with_corners = self.components.iter().zip(&frame.components);
        let with_corners = with_corners.filter(|(of, _)| !of.corners.is_empty());
        let corners: usize = with_corners.map(|(_, part)| blocks(part)).sum();
        let (mut begin, mut begin_of_corners) = (0, 0);
        let parts = frame.components.iter().zip(&mut self.components).zip(lack);
        for ((part, OfComponent { stride, means, corners: to_corners, .. }), lack) in parts {
            let shape =
                Shape { wide: part.across as usize, len: blocks(part), across, stride: *stride };
            shape.place(piece.means, (begin, unit), first, means, |mean| mean.wrapping_add(lack));
            begin += shape.len;
            if !to_corners.is_empty() {
                let from = (begin_of_corners, corners);
                shape.place(piece.corners, from, first, to_corners, |corner| corner);
                begin_of_corners += shape.len;
            }
        }
    }

    /// The samples that they give.
    pub(crate) fn planes(self, frame: &Frame) -> Planes {
        let planes = frame.components.iter().zip(self.components).map(|(part, of)| {
            let finer = if of.corners.is_empty() { 1 } else { 2 };
            let of_blocks = frame.blocks(part);
            let (width, height) = (of_blocks.0 * finer, of_blocks.1 * finer);
            let per = (frame.most.0 / part.across / finer, frame.most.1 / part.down / finer);
            let stride = of.stride * finer as usize;
            Plane { width, height, per, stride, samples: of.samples() }
        });
        let (width, height) = (frame.width.div_ceil(8), frame.height.div_ceil(8));
        Planes { width, height, rgb: frame.rgb, planes: planes.collect() }
    }
}

impl OfComponent {
    fn samples(self) -> Vec<u8> {
        let Self { stride, means, corners, step, steps } = self;
        if corners.is_empty() {
            return means.into_iter().map(|mean| sample(scaled(mean, step) << SHIFT)).collect();
        }
        let mut samples = vec![0; means.len() * 4];
        let rows = means.chunks_exact(stride).zip(corners.chunks_exact(stride));
        for ((means, corners), to) in rows.zip(samples.chunks_exact_mut(stride * 4)) {
            let (upper, lower) = to.split_at_mut(stride * 2);
            let pairs = upper.as_chunks_mut::<2>().0.iter_mut().zip(lower.as_chunks_mut::<2>().0);
            for ((mean, corner), (upper, lower)) in means.iter().zip(corners).zip(pairs) {
                let mean = scaled(*mean, step) << SHIFT;
                let [across, down, both] =
                    [0, 1, 2].map(|index| scaled(corner[index], steps[index]) * WEIGHTS[index]);
                *upper = [mean + across + down + both, mean - across + down - both].map(sample);
                *lower = [mean + across - down - both, mean - across - down + both].map(sample);
            }
        }
        samples
    }
}

/// How blocks of a component lie in a unit and in the picture.
struct Shape {
    wide: usize,
    len: usize,
    across: usize,
    stride: usize,
}

impl Shape {
    /// From each unit, of which all components have so many items, those of this one, which begin with that one.
    fn place<T: Copy>(
        &self,
        items: &[T],
        (begin, unit): (usize, usize),
        first: usize,
        to: &mut [T],
        changed: impl Fn(T) -> T,
    ) {
        let Self { wide, len, across, stride } = *self;
        if len == 1 {
            // One of each unit: they follow one another.
            let items = items.chunks_exact(unit).map(|items| items[begin]);
            let to = to.get_mut(first..).unwrap_or_default();
            to.iter_mut().zip(items).for_each(|(to, item)| *to = changed(item));
            return;
        }
        let (mut row, mut column) = (first / across, first % across);
        for items in items.chunks_exact(unit) {
            let corner = row * (len / wide) * stride + column * wide;
            for (y, items) in items[begin..begin + len].chunks_exact(wide).enumerate() {
                let at = corner + y * stride;
                let to = to.get_mut(at..at + wide).unwrap_or_default();
                to.iter_mut().zip(items).for_each(|(to, item)| *to = changed(*item));
            }
            column += 1;
            if column == across {
                (row, column) = (row + 1, 0);
            }
        }
    }
}

/// Bits behind the point of the weights.
const SHIFT: u32 = 8;

/// Of a slope that much is the mean of half a block: 0.906 of its coefficient, and of both slopes the square of that.
const WEIGHTS: [i32; 3] = [232, 232, 210];

/// A coefficient. Ten times what a picture can have is as good as more.
fn scaled(coefficient: i16, step: i32) -> i32 {
    (i32::from(coefficient) * step).clamp(-1 << 17, 1 << 17)
}

/// Coefficients are eight times what they are in pixels, and pixels less 128.
#[expect(clippy::cast_sign_loss, reason = "it is within 0 and 255")]
fn sample(value: i32) -> u8 {
    (((value + (4 << SHIFT)) >> (3 + SHIFT)) + 128).clamp(0, 255) as u8
}
