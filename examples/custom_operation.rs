//! A step of your own, between steps that the image backend runs.
//!
//! The step says how much of its input it needs, so the source is still decoded small; it works on the CPU pool and
//! stops when its job is cancelled.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]
#![expect(clippy::cast_possible_truncation, reason = "a colour value between 0 and 255")]

use std::time::Duration;

use mediaflow::media::{Image, MediaInfo};
use mediaflow::plan::Demand;
use mediaflow::prelude::*;
use serde::{Deserialize, Serialize};

/// Darkens towards the corners. `strength` is 0 (nothing) to 1 (black corners).
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vignette {
    strength: f32,
}

impl Operation for Vignette {
    const KIND: &'static str = "acme.vignette";

    fn validate(&self) -> mediaflow::Result<()> {
        if (0.0..=1.0).contains(&self.strength) {
            return Ok(());
        }
        Err(Error::input("vignette.strength", "the strength lies between 0 and 1")
            .with("strength", self.strength))
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }
}

#[async_trait]
impl Run for Vignette {
    async fn run(&self, inputs: Inputs, cx: &OpContext) -> mediaflow::Result<Outputs> {
        let image = inputs.into_first()?.into_image()?;
        let strength = self.strength;
        let image = cx.cpu(move |cx| vignette(image, strength, || cx.check())).await?;
        Ok(Outputs::one(image))
    }
}

fn vignette(
    image: Image,
    strength: f32,
    check: impl Fn() -> mediaflow::Result<()>,
) -> mediaflow::Result<Image> {
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let metadata = image.metadata().clone();
    let mut pixels = image.into_pixels();
    let colours = usize::from(if channels.is_multiple_of(2) { channels - 1 } else { channels });
    let centred = |at: usize, size: u32| (at as f32 + 0.5) / size as f32 * 2.0 - 1.0;
    for (y, row) in pixels.chunks_exact_mut(width as usize * usize::from(channels)).enumerate() {
        check()?;
        for (x, pixel) in row.chunks_exact_mut(usize::from(channels)).enumerate() {
            let (dx, dy) = (centred(x, width), centred(y, height));
            let light = 1.0 - strength * (dx * dx + dy * dy) / 2.0;
            for value in &mut pixel[..colours] {
                *value = (f32::from(*value) * light).round().clamp(0.0, 255.0) as u8;
            }
        }
    }
    Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
}

#[tokio::main]
async fn main() -> mediaflow::Result<()> {
    let media = Mediaflow::builder()
        .storage("uploads", "file:examples/media")
        .storage("public", "file:target/custom_operation")
        .with(image::operations)
        .with(|registry| {
            registry.operation::<Vignette>();
        })
        .start()
        .await?;

    let photo = Pipeline::from("uploads/mountains.jpg")
        .output("public/dark.jpg", |photo| {
            photo.resize((800, 800, Fit::Inside)).then(Vignette { strength: 0.7 }).jpeg(85)
        })
        .build()?;
    println!("{}", media.explain(photo.clone()).await?);

    let report = media.submit(photo).await?.done().await?;
    println!("{}: {} bytes", report.outputs[0].output, report.outputs[0].bytes);
    media.shutdown(Duration::from_secs(5)).await
}
