use mediaflow_core::media::Image;
use mediaflow_core::ops::Sharpen;
use mediaflow_core::{Result, RunContext};

use crate::pixels::{gaussian, gaussian_memory, to_byte};
use crate::word::{Compile, Extent, View, Whole, one};

impl Compile for Sharpen {
    fn views(&self, _size: (u32, u32)) -> Vec<View> {
        if self.amount == 0.0 { Vec::new() } else { vec![View::whole(*self)] }
    }
}

impl Whole for Sharpen {
    fn explain(&self) -> (&'static str, String) {
        let beyond = match self.threshold {
            0.0 => String::new(),
            threshold => format!(" beyond {threshold}"),
        };
        ("sharpen", format!("by {} within {} pixels{beyond}", self.amount, self.sigma))
    }

    fn memory(&self, input: Extent, _output: Extent) -> u64 {
        gaussian_memory(self.sigma, input.width * input.channels)
    }

    #[expect(clippy::cast_possible_truncation, reason = "a factor needs no more digits")]
    fn run(&self, inputs: Vec<Image>, cx: &RunContext) -> Result<Image> {
        let image = one(inputs)?;
        let (amount, channels) = (self.amount as f32, usize::from(image.channels()));
        let threshold = self.threshold as f32;
        let colours = if image.has_alpha() { channels - 1 } else { channels };
        let mut pixels = Vec::with_capacity(image.pixels().len());
        let len = image.width() as usize * channels;
        gaussian(&image, self.sigma, cx, |y, soft| {
            let row = image.pixels()[y * len..(y + 1) * len].chunks_exact(channels);
            for (pixel, soft) in row.zip(soft.chunks_exact(channels)) {
                let away = |(value, soft): (&u8, &f32)| {
                    let away = f32::from(*value) - soft;
                    let amount = if away.abs() <= threshold { 0.0 } else { amount };
                    to_byte(f32::from(*value) + amount * away)
                };
                pixels.extend(pixel[..colours].iter().zip(soft).map(away));
                pixels.extend(&pixel[colours..]);
            }
        })?;
        Ok(Image::new(image.width(), image.height(), image.channels(), pixels)?
            .with_metadata(image.metadata().clone()))
    }
}
