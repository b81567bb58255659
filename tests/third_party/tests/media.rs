//! Frames, bundles and formats of somebody else's pass the suites, and work in an engine together with the steps of others.

use std::collections::BTreeSet;
use std::time::Duration;

use acme_media::{
    Backwards, FLIP, FlipReader, Flipbook, RAWF, RawfReader, Thin, Tiles, flip, rawf,
};
use mediaflow::media::{Depth, Facts, Format, Image, Layout, Media, MediaFile, MediaInfo, Medium};
use mediaflow::plan::{CostClass, Demand};
use mediaflow::prelude::*;
use mediaflow::report::JobState;
use mediaflow::spi::reader::Reader as _;
use mediaflow::storage::{MemoryStorage, StorageExt as _};
use mediaflow::{Arity, Registry, testing};
use serde::{Deserialize, Serialize};

/// An animation of so many grey frames, each brighter than the one before, and shown longer.
fn animation(count: u8) -> Vec<u8> {
    let frame = |n: u8| (10 * (u32::from(n) + 1), vec![20 * n; 4 * 2 * 3]);
    flip(4, 2, 0, &(0..count).map(frame).collect::<Vec<_>>())
}

fn file(bytes: Vec<u8>) -> MediaFile {
    MediaFile::new("sample", Format::named(FLIP), bytes.into())
}

async fn decoded(bytes: Vec<u8>) -> Media {
    FlipReader.decode(&file(bytes), Demand::FULL, &testing::context()).await.unwrap()
}

/// The brightness, start and length of each frame.
fn told(bytes: &[u8]) -> Vec<(u8, u32)> {
    let frames = bytes[20..].chunks_exact(4 + 4 * 2 * 3);
    frames.map(|frame| (frame[4], u32::from_le_bytes(frame[..4].try_into().unwrap()))).collect()
}

#[tokio::test]
async fn frames_conform() {
    testing::exercise_reader(&FlipReader, &[file(animation(5)), file(animation(1))]).await;
    for of in [1, 2, 3, 9] {
        testing::exercise_operation(Thin { of }, Inputs::one(decoded(animation(5)).await)).await;
    }
    testing::exercise_operation(Backwards {}, Inputs::one(decoded(animation(4)).await)).await;
    testing::exercise_operation(Flipbook {}, Inputs::one(decoded(animation(3)).await)).await;
}

#[tokio::test]
async fn bundles_conform() {
    let picture = Image::new(4, 4, 1, (0..16).collect()).unwrap();
    let blank = Image::new(4, 2, 3, vec![9; 24]).unwrap();
    let inputs = Inputs::one(picture).and("blank", blank);
    testing::exercise_operation(Tiles { side: 2 }, inputs).await;
}

#[tokio::test]
async fn pixels_of_sixteen_bits_in_the_memory_of_others_go_into_steps_of_eight() {
    let numbers: Vec<u8> =
        [0_u16, 32_896, 65_535, 257].iter().flat_map(|n| n.to_ne_bytes()).collect();
    let deep = Image::typed(2, 2, Layout::Gray, Depth::Sixteen, numbers).unwrap();
    testing::exercise_operation(Tiles { side: 2 }, Inputs::one(deep.clone())).await;
    assert_eq!(Media::from(deep).into_image().unwrap().pixels(), [0, 128, 255, 1]);
}

fn parts(registry: &mut Registry) {
    registry
        .operation::<Thin>()
        .operation::<Backwards>()
        .operation::<Flipbook>()
        .operation::<Tiles>()
        .reader(FlipReader)
        .reader(RawfReader);
}

