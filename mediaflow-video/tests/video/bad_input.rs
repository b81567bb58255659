//! Broken uploads: a typed error, soon, and nothing left behind.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mediaflow_video::Mp4;

use crate::common::{Bench, clip, file, step, variant};

fn cut(bench: &Bench, source: &Path, percent: usize) -> PathBuf {
    let bytes = std::fs::read(source).unwrap();
    let path = bench
        .folder
        .path()
        .join(format!("cut-{percent}.{}", source.extension().unwrap().to_str().unwrap()));
    std::fs::write(&path, &bytes[..bytes.len() * percent / 100]).unwrap();
    path
}

#[tokio::test]
async fn a_cut_file_with_its_index_in_front_says_how_much_is_missing() {
    let bench = Bench::new();
    let front = variant(&bench, "front.mp4", &["-c", "copy", "-movflags", "+faststart"]);
    let mut missing_before = f64::INFINITY;
    for percent in [30, 60, 90] {
        let error = bench.probe(&cut(&bench, &front, percent)).await.unwrap_err();
        assert_eq!(error.code(), "video.truncated", "{error}");
        let missing: f64 = error.fact("missing_seconds").unwrap().parse().unwrap();
        assert!(missing > 0.1 && missing < missing_before, "{percent} %: {missing} s");
        missing_before = missing;
    }
}

#[tokio::test]
async fn a_cut_file_with_its_index_at_the_end_has_none() {
    let bench = Bench::new();
    let back = variant(&bench, "back.mp4", &["-c", "copy"]);
    for percent in [30, 60, 90] {
        let begun = Instant::now();
        let error = bench.probe(&cut(&bench, &back, percent)).await.unwrap_err();
        assert_eq!(error.code(), "video.no_moov", "{error}");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}

/// Its segment says how long it is.
#[tokio::test]
async fn a_cut_matroska_file_is_told_by_its_segment() {
    let bench = Bench::new();
    let whole = variant(&bench, "whole.mkv", &["-c", "copy"]);
    for percent in [30, 60, 90] {
        let path = cut(&bench, &whole, percent);
        let error = bench
            .run(&path, vec![step("mp4", Mp4::crf(40), "source")], &["mp4"])
            .await
            .unwrap_err();
        assert_eq!(error.code(), "video.truncated", "{percent} %: {error:?}");
    }
    let left: Vec<_> = bench
        .left_behind()
        .into_iter()
        .filter(|path| path.to_str().unwrap().contains("mediaflow-"))
        .collect();
    assert_eq!(left, Vec::<PathBuf>::new());
}

#[tokio::test]
async fn a_cut_avi_file_is_told_by_its_header() {
    let bench = Bench::new();
    let whole = variant(&bench, "whole.avi", &["-c", "copy"]);
    assert_eq!(bench.probe(&cut(&bench, &whole, 60)).await.unwrap_err().code(), "video.truncated");
}

#[tokio::test]
async fn garbage_with_a_known_head_is_not_decodable() {
    let bench = Bench::new();
    let path = bench.folder.path().join("noise.mkv");
    let mut bytes =
        std::fs::read(variant(&bench, "head.mkv", &["-t", "0.1", "-c", "copy"])).unwrap();
    for (index, byte) in bytes.iter_mut().enumerate().skip(64) {
        *byte = u8::try_from(index * 31 % 251).unwrap();
    }
    std::fs::write(&path, bytes).unwrap();
    let begun = Instant::now();
    let error = bench.probe(&path).await.unwrap_err();
    assert!(error.code().starts_with("video."), "{error:?}");
    assert!(begun.elapsed() < bench.limits.probe_time + Duration::from_secs(1));
}

#[test]
fn no_bytes_and_text_are_no_video() {
    let bench = Bench::new();
    let path = bench.folder.path().join("clip.mp4");
    std::fs::write(&path, "").unwrap();
    assert_eq!(file(&path).unwrap_err().code(), "media.empty");
    std::fs::write(&path, "this is not a video").unwrap();
    assert_eq!(file(&path).unwrap_err().code(), "media.unrecognised");
}

#[tokio::test]
async fn damaged_boxes_end_in_an_error_and_soon() {
    let bench = Bench::new();
    let whole = std::fs::read(clip()).unwrap();
    let path = bench.folder.path().join("damaged.mp4");
    let moov = whole.windows(4).rposition(|window| window == b"moov").unwrap();
    for (at, value) in [(32, [0, 0, 0, 2]), (32, [0xff; 4]), (moov, *b"free")] {
        let mut bytes = whole.clone();
        bytes[at..at + 4].copy_from_slice(&value);
        std::fs::write(&path, bytes).unwrap();
        let begun = Instant::now();
        let error = bench.probe(&path).await.unwrap_err();
        assert!(matches!(error.code(), "video.malformed" | "video.no_moov"), "{error:?}");
        assert!(begun.elapsed() < Duration::from_secs(2));
    }
}
