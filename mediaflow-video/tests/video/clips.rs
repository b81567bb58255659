//! Clips as phones, browsers, cameras and editors write them, each of which was once refused or came out wrong.

use std::path::{Path, PathBuf};
use std::process::Command;

use mediaflow_core::Reader as _;
use mediaflow_core::media::{Image, Media, Medium};
use mediaflow_core::ops::{Fps, Position, Poster, Trim};
use mediaflow_video::{Mp4, Preset, VideoReader};

use crate::common::{Bench, file, path_of, step, variant};
use crate::measure::{Measured, Picture};

pub(crate) fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/clips").join(name)
}

pub(crate) fn mp4(crf: u8) -> Mp4 {
    Mp4::crf(crf).preset(Preset::Veryfast)
}

/// The clip as MP4, measured, and what was warned of.
async fn converted(name: &str, crf: u8) -> (Measured, Vec<String>) {
    let bench = Bench::new();
    let steps = vec![step("mp4", mp4(crf), "source")];
    let (results, cx) = bench.run(&input(name), steps, &["mp4"]).await.unwrap();
    (Measured::of(path_of(&results["mp4"])), cx.take_warnings())
}

async fn poster(name: &str, at: Position) -> Image {
    let bench = Bench::new();
    let steps = vec![step("poster", Poster::at(at), "source")];
    let (mut results, _) = bench.run(&input(name), steps, &["poster"]).await.unwrap();
    let Some(Media::Image(image)) = results.remove("poster") else { panic!("no picture") };
    image
}

pub(crate) fn number(image: &Image) -> u32 {
    picture(image).number()
}

pub(crate) fn picture(image: &Image) -> Picture<'_> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    Picture { pixels: image.pixels(), width, height }
}

fn pixel(image: &Image, x: usize, y: usize) -> [u8; 3] {
    let at = (y * image.width() as usize + x) * 3;
    image.pixels()[at..at + 3].try_into().unwrap()
}

/// Flashes and beeps come together, within so many milliseconds.
pub(crate) fn assert_together(measured: &Measured, within: f64) {
    let apart = measured.apart();
    assert!(!apart.is_empty(), "neither flash nor beep: {measured:?}");
    assert!(apart.iter().all(|apart| apart.abs() < within), "{apart:?} ms");
}

pub(crate) fn assert_near(found: f64, right: f64, within: f64) {
    assert!((found - right).abs() <= within, "{found}, not {right}");
}

#[tokio::test]
async fn a_recording_of_a_browser_has_no_length_until_it_is_read() {
    let info = Bench::new().probe(&input("webm-live.webm")).await.unwrap();
    assert_near(info.duration.unwrap().as_secs_f64(), 4.0, 0.08);
    let (measured, _) = converted("webm-live.webm", 23).await;
    assert_near(measured.seconds, 4.0, 0.08);
    assert_eq!((measured.numbers.len(), measured.is_in_order()), (100, true));
    assert_together(&measured, 40.0);
    let frame = number(&poster("webm-live.webm", Position::Percent(50.0)).await);
    assert!((49..=51).contains(&frame), "{frame}");
    // There is no index to seek by either.
    assert_eq!(number(&poster("webm-live.webm", Position::Seconds(1.0)).await), 24);
}

#[tokio::test]
async fn a_rate_is_made_of_frames_of_any_length() {
    let bench = Bench::new();
    let steps = vec![step("fps", Fps::new(30.0), "source"), step("mp4", mp4(23), "fps")];
    let (results, _) = bench.run(&input("vfr.mkv"), steps, &["mp4"]).await.unwrap();
    let measured = Measured::of(path_of(&results["mp4"]));
    assert!((119..=121).contains(&measured.numbers.len()), "{}", measured.numbers.len());
    let steps = measured.times.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(steps.clone().all(|step| (step - 1.0 / 30.0).abs() < 0.002), "{:?}", measured.times);
    assert_together(&measured, 45.0);
}

#[tokio::test]
async fn what_an_edit_list_leaves_out_is_left_out() {
    let info = Bench::new().probe(&input("edit-list-cut.mp4")).await.unwrap();
    assert_near(info.duration.unwrap().as_secs_f64(), 3.0, 0.06);
    let (measured, warnings) = converted("edit-list-cut.mp4", 23).await;
    assert_near(measured.seconds, 3.0, 0.06);
    assert_eq!(measured.numbers, (25..100).collect::<Vec<_>>());
    assert_together(&measured, 3.0);
    assert_eq!(warnings, Vec::<String>::new());
}

