use mediaflow_core::media::Image;
use mediaflow_core::ops::Blur;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{blurred, gaussian_memory};
use crate::word::{Compile, Extent, View, Whole, one};

impl Compile for Blur {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        vec![View::whole(*self)]
    }
}

impl Whole for Blur {
    fn explain(&self) -> (&'static str, String) {
        ("blur", format!("by {} pixels", self.sigma))
    }

    fn memory(&self, input: Extent, _output: Extent) -> u64 {
        gaussian_memory(self.sigma, input.width * input.channels)
    }

    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        blurred(&one(inputs)?, self.sigma, cx)
    }
}
