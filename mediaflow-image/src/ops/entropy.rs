use mediaflow_core::media::{Facts, Image};
use mediaflow_core::ops::Entropy;
use mediaflow_core::{Color, Result, RunContext};

use crate::pixels::{flatten, grey};
use crate::word::{Compile, Finder, View};

impl Compile for Entropy {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        View::facts(&self.copy(), size, *self)
    }
}

impl Finder for Entropy {
    fn explain(&self) -> String {
        "the entropy of the tones".to_owned()
    }

    fn find(&self, image: Image, cx: &RunContext) -> Result<Facts> {
        let grey = grey(&flatten(image, Color::WHITE, cx)?, cx)?;
        let mut counts = [0_u32; 256];
        grey.iter().for_each(|value| counts[usize::from(*value)] += 1);
        let total = grey.len() as f64;
        let shares = counts.into_iter().filter(|count| *count > 0);
        let shares = shares.map(|count| f64::from(count) / total);
        // Of one tone it is 0, and not less by a sign.
        Facts::new(shares.map(|share| share * share.log2()).sum::<f64>().abs())
    }
}