#[tokio::test]
async fn sound_goes_on_to_the_end_of_an_edited_picture() {
    let (measured, warnings) = converted("edit-list-sound.mp4", 28).await;
    assert_near(measured.sound, measured.seconds, 0.05);
    assert_eq!((measured.beeps.len(), warnings), (6, Vec::new()));
    assert_together(&measured, 5.0);
}

#[tokio::test]
async fn an_encoders_first_samples_are_not_played() {
    let (measured, _) = converted("priming.mov", 23).await;
    assert!(measured.seconds < 1.03, "{}", measured.seconds);
    assert_eq!(measured.numbers.len(), 25);
    assert_near(measured.beeps[0], 0.5, 0.012);
    let (measured, _) = converted("sync.mp4", 28).await;
    assert_eq!((measured.flashes.len(), measured.beeps.len()), (8, 8));
    assert_together(&measured, 5.0);
}

#[tokio::test]
async fn a_cut_keeps_picture_and_sound_together() {
    let bench = Bench::new();
    let steps = vec![step("trim", Trim::new(2.5, 6.2), "source"), step("mp4", mp4(28), "trim")];
    let (results, _) = bench.run(&input("sync.mp4"), steps, &["mp4"]).await.unwrap();
    let measured = Measured::of(path_of(&results["mp4"]));
    assert_eq!((measured.flashes.len(), measured.beeps.len()), (4, 4));
    assert_together(&measured, 5.0);
}

/// Each is encoded from the one before.
#[tokio::test]
async fn five_generations_stay_together() {
    let bench = Bench::new();
    let mut path = input("sync.mp4");
    for generation in 0..5 {
        let steps = vec![step("mp4", mp4(28), "source")];
        let (results, _) = bench.run(&path, steps, &["mp4"]).await.unwrap();
        let next = bench.folder.path().join(format!("{generation}.mp4"));
        std::fs::copy(path_of(&results["mp4"]), &next).unwrap();
        path = next;
    }
    let measured = Measured::of(&path);
    assert_eq!((measured.times.len(), measured.flashes.len()), (200, 8));
    assert_together(&measured, 5.0);
    assert_near(measured.seconds, 8.0, 0.001);
}

#[tokio::test]
async fn side_tracks_keep_nobody_from_the_film() {
    for name in ["cover.mp4", "gpmd.mp4", "apac-second.mp4"] {
        let info = Bench::new().probe(&input(name)).await.unwrap();
        assert_eq!((info.width, info.height), (192, 108), "{name}");
        let (measured, _) = converted(name, 23).await;
        assert_eq!(measured.codecs, ["h264", "aac"], "{name}");
        assert_eq!((measured.numbers.len(), measured.is_in_order()), (50, true), "{name}");
        assert_together(&measured, 40.0);
    }
}

#[tokio::test]
async fn the_last_frame_is_what_is_seen_at_the_end() {
    for at in [Position::Seconds(0.37), Position::Seconds(1.0), Position::Percent(100.0)] {
        assert_eq!(number(&poster("short-10.mp4", at).await), 9, "{at:?}");
    }
    assert_eq!(number(&poster("short-10.mp4", Position::Seconds(0.0)).await), 0);
}

#[tokio::test]
async fn uncompressed_sound_is_read_to_its_end() {
    let (measured, _) = converted("sowt-8k.mov", 23).await;
    assert_eq!(
        (measured.numbers.len(), &measured.codecs[..]),
        (50, &["h264".into(), "aac".into()][..])
    );
    assert_near(measured.sound, 2.0, 0.05);
    assert_together(&measured, 45.0);
    let bench = Bench::new();
    for (name, codec) in
        [("24.mov", "pcm_s24le"), ("24-be.mov", "pcm_s24be"), ("float.mov", "pcm_f32le")]
    {
        let sound = ["-t", "2", "-c:v", "copy", "-ar", "96000", "-ac", "6", "-c:a", codec];
        let clip = variant(&bench, name, &sound);
        let steps = vec![step("mp4", mp4(35), "source")];
        let (results, cx) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
        let measured = Measured::of(path_of(&results["mp4"]));
        assert_eq!(cx.take_warnings(), Vec::<String>::new(), "{codec}");
        assert_near(measured.sound, 2.0, 0.05);
    }
}

