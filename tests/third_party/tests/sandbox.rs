//! Somebody else's backend and reader work as they do, in a child process.

use std::time::{Duration, Instant};

use acme_media::sandbox::Sandbox;
use acme_media::{
    Duotone, FLIP, Fault, Faults, FaultyBackend, FlipReader, PrintBackend, RAWF, RawfReader, Thin,
    flip, rawf,
};
use mediaflow::media::{Format, Image, MediaFile, Scratch};
use mediaflow::ops::Negate;
use mediaflow::plan::Demand;
use mediaflow::prelude::*;
use mediaflow::report::JobState;
use mediaflow::spi::backend::{Backend as _, Group};
use mediaflow::spi::reader::Reader as _;
use mediaflow::spi::{AnyOperation, CpuPool, RunContext};
use mediaflow::{CancellationToken, ErrorKind, testing};

fn sandbox() -> Sandbox {
    Sandbox::new(env!("CARGO_BIN_EXE_acme-sandbox"))
}

fn picture() -> Image {
    Image::new(3, 2, 3, (0..18).map(|value| value * 14).collect()).unwrap()
}

#[tokio::test]
async fn a_backend_in_a_child_conforms_and_agrees_with_the_operation() {
    let backend = sandbox().backend(PrintBackend);
    testing::exercise_backend(&backend, &[]).await;
    testing::exercise_word(Negate::default(), Inputs::one(picture()), &backend).await;
    testing::exercise_agreement(Duotone {}, Inputs::one(picture()), &backend).await;
}

#[tokio::test]
async fn a_reader_in_a_child_conforms() {
    let file = MediaFile::new("sample", Format::named(RAWF), rawf(&picture()).into());
    testing::exercise_reader(&sandbox().reader(RawfReader), &[file]).await;
}

#[tokio::test]
async fn frames_come_from_a_child_one_by_one() {
    let frames: Vec<_> = (0..4_u8).map(|n| (10, vec![n; 24])).collect();
    let file = MediaFile::new("sample", Format::named(FLIP), flip(4, 2, 0, &frames).into());
    let sandbox = sandbox();
    testing::exercise_reader(&sandbox.reader(FlipReader), &[file.clone()]).await;
    assert_eq!(sandbox.children(), 0, "each goes with its pass");
    let cx = testing::context();
    let decoded = sandbox.reader(FlipReader).decode(&file, Demand::FULL, &cx).await.unwrap();
    testing::exercise_operation(Thin { of: 2 }, Inputs::one(decoded)).await;
}

#[tokio::test]
async fn the_limits_of_the_host_hold_in_the_child() {
    let file = MediaFile::new("sample", Format::named(RAWF), rawf(&picture()).into());
    let limits = Limits { pixels: 5, ..Limits::default() };
    let scratch = Scratch::in_folder(std::env::temp_dir());
    let cx = RunContext::builder(CpuPool::new(1), scratch).limits(limits).build(None);
    let error = sandbox().reader(RawfReader).probe(&file, &cx).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Limit, "limit.pixels"));
}

async fn faulty(how: Faults, sandbox: &Sandbox, cx: &RunContext) -> Error {
    let group = Group::new(Limits::default())
        .with_input("source", picture().info(), Demand::FULL)
        .with_step("step", AnyOperation::new(Fault { how }), &["source"])
        .unwrap()
        .with_exit("step");
    let plan = sandbox.backend(FaultyBackend).plan(&group).unwrap();
    plan.run(Inputs::one(picture()), cx).await.unwrap_err()
}

#[tokio::test]
async fn the_death_of_a_child_is_an_error_and_its_errors_are_those_of_the_work() {
    let (sandbox, cx) = (sandbox(), testing::context());
    let error = faulty(Faults::Abort, &sandbox, &cx).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Backend, "sandbox.died"));
    assert_eq!(error.retry(), mediaflow::Retry::Never);
    let error = faulty(Faults::Fail, &sandbox, &cx).await;
    assert_eq!((error.kind(), error.code()), (ErrorKind::Input, "faulty.picture"));
    assert_eq!(error.fact("at"), Some("row 7"));
    assert_eq!(sandbox.children(), 0);
}

#[tokio::test]
async fn a_cancelled_job_kills_the_child() {
    let (sandbox, cancel) = (sandbox(), CancellationToken::new());
    let scratch = Scratch::in_folder(std::env::temp_dir());
    let cx = RunContext::builder(CpuPool::new(1), scratch).cancellation(cancel.clone()).build(None);
    let (other, began) = (sandbox.clone(), Instant::now());
    let hangs = tokio::spawn(async move { faulty(Faults::Hang, &other, &cx).await });
    let started = async {
        while sandbox.children() == 0 {
            tokio::task::yield_now().await;
        }
    };
    testing::soon("child", started).await;
    cancel.cancel();
    let error = testing::soon("end", hangs).await.unwrap();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert_eq!(sandbox.children(), 0, "it has ended, and was waited for");
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_works_with_both() {
    let sandbox = sandbox();
    let (backend, reader) = (sandbox.backend(PrintBackend), sandbox.reader(RawfReader));
    let media = Mediaflow::builder()
        .storage("public", "memory:")
        .with(move |registry| {
            registry.operation::<Duotone>().reader(reader).backend(backend);
        })
        .with(image::operations)
        .start()
        .await
        .unwrap();
    let job = Pipeline::from(Source::bytes(rawf(&picture())))
        .output("public/print.png", |raw| raw.negate().then(Duotone {}).png())
        .build()
        .unwrap();
    let report = media.submit(job).await.unwrap().done().await.unwrap();
    assert_eq!((report.state, report.outputs[0].width), (JobState::Succeeded, 3));
    media.shutdown(Duration::from_secs(5)).await.unwrap();
    assert_eq!(sandbox.children(), 0);
}
