//! Sound and pages flow as frames do: from a reader to the steps that take them, and a picture of pages to those that take one.

use std::time::Duration;

use mediaflow_core::media::{
    Audio, AudioBlock, AudioReader, AudioSource, Bundle, ChannelLayout, Facts, Format, Image,
    Media, MediaFile, MediaInfo, Medium, PageSource, Pages, Stop,
};
use mediaflow_core::plan::Demand;
use mediaflow_core::reader::{FormatSpec, Reader};
use mediaflow_core::spec::{Chain, Pipeline, Source};
use mediaflow_core::{
    Inputs, Mediaflow, OpContext, Operation, Outputs, Registry, Result, Run, RunContext, Takes,
    async_trait, testing,
};
use serde::{Deserialize, Serialize};

fn tone() -> Format {
    Format::named("tone")
}

fn deck() -> Format {
    Format::named("deck")
}

/// Reads `TONE`, two seconds of a ramp, and `DECK`, three grey pages of 4 by 2.
#[derive(Clone, Copy, Debug)]
struct Both;

#[derive(Debug)]
struct Ramp;

impl AudioSource for Ramp {
    fn open(&self) -> Result<Box<dyn AudioReader>> {
        Ok(Box::new(RampPass(0)))
    }
}

struct RampPass(u64);

impl AudioReader for RampPass {
    fn next(&mut self, _stop: &dyn Stop) -> Result<Option<AudioBlock>> {
        if self.0 == 200 {
            return Ok(None);
        }
        let samples = (self.0..self.0 + 50).map(|n| n as f32 / 256.0).collect();
        let block = AudioBlock::new(self.0, samples);
        self.0 += 50;
        Ok(Some(block))
    }
}

#[derive(Debug)]
struct Grey;

impl PageSource for Grey {
    fn size(&self, _page: u32) -> Result<(u32, u32)> {
        Ok((4, 2))
    }

    fn render(&self, page: u32, width: u32, height: u32, _stop: &dyn Stop) -> Result<Image> {
        let grey = 10 * (u8::try_from(page).unwrap_or(u8::MAX) + 1);
        Image::new(width, height, 1, vec![grey; (width * height) as usize])
    }
}

#[async_trait]
impl Reader for Both {
    fn name(&self) -> &str {
        "both"
    }

    fn formats(&self) -> Vec<FormatSpec> {
        vec![
            FormatSpec::new(tone()).sniffed(|head| head.starts_with(b"TONE")),
            FormatSpec::new(deck()).sniffed(|head| head.starts_with(b"DECK")),
        ]
    }

    async fn probe(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        if file.blob().len() != 9 {
            return Err(mediaflow_core::Error::input("both.length", "the file is no whole one"));
        }
        let info = self.decode(file, Demand::FULL, cx).await?.info();
        Ok(info.with_format(file.format().clone()))
    }

    async fn decode(&self, file: &MediaFile, _: Demand, cx: &RunContext) -> Result<Media> {
        cx.check()?;
        if *file.format() == deck() {
            return Ok(Pages::new(3, Grey).into());
        }
        let audio = Audio::new(100, ChannelLayout::Mono, Ramp);
        Ok(audio.with_duration(Duration::from_secs(2)).into())
    }

    async fn verify(&self, file: &MediaFile, _: &MediaInfo, cx: &RunContext) -> Result<MediaInfo> {
        self.probe(file, cx).await
    }
}

/// Tells the loudest sample of each second.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Peaks {}

impl Operation for Peaks {
    const KIND: &'static str = "test.peaks";

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Facts
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(Facts::info())
    }
}

#[async_trait]
impl Run for Peaks {
    const TAKES: Takes = Takes::Audio;

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let audio = inputs.into_first()?.into_audio()?;
        let peaks = cx.cpu(move |cx| {
            let (mut pass, mut peaks) = (audio.open()?, Vec::new());
            while let Some(block) = pass.next(cx)? {
                for (sample, at) in block.samples.iter().zip(block.start..) {
                    let second = usize::try_from(at / u64::from(audio.rate())).unwrap_or(0);
                    peaks.resize(peaks.len().max(second + 1), 0.0_f32);
                    peaks[second] = peaks[second].max(*sample);
                }
            }
            Ok(peaks)
        });
        Ok(Outputs::one(Facts::new(peaks.await?)?))
    }
}