#[tokio::test]
async fn six_channels_become_two_without_crossing() {
    let (measured, _) = converted("51-ac3.mkv", 23).await;
    let far = |second: usize, loud: usize, quiet: usize| {
        let levels = &measured.levels[second];
        assert!(
            levels[loud] > -40.0 && levels[loud] - levels[quiet] > 40.0,
            "{second}: {levels:?}"
        );
    };
    for second in [0, 4] {
        far(second, 0, 1);
    }
    for second in [1, 5] {
        far(second, 1, 0);
    }
    let both = &measured.levels[2];
    assert_near(both[0], both[1], 0.5);
    // Front, centre and surround as `ffmpeg` mixes them; the low frequencies are left out.
    for (second, right) in [(0, -11.7), (2, -14.8), (4, -14.7)] {
        assert_near(measured.levels[second][0], right, 0.5);
    }
    assert!(measured.levels[3][0] < -60.0, "{:?}", measured.levels[3]);
}

#[tokio::test]
async fn the_range_of_stills_is_brought_to_that_of_films() {
    let greys = [0, 36, 73, 109, 146, 182, 219, 255];
    let image = poster("range-full.mp4", Position::Percent(50.0)).await;
    let (measured, _) = converted("range-full.mp4", 12).await;
    for (bar, grey) in greys.into_iter().enumerate() {
        let x = 12 + bar * 24;
        for (found, within) in [(pixel(&image, x, 48), 4), (measured.pixel(x, 48), 7)] {
            assert!(found.iter().all(|value| value.abs_diff(grey) <= within), "{x}: {found:?}");
        }
    }
}

#[tokio::test]
async fn bright_light_is_compressed_and_told() {
    let (measured, warnings) = converted("hdr-pq.mp4", 20).await;
    assert!(warnings.iter().any(|warning| warning.contains("dynamic range")), "{warnings:?}");
    let bench = Bench::new();
    let steps = vec![step("poster", Poster::at(Position::Percent(50.0)), "source")];
    let (mut results, cx) = bench.run(&input("hdr-pq.mp4"), steps, &["poster"]).await.unwrap();
    assert!(cx.take_warnings().concat().contains("dynamic range"), "the poster says so as well");
    let image = results.remove("poster").unwrap().into_image().unwrap();
    for at in [&|x| pixel(&image, x, 54) as [u8; 3], &|x| measured.pixel(x, 54)]
        as [&dyn Fn(usize) -> [u8; 3]; 2]
    {
        let (black, grey, white, red) = (at(24), at(72), at(120), at(168));
        assert!(black.iter().all(|value| *value < 20), "{black:?}");
        assert!(grey.iter().all(|value| (85..=160).contains(value)), "{grey:?}");
        assert!(white.iter().all(|value| *value >= 200), "{white:?}");
        assert!(red[0] >= red[1].saturating_add(100), "{red:?}");
    }
}

#[tokio::test]
async fn a_transport_stream_begins_when_it_begins() {
    let info = Bench::new().probe(&input("ts-start-10s.ts")).await.unwrap();
    assert_near(info.duration.unwrap().as_secs_f64(), 6.0, 0.12);
    let (measured, _) = converted("ts-start-10s.ts", 23).await;
    assert_eq!((measured.numbers.len(), measured.is_in_order()), (150, true));
    assert_together(&measured, 45.0);
    for at in [Position::Seconds(3.0), Position::Percent(50.0)] {
        let frame = number(&poster("ts-start-10s.ts", at).await);
        assert!((73..=76).contains(&frame), "{frame}");
    }
}

#[tokio::test]
async fn a_matroska_file_may_begin_anywhere() {
    let (measured, _) = converted("offset10.mkv", 28).await;
    assert_eq!(measured.times.len(), 200);
    assert_near(measured.seconds, 8.0, 0.05);
    assert_together(&measured, 5.0);
}

#[tokio::test]
async fn what_is_transparent_is_not_seen() {
    let (measured, _) = converted("alpha-vp9.webm", 20).await;
    let image = poster("alpha-vp9.webm", Position::Percent(50.0)).await;
    assert_eq!(measured.times.len(), 15);
    for centre in [measured.pixel(96, 54), pixel(&image, 96, 54)] {
        let near =
            centre.iter().zip([220, 40, 40]).all(|(found, right)| found.abs_diff(right) <= 30);
        assert!(near, "{centre:?}");
    }
    for corner in [measured.pixel(4, 4), pixel(&image, 4, 4)] {
        assert!(corner[1] < 60, "{corner:?}");
    }
}

