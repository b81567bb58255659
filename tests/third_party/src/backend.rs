use std::collections::HashMap;

use mediaflow::media::MediaInfo;
use mediaflow::media::{Image, Media, Medium};
use mediaflow::ops::Negate;
use mediaflow::plan::{Estimate, Explanation, Stage};
use mediaflow::prelude::*;
use mediaflow::spi::RunContext;
use mediaflow::spi::backend::{Backend, Capability, Group, Plan};
use mediaflow::spi::wait::Ran;
use serde::{Deserialize, Serialize};

/// Two inks instead of colours.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Duotone {}

impl Operation for Duotone {
    const KIND: &'static str = "acme.duotone";
    const MEDIA: &'static [Medium] = &[Medium::Still];
}

#[async_trait]
impl Run for Duotone {
    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        Ok(Outputs::one(each(inputs.into_first()?.into_image()?, duotone)?))
    }
}

/// Does two operations on stills: its own, and a word of the vocabulary. It opens no files: their readers decode for it.
#[derive(Clone, Copy, Debug)]
pub struct PrintBackend;

impl Backend for PrintBackend {
    fn name(&self) -> &str {
        "print"
    }

    fn capability(&self) -> Capability {
        Capability::new([Duotone::KIND, Negate::KIND], [Medium::Still])
    }

    fn plan(&self, group: &Group) -> mediaflow::Result<Box<dyn Plan>> {
        Ok(Box::new(Print(group.clone())))
    }
}

#[derive(Debug)]
struct Print(Group);

#[async_trait]
impl Plan for Print {
    fn explain(&self) -> Explanation {
        let steps = self.0.steps.iter().map(|step| step.name.clone());
        Explanation::new("print", self.estimate())
            .with_stage(Stage::new("print", "pixel by pixel").with_steps(steps))
    }

    fn estimate(&self) -> Estimate {
        Estimate::cpu(self.0.inputs.iter().map(|input| input.info.pixels() * 4).sum())
    }

    async fn run(self: Box<Self>, inputs: Inputs, cx: &RunContext) -> mediaflow::Result<Ran> {
        cx.cpu(move |cx| {
            let mut made: HashMap<&str, Image> = HashMap::new();
            for input in &self.0.inputs {
                if let Some(Media::Image(image)) = inputs.named(&input.name) {
                    made.insert(&input.name, image.clone());
                }
            }
            for step in &self.0.steps {
                cx.check()?;
                let input = made.get(step.from[0].as_str()).cloned();
                let input =
                    input.ok_or_else(|| Error::input("print.input", "pixels are needed"))?;
                let change = if step.op.kind() == Negate::KIND { negate } else { duotone };
                made.insert(&step.name, each(input, change)?);
            }
            let result = |outputs: Outputs, exit: &String| match made.get(exit.as_str()) {
                Some(image) => outputs.and(exit, Ok(image.clone().into())),
                None => outputs,
            };
            Ok(self.0.exits.iter().fold(Outputs::new(), result).into())
        })
        .await
    }
}

fn negate(value: u8) -> u8 {
    255 - value
}

fn duotone(value: u8) -> u8 {
    if value < 128 { 40 } else { 220 }
}

fn each(image: Image, change: fn(u8) -> u8) -> mediaflow::Result<Image> {
    let MediaInfo { width, height, channels, .. } = image.info();
    Image::new(width, height, channels, image.into_pixels().into_iter().map(change).collect())
}
