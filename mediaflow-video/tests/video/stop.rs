//! Work that must not go on does not, and leaves nothing behind.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mediaflow_core::ErrorKind;
use mediaflow_core::geometry::Fit;
use mediaflow_core::ops::Resize;
use mediaflow_video::{Mp4, Preset};

use crate::common::{Bench, clip, step};

#[tokio::test]
async fn cancelling_stops_the_encoder_and_removes_its_files() {
    let mut bench = Bench::new();
    bench.cancel_at = 0.1;
    let slow = step("mp4", Mp4::crf(10).preset(Preset::Veryslow), "source");
    let begun = Instant::now();
    let error = bench.run(&clip(), vec![slow], &["mp4"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(bench.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_deadline_stops_it_too() {
    let mut bench = Bench::new();
    bench.limits.deadline = Duration::from_millis(300);
    let slow = step("mp4", Mp4::crf(10).preset(Preset::Veryslow), "source");
    let error = bench.run(&clip(), vec![slow], &["mp4"]).await.unwrap_err();
    assert_eq!(error.code(), "job.deadline");
    assert_eq!(bench.left_behind(), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn progress_grows_and_reaches_the_end() {
    let bench = Bench::new();
    let steps = vec![
        step("trim", mediaflow_core::ops::Trim::new(3.0, 5.0), "source"),
        step("resize", Resize::new(160, 90, Fit::Inside), "trim"),
        step("mp4", Mp4::crf(30), "resize"),
    ];
    bench.run(&clip(), steps, &["mp4"]).await.unwrap();
    let seen = bench.progress.lock().unwrap();
    assert!(seen.is_sorted() && seen.len() > 1, "{seen:?}");
    assert_eq!(seen.last(), Some(&1.0));
    assert!(
        seen.first().is_some_and(|first| *first < 0.5),
        "a trim does not count what it leaves out: {seen:?}"
    );
}
