use mediaflow_core::media::Image;
use mediaflow_core::ops::Normalize;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{Tone, Tones, luma_histogram};
use crate::word::{Compile, View, Whole, one};

impl Compile for Normalize {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(*self)]
    }
}

impl Whole for Normalize {
    fn explain(&self) -> (&'static str, String) {
        ("normalize", format!("from {} to {} percent", self.lower, self.upper))
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let counts = luma_histogram(&image, cx)?;
        let Some((low, high)) = ends(self, &counts) else { return Ok(image) };
        let stretched = |value: f64| (value - low) * 255.0 / (high - low);
        Tones::default().then(Tone::curve("normalize", false, stretched)).apply(image, cx)
    }
}

/// The darkest and the brightest luma that are left once so many percent on either side are taken away, if they are two.
#[expect(clippy::cast_precision_loss, reason = "a share of a picture")]
fn ends(how: &Normalize, counts: &[u64; 256]) -> Option<(f64, f64)> {
    let total = counts.iter().sum::<u64>() as f64;
    let beyond = |share: f64| {
        let mut sum = 0.0;
        move |count: &u64| {
            sum += *count as f64;
            // A hair more, so that a rounding error takes nothing away.
            sum > total * share / 100.0 + 1e-6
        }
    };
    let low = counts.iter().position(beyond(how.lower))?;
    let high = counts.iter().rposition(beyond(100.0 - how.upper))?;
    (low < high).then_some((low as f64, high as f64))
}
