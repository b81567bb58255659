use mediaflow_core::media::{Facts, Image};
use mediaflow_core::ops::ReadMetadata;
use mediaflow_core::{Result, RunContext};

use crate::codec::Said;
use crate::word::{Compile, Finder, View};

impl Compile for ReadMetadata {
    fn views(&self, size: (u32, u32)) -> Vec<View> {
        View::facts(&self.copy(), size, *self)
    }
}

impl Finder for ReadMetadata {
    fn explain(&self) -> String {
        let place = if self.place { "with" } else { "without" };
        format!("what the file says of itself, {place} the place")
    }

    fn find(&self, image: Image, _cx: &RunContext) -> Result<Facts> {
        Facts::new(Said::by(image.metadata(), self.place))
    }
}
