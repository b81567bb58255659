use std::any::Any;
use std::fmt;

/// What becomes of a colour, where neither a curve for each channel nor a mix of all three says it.
pub(crate) trait Recolour: fmt::Debug + Any + Send + Sync {
    /// What becomes of this red, green and blue.
    fn recolour(&self, rgb: [u8; 3]) -> [u8; 3];

    /// Whether it is the same as another one.
    fn same(&self, other: &dyn Any) -> bool;

    /// Whether a grey pixel can be given colours.
    fn gives_colours(&self) -> bool {
        false
    }

    /// Pixels of three channels, or of four of which the last is alpha. It stands here so that the loop is compiled for each kind
    /// by itself.
    fn band(&self, pixels: &mut [u8], alpha: bool) {
        if alpha {
            each::<4>(pixels, |rgb| self.recolour(rgb));
        } else {
            each::<3>(pixels, |rgb| self.recolour(rgb));
        }
    }
}

impl PartialEq for dyn Recolour {
    fn eq(&self, other: &Self) -> bool {
        self.same(other)
    }
}

/// What becomes of each red, each green and each blue.
#[derive(Debug, PartialEq)]
pub(crate) struct Curves(pub(crate) [[u8; 256]; 3]);

impl Recolour for Curves {
    fn recolour(&self, [r, g, b]: [u8; 3]) -> [u8; 3] {
        let [of_r, of_g, of_b] = &self.0;
        [of_r[usize::from(r)], of_g[usize::from(g)], of_b[usize::from(b)]]
    }

    fn same(&self, other: &dyn Any) -> bool {
        other.downcast_ref() == Some(self)
    }

    fn gives_colours(&self) -> bool {
        true
    }
}

/// Sets the colours of each pixel, out of what they were.
pub(super) fn each<const N: usize>(pixels: &mut [u8], recolour: impl Fn([u8; 3]) -> [u8; 3]) {
    for pixel in pixels.as_chunks_mut::<N>().0 {
        let colours = recolour([pixel[0], pixel[1], pixel[2]]);
        pixel[..3].copy_from_slice(&colours);
    }
}

/// The luma of a colour, from 0 to 255 (Rec. 709), rounded.
#[expect(clippy::cast_possible_truncation, reason = "the weights sum to 2^16")]
pub(super) fn luma_of([r, g, b]: [u8; 3]) -> u8 {
    let sum = 13_933 * u32::from(r) + 46_871 * u32::from(g) + 4_732 * u32::from(b);
    ((sum + (1 << 15)) >> 16) as u8
}
