//! Somebody else's parts pass the suites, and work in an engine.

use std::time::Duration;

use acme_media::{
    Brightness, Darkroom, Duotone, FileAway, Ledger, Paper, PrintBackend, RAWF, RawfReader, rawf,
};
use mediaflow::media::{Format, Image, MediaFile, MediaInfo};
use mediaflow::ops::Negate;
use mediaflow::prelude::*;
use mediaflow::report::JobState;
use mediaflow::testing;
use mediaflow::{Color, Registry};

fn picture() -> Image {
    Image::new(3, 2, 3, (0..18).map(|value| value * 14).collect()).unwrap()
}

#[tokio::test]
async fn the_operations_conform() {
    testing::exercise_operation(Darkroom { channel: 1 }, Inputs::one(picture())).await;
    let paper = Paper { width: 4, height: 3, color: Color::rgb(9, 8, 7) };
    testing::exercise_operation(paper, Inputs::new()).await;
    testing::exercise_operation(Brightness {}, Inputs::one(picture())).await;
}

#[tokio::test]
async fn the_reader_conforms() {
    let file = MediaFile::new("sample", Format::named(RAWF), rawf(&picture()).into());
    testing::exercise_reader(&RawfReader, &[file]).await;
}

#[tokio::test]
async fn the_backend_conforms_and_agrees_with_the_operation() {
    testing::exercise_word(Negate::default(), Inputs::one(picture()), &PrintBackend).await;
    testing::exercise_agreement(Duotone {}, Inputs::one(picture()), &PrintBackend).await;
}

fn parts(registry: &mut Registry) {
    registry
        .operation::<Paper>()
        .operation::<Brightness>()
        .operation::<Duotone>()
        .reader(RawfReader)
        .backend(PrintBackend);
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_of_others_work_on_the_format_and_on_what_is_generated() {
    let media = Mediaflow::builder()
        .storage("public", "memory:")
        .with(parts)
        .with(image::operations)
        .start()
        .await
        .unwrap();
    let grey = Image::new(64, 48, 3, vec![100; 64 * 48 * 3]).unwrap();
    let job = Pipeline::from(Source::bytes(rawf(&grey)))
        .output("public/copy.rawf", |raw| raw)
        .output("public/small.png", |raw| raw.resize((32, 32, Fit::Inside)).png())
        // The word goes to the first backend that claims it, which is this crate's.
        .output("public/print.png", |raw| raw.negate().then(Duotone {}).png())
        .output("public/card.png", |raw| {
            let paper = Chain::generate(Paper { width: 10, height: 10, color: Color::WHITE });
            raw.then_with(mediaflow::ops::Watermark::new(), [paper]).png()
        })
        .fact("brightness", |raw| raw.then(Brightness {}))
        .build()
        .unwrap();
    let told = media.explain(job.clone()).await.unwrap();
    assert!(told.contains("print: ") && told.contains("pixel by pixel"), "{told}");
    let report = media.submit(job).await.unwrap().done().await.unwrap();
    assert_eq!((report.state, report.decodes), (JobState::Succeeded, 1), "{told}");
    let sizes: Vec<_> =
        report.outputs.iter().map(|o| (o.output.as_str(), o.width, o.height)).collect();
    assert_eq!(
        sizes,
        [
            ("public/card.png", 64, 48),
            ("public/copy.rawf", 64, 48),
            ("public/print.png", 64, 48),
            ("public/small.png", 32, 24),
        ]
    );
    assert_eq!(report.outputs[1].mime, "image/x-acme-rawf");
    assert_eq!(report.facts["brightness"].to_string(), "[100]");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn the_job_conforms() {
    let job = FileAway { source: "uploads/cat.gif".into() };
    testing::exercise_job(job, MediaInfo::new(Format::GIF).with_size(1, 1)).await;
}

#[tokio::test]
async fn the_notifier_conforms() {
    testing::exercise_notifier(&Ledger::default(), &[]).await;
}

#[tokio::test]
async fn all_three_work_together() {
    let ledger = Ledger::default();
    let fake = testing::FakeBackend::new();
    let media = Mediaflow::builder()
        .storage("archive", "memory:")
        .with(fake.operations())
        .with(|registry| {
            registry.operation::<Darkroom>().job::<FileAway>();
        })
        .notify(ledger.clone())
        .start()
        .await
        .unwrap();
    let report =
        media.submit(FileAway { source: testing::dot() }).await.unwrap().done().await.unwrap();
    assert_eq!(report.outputs[0].output, "archive/small");

    let wrong = Pipeline::from(testing::dot())
        .output("archive/x", |dot| dot.then(Darkroom { channel: 9 }))
        .build();
    assert_eq!(wrong.unwrap_err().code(), "darkroom.channel");

    media.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(ledger.lines(), ["job.completed"]);
}
