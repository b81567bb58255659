use mediaflow_core::media::Image;
use mediaflow_core::ops::Flatten;
use mediaflow_core::{Result, RunContext};

use crate::pixels::flatten;
use crate::word::{Compile, View, Whole, one};

impl Compile for Flatten {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(*self)]
    }
}

impl Whole for Flatten {
    fn explain(&self) -> (&'static str, String) {
        ("flatten", format!("on {}", self.background))
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        flatten(one(inputs)?, self.background, cx)
    }
}