async fn engine(public: &MemoryStorage) -> Mediaflow {
    let media = Mediaflow::builder().storage_with("public", public.clone());
    media.with(image::operations).with(parts).start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_flow_from_step_to_step_and_pictures_of_them_to_the_steps_of_others() {
    let public = MemoryStorage::new();
    let media = engine(&public).await;
    let job = Pipeline::from(Source::bytes(animation(5)))
        .output("public/thin.flip", |clip| {
            clip.then(Thin { of: 2 }).then(Backwards {}).then(Flipbook {})
        })
        .output("public/copy.flip", |clip| clip)
        // A step on pictures gets the first.
        .output("public/still.png", |clip| clip.resize((2, 2, Fit::Inside)).png())
        .build()
        .unwrap();
    let report = media.submit(job).await.unwrap().done().await.unwrap();
    assert_eq!(report.state, JobState::Succeeded, "{report:?}");
    let sizes: Vec<_> = report.outputs.iter().map(|o| (&*o.output, o.width, o.height)).collect();
    let expected =
        [("public/copy.flip", 4, 2), ("public/still.png", 2, 1), ("public/thin.flip", 4, 2)];
    assert_eq!(sizes, expected);
    let thin = public.read(&"thin.flip".parse().unwrap(), 1 << 20).await.unwrap();
    // Frames 0 and 1, 2 and 3, and 4, the last first.
    assert_eq!(told(&thin), [(80, 50), (40, 70), (0, 30)]);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn what_takes_frames_is_not_for_pictures() {
    let public = MemoryStorage::new();
    let media = engine(&public).await;
    // At submit, where no source could be right.
    let wrong = Pipeline::from(Source::bytes(animation(2)))
        .output("public/x.flip", |clip| clip.png().then(Flipbook {}))
        .build()
        .unwrap();
    let error = media.submit(wrong).await.unwrap_err();
    assert_eq!(error.code(), "plan.medium", "{error}");
    assert!(error.to_string().contains("animation"), "{error}");
    // Once the source is known.
    let still = Image::new(2, 2, 3, vec![0; 12]).unwrap();
    let job = Pipeline::from(Source::bytes(rawf(&still)))
        .output("public/x.flip", |picture| picture.then(Flipbook {}))
        .build()
        .unwrap();
    let error = media.submit(job.clone()).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "plan.medium", "{error}");
    // Frames are no file.
    let job = Pipeline::from(Source::bytes(animation(2)))
        .output("public/x.flip", |clip| clip.then(Thin { of: 2 }))
        .build()
        .unwrap();
    let error = media.submit(job).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "media.not_encoded", "{error}");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn three_sources_become_a_bundle_of_unknown_size() {
    let public = MemoryStorage::new();
    let media = engine(&public).await;
    let gradient = Image::new(8, 4, 3, (0..96).collect()).unwrap();
    let half = Image::new(4, 4, 3, [[0; 24], [7; 24]].concat()).unwrap();
    let job = Pipeline::from(Source::bytes(rawf(&gradient)))
        .output("public/tiles/{name}", |main| {
            let others = [Source::bytes(rawf(&half)), Source::bytes(animation(2))];
            main.then_with(Tiles { side: 4 }, others.map(Chain::source))
        })
        .build()
        .unwrap();
    let report = media.submit(job).await.unwrap().done().await.unwrap();
    let files: BTreeSet<_> = report.outputs[0].files.iter().map(|file| &*file.output).collect();
    // The animation has no tile of four pixels.
    let expected =
        ["public/tiles/0-0-0", "public/tiles/0-1-0", "public/tiles/1-0-0", "public/tiles/index"];
    assert_eq!(files, BTreeSet::from(expected), "{report:?}");
    assert_eq!(report.outputs[0].files[0].format, Some(Format::named(RAWF)));
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Tells how large its inputs come, of which it needs squares of 64 pixels.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sizes {}

impl Operation for Sizes {
    const KIND: &'static str = "acme.sizes";

    fn arity(&self) -> Arity {
        Arity::AtLeast(1)
    }

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Facts
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        Ok(Facts::info())
    }

    fn demand(&self, _wanted: Demand, inputs: &[MediaInfo]) -> Vec<Demand> {
        let scale = |input: &MediaInfo| 64.0 / f64::from(input.width.min(input.height).max(64));
        inputs.iter().map(|input| Demand::scale(scale(input))).collect()
    }
}

#[async_trait]
impl Run for Sizes {
    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        let sizes = (0..inputs.len()).map(|at| inputs.get(at)?.clone().into_image());
        let sizes: Vec<_> = sizes.collect::<mediaflow::Result<Vec<_>>>()?;
        let sizes: Vec<_> = sizes.iter().map(|image| (image.width(), image.height())).collect();
        Ok(Outputs::one(Facts::new(sizes)?))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_many_sources_is_decoded_as_small_as_it_is_wanted() {
    let public = MemoryStorage::new();
    let media = Mediaflow::builder().storage_with("public", public.clone()).with(parts);
    let media = media.with(image::operations).with(|registry| {
        registry.operation::<Sizes>();
    });
    let media = media.start().await.unwrap();
    // Photos of different sizes.
    let large = Image::new(1024, 768, 3, vec![90; 1024 * 768 * 3]).unwrap();
    let photos = Pipeline::from(Source::bytes(rawf(&large)))
        .output("public/cells/a.jpg", |photo| photo.jpeg(80))
        .output("public/cells/b.jpg", |photo| photo.resize((512, 384, Fit::Inside)).jpeg(80))
        .output("public/cells/c.jpg", |photo| photo.resize((80, 60, Fit::Inside)).jpeg(80))
        .build()
        .unwrap();
    media.submit(photos).await.unwrap().done().await.unwrap();
    let job = Pipeline::generate()
        .fact("sizes", |_| Chain::sources(["public/cells/*.jpg"]).then(Sizes {}))
        .build()
        .unwrap();
    let report = media.submit(job).await.unwrap().done().await.unwrap();
    assert_eq!(report.facts["sizes"].to_string(), "[[128,96],[128,96],[80,60]]");
    assert_eq!(report.decodes, 3);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn an_encoder_says_what_it_costs() {
    let public = MemoryStorage::new();
    let media = engine(&public).await;
    let book = |count| {
        Pipeline::from(Source::bytes(animation(count)))
            .output("public/book.flip", |clip| clip.then(Flipbook {}))
            .build()
            .unwrap()
    };
    let (short, long) = (media.plan(book(2)).await.unwrap(), media.plan(book(12)).await.unwrap());
    let more = long.estimate().bytes - short.estimate().bytes;
    assert_eq!(more, 2 * 10 * (4 * 2 * 3 + 4), "{long}");
    assert_eq!(long.estimate().class, CostClass::Image);

    // One that does not say how much still is of its class.
    let logo = include_bytes!("../../../examples/media/logo.png");
    let hours = Pipeline::from(Source::bytes(logo.to_vec()))
        .output("public/x.png", |logo| logo.then(Hours {}).png())
        .build()
        .unwrap();
    let media = Mediaflow::builder().storage("public", "memory:").with(|registry| {
        registry.operation::<Hours>();
    });
    let media = media.with(image::operations).start().await.unwrap();
    let plan = media.plan(hours).await.unwrap();
    assert_eq!(plan.estimate().class, CostClass::Video, "{plan}");
}

/// Takes as long as a film.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Hours {}

impl Operation for Hours {
    const KIND: &'static str = "acme.hours";
}

#[async_trait]
impl Run for Hours {
    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> mediaflow::Result<Outputs> {
        Ok(Outputs::one(inputs.into_first()?))
    }

    fn class() -> CostClass {
        CostClass::Video
    }
}

#[tokio::test]
async fn no_other_format_is_written_under_the_ending_of_one_of_somebody_else() {
    let public = MemoryStorage::new();
    let picture = rawf(&Image::new(2, 2, 3, vec![7; 12]).unwrap());
    let jpeg = |place: &str| {
        let picture = Pipeline::from(Source::bytes(picture.clone()));
        picture.output(place, |picture| picture.jpeg(80)).build().unwrap()
    };
    let media = engine(&public).await;
    for place in ["public/a.rawf", "public/a.FLIP"] {
        let error = media.submit(jpeg(place)).await.unwrap_err();
        assert_eq!((error.code(), error.fact("output")), ("spec.extension", Some(place)));
        assert!(error.to_string().contains(".jpg"), "{error}");
    }
    // An ending that nobody knows may stand for anything.
    media.submit(jpeg("public/a.bin")).await.unwrap().done().await.unwrap();
    let book = Pipeline::from(Source::bytes(animation(1)))
        .output("public/book.flip", |clip| clip.then(Flipbook {}))
        .build()
        .unwrap();
    media.submit(book).await.unwrap().done().await.unwrap();
    // What nobody writes is what it is: that is told.
    let copy = Pipeline::from(Source::bytes(picture.clone()))
        .output("public/copy.flip", |picture| picture)
        .build()
        .unwrap();
    let report = media.submit(copy).await.unwrap().done().await.unwrap();
    let told = &report.outputs[0].warnings;
    assert!(told.iter().any(|w| w == "the name says flip, the content is rawf"), "{told:?}");
    media.shutdown(Duration::from_secs(5)).await.unwrap();

    // Of an encoder without a reader as well.
    let media = Mediaflow::builder().storage_with("public", public.clone()).with(|registry| {
        registry.operation::<Flipbook>().reader(RawfReader);
    });
    let media = media.with(image::operations).start().await.unwrap();
    let error = media.submit(jpeg("public/a.flip")).await.unwrap_err();
    assert_eq!(error.code(), "spec.extension", "{error}");
}
