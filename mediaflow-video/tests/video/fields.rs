//! Frames in fields: which of the two is seen first, counted by where something that moves is.

use std::path::{Path, PathBuf};
use std::process::Command;

use mediaflow_core::ops::{Position, Poster};

use crate::clips::mp4;
use crate::common::{Bench, path_of, step};

const SIZE: (usize, usize) = (320, 192);

/// A bar that moves four pixels with each of 50 fields a second: of the first one its left side is at 20.
fn moving(bench: &Bench, name: &str, order: &str, coded: &[&str]) -> PathBuf {
    let path = bench.folder.path().join(name);
    let bar = "color=black:s=320x192:r=50:d=1,format=yuv420p,\
               geq=lum='if(between(X,20+4*N,35+4*N),235,16)':cb=128:cr=128";
    let fields = match order {
        "top" => "tinterlace=interleave_top,setfield=tff",
        _ => "tinterlace=interleave_bottom,setfield=bff",
    };
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", bar, "-vf", fields])
        .args(["-flags", "+ilme+ildct", "-top", if order == "top" { "1" } else { "0" }])
        .args(coded)
        .arg(&path)
        .status();
    assert!(made.unwrap().success(), "{name}");
    path
}

/// The middle of what is bright, in the upper and the lower rows of each pair.
fn places(luma: &[u8]) -> (f64, f64) {
    let (width, height) = SIZE;
    let middle = |first: usize| {
        let rows = (first..height - 16).step_by(2);
        let bright = rows.flat_map(|y| (0..width).filter(move |x| luma[y * width + x] > 120));
        let (sum, number) =
            bright.fold((0.0, 0.0), |(sum, number), x| (sum + x as f64, number + 1.0));
        sum / f64::max(number, 1.0)
    };
    (middle(16), middle(17))
}

fn grey(path: &Path) -> Vec<u8> {
    let raw = ["-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"];
    let output = Command::new("ffmpeg").args(["-v", "error", "-i"]).arg(path).args(raw).output();
    output.unwrap().stdout
}

#[tokio::test]
async fn of_two_fields_the_one_that_is_seen_first_is_shown() {
    let mpeg2 = &["-c:v", "mpeg2video", "-q:v", "2"][..];
    let x264 = &["-c:v", "libx264", "-preset", "veryfast", "-crf", "14"][..];
    for (name, order, coded) in [
        ("lower.mpg", "bottom", mpeg2),
        ("upper.mpg", "top", mpeg2),
        ("lower.ts", "bottom", mpeg2),
        ("lower.mp4", "bottom", x264),
        ("upper.mkv", "top", x264),
    ] {
        let bench = Bench::new();
        let clip = moving(&bench, name, order, coded);
        let steps = vec![
            step("mp4", mp4(8), "source"),
            step("poster", Poster::at(Position::Seconds(0.4)), "source"),
        ];
        let (mut results, _) = bench.run(&clip, steps, &["mp4", "poster"]).await.unwrap();
        let luma = grey(path_of(&results["mp4"]));
        let frames = luma.chunks_exact(SIZE.0 * SIZE.1);
        assert_eq!(frames.len(), 25, "{name}");
        for (number, frame) in frames.enumerate() {
            // Two fields to a frame, of four pixels each.
            let right = 27.5 + 8.0 * number as f64;
            let (upper, lower) = places(frame);
            assert!((upper - right).abs() < 1.0, "{name} {number}: {upper} of {right}");
            assert!((lower - right).abs() < 1.0, "{name} {number}: {lower} of {right}");
        }
        let image = results.remove("poster").unwrap().into_image().unwrap();
        let luma: Vec<u8> = image.pixels().chunks_exact(3).map(|pixel| pixel[1]).collect();
        assert!((places(&luma).0 - 107.5).abs() < 1.0, "{name}: {}", places(&luma).0);
    }
}
