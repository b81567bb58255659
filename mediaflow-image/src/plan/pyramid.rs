use mediaflow_core::geometry::Rect;
use mediaflow_core::ops::Kernel;

use super::work::{What, Work};

/// How much larger a rendition must be than the one that is made from it. From here on the loss against resizing the
/// source itself stays below 0.02 dB; a good part of that is noise.
const FACTOR: f64 = 2.0;

/// How far two edges may be apart and still be the same, in pixels.
const HAIR: f64 = 1e-6;

/// Lets each resize take from the smallest other resize of the same picture that has at least [`FACTOR`] times its
/// resolution and shows all of its part.
pub(super) fn build(works: &mut [Work]) {
    let resamples: Vec<(usize, Seen)> = works
        .iter()
        .enumerate()
        .filter_map(|(index, work)| Some((index, Seen::of(work)?)))
        .collect();
    for (index, seen) in &resamples {
        let best = resamples
            .iter()
            .filter(|(other, larger)| {
                other != index && seen.fits_into(larger) && larger.shrinks(&works[larger.base])
            })
            .min_by(|a, b| a.1.density.0.total_cmp(&b.1.density.0));
        if let Some((parent, larger)) = best {
            works[*index].from = vec![*parent];
            if let What::Resample { crop, within, .. } = &mut works[*index].what {
                *crop = larger.map(seen.crop);
                // All that the larger one shows was within.
                *within = None;
            }
        }
    }
}

/// A resize as a view of its base.
#[derive(Clone, Copy, Debug)]
struct Seen {
    base: usize,
    crop: Rect,
    within: Option<Rect>,
    kernel: Kernel,
    linear: bool,
    /// Pixels of the result per pixel of the base, across and down.
    density: (f64, f64),
    /// How much of the result is made: a larger one can only be taken from if all of it is.
    whole: bool,
}

impl Seen {
    fn of(work: &Work) -> Option<Self> {
        let What::Resample { crop, within, kernel, linear } = work.what else { return None };
        let density = (f64::from(work.size.0) / crop.width, f64::from(work.size.1) / crop.height);
        let whole = work.demand.as_scale() >= 1.0;
        (kernel != Kernel::Nearest).then_some(Self {
            base: work.from[0],
            crop,
            within,
            kernel,
            linear,
            density,
            whole,
        })
    }

    fn fits_into(&self, larger: &Self) -> bool {
        let ends = |rect: Rect| (rect.x + rect.width, rect.y + rect.height);
        let (right, bottom) = ends(self.crop);
        let (larger_right, larger_bottom) = ends(larger.crop);
        larger.whole
            && self.base == larger.base
            && self.within == larger.within
            && (self.kernel, self.linear) == (larger.kernel, larger.linear)
            && larger.density.0 >= FACTOR * self.density.0
            && larger.density.1 >= FACTOR * self.density.1
            && self.crop.x >= larger.crop.x - HAIR
            && self.crop.y >= larger.crop.y - HAIR
            && right <= larger_right + HAIR
            && bottom <= larger_bottom + HAIR
    }

    /// Whether it has fewer pixels than its base: an enlargement is no shortcut.
    fn shrinks(&self, base: &Work) -> bool {
        let have = base.demand.as_scale();
        self.density.0 <= have && self.density.1 <= have
    }

    /// A part of the base, in pixels of the result.
    fn map(&self, part: Rect) -> Rect {
        Rect {
            x: (part.x - self.crop.x) * self.density.0,
            y: (part.y - self.crop.y) * self.density.1,
            width: part.width * self.density.0,
            height: part.height * self.density.1,
        }
    }
}
