use crate::area::Area;
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
    size: Size,
}

/// What is known of the slopes of blocks.
pub(crate) struct Slopes<'a> {
    pub(crate) corners: &'a mut [Corner],
    /// Of each of them which coefficients are not zero, or nothing.
    pub(crate) known: &'a mut [u64],
}

/// How large a picture becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Eighth {
        /// Without corners of components that are sampled more coarsely than others.
        coarse: bool,
    },
    Quarter,
}

#[derive(Debug)]
struct OfComponent {
    stride: usize,
    means: Vec<i16>,
    /// None, or one for each of the means.
    corners: Vec<Corner>,
    /// The same: of which coefficients something is there, each a bit.
    known: Vec<u64>,
    /// What they are multiples of.
    step: i32,
    steps: [i32; 3],
}

impl Means {
    pub(crate) fn new(frame: &Frame, size: Size) -> Self {
        let (across, down) = frame.units();
        let component = |part: &Component| {
            let stride = (across * part.across) as usize;
            let blocks = stride * (down * part.down) as usize;
            let half = |most: u32, factor: u32| (most / factor).is_multiple_of(2);
            let half = half(frame.most.0, part.across) && half(frame.most.1, part.down);
            let fine = size == Size::Quarter || size == Size::Eighth { coarse: false } && half;
            let corners = if fine { vec![[0; 3]; blocks] } else { Vec::new() };
            OfComponent {
                stride,
                means: vec![0; blocks],
                corners,
                known: Vec::new(),
                step: 0,
                steps: [0; 3],
            }
        };
        Self { components: frame.components.iter().map(component).collect(), size }
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

    /// The slopes of a component, if they are wanted, and how many are in a row.
    pub(crate) fn slopes_of(&mut self, index: usize) -> (Slopes<'_>, usize) {
        let OfComponent { corners, known, stride, .. } = &mut self.components[index];
        (Slopes { corners, known }, *stride)
    }

    /// Whether all bits of the slopes of a component are read.
    pub(crate) fn is_exact(&self, index: usize) -> bool {
        !self.components[index].known.is_empty()
    }

    /// Has all bits of the slopes of a component read, where pixels would be off by more than a level without those that may be
    /// missed.
    pub(crate) fn be_exact(&mut self, index: usize) {
        let OfComponent { corners, known, steps, .. } = &mut self.components[index];
        let missing = (1 << MISSED) - 1;
        if self.size == Size::Quarter && steps.iter().any(|step| step * missing > LEVEL) {
            *known = vec![0; corners.len()];
        }
    }

    /// Whether more bits of the slopes of a component are left to later scans than may be missed.
    pub(crate) fn lacks(&self, index: usize, bits: u8) -> bool {
        self.size == Size::Quarter && !self.is_exact(index) && bits > MISSED
    }

    /// Puts what was read of whole units where it belongs, from this unit of a scan on, and adds to each mean what its component
    /// lacks.
    pub(crate) fn place(&mut self, area: &Area, first: usize, piece: Piece<'_>, lack: [i16; 3]) {
        let unit = area.blocks.len();
        let with_corners = area.parts.iter().filter(|(index, ..)| self.has_corners(*index));
        let corners: usize = with_corners.map(|(_, wide, tall)| wide * tall).sum();
        let (mut begin, mut begin_of_corners) = (0, 0);
        for &(index, wide, tall) in &area.parts {
            let OfComponent { stride, means, corners: to_corners, .. } =
                &mut self.components[index];
            let (len, lack) = (wide * tall, lack[index]);
            let shape = Shape { wide, len, across: area.across, stride: *stride };
            shape.place(piece.means, (begin, unit), first, means, |mean| mean.wrapping_add(lack));
            begin += len;
            if !to_corners.is_empty() {
                let from = (begin_of_corners, corners);
                shape.place(piece.corners, from, first, to_corners, |corner| corner);
                begin_of_corners += len;
            }
        }
    }

    /// The samples that they give.
    pub(crate) fn planes(self, frame: &Frame) -> Planes {
        let of_block = if self.size == Size::Quarter { 2 } else { 1 };
        let planes = frame.components.iter().zip(self.components).map(|(part, of)| {
            let samples = if of.corners.is_empty() { 1 } else { 2 };
            let per = |most: u32, factor: u32| most * of_block / (factor * samples);
            let per = (per(frame.most.0, part.across), per(frame.most.1, part.down));
            let (width, height) = frame.samples(part, samples);
            let stride = of.stride * samples as usize;
            Plane { width, height, per, stride, samples: of.samples(self.size.weights()) }
        });
        let side = |side: u32| (side * of_block).div_ceil(8);
        let (width, height) = (side(frame.width), side(frame.height));
        Planes { width, height, rgb: frame.rgb, planes: planes.collect() }
    }
}

impl OfComponent {
    fn samples(self, weights: [i32; 3]) -> Vec<u8> {
        let Self { stride, means, corners, step, steps, .. } = self;
        if corners.is_empty() {
            return plain(&means, step);
        }
        let mut samples = vec![0; means.len() * 4];
        let rows = means.chunks_exact(stride).zip(corners.chunks_exact(stride));
        for ((means, corners), to) in rows.zip(samples.chunks_exact_mut(stride * 4)) {
            let (upper, lower) = to.split_at_mut(stride * 2);
            let pairs = upper.as_chunks_mut::<2>().0.iter_mut().zip(lower.as_chunks_mut::<2>().0);
            for ((mean, corner), (upper, lower)) in means.iter().zip(corners).zip(pairs) {
                let mean = scaled(*mean, step) << SHIFT;
                let [across, down, both] =
                    [0, 1, 2].map(|index| scaled(corner[index], steps[index]) * weights[index]);
                *upper = [mean + across + down + both, mean - across + down - both].map(sample);
                *lower = [mean + across - down - both, mean - across - down + both].map(sample);
            }
        }
        samples
    }
}

/// The samples of blocks of which nothing but the mean is known. Whatever is far out of the range of samples is as good as more, and
/// so all of it has 16 bits, of which processors take many at a time.
fn plain(means: &[i16], step: i32) -> Vec<u8> {
    let Some(step) = i16::try_from(step).ok().filter(|step| *step < 1 << 8) else {
        return means.iter().map(|mean| sample(scaled(*mean, step) << SHIFT)).collect();
    };
    let most = (i16::MAX - 4) / step.max(1);
    let mut samples = vec![0; means.len()];
    for (to, mean) in samples.iter_mut().zip(means) {
        let value = (*mean).clamp(-most, most).wrapping_mul(step);
        *to = (((value + 4) >> 3) + 128).clamp(0, 255) as u8;
    }
    samples
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
        if len == 1 && across == stride {
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

/// So many of the last bits of slopes may be missed: as many as encoders leave to later scans.
const MISSED: u8 = 2;

/// What a coefficient is that changes pixels by one level.
const LEVEL: i32 = 8;

/// Bits behind the point of the weights.
const SHIFT: u32 = 8;

impl Size {
    /// How much of slopes is taken. The mean of half a block is 0.906 of a coefficient, and of both slopes the square of that; a
    /// whole picture is nearer to itself if all of it is taken, as if it had been made smaller without a blur.
    fn weights(self) -> [i32; 3] {
        match self {
            Self::Eighth { .. } => [232, 232, 210],
            Self::Quarter => [256; 3],
        }
    }
}

/// A coefficient. Ten times what a picture can have is as good as more.
fn scaled(coefficient: i16, step: i32) -> i32 {
    (i32::from(coefficient) * step).clamp(-1 << 17, 1 << 17)
}

/// Coefficients are eight times what they are in pixels, and pixels less 128.
#[expect(clippy::cast_sign_loss, reason = "it is within 0 and 255")]
fn sample(value: i32) -> u8 {
    (((value + (4 << SHIFT)) >> (3 + SHIFT)) + 128).clamp(0, 255) as u8
}
