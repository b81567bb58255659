//! The part of a picture that is kept where its gravity has to be found in it.
//!
//! Uses: pixels, word.

use mediaflow_core::geometry::Gravity;
use mediaflow_core::media::Image;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{crop, most_attention, most_entropy};
use crate::word::{View, Whole, one};

/// Keeps so much of a picture of this size, where there is most to see.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    gravity: Gravity,
    from: (u32, u32),
    kept: (u32, u32),
}

impl Found {
    /// Nothing if all of the picture is kept.
    pub(crate) fn view(gravity: Gravity, from: (u32, u32), kept: (u32, u32)) -> Option<View> {
        (from != kept).then(|| View::whole(Self { gravity, from, kept }))
    }
}

impl Whole for Found {
    fn explain(&self) -> (&'static str, String) {
        let most = if self.gravity == Gravity::Entropy { "entropy" } else { "attention" };
        ("crop", format!("to the most {most}"))
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let size = (image.width(), image.height());
        // The picture may be smaller than the plan counts with.
        let kept = (part(self.kept.0, self.from.0, size.0), part(self.kept.1, self.from.1, size.1));
        let at = match self.gravity {
            Gravity::Entropy => most_entropy(&image, kept, cx)?,
            _ => most_attention(&image, kept, cx)?,
        };
        crop(&image, at, kept, cx)
    }
}

/// As much of a side as `kept` is of `from`, rounded.
fn part(kept: u32, from: u32, side: u32) -> u32 {
    let from = u64::from(from.max(1));
    let part = (u64::from(kept) * u64::from(side) + from / 2) / from;
    u32::try_from(part).unwrap_or(side).clamp(1, side.max(1))
}
