//! Damage in the picture or the sound is an error, or what is there is taken and it is said what is not.

use std::path::{Path, PathBuf};

use mediaflow_core::Reader as _;
use mediaflow_core::media::OnDamage;
use mediaflow_core::ops::{Position, Poster, Trim};
use mediaflow_video::VideoReader;

use crate::clips::mp4;
use crate::common::{Bench, path_of, step, variant};
use crate::measure::Measured;

/// A part in the middle is noise.
fn broken(bench: &Bench, clip: &Path, name: &str) -> PathBuf {
    let mut bytes = std::fs::read(clip).unwrap();
    let (from, length) = (bytes.len() * 45 / 100, bytes.len() / 10);
    for (index, byte) in bytes.iter_mut().enumerate().skip(from).take(length) {
        *byte = u8::try_from((index * 7919 + 131) % 251).unwrap();
    }
    let path = bench.folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// The first part only.
fn cut(bench: &Bench, clip: &Path, name: &str) -> PathBuf {
    let bytes = std::fs::read(clip).unwrap();
    let path = bench.folder.path().join(name);
    std::fs::write(&path, &bytes[..bytes.len() * 6 / 10]).unwrap();
    path
}

async fn converted(bench: &Bench, clip: &Path) -> mediaflow_core::Result<(Measured, Vec<String>)> {
    let (results, cx) = bench.run(clip, vec![step("mp4", mp4(30), "source")], &["mp4"]).await?;
    Ok((Measured::of(path_of(&results["mp4"])), cx.take_warnings()))
}

#[tokio::test]
async fn a_damaged_film_is_refused_or_told() {
    let mut bench = Bench::new();
    let coded = ["-s", "320x180", "-c:v", "libx264", "-g", "25", "-c:a", "aac"];
    let whole = variant(&bench, "whole.mp4", &coded);
    let clip = broken(&bench, &whole, "broken.mp4");
    let error = converted(&bench, &clip).await.unwrap_err();
    assert_eq!(error.code(), "video.not_decodable", "{error:?}");
    assert!(error.message().contains("frames of source could not be decoded"), "{error}");
    // What is asked for lies before it.
    let trim = || vec![step("trim", Trim::new(0.0, 1.0), "source"), step("mp4", mp4(30), "trim")];
    bench.run(&clip, trim(), &["mp4"]).await.unwrap();
    bench.on_damage = OnDamage::Accept;
    let (measured, warnings) = converted(&bench, &clip).await.unwrap();
    assert!((60..132).contains(&measured.times.len()), "{}", measured.times.len());
    assert!((measured.seconds - 5.3).abs() < 0.1, "{}", measured.seconds);
    let lost: u64 = warnings[0].split(' ').next().unwrap().parse().unwrap();
    assert!(lost > 0 && warnings[0].contains("could not be decoded"), "{warnings:?}");
    let poster = vec![step("poster", Poster::at(Position::Seconds(1.0)), "source")];
    bench.run(&clip, poster, &["poster"]).await.unwrap();
}

/// The packets of the picture, as `ffprobe` says where they lie.
fn packets(clip: &Path) -> Vec<(usize, usize)> {
    let told = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "packet=pos,size"])
        .args(["-of", "csv=p=0"])
        .arg(clip)
        .output();
    let text = String::from_utf8(told.unwrap().stdout).unwrap();
    let packet = |line: &str| {
        let numbers: Vec<usize> = line.split(',').filter_map(|n| n.parse().ok()).collect();
        Some((*numbers.get(1)?, *numbers.first()?))
    };
    text.lines().filter_map(packet).collect()
}

