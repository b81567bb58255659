//! Recordings joined to one: parts of another size, with other pixels, in fields, with a clock that begins anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use mediaflow_core::media::{Image, Media};
use mediaflow_core::ops::{Position, Poster, Trim};

use crate::clips::{assert_near, assert_together, made, mp4};
use crate::common::{Bench, path_of, step};
use crate::measure::{Measured, Picture};

/// A second of one colour, drawn by `ffmpeg`, which begins at a time.
fn part(bench: &Bench, number: usize, picture: &str, at: &str) -> PathBuf {
    let path = bench.folder.path().join(format!("part-{number}.ts"));
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", picture, "-t", "1", "-c:v", "libx264"])
        .args(["-preset", "ultrafast", "-crf", "10", "-output_ts_offset", at, "-f", "mpegts"])
        .arg(&path)
        .status();
    assert!(made.unwrap().success());
    path
}

fn joined(bench: &Bench, name: &str, parts: &[PathBuf]) -> PathBuf {
    let bytes: Vec<u8> = parts.iter().flat_map(|part| std::fs::read(part).unwrap()).collect();
    let path = bench.folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A frame of a result, as `ffmpeg` shows it.
fn frame(path: &Path, at: f64, (width, height): (u32, u32)) -> Image {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-ss", &at.to_string(), "-i"])
        .arg(path)
        .args(["-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"])
        .output();
    Image::new(width, height, 3, output.unwrap().stdout).unwrap()
}

/// Red, then green in 4:3, then blue with narrow pixels, then white that is larger.
fn assert_shape(image: &Image, second: usize, what: &str) {
    let bars = [0, 40, 40, 0][second];
    for (x, is_bar) in [(2, bars > 0), (36, bars > 0), (44, false), (160, false), (276, false)] {
        for y in [3, 90, 176] {
            let at = (y * 320 + x) * 3;
            let found = &image.pixels()[at..at + 3];
            let channels: &[usize] =
                if is_bar { &[] } else { [&[0][..], &[1], &[2], &[0, 1, 2]][second] };
            let right = (0..3).all(|c| (found[c] > 90) == channels.contains(&c));
            assert!(right, "{what}: {found:?} at {x}, {y} in second {second}");
        }
    }
}

#[tokio::test]
async fn a_part_of_another_shape_lies_whole_in_the_shape_of_the_first() {
    let bench = Bench::new();
    let pictures = [
        "color=red:s=320x180:r=25",
        "color=lime:s=240x180:r=25",
        "color=blue:s=320x180:r=25,setsar=3/4",
        "color=white:s=640x360:r=25",
    ];
    let parts: Vec<_> = pictures
        .into_iter()
        .enumerate()
        .map(|(number, picture)| part(&bench, number, picture, &number.to_string()))
        .collect();
    let stream = joined(&bench, "joined.ts", &parts);
    let matroska = bench.folder.path().join("joined.mkv");
    let mut copy = Command::new("ffmpeg");
    copy.args(["-v", "error", "-i"]).arg(&stream).args(["-c", "copy"]).arg(&matroska);
    assert!(copy.status().unwrap().success());
    for clip in [stream, matroska] {
        let what = clip.display().to_string();
        let info = bench.probe(&clip).await.unwrap();
        assert_eq!((info.width, info.height), (320, 180), "{what}");
        let steps = vec![step("mp4", mp4(20), "source")];
        let (results, _) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
        let film = path_of(&results["mp4"]);
        assert_eq!(Measured::of(film).times.len(), 100, "{what}");
        let trim = vec![step("trim", Trim::new(1.5, 3.5), "source"), step("mp4", mp4(20), "trim")];
        let (results, _) = bench.run(&clip, trim, &["mp4"]).await.unwrap();
        let cut = path_of(&results["mp4"]);
        for second in 0..4 {
            let at = second as f64 + 0.5;
            assert_shape(&frame(film, at, (320, 180)), second, &what);
            let steps = vec![step("poster", Poster::at(Position::Seconds(at)), "source")];
            let (posters, _) = bench.run(&clip, steps, &["poster"]).await.unwrap();
            let Media::Image(poster) = &posters["poster"] else { panic!("no picture") };
            assert_eq!((poster.width(), poster.height()), (320, 180), "{what}");
            assert_shape(poster, second, &format!("poster of {what}"));
        }
        for (at, second) in [(0.2, 1), (1.0, 2), (1.8, 3)] {
            assert_shape(&frame(cut, at, (320, 180)), second, &format!("cut of {what}"));
        }
    }
}

#[tokio::test]
async fn fields_are_made_whole_wherever_they_begin() {
    let bench = Bench::new();
    let moving = "testsrc2=s=320x180:r=50";
    let whole = part(&bench, 0, "testsrc2=s=320x180:r=25", "0");
    let fields = made(&bench, "fields.ts", &[], &[]);
    let drawn = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", moving, "-t", "1", "-vf", "interlace"])
        .args(["-c:v", "libx264", "-crf", "10", "-flags", "+ildct+ilme", "-x264opts", "tff=1"])
        .args(["-output_ts_offset", "1", "-f", "mpegts"])
        .arg(&fields)
        .status();
    assert!(drawn.unwrap().success());
    let clip = joined(&bench, "joined.ts", &[whole, fields.clone()]);
    let steps = vec![step("mp4", mp4(15), "source")];
    let (results, _) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
    let film = path_of(&results["mp4"]);
    let comb = |image: &Image| Picture { pixels: image.pixels(), width: 320, height: 180 }.comb();
    let (smooth, combed) =
        (comb(&frame(film, 0.5, (320, 180))), comb(&frame(&fields, 0.0, (320, 180))));
    let made = comb(&frame(film, 1.5, (320, 180)));
    assert!(made < smooth * 1.15 && combed > made * 1.15, "{smooth}, {combed}, {made}");
}

#[tokio::test]
async fn joined_recordings_stay_together() {
    let bench = Bench::new();
    let coded =
        ["-t", "2", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-f", "mpegts"];
    let recording = |name: &str, at: &str| {
        made(&bench, name, &["-ss", "0.52"], &[&coded[..], &["-output_ts_offset", at]].concat())
    };
    // Each has some more sound than picture; the clocks go on, begin anew, or jump to and fro.
    let goes_on = ["0", "2", "4", "6"];
    for at in [goes_on, ["0"; 4], ["0", "100", "2", "60000"], ["95000", "1", "30", "3"]] {
        let parts = at.map(|at| recording(&format!("{at}.ts"), at));
        let clip = joined(&bench, "joined.ts", &parts);
        let steps = vec![
            step("mp4", mp4(35), "source"),
            step("trim", Trim::new(2.2, 5.0), "source"),
            step("part", mp4(35), "trim"),
        ];
        let (results, cx) = bench.run(&clip, steps, &["mp4", "part"]).await.unwrap();
        assert_eq!(cx.take_warnings(), Vec::<String>::new(), "{at:?}");
        let measured = Measured::of(path_of(&results["mp4"]));
        let frames = Measured::of(&clip).times.len();
        assert_eq!((measured.times.len(), measured.flashes.len()), (frames, 8), "{at:?}");
        assert_eq!(measured.beeps.len(), 8, "{measured:?}");
        assert_together(&measured, 8.0);
        assert_near(measured.seconds, 8.0, 0.15);
        let part = Measured::of(path_of(&results["part"]));
        assert_eq!((part.flashes.len(), part.beeps.len()), (3, 3), "{at:?}: {part:?}");
        assert_near(part.flashes[0], 0.3, 0.06);
        assert_together(&part, 8.0);
    }
}

/// What was not sent for a while is missing for as long, as with `ffmpeg`.
#[tokio::test]
async fn a_gap_in_a_broadcast_is_as_long_as_its_clock_says() {
    let bench = Bench::new();
    let coded =
        ["-t", "2", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-f", "mpegts"];
    for filled in [&[][..], &["-muxrate", "60M"]] {
        let parts = ["0", "7"].map(|at| {
            let coded = [&coded[..], filled, &["-output_ts_offset", at]].concat();
            made(&bench, &format!("{at}.ts"), &["-ss", "0.52"], &coded)
        });
        let clip = joined(&bench, "gap.ts", &parts);
        let steps = vec![step("mp4", mp4(35), "source")];
        let (results, _) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
        let measured = Measured::of(path_of(&results["mp4"]));
        assert_eq!((measured.times.len(), measured.flashes.len()), (100, 4), "{measured:?}");
        assert_near(measured.seconds, 9.0, 0.06);
        assert_near(measured.flashes[2] - measured.flashes[1], 6.0, 0.03);
        assert_together(&measured, 8.0);
    }
}

/// Broadcasts go from two channels to six and back, and from one rate to another.
#[tokio::test]
async fn sound_may_change_its_channels_and_its_rate() {
    let bench = Bench::new();
    let coded = ["-t", "2", "-c:v", "libx264", "-preset", "ultrafast", "-f", "mpegts"];
    for codec in ["ac3", "aac"] {
        let part = |name: &str, channels: &str, rate: &str, at: &str| {
            let sound = ["-c:a", codec, "-ac", channels, "-ar", rate, "-output_ts_offset", at];
            made(&bench, name, &[], &[&coded[..], &sound].concat())
        };
        let parts = [
            part("two.ts", "2", "48000", "0"),
            part("six.ts", "6", "48000", "2"),
            part("one.ts", "1", "44100", "4"),
            part("again.ts", "2", "48000", "6"),
        ];
        for parts in [parts.clone(), [1, 0, 3, 2].map(|part| parts[part].clone())] {
            let clip = joined(&bench, "joined.ts", &parts);
            let steps = vec![step("mp4", mp4(35), "source")];
            let (results, _) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
            let measured = Measured::of(path_of(&results["mp4"]));
            assert_eq!((measured.flashes.len(), measured.beeps.len()), (8, 8), "{measured:?}");
            assert_together(&measured, 60.0);
        }
    }
}
