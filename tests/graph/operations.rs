//! Operations to test the graph with.

use mediaflow::media::{Bundle, Facts, Format, Image, MediaInfo, Medium};
use mediaflow::plan::Demand;
use mediaflow::prelude::*;
use mediaflow::{Arity, Color, Takes};
use serde::{Deserialize, Serialize};

/// Gives its picture on, and fails if that is not as it was described.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AsDescribed {
    pub(crate) width: u32,
    pub(crate) height: u32,
}

impl Operation for AsDescribed {
    const KIND: &'static str = "test.as_described";

    fn describe(&self, inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        let input = &inputs[0];
        if (input.width, input.height, input.orientation) == (self.width, self.height, 1) {
            return Ok(input.clone());
        }
        Err(Error::input("test.described", format!("{input:?}")))
    }

    fn demand(&self, wanted: Demand, _inputs: &[MediaInfo]) -> Vec<Demand> {
        vec![wanted]
    }
}

#[async_trait]
impl Run for AsDescribed {
    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        let image = inputs.into_first()?.into_image()?;
        let lies = (image.width() > image.height()) != (self.width > self.height);
        if lies {
            return Err(Error::input("test.turned", format!("{image:?}")));
        }
        Ok(Outputs::one(image))
    }
}

/// Wants the file as it is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scan {}

impl Operation for Scan {
    const KIND: &'static str = "test.scan";
}

#[async_trait]
impl Run for Scan {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        Ok(Outputs::one(inputs.into_first()?.into_file()?))
    }
}

/// Makes a picture of one colour.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plain {
    pub(crate) color: Color,
}

impl Operation for Plain {
    const KIND: &'static str = "test.plain";

    fn arity(&self) -> Arity {
        Arity::Generator
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        Ok(MediaInfo::still(Format::RAW, 8, 6).with_channels(3))
    }
}

#[async_trait]
impl Run for Plain {
    async fn run(&self, _inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        let [r, g, b, _] = self.color.channels();
        Ok(Outputs::one(Image::new(8, 6, 3, [r, g, b].repeat(48))?))
    }
}

/// Finds out how bright a picture is.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Brightness {
    /// Fails for pictures that are larger.
    pub(crate) most: u32,
}

impl Operation for Brightness {
    const KIND: &'static str = "test.brightness";

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Facts
    }

    fn describe(&self, inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        if inputs[0].width > self.most {
            return Err(Error::input("test.large", "the picture is too large"));
        }
        Ok(Facts::info())
    }
}

#[async_trait]
impl Run for Brightness {
    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        let image = inputs.into_first()?.into_image()?;
        let sum: u64 = image.pixels().iter().copied().map(u64::from).sum();
        Ok(Outputs::one(Facts::new(
            serde_json::json!({ "mean": sum / image.pixels().len() as u64 }),
        )?))
    }
}

/// Gives copies of a file under these names.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Copies {
    pub(crate) names: Vec<String>,
}

impl Operation for Copies {
    const KIND: &'static str = "test.copies";

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Bundle
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        Ok(Bundle::info(Format::PNG))
    }
}

#[async_trait]
impl Run for Copies {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        let file = inputs.into_first()?.into_file()?;
        let with = |bundle: Bundle, name: &String| bundle.with(name, file.clone());
        Ok(Outputs::one(self.names.iter().try_fold(Bundle::new(), with)?))
    }
}