/// A clip that is the same but for a hole in the largest packet of its middle.
fn with_hole(bench: &Bench, whole: &Path, name: &str) -> PathBuf {
    let packets = packets(whole);
    let middle = &packets[packets.len() / 2 - 6..packets.len() / 2 + 6];
    let (at, size) = middle.iter().max_by_key(|(_, size)| *size).copied().unwrap();
    let mut bytes = std::fs::read(whole).unwrap();
    bytes[at + size / 2..][..40].fill(0);
    let path = bench.folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Decoders fill in what a disk or an upload has left out, and give as many frames as ever.
#[tokio::test]
async fn holes_that_a_decoder_hides_are_refused_or_told() {
    let size = ["-t", "3", "-s", "320x180"];
    let x264 = ["-c:v", "libx264", "-preset", "veryfast", "-c:a", "aac"];
    let hevc = ["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none"];
    let clips: [(&str, &[&str]); 4] =
        [("h264.mp4", &x264), ("h264.mkv", &x264), ("h264.flv", &x264), ("hevc.mp4", &hevc)];
    for (name, coded) in clips {
        let mut bench = Bench::new();
        let whole = variant(&bench, &format!("whole-{name}"), &[&size[..], coded].concat());
        let (measured, warnings) = converted(&bench, &whole).await.unwrap();
        assert_eq!((measured.times.len(), warnings), (75, Vec::new()), "{name}");
        let clip = with_hole(&bench, &whole, name);
        let error = converted(&bench, &clip).await.unwrap_err();
        assert_eq!(error.code(), "video.not_decodable", "{name}: {error:?}");
        assert!(error.message().contains("1 of 75 frames of source are damaged"), "{error}");
        // What is asked for lies before it.
        let trim = vec![step("trim", Trim::new(0.0, 0.6), "source"), step("mp4", mp4(30), "trim")];
        bench.run(&clip, trim, &["mp4"]).await.unwrap_or_else(|e| panic!("{name}: {e:?}"));
        bench.on_damage = OnDamage::Accept;
        let (measured, warnings) = converted(&bench, &clip).await.unwrap();
        assert_eq!(measured.times.len(), 75, "{name}");
        assert_eq!(warnings, ["1 of 75 frames of source are damaged"], "{name}");
    }
}

#[tokio::test]
async fn a_poster_of_what_is_damaged_is_refused_or_told() {
    let mut bench = Bench::new();
    let coded = ["-t", "3", "-s", "320x180", "-c:v", "libx264", "-preset", "veryfast", "-g", "75"];
    let whole = variant(&bench, "whole.mp4", &coded);
    let clip = with_hole(&bench, &whole, "hole.mp4");
    let poster = |at: f64| vec![step("poster", Poster::at(Position::Seconds(at)), "source")];
    let (_, cx) = bench.run(&clip, poster(0.4), &["poster"]).await.unwrap();
    assert_eq!(cx.take_warnings(), Vec::<String>::new());
    // All pictures behind it are made of it.
    let error = bench.run(&clip, poster(2.6), &["poster"]).await.unwrap_err();
    assert_eq!(error.code(), "video.not_decodable", "{error:?}");
    bench.on_damage = OnDamage::Accept;
    let (_, cx) = bench.run(&clip, poster(2.6), &["poster"]).await.unwrap();
    assert_eq!(cx.take_warnings(), ["the frame of source at 2.600 s is damaged"]);
}

/// Of a transport stream, packets are gone.
#[tokio::test]
async fn packets_that_are_missing_are_missed() {
    let size = ["-t", "4", "-s", "320x180"];
    for (name, coded) in [
        ("h264.ts", &["-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-c:a", "aac"][..]),
        ("mpeg2.ts", &["-c:v", "mpeg2video", "-q:v", "3", "-c:a", "mp2"]),
        ("hevc.m2ts", &["-c:v", "libx265", "-preset", "ultrafast", "-g", "25", "-c:a", "ac3"]),
    ] {
        let mut bench = Bench::new();
        let whole = variant(&bench, &format!("whole-{name}"), &[&size[..], coded].concat());
        let (_, warnings) = converted(&bench, &whole).await.unwrap();
        assert_eq!(warnings, Vec::<String>::new(), "{name}");
        let bytes = std::fs::read(&whole).unwrap();
        let step_of = if name.ends_with("m2ts") { 192 } else { 188 };
        // One packet, out of the middle of a picture near the middle of the file.
        let (head, pid) = (step_of - 188, 0x100);
        let is_inner = |at: usize| {
            let packet = &bytes[at + head..];
            let is_picture = u16::from_be_bytes([packet[1] & 0x1f, packet[2]]) == pid
                || name.ends_with("m2ts") && packet[1..3] == [0x10, 0x11];
            is_picture && packet[1] & 0x40 == 0
        };
        let mut places = (bytes.len() / step_of / 2..).map(|number| number * step_of);
        let at = places.find(|at| is_inner(*at) && is_inner(at + step_of)).unwrap();
        let clip = bench.folder.path().join(name);
        std::fs::write(&clip, [&bytes[..at], &bytes[at + step_of..]].concat()).unwrap();
        let error = converted(&bench, &clip).await.unwrap_err();
        assert_eq!(error.code(), "video.not_decodable", "{name}: {error:?}");
        let said = "1 or more packets of the picture of source are missing at ";
        assert!(error.message().contains(said), "{name}: {error}");
        let trim = vec![step("trim", Trim::new(0.0, 0.8), "source"), step("mp4", mp4(30), "trim")];
        bench.run(&clip, trim, &["mp4"]).await.unwrap();
        bench.on_damage = OnDamage::Accept;
        let (measured, warnings) = converted(&bench, &clip).await.unwrap();
        assert!(warnings.concat().contains(said), "{name}: {warnings:?}");
        assert!(measured.times.len() >= 98, "{name}: {}", measured.times.len());
    }
}

/// A recording begins where somebody pressed a button, between two pictures that stand alone; and one follows another.
#[tokio::test]
async fn a_recording_may_begin_anywhere_and_go_on() {
    let bench = Bench::new();
    let coded = ["-t", "4", "-s", "320x180", "-c:v", "libx264", "-preset", "veryfast", "-c:a"];
    let open = ["aac", "-x264-params", "open-gop=1:keyint=25:bframes=3"];
    let whole = variant(&bench, "whole.ts", &[&coded[..], &open].concat());
    let bytes = std::fs::read(&whole).unwrap();
    let late = bench.folder.path().join("late.ts");
    std::fs::write(&late, &bytes[bytes.len() / 188 / 3 * 188..]).unwrap();
    // The same, by one who copies from a time on.
    let ffmpeg = |arguments: &[&str], to: &Path| {
        let mut ffmpeg = std::process::Command::new("ffmpeg");
        let made = ffmpeg.args(["-v", "error", "-y"]).args(arguments).arg(to).status();
        assert!(made.unwrap().success());
        to.to_owned()
    };
    let from = ["-ss", "1.5", "-i", whole.to_str().unwrap(), "-c", "copy"];
    let copies = ["copy.ts", "copy.mkv", "copy.mp4", "copy.mov"];
    let copies = copies.map(|name| ffmpeg(&from, &bench.folder.path().join(name)));
    for clip in copies.iter().chain([&late]) {
        // Two more are stored, which are made of what was cut off: no player shows them.
        assert_eq!(Measured::of(clip).times.len(), 50, "{clip:?}");
        let (measured, warnings) = converted(&bench, clip).await.unwrap();
        assert_eq!((measured.times.len(), warnings), (50, Vec::new()), "{clip:?}");
        let (file, info) = (crate::common::file(clip).unwrap(), bench.probe(clip).await.unwrap());
        VideoReader::new().verify(&file, &info, &bench.cx()).await.unwrap();
    }
    let parts = ["%d.ts", "0.ts", "1.ts"].map(|name| bench.folder.path().join(name));
    let list = ["-f", "segment", "-segment_time", "2", "-break_non_keyframes", "0"];
    let split = ["-i", whole.to_str().unwrap(), "-c", "copy"];
    ffmpeg(&[&split[..], &list].concat(), &parts[0]);
    let joined = [std::fs::read(&parts[1]).unwrap(), std::fs::read(&parts[2]).unwrap()].concat();
    std::fs::write(&late, joined).unwrap();
    let (measured, warnings) = converted(&bench, &late).await.unwrap();
    assert_eq!(warnings, Vec::<String>::new());
    assert!((measured.seconds - 4.0).abs() < 0.1, "{}", measured.seconds);
}

/// The times at the two ends of a large file say how long it is, unless its clock has begun again in between.
#[tokio::test]
async fn recordings_with_a_clock_of_their_own_may_follow_each_other() {
    let bench = Bench::new();
    let coded = ["-t", "2", "-s", "320x180", "-c:v", "libx264", "-preset", "veryfast", "-c:a"];
    let filled = ["aac", "-muxrate", "80M"];
    let one = |at: &str| {
        let filled = [&coded[..], &filled, &["-output_ts_offset", at]].concat();
        std::fs::read(variant(&bench, "one.ts", &filled)).unwrap()
    };
    let (one, later) = (one("0"), one("100"));
    for parts in [[&one[..], &one], [&one, &later], [&later, &one]] {
        let clip = bench.folder.path().join("two.ts");
        // Of what is larger than this not all is read.
        std::fs::write(&clip, parts.concat()).unwrap();
        assert!(clip.metadata().unwrap().len() > 32 << 20);
        let info = bench.probe(&clip).await.unwrap();
        // A constant rate makes the first of each wait.
        assert!((info.duration.unwrap().as_secs_f64() - 4.0).abs() < 0.25, "{info:?}");
        let (measured, warnings) = converted(&bench, &clip).await.unwrap();
        assert_eq!((measured.times.len(), warnings), (100, Vec::new()));
        assert!((measured.seconds - 4.0).abs() < 0.25, "{}", measured.seconds);
    }
}

/// Demuxers end at damage as if the file did.
#[tokio::test]
async fn a_film_that_can_be_read_in_part_is_refused_or_told() {
    let size = ["-s", "320x180"];
    let coded =
        ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-movflags", "faststart"];
    for (name, is_cut) in
        [("a.mkv", false), ("b.mkv", true), ("c.mp4", true), ("d.flv", true), ("e.avi", true)]
    {
        let mut bench = Bench::new();
        let coded = if name.ends_with("flv") {
            &["-ar", "44100", "-c:a", "libmp3lame"]
        } else {
            &coded[..]
        };
        let coded = if name.ends_with("avi") { &["-c:v", "mpeg4", "-c:a", "mp2"] } else { coded };
        let whole = variant(&bench, &format!("whole-{name}"), &[&size[..], coded].concat());
        let clip = if is_cut { cut(&bench, &whole, name) } else { broken(&bench, &whole, name) };
        let error = converted(&bench, &clip).await.unwrap_err();
        let codes = ["video.truncated", "video.not_decodable"];
        assert!(codes.contains(&error.code()), "{name}: {error:?}");
        bench.on_damage = OnDamage::Accept;
        let cx = bench.cx();
        let file = crate::common::file(&clip).unwrap().with_on_damage(OnDamage::Accept);
        let info = VideoReader::new().probe(&file, &cx).await.unwrap();
        let (measured, warnings) = converted(&bench, &clip).await.unwrap();
        let said = [cx.take_warnings(), warnings].concat().concat();
        assert!(said.contains("missing") || said.contains("could not"), "{name}: {said:?}");
        assert!((1.0..5.4).contains(&measured.seconds), "{name}: {}", measured.seconds);
        let told = info.duration.unwrap().as_secs_f64();
        assert!((measured.seconds - told).abs() < 0.15, "{name}: {} of {told}", measured.seconds);
    }
}

/// All of the sound is noise, and the picture is whole.
#[tokio::test]
async fn sound_of_which_nothing_is_left_is_no_silence() {
    let bench = Bench::new();
    let coded =
        ["-t", "1", "-s", "320x180", "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"];
    let whole = variant(&bench, "whole.mp4", &coded);
    let mut bytes = std::fs::read(&whole).unwrap();
    // The packets of the sound, as `ffprobe` says where they lie.
    let told = std::process::Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "a", "-show_entries", "packet=pos,size"])
        .args(["-of", "csv=p=0"])
        .arg(&whole)
        .output();
    for line in String::from_utf8(told.unwrap().stdout).unwrap().lines() {
        let numbers: Vec<usize> = line.split(',').filter_map(|n| n.parse().ok()).collect();
        let [size, at] = numbers[..] else { continue };
        bytes[at..at + size].fill(0xff);
    }
    let clip = bench.folder.path().join("noise.mp4");
    std::fs::write(&clip, bytes).unwrap();
    let error = converted(&bench, &clip).await.unwrap_err();
    assert_eq!(error.code(), "video.not_decodable", "{error:?}");
}

/// Sound that nobody wants is not missed.
#[tokio::test]
async fn a_picture_that_ends_before_its_sound_is_whole() {
    let bench = Bench::new();
    let coded = ["-s", "320x180", "-preset", "ultrafast", "-vf", "trim=end=1", "-t", "3"];
    for name in ["long.mkv", "long.ts"] {
        let clip =
            variant(&bench, name, &[&coded[..], &["-c:v", "libx264", "-c:a", "aac"]].concat());
        let steps =
            vec![step("silent", mp4(40).silent(), "source"), step("kept", mp4(40), "source")];
        let (results, cx) = bench.run(&clip, steps.clone(), &["silent"]).await.unwrap();
        assert!((Measured::of(path_of(&results["silent"])).seconds - 1.0).abs() < 0.1, "{name}");
        let (results, _) = bench.run(&clip, steps, &["silent", "kept"]).await.unwrap();
        assert!((Measured::of(path_of(&results["kept"])).seconds - 3.0).abs() < 0.1, "{name}");
        assert_eq!(cx.take_warnings(), Vec::<String>::new(), "{name}");
    }
}
