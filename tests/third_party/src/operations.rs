use mediaflow::media::{Facts, Format, Image, MediaInfo, Medium};
use mediaflow::plan::Demand;
use mediaflow::prelude::*;
use mediaflow::{Arity, Color};
use serde::{Deserialize, Serialize};

/// Keeps only one channel of light: a darkroom.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Darkroom {
    /// Which channel, from 0.
    pub channel: u8,
}

impl Operation for Darkroom {
    const KIND: &'static str = "acme.darkroom";

    fn validate(&self) -> mediaflow::Result<()> {
        match self.channel {
            0..=2 => Ok(()),
            other => {
                Err(Error::input("darkroom.channel", "a channel is 0, 1 or 2")
                    .with("channel", other))
            }
        }
    }
}

#[async_trait]
impl Run for Darkroom {
    async fn run(&self, inputs: Inputs, cx: &OpContext) -> mediaflow::Result<Outputs> {
        let image = inputs.into_first()?.into_image()?;
        let keep = usize::from(self.channel);
        let image = cx
            .cpu(move |cx| {
                cx.check()?;
                let (width, height, channels) = (image.width(), image.height(), image.channels());
                let mut pixels = image.into_pixels();
                for pixel in pixels.chunks_exact_mut(usize::from(channels)) {
                    for (index, value) in pixel.iter_mut().enumerate().take(3) {
                        *value = if index == keep { *value } else { 0 };
                    }
                }
                Image::new(width, height, channels, pixels)
            })
            .await?;
        Ok(Outputs::one(image))
    }
}

/// A sheet of paper of one colour: it has no input.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// Its width in pixels.
    pub width: u32,
    /// Its height in pixels.
    pub height: u32,
    /// Its colour.
    pub color: Color,
}

impl Operation for Paper {
    const KIND: &'static str = "acme.paper";

    fn arity(&self) -> Arity {
        Arity::Generator
    }

    fn validate(&self) -> mediaflow::Result<()> {
        if self.width > 0 && self.height > 0 {
            return Ok(());
        }
        Err(Error::input("paper.size", "a sheet has a width and a height"))
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        Ok(MediaInfo::still(Format::RAW, self.width, self.height).with_channels(3))
    }
}

#[async_trait]
impl Run for Paper {
    async fn run(&self, _inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        let [r, g, b, _] = self.color.channels();
        let pixels = [r, g, b].repeat(self.width as usize * self.height as usize);
        Ok(Outputs::one(Image::new(self.width, self.height, 3, pixels)?))
    }
}

/// Finds out how bright a picture is, from a small version of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Brightness {}

impl Operation for Brightness {
    const KIND: &'static str = "acme.brightness";
    const MEDIA: &'static [Medium] = &[Medium::Still, Medium::Animation];

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Facts
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        Ok(Facts::info())
    }

    fn demand(&self, _wanted: Demand, inputs: &[MediaInfo]) -> Vec<Demand> {
        inputs.iter().map(|input| Demand::scale(64.0 / f64::from(input.width.max(64)))).collect()
    }
}

#[async_trait]
impl Run for Brightness {
    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        let image = inputs.into_first()?.into_image()?;
        let sum: u64 = image.pixels().iter().copied().map(u64::from).sum();
        Ok(Outputs::one(Facts::new([sum / image.pixels().len() as u64])?))
    }
}
