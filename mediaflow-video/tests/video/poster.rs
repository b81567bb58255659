use mediaflow_core::backend::{Backend as _, Group};
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{Image, Media, Scratch};
use mediaflow_core::ops::{Position, Poster, Resize, Trim};
use mediaflow_core::plan::Demand;
use mediaflow_core::testing::soon;
use mediaflow_core::{AnyOperation, CpuPool, Inputs, Limits, Reader as _, RunContext};
use mediaflow_video::{VideoBackend, VideoReader};

use crate::clips::{input, made, mp4, number};
use crate::common::{Bench, Steps, clip, file, path_of, step, variant};
use crate::measure::Measured;

async fn poster(bench: &Bench, path: &std::path::Path, steps: Steps<'_>) -> Image {
    let (mut results, _) = bench.run(path, steps, &["poster"]).await.unwrap();
    match results.remove("poster") {
        Some(Media::Image(image)) => image,
        other => panic!("{other:?} is no picture"),
    }
}

fn difference(a: &Image, b: &Image) -> f64 {
    assert_eq!((a.width(), a.height()), (b.width(), b.height()));
    let sum: u64 = a.pixels().iter().zip(b.pixels()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.pixels().len() as f64
}

/// The frame that is shown at a time, by another decoder.
fn reference(bench: &Bench, number: u32) -> Image {
    let raw = variant(
        bench,
        "frame.rgb",
        &[
            "-vf",
            &format!("select=eq(n\\,{number}),scale=in_color_matrix=bt709"),
            "-frames:v",
            "1",
            "-pix_fmt",
            "rgb24",
            "-f",
            "rawvideo",
        ],
    );
    Image::new(1280, 720, 3, std::fs::read(raw).unwrap()).unwrap()
}

#[tokio::test]
async fn the_frame_shown_at_that_time_is_taken() {
    let bench = Bench::new();
    // Frame 50 is shown from 2.00 to 2.04 s.
    for seconds in [2.0, 2.039] {
        let image = poster(
            &bench,
            &clip(),
            vec![step("poster", Poster::at(Position::Seconds(seconds)), "source")],
        )
        .await;
        assert_eq!((image.width(), image.height(), image.channels()), (1280, 720, 3));
        let right = difference(&image, &reference(&bench, 50));
        let before = difference(&image, &reference(&bench, 49));
        assert!(
            right < 2.0 && right < before,
            "{seconds} s: {right} off, {before} off the frame before"
        );
    }
}

/// A program stream has no index, its clock is not that of its pictures, and most of them do not say when they are shown.
#[tokio::test]
async fn frames_of_a_program_stream_are_found() {
    let bench = Bench::new();
    let clip = input("ts-start-10s.ts");
    for (name, coded) in [
        ("one.mpg", &["-c:v", "mpeg1video", "-q:v", "4", "-c:a", "mp2"][..]),
        ("two.vob", &["-c:v", "mpeg2video", "-q:v", "4", "-bf", "2", "-c:a", "ac3"]),
        ("silent.mpg", &["-c:v", "mpeg2video", "-b:v", "20M", "-an"]),
    ] {
        let coded = [&["-map", "0"], coded].concat();
        let path = made(&bench, name, &["-i", clip.to_str().unwrap()], &coded);
        // The sound begins with the frame before.
        let early = u32::from(name != "silent.mpg");
        let duration = bench.probe(&path).await.unwrap().duration.unwrap().as_secs_f64();
        assert!((duration - 6.0).abs() < 0.06, "{name}: {duration}");
        for (at, right) in [(0.1, 2), (0.4, 10), (2.0, 50), (5.2, 130), (5.9, 147)] {
            let step = step("poster", Poster::at(Position::Seconds(at)), "source");
            let image = poster(&bench, &path, vec![step]).await;
            assert_eq!(number(&image), right - early, "{name} at {at}");
        }
        let cut = vec![step("trim", Trim::new(2.0, 4.0), "source"), step("mp4", mp4(23), "trim")];
        let (results, _) = bench.run(&path, cut, &["mp4"]).await.unwrap();
        let measured = Measured::of(path_of(&results["mp4"]));
        assert_eq!((measured.times.len(), measured.numbers[0]), (50, 50 - early), "{name}");
    }
}

#[tokio::test]
async fn percent_counts_within_the_cut() {
    let bench = Bench::new();
    let by_percent = vec![
        step("trim", Trim::new(1.0, 3.0), "source"),
        step("poster", Poster::at(Position::Percent(50.0)), "trim"),
    ];
    let by_percent = poster(&bench, &clip(), by_percent).await;
    let by_time =
        poster(&bench, &clip(), vec![step("poster", Poster::at(Position::Seconds(2.0)), "source")])
            .await;
    assert!(difference(&by_percent, &by_time) < f64::EPSILON);
}

#[tokio::test]
async fn after_the_end_the_last_frame_is_taken() {
    let bench = Bench::new();
    let image = poster(
        &bench,
        &clip(),
        vec![step("poster", Poster::at(Position::Percent(100.0)), "source")],
    )
    .await;
    let last = difference(&image, &reference(&bench, 131))
        .min(difference(&image, &reference(&bench, 130)));
    assert!(last < 2.0, "{last}");
}

#[tokio::test]
async fn it_is_upright_and_fits_its_box() {
    let bench = Bench::new();
    let turned =
        variant(&bench, "turned.mp4", &["-t", "1", "-c", "copy", "-metadata:s:v", "rotate=270"]);
    let image = poster(&bench, &turned, vec![step("poster", Poster::default(), "source")]).await;
    assert_eq!((image.width(), image.height()), (720, 1280));
    let boxed = vec![
        step("resize", Resize::new(200, 200, Fit::Cover), "source"),
        step("poster", Poster::default(), "resize"),
    ];
    let image = poster(&bench, &turned, boxed).await;
    assert_eq!((image.width(), image.height()), (200, 200));
}

#[tokio::test]
async fn a_frame_may_have_odd_sides() {
    let steps = vec![
        step("resize", Resize::width(500), "source"),
        step("poster", Poster::at(Position::Seconds(1.0)), "resize"),
    ];
    let (mut results, _) = Bench::new().run(&clip(), steps, &["poster"]).await.unwrap();
    let frame = results.remove("poster").unwrap().into_image().unwrap();
    assert_eq!((frame.width(), frame.height()), (500, 281), "as it is described, and as a still's");
}

#[tokio::test]
async fn video_takes_no_place_from_pixel_work() {
    let bench = Bench::new();
    let cx =
        RunContext::builder(CpuPool::new(1), Scratch::in_folder(bench.folder.path())).build(None);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let (begun, began) = tokio::sync::oneshot::channel();
    let pixels = cx.clone();
    let pixels = tokio::spawn(async move {
        let kernel = move |_: &RunContext| {
            begun.send(()).ok();
            stopped.recv().ok();
            Ok(())
        };
        pixels.cpu(kernel).await
    });
    began.await.unwrap();
    let file = file(&clip()).unwrap();
    let info = soon("look at a file", VideoReader::new().probe(&file, &cx)).await.unwrap();
    let poster = AnyOperation::new(Poster::at(Position::Seconds(1.0)));
    let group = Group::new(Limits::default())
        .with_input("source", info, Demand::FULL)
        .with_step("poster", poster, &["source"])
        .unwrap()
        .with_exit("poster");
    let plan = VideoBackend::new().plan(&group).unwrap();
    let ran = soon("frame", plan.run(Inputs::one(file), &cx)).await.unwrap();
    ran.into_outputs().unwrap().take("poster").unwrap();
    drop(stop);
    pixels.await.unwrap().unwrap();
}
