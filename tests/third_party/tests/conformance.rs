//! Somebody else's parts pass the suites, and work in an engine.

use std::time::Duration;

use acme_media::{Darkroom, FileAway, Ledger};
use mediaflow::media::{Format, Image, MediaInfo};
use mediaflow::prelude::*;
use mediaflow::testing;

#[tokio::test]
async fn the_operation_conforms() {
    let picture = Image::new(3, 2, 3, (0..18).collect()).unwrap();
    testing::exercise_operation(Darkroom { channel: 1 }, Inputs::one(picture)).await;
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
    let report = media.submit(FileAway { source: testing::dot() }).await.unwrap().done().await.unwrap();
    assert_eq!(report.outputs[0].output, "archive/small");

    let wrong = Pipeline::from(testing::dot()).output("archive/x", |dot| dot.then(Darkroom { channel: 9 })).build();
    assert_eq!(wrong.unwrap_err().code(), "darkroom.channel");

    media.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(ledger.lines(), ["job.completed"]);
}
