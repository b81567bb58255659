//! What a source has, a result has, or it is said what is missing.

use std::path::{Path, PathBuf};

use mediaflow_core::Reader as _;
use mediaflow_core::ops::{Position, Poster, Trim};
use mediaflow_video::VideoReader;

use crate::clips::{assert_together, input, made, mp4, number};
use crate::common::{Bench, file, path_of, step};
use crate::measure::Measured;

/// A clip in which these bytes are others.
fn patched(bench: &Bench, clip: &Path, name: &str, from: &[u8], to: &[u8]) -> PathBuf {
    let mut bytes = std::fs::read(clip).unwrap();
    let at = bytes.windows(from.len()).position(|window| window == from).unwrap();
    bytes[at..at + to.len()].copy_from_slice(to);
    let path = bench.folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

#[tokio::test]
async fn sound_that_nothing_decodes_keeps_nobody_from_the_picture() {
    let bench = Bench::new();
    let matroska = made(&bench, "sound.mkv", &[], &["-c", "copy"]);
    for clip in [
        patched(&bench, &input("sync.mp4"), "strange.mp4", b"mp4a", b"apac"),
        patched(&bench, &matroska, "strange.mkv", b"A_AAC", b"A_XYZ"),
    ] {
        let info = bench.probe(&clip).await.unwrap();
        assert_eq!((info.width, info.height, info.streams.len()), (320, 180, 2), "{clip:?}");
        let (file, cx) = (file(&clip).unwrap(), bench.cx());
        VideoReader::new().verify(&file, &info, &cx).await.unwrap();
        assert!(cx.take_warnings().concat().contains("the sound is not checked"));
        let poster = vec![step("poster", Poster::at(Position::Seconds(1.0)), "source")];
        let (_, cx) = bench.run(&clip, poster, &["poster"]).await.unwrap();
        assert_eq!(cx.take_warnings(), Vec::<String>::new());
        let silent = vec![step("mp4", mp4(35).silent(), "source")];
        let (results, cx) = bench.run(&clip, silent, &["mp4"]).await.unwrap();
        let measured = Measured::of(path_of(&results["mp4"]));
        assert_eq!((measured.codecs, measured.times.len()), (vec!["h264".to_owned()], 200));
        assert_eq!(cx.take_warnings(), Vec::<String>::new());
        let kept = vec![step("mp4", mp4(35), "source")];
        let error = bench.run(&clip, kept, &["mp4"]).await.unwrap_err();
        assert_eq!(error.code(), "video.missing_plugin", "{clip:?}");
    }
}

/// The tables of some say of sound only that it is private.
#[tokio::test]
async fn sound_of_a_transport_stream_is_found_whatever_its_table_says() {
    let bench = Bench::new();
    let x264 = ["-c:v", "libx264", "-preset", "ultrafast"];
    let disc = ["-mpegts_m2ts_mode", "1", "-f", "mpegts"];
    let plain = ["-f", "mpegts"];
    for (name, sound, container) in [
        ("aac.m2ts", &["-c:a", "aac"][..], &disc[..]),
        ("mp3.m2ts", &["-c:a", "mp2"], &disc),
        ("ac3.m2ts", &["-c:a", "ac3"], &disc),
        ("dts.m2ts", &["-c:a", "dca", "-strict", "-2"], &disc),
        ("dts.ts", &["-c:a", "dca", "-strict", "-2"], &plain),
        ("eac3.ts", &["-c:a", "eac3"], &plain),
        ("opus.ts", &["-c:a", "libopus"], &plain),
        ("pcm.ts", &["-c:a", "s302m", "-strict", "-2", "-ac", "2"], &plain),
    ] {
        let clip = made(&bench, name, &[], &[&x264[..], sound, container].concat());
        let steps = vec![step("mp4", mp4(35), "source")];
        let (results, cx) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
        let measured = Measured::of(path_of(&results["mp4"]));
        assert_eq!(measured.codecs, ["h264", "aac"], "{name}");
        assert_eq!((measured.flashes.len(), measured.beeps.len()), (8, 8), "{name}");
        assert_together(&measured, 45.0);
        assert_eq!(cx.take_warnings(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_cut_before_the_begin_of_the_sound_is_silent_and_that_is_told() {
    let bench = Bench::new();
    let sync = input("sync.mp4");
    let late = ["-itsoffset", "4", "-i", sync.to_str().unwrap()];
    let late = [&late[..], &["-map", "0:v", "-map", "1:a", "-c", "copy"]].concat();
    let clip = made(&bench, "late.mp4", &[], &late);
    let steps = vec![step("trim", Trim::new(1.0, 3.0), "source"), step("mp4", mp4(35), "trim")];
    let (results, cx) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
    let measured = Measured::of(path_of(&results["mp4"]));
    assert_eq!((measured.codecs.len(), measured.times.len()), (2, 50));
    assert!(cx.take_warnings().concat().contains("silence is in its place"));
}

#[tokio::test]
async fn streams_that_are_left_out_are_named_as_the_file_counts_them() {
    let bench = Bench::new();
    let sync = input("sync.mp4");
    let sync = sync.to_str().unwrap();
    let second = ["-i", sync, "-map", "1:a", "-map", "0:v", "-map", "0:a", "-c", "copy"];
    let named = ["-metadata:s:a:1", "language=deu", "-metadata:s:v", "timecode=10:00:00:00"];
    let film = made(&bench, "second.mp4", &[], &[&second[..], &named].concat());
    let data = made(
        &bench,
        "data.ts",
        &["-i", input("gpmd.mp4").to_str().unwrap()],
        &["-map", "0", "-c", "copy", "-f", "mpegts"],
    );
    for (clip, named) in [
        (film, vec!["stream 2 (sound: mp4a, deu)", "stream 3 (a time code: tmcd)"]),
        (input("apac-second.mp4"), vec!["stream 2 (sound: apac)"]),
        (input("gpmd.mp4"), vec!["stream 2 (data: gpmd)"]),
        (data, vec!["data of type 0x06"]),
    ] {
        let steps = vec![step("mp4", mp4(35), "source")];
        let (_, cx) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
        let warnings = cx.take_warnings();
        assert_eq!(warnings.len(), named.len(), "{warnings:?}");
        for (warning, named) in warnings.iter().zip(named) {
            let is_said = warning.contains(named) && warning.contains("is left out");
            assert!(is_said, "{warning}, not {named}");
        }
    }
}

/// Clocks of transport streams begin anywhere, and go round after 26 hours and a half.
#[tokio::test]
async fn a_clock_may_go_round_in_the_middle() {
    let bench = Bench::new();
    let clip = input("ts-start-10s.ts");
    let disc = ["-mpegts_m2ts_mode", "1"];
    for (name, offset, packets) in [
        ("round.ts", "95439", &[][..]),
        ("round.m2ts", "95439", &disc[..]),
        ("edge.ts", "95442.2", &[]),
        ("far.m2ts", "50000", &disc),
    ] {
        let path = bench.folder.path().join(name);
        let mut copy = std::process::Command::new("ffmpeg");
        copy.args(["-v", "error", "-i"]).arg(&clip).args([
            "-c",
            "copy",
            "-output_ts_offset",
            offset,
        ]);
        copy.args(packets).args(["-f", "mpegts"]).arg(&path);
        assert!(copy.status().unwrap().success());
        let steps = vec![
            step("whole", mp4(30), "source"),
            step("trim", Trim::new(2.0, 5.0), "source"),
            step("part", mp4(30), "trim"),
            step("poster", Poster::at(Position::Seconds(3.0)), "source"),
        ];
        let (results, cx) = bench.run(&path, steps, &["whole", "part", "poster"]).await.unwrap();
        assert_eq!(cx.take_warnings(), Vec::<String>::new(), "{name}");
        let whole = Measured::of(path_of(&results["whole"]));
        assert_eq!((whole.numbers.len(), whole.is_in_order()), (150, true), "{name}");
        assert!((whole.seconds - 6.0).abs() < 0.1 && whole.codecs.len() == 2, "{name}");
        assert_together(&whole, 45.0);
        let part = Measured::of(path_of(&results["part"]));
        assert!((74..=76).contains(&part.numbers.len()), "{name}: {}", part.numbers.len());
        assert!((49..=51).contains(&part.numbers[0]) && part.is_in_order(), "{name}");
        assert_together(&part, 45.0);
        let poster = number(&results["poster"].clone().into_image().unwrap());
        assert!((73..=76).contains(&poster), "{name}: {poster}");
    }
}
