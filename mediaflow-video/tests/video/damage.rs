//! Damage in the picture or the sound is an error, or what is there is taken and it is said what is not.

use std::path::{Path, PathBuf};

use mediaflow_core::media::OnDamage;
use mediaflow_core::ops::{Position, Poster, Trim};

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
        let info = mediaflow_core::Reader::probe(&mediaflow_video::VideoReader::new(), &file, &cx)
            .await
            .unwrap();
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
