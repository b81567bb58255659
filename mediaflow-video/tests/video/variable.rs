//! Frames that are seen for as long as they are seen: slides, recordings of screens.

use std::path::{Path, PathBuf};
use std::process::Command;

use mediaflow_core::ops::{Fps, Position, Poster, Trim};

use crate::clips::{assert_near, input, mp4, number};
use crate::common::{Bench, path_of, step};
use crate::measure::Measured;

/// When each of six frames, which show their numbers, begins. There is sound for ten seconds.
const BEGIN: [f64; 6] = [0.0, 0.5, 3.0, 3.04, 3.1, 7.0];

fn slides(bench: &Bench, name: &str, coded: &[&str]) -> PathBuf {
    let path = bench.folder.path().join(name);
    let times: String =
        BEGIN.iter().enumerate().map(|(n, at)| format!("+eq(N,{n})*{at}")).collect();
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-i"])
        .arg(input("ts-start-10s.ts"))
        .args(["-f", "lavfi", "-i", "sine=440:duration=10:sample_rate=48000", "-vf"])
        .arg(format!("select='lt(n,6)',settb=1/1000,setpts='(0{times})/TB'"))
        .args(["-map", "0:v", "-map", "1:a", "-vsync", "passthrough", "-enc_time_base", "1/1000"])
        .args(coded)
        .arg(&path)
        .status();
    assert!(made.unwrap().success(), "{name}");
    path
}

/// How long the picture of a file is, as `ffprobe` says.
fn picture(path: &Path) -> f64 {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "stream=duration"])
        .args(["-of", "csv=p=0"])
        .arg(path)
        .output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().parse().unwrap()
}

/// The frames that are seen from a time on, with the times at which they begin there.
fn seen(start: f64, end: f64) -> (Vec<u32>, Vec<f64>) {
    let begins = (0..).zip(BEGIN);
    let seen = begins.filter(|(number, begin)| {
        let next = BEGIN.get(*number as usize + 1).copied().unwrap_or(f64::INFINITY);
        *begin < end && next > start
    });
    seen.map(|(number, begin)| (number, f64::max(begin - start, 0.0))).unzip()
}

#[tokio::test]
async fn a_cut_begins_with_the_frame_that_is_seen_and_ends_when_it_ends() {
    let bench = Bench::new();
    let x264 = ["-c:v", "libx264", "-c:a", "aac"];
    let vp8 = ["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"];
    for (name, coded) in [("slides.mp4", &x264[..]), ("slides.mkv", &x264), ("slides.webm", &vp8)] {
        let clip = slides(&bench, name, coded);
        for (start, end) in [(1.5, 2.5), (1.5, 6.0), (0.2, 2.0), (4.0, 8.5), (7.5, 9.0)] {
            let what = format!("{name} {start}-{end}");
            let steps = vec![
                step("trim", Trim::new(start, end), "source"),
                step("mp4", mp4(20), "trim"),
                step("silent", mp4(20).silent(), "trim"),
                step("fps", Fps::new(10.0), "trim"),
                step("even", mp4(20), "fps"),
            ];
            let exits = ["mp4", "silent", "even"];
            let (results, cx) = bench.run(&clip, steps, &exits).await.unwrap_or_else(|error| {
                panic!("{what}: {error:?}");
            });
            assert_eq!(cx.take_warnings(), Vec::<String>::new(), "{what}");
            let (numbers, times) = seen(start, end);
            for exit in ["mp4", "silent"] {
                let path = path_of(&results[exit]);
                let measured = Measured::of(path);
                assert_eq!(measured.numbers, numbers, "{what}");
                // Matroska has its times shifted by what the encoder of the sound puts before it.
                assert!(
                    times.iter().zip(&measured.times).all(|(a, b)| (a - b).abs() < 0.03),
                    "{what}: {measured:?}"
                );
                // With boxes it is known that the picture ends before the sound.
                let is_whole = end <= 7.04 || !name.ends_with("mp4");
                let near = |length: f64| (length - (end - start)).abs() < 0.03;
                let whole = near(measured.seconds) || !(exit == "mp4" || is_whole);
                assert!(whole, "{what} {exit}: {} s", measured.seconds);
                assert!(near(picture(path)) || !is_whole, "{what} {exit}: {} s", picture(path));
            }
            let even = Measured::of(path_of(&results["even"])).numbers;
            let frames = (end - start) * 10.0;
            if end <= 7.04 || !name.ends_with("mp4") {
                assert!(
                    (even.len() as f64 - frames).abs() <= 1.0,
                    "{what}: {} of {frames}",
                    even.len()
                );
            }
            assert_eq!((even.first(), even.last()), (numbers.first(), numbers.last()), "{what}");
        }
        for (at, right) in [(0.3, 0), (1.5, 1), (2.9, 1), (6.0, 4), (8.0, 5)] {
            let steps = vec![step("poster", Poster::at(Position::Seconds(at)), "source")];
            let (mut results, _) = bench.run(&clip, steps, &["poster"]).await.unwrap();
            let image = results.remove("poster").unwrap().into_image().unwrap();
            assert_eq!(number(&image), right, "{name} at {at}");
        }
    }
}

#[tokio::test]
async fn the_last_frame_keeps_its_length() {
    let bench = Bench::new();
    let longer = "setts=duration=if(eq(N\\,5)\\,3/TB\\,DURATION)";
    let short = slides(&bench, "short.mp4", &["-c:v", "libx264", "-bf", "0", "-an"]);
    let clip = bench.folder.path().join("last.mp4");
    let mut copy = Command::new("ffmpeg");
    copy.args(["-v", "error", "-i"]).arg(short).args(["-c", "copy", "-bsf:v", longer]).arg(&clip);
    assert!(copy.status().unwrap().success());
    assert_near(picture(&clip), 10.0, 0.03);
    let steps = vec![step("mp4", mp4(20), "source")];
    let (results, _) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
    assert_near(picture(path_of(&results["mp4"])), 10.0, 0.03);
    let steps = vec![step("trim", Trim::new(6.0, 9.0), "source"), step("mp4", mp4(20), "trim")];
    let (results, _) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
    let measured = Measured::of(path_of(&results["mp4"]));
    assert_eq!(measured.numbers, [4, 5]);
    assert_near(measured.seconds, 3.0, 0.03);
}