/// Gives each page as a file of its grey.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explode {}

impl Operation for Explode {
    const KIND: &'static str = "test.explode";

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Bundle
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(Bundle::info(Format::RAW))
    }
}

#[async_trait]
impl Run for Explode {
    const TAKES: Takes = Takes::Pages;

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let pages = inputs.into_first()?.into_pages()?;
        let bundle = cx.cpu(move |cx| {
            (0..pages.count()).try_fold(Bundle::new(), |bundle, page| {
                let image = pages.render(page, pages.size(page)?, cx.limits(), cx)?;
                let name = format!("page-{page}");
                let file =
                    MediaFile::new(&*name, Format::named("grey"), image.into_pixels().into());
                bundle.with(name, file)
            })
        });
        Ok(Outputs::one(bundle.await?))
    }
}

/// Tells the size and the first pixel of a picture.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Look {}

impl Operation for Look {
    const KIND: &'static str = "test.look";

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Facts
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(Facts::info())
    }
}

#[async_trait]
impl Run for Look {
    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        let image = inputs.into_first()?.into_image()?;
        Ok(Outputs::one(Facts::new((image.width(), image.height(), image.pixels()[0]))?))
    }
}

fn parts(registry: &mut Registry) {
    registry.operation::<Peaks>().operation::<Explode>().operation::<Look>().reader(Both);
}

#[tokio::test]
async fn they_conform() {
    let file =
        |format: Format, bytes: &[u8; 9]| MediaFile::new("sample", format, bytes.to_vec().into());
    let samples = [file(tone(), b"TONE.tone"), file(deck(), b"DECK.deck")];
    testing::exercise_reader(&Both, &samples).await;
    let audio = Audio::new(100, ChannelLayout::Mono, Ramp);
    testing::exercise_operation(Peaks {}, Inputs::one(audio)).await;
    testing::exercise_operation(Explode {}, Inputs::one(Pages::new(3, Grey))).await;
}

#[tokio::test]
async fn sound_and_pages_flow_to_the_steps_that_take_them() {
    let media = Mediaflow::builder().storage("public", "memory:").with(parts);
    let media = media.start().await.unwrap();
    let peaks = Pipeline::from(Source::bytes(&b"TONE.tone"[..]))
        .fact("peaks", |tone| tone.then(Peaks {}))
        .build()
        .unwrap();
    let report = media.submit(peaks).await.unwrap().done().await.unwrap();
    assert_eq!(report.facts["peaks"].to_string(), "[0.38671875,0.77734375]");
    let source = report.source.unwrap().info;
    assert_eq!((source.medium, source.duration), (Medium::Audio, Some(Duration::from_secs(2))));

    let exploded = |source: &'static [u8]| {
        Pipeline::from(Source::bytes(source))
            .output("public/deck-{page}", |deck| deck.then(Explode {}))
            .fact("first", |deck| deck.then(Look {}))
            .build()
            .unwrap()
    };
    let report = media.submit(exploded(b"DECK.deck")).await.unwrap().done().await.unwrap();
    assert_eq!(report.facts["first"].to_string(), "[4,2,10]", "of pages a picture is the first");
    let pages: Vec<_> = report.outputs[0].files.iter().map(|file| &*file.output).collect();
    assert_eq!(pages, ["public/deck-1", "public/deck-2", "public/deck-3"]);
    assert_eq!(report.source.unwrap().info.pages, 3);

    let error = media.submit(exploded(b"TONE.tone")).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "plan.medium");
    let wrong = |make: fn(Chain) -> Chain| {
        let tone = Pipeline::from(Source::bytes(&b"TONE.tone"[..]));
        tone.fact("x", make).build().unwrap()
    };
    let error = media.submit(wrong(|tone| tone.then(Look {}))).await.unwrap().done().await;
    assert_eq!(error.unwrap_err().code(), "media.audio");
    let beside = wrong(|tone| tone.then(Explode {}).then(Peaks {}));
    assert_eq!(media.submit(beside).await.unwrap_err().code(), "plan.medium");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}