#[tokio::test]
async fn fields_are_made_whole() {
    let (measured, _) = converted("interlaced-h264.mp4", 20).await;
    assert_near(measured.seconds, 1.0, 0.1);
    assert!(measured.comb < 6.0, "{}", measured.comb);
    let image = poster("interlaced-h264.mp4", Position::Percent(50.0)).await;
    assert!(picture(&image).comb() < 6.0);
}

/// Planes of green, blue and red that the decoder calls Y, Cb and Cr.
#[tokio::test]
async fn planes_of_red_green_and_blue_keep_their_colours() {
    let (measured, _) = converted("oneframe-av1.mp4", 5).await;
    let image = poster("oneframe-av1.mp4", Position::Seconds(0.0)).await;
    let right = Measured::of(&input("oneframe-av1.mp4")).middle;
    let mean = |found: &[u8]| {
        let apart = found.iter().zip(&right).map(|(a, b)| u64::from(a.abs_diff(*b)));
        apart.sum::<u64>() as f64 / right.len() as f64
    };
    // The film has a quarter of the colours.
    assert!(mean(&measured.middle) < 16.0, "{}", mean(&measured.middle));
    assert!(mean(image.pixels()) < 16.0, "{}", mean(image.pixels()));
}

#[tokio::test]
async fn one_frame_is_shown_for_a_time() {
    let (measured, _) = converted("oneframe-av1.mp4", 28).await;
    assert_eq!(measured.times.len(), 1);
    assert!(measured.seconds > 0.0);
}

#[tokio::test]
async fn nothing_of_what_a_source_says_of_itself_is_published() {
    let bench = Bench::new();
    let steps = vec![step("mp4", mp4(30), "source")];
    let (results, _) = bench.run(&input("location.mp4"), steps, &["mp4"]).await.unwrap();
    let bytes = std::fs::read(path_of(&results["mp4"])).unwrap();
    for told in ["+48.8577", "Phone 13", "My home", "call me"] {
        let found = bytes.windows(told.len()).any(|window| window == told.as_bytes());
        assert!(!found, "{told}");
    }
}

/// A clip made of another by `ffmpeg`.
pub(crate) fn made(bench: &Bench, name: &str, before: &[&str], after: &[&str]) -> PathBuf {
    let path = bench.folder.path().join(name);
    let clip = input("sync.mp4");
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(before)
        .arg("-i")
        .arg(&clip)
        .args(after)
        .arg(&path)
        .status()
        .expect("ffmpeg is installed by `make test`");
    assert!(made.success(), "{name}");
    path
}

/// Containers and codecs, each with times of its own kind: as far apart as picture and sound are in the source, they are in the
/// result.
#[tokio::test]
async fn picture_and_sound_stay_together_out_of_each_container() {
    let x264 = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"];
    let with = |rest: &[&'static str]| [&x264[..], rest].concat();
    let clips: [(&str, &[&str], Vec<&str>); 21] = [
        ("plain.mkv", &[], with(&[])),
        ("stream.ts", &[], with(&["-f", "mpegts"])),
        ("vp8.webm", &[], vec!["-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libopus"]),
        ("mpeg.mpg", &[], vec!["-c:v", "mpeg2video", "-c:a", "mp2"]),
        ("flash.flv", &[], vec!["-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "44100"]),
        ("turned.flv", &[], vec!["-c:v", "libx264", "-c:a", "aac", "-ar", "48000"]),
        ("jpeg.mov", &[], vec!["-c:v", "mjpeg", "-c:a", "pcm_s16le"]),
        ("rle.mov", &[], vec!["-c:v", "qtrle", "-c:a", "pcm_s16be"]),
        ("cut.mp4", &["-ss", "2.3"], vec!["-c", "copy"]),
        ("cut.mkv", &["-ss", "2.3"], vec!["-c", "copy"]),
        ("cut.ts", &["-ss", "2.3"], vec!["-c", "copy", "-f", "mpegts"]),
        ("8.mp4", &[], vec!["-c:v", "copy", "-c:a", "aac", "-ar", "8000"]),
        ("96.mp4", &[], vec!["-c:v", "copy", "-c:a", "aac", "-ar", "96000"]),
        ("six.mp4", &[], vec!["-c:v", "copy", "-c:a", "ac3", "-ac", "6"]),
        ("alaw.mov", &[], vec!["-c:v", "copy", "-c:a", "pcm_alaw", "-ar", "8000"]),
        ("raw.mkv", &[], vec!["-c:v", "copy", "-c:a", "pcm_s16le", "-ar", "44100"]),
        ("raw.mp4", &[], with(&["-f", "mov", "-movflags", "frag_keyframe", "-c:a", "pcm_s16le"])),
        ("late.mp4", &["-itsoffset", "2"], vec!["-c", "copy"]),
        ("live.mp4", &["-itsoffset", "10"], vec!["-c", "copy", "-movflags", "frag_keyframe"]),
        ("fragments.mp4", &[], vec!["-c", "copy", "-movflags", "frag_keyframe"]),
        ("negative.mp4", &[], vec!["-c", "copy", "-movflags", "negative_cts_offsets"]),
    ];
    let bench = Bench::new();
    for (name, before, after) in clips {
        let clip = made(&bench, name, before, &after);
        let steps = vec![step("mp4", mp4(35), "source")];
        let (results, _) = bench.run(&clip, steps, &["mp4"]).await.unwrap_or_else(|error| {
            panic!("{name}: {error:?}");
        });
        let measured = Measured::of(path_of(&results["mp4"]));
        let whole = if before.first() == Some(&"-ss") { 142 } else { 200 };
        assert!((whole..=200).contains(&measured.times.len()), "{name}: {}", measured.times.len());
        assert!(measured.flashes.len() >= 5, "{name}: {:?}", measured.flashes);
        let first = measured.beeps.first().zip(measured.flashes.first());
        let late = first.map_or(0.0, |(beep, flash)| beep - flash);
        assert!(
            late < 0.008 || before == ["-ss", "2.3"],
            "{name}: the first beep is {late} s late"
        );
        assert!(measured.apart().iter().all(|apart| apart.abs() < 8.0), "{name}: {measured:?}");
    }
}

/// Sound that begins late, and pictures that do: nobody waits, and nothing moves.
#[tokio::test]
async fn what_begins_late_begins_as_late() {
    let bench = Bench::new();
    let sync = input("sync.mp4");
    let sync = sync.to_str().unwrap();
    let clips = [
        ("sound7.mp4", "7", ["-map", "0:v", "-map", "1:a"], 7.0),
        ("sound10.mkv", "10", ["-map", "0:v", "-map", "1:a"], 10.0),
        ("picture2.mp4", "2", ["-map", "0:a", "-map", "1:v"], -2.0),
    ];
    for (name, offset, map, late) in clips {
        let after = ["-itsoffset", offset, "-i", sync];
        let after = [&after[..], &map, &["-c", "copy"]].concat();
        let clip = made(&bench, name, &[], &after);
        let steps = vec![step("mp4", mp4(35), "source")];
        let (results, _) = bench.run(&clip, steps, &["mp4"]).await.unwrap();
        let measured = Measured::of(path_of(&results["mp4"]));
        assert_eq!((measured.flashes.len(), measured.beeps.len()), (8, 8), "{name}");
        for (flash, beep) in measured.flashes.iter().zip(&measured.beeps) {
            assert_near(beep - flash, late, 0.024);
        }
    }
}

#[tokio::test]
async fn sound_alone_is_read_and_verified() {
    let bench = Bench::new();
    for (name, codec, arguments) in [
        ("tone.m4a", "aac", &["-vn", "-c:a", "copy"][..]),
        ("tone.mp3", "mp3", &["-vn", "-c:a", "libmp3lame"]),
        ("tone.flac", "flac", &["-vn", "-c:a", "flac"]),
        ("tone.ogg", "vorbis", &["-vn", "-c:a", "libvorbis"]),
        ("tone.wav", "pcm", &["-vn"]),
    ] {
        let file = file(&made(&bench, name, &[], arguments)).unwrap();
        let info = VideoReader::new().probe(&file, &bench.cx()).await.unwrap();
        assert_eq!((info.medium, info.streams[0].codec.as_str()), (Medium::Audio, codec), "{name}");
        assert_near(info.duration.unwrap().as_secs_f64(), 8.0, 0.06);
        VideoReader::new().verify(&file, &info, &bench.cx()).await.unwrap();
    }
}
