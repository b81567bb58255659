use mediaflow_core::geometry::Fit;
use mediaflow_core::media::Media;
use mediaflow_core::ops::{Fps, Position, Poster, Resize, Trim};
use mediaflow_video::{Mp4, Preset};

use crate::common::{Bench, Seen, clip, path_of, step, variant};

fn fast() -> Mp4 {
    Mp4::crf(28).preset(Preset::Ultrafast)
}

#[tokio::test]
async fn a_clip_becomes_h264_and_aac_with_the_index_in_front() {
    let bench = Bench::new();
    let steps = vec![
        step("resize", Resize::new(640, 360, Fit::Inside), "source"),
        step("mp4", fast(), "resize"),
    ];
    let (results, cx) = bench.run(&clip(), steps, &["mp4"]).await.unwrap();
    let seen = Seen::of(path_of(&results["mp4"]));
    assert_eq!((seen.size(), seen.frames()), ((640, 360), 132));
    assert_eq!(
        (&seen.video["codec_name"], &seen.video["pix_fmt"]),
        (&"h264".into(), &"yuv420p".into())
    );
    let audio = seen.audio.unwrap();
    assert_eq!((&audio["codec_name"], &audio["channels"]), (&"aac".into(), &2.into()));
    assert!((seen.seconds - 5.312).abs() < 0.1, "{} s", seen.seconds);
    assert_eq!(cx.take_warnings(), Vec::<String>::new());
    let bytes = std::fs::read(path_of(&results["mp4"])).unwrap();
    let at = |name: &[u8]| bytes.windows(4).position(|window| window == name).unwrap();
    assert!(at(b"moov") < at(b"mdat"));
}

#[tokio::test]
async fn a_cut_has_exactly_its_frames_on_and_off_the_grid() {
    let bench = Bench::new();
    for (start, end, frames) in
        [(1.0, 3.5, 63), (1.01, 3.01, 50), (0.0, 0.5, 13), (4.99, 9.0, 7), (2.999, 4.001, 26)]
    {
        let steps = vec![
            step("trim", Trim::new(start, end), "source"),
            step("resize", Resize::new(160, 90, Fit::Fill), "trim"),
            step("mp4", fast(), "resize"),
        ];
        let (results, _) = bench.run(&clip(), steps, &["mp4"]).await.unwrap();
        let seen = Seen::of(path_of(&results["mp4"]));
        assert_eq!(seen.frames(), frames, "{start}-{end}");
        let audio = seen.audio.as_ref().unwrap();
        assert!(
            Seen::start(&seen.video).abs() < 0.001,
            "{start}-{end}: {}",
            seen.video["start_time"]
        );
        assert!(Seen::start(audio).abs() < 0.03, "{start}-{end}: {}", audio["start_time"]);
        assert!(
            (seen.seconds - (f64::min(end, 5.312) - start)).abs() < 0.1,
            "{start}-{end}: {} s",
            seen.seconds
        );
    }
}

#[tokio::test]
async fn renditions_with_the_same_cut_share_one_decode() {
    let bench = Bench::new();
    let steps = || {
        vec![
            step("trim", Trim::new(1.0, 2.0), "source"),
            step("large", Resize::new(640, 360, Fit::Inside), "trim"),
            step("small", Resize::new(200, 200, Fit::Cover), "trim"),
            step("large-mp4", fast(), "large"),
            step("small-mp4", fast().audio_bitrate(64_000), "small"),
            step("silent-mp4", fast().silent(), "small"),
            step("poster", Poster::at(Position::Seconds(0.5)), "trim"),
        ]
    };
    let exits = ["large-mp4", "small-mp4", "silent-mp4", "poster"];
    let explanation = bench.explain(&clip(), steps(), &exits).await.unwrap();
    assert_eq!(explanation.decodes, 2, "{explanation}");
    assert!(
        explanation.to_string().contains("for 3 renditions behind a tee; cut 1.000-2.000 s"),
        "{explanation}"
    );
    let (results, cx) = bench.run(&clip(), steps(), &exits).await.unwrap();
    assert_eq!(cx.decodes(), 2);
    for (name, size, has_audio) in [
        ("large-mp4", (640, 360), true),
        ("small-mp4", (200, 200), true),
        ("silent-mp4", (200, 200), false),
    ] {
        let seen = Seen::of(path_of(&results[name]));
        assert_eq!(
            (seen.size(), seen.frames(), seen.audio.is_some()),
            (size, 25, has_audio),
            "{name}"
        );
    }
    assert!(matches!(&results["poster"], Media::Image(image) if image.width() == 1280));
}

#[tokio::test]
async fn the_five_fits_give_even_sizes() {
    let bench = Bench::new();
    for (fit, size) in [
        (Fit::Cover, (150, 100)),
        (Fit::Contain, (150, 100)),
        (Fit::Fill, (150, 100)),
        (Fit::Inside, (150, 84)),
        (Fit::Outside, (178, 100)),
    ] {
        let steps = vec![
            step("trim", Trim::new(0.0, 0.2), "source"),
            step("resize", Resize::new(150, 100, fit), "trim"),
            step("mp4", fast(), "resize"),
        ];
        let (results, _) = bench.run(&clip(), steps, &["mp4"]).await.unwrap();
        assert_eq!(Seen::of(path_of(&results["mp4"])).size(), size, "{fit:?}");
    }
}

#[tokio::test]
async fn a_constant_rate_drops_frames() {
    let bench = Bench::new();
    let steps = vec![
        step("trim", Trim::of(1.0, 2.0), "source"),
        step("fps", Fps::new(10.0), "trim"),
        step("resize", Resize::width(160), "fps"),
        step("mp4", fast(), "resize"),
    ];
    let (results, _) = bench.run(&clip(), steps, &["mp4"]).await.unwrap();
    let seen = Seen::of(path_of(&results["mp4"]));
    assert_eq!((&seen.video["r_frame_rate"], seen.frames()), (&"10/1".into(), 20));
}

#[tokio::test]
async fn turned_and_anamorphic_clips_come_out_upright_and_square() {
    let bench = Bench::new();
    let turned =
        variant(&bench, "turned.mp4", &["-t", "0.5", "-c", "copy", "-metadata:s:v", "rotate=90"]);
    let wide = variant(
        &bench,
        "wide.mkv",
        &["-t", "0.5", "-vf", "scale=360:288,setsar=16/11", "-preset", "ultrafast"],
    );
    for (path, size) in [(turned, (720, 1280)), (wide, (524, 288))] {
        let (results, _) =
            bench.run(&path, vec![step("mp4", fast(), "source")], &["mp4"]).await.unwrap();
        let seen = Seen::of(path_of(&results["mp4"]));
        assert_eq!(
            (seen.size(), &seen.video["sample_aspect_ratio"]),
            (size, &"1:1".into()),
            "{path:?}"
        );
        assert!(
            seen.video.get("side_data_list").is_none(),
            "no rotation is left: {:?}",
            seen.video
        );
    }
}

#[tokio::test]
async fn sound_in_unnamed_channels_and_ten_bits_are_understood() {
    let bench = Bench::new();
    let arguments = [
        "-t",
        "0.5",
        "-s",
        "320x180",
        "-c:v",
        "prores_ks",
        "-pix_fmt",
        "yuv422p10le",
        "-c:a",
        "pcm_s16le",
    ];
    let source = variant(&bench, "edit.mov", &arguments);
    let (results, _) =
        bench.run(&source, vec![step("mp4", fast(), "source")], &["mp4"]).await.unwrap();
    let seen = Seen::of(path_of(&results["mp4"]));
    assert_eq!(
        (&seen.video["pix_fmt"], &seen.audio.unwrap()["channels"]),
        (&"yuv420p".into(), &2.into())
    );
}

#[tokio::test]
async fn a_clip_without_sound_stays_without() {
    let bench = Bench::new();
    let mute = variant(&bench, "mute.mp4", &["-t", "0.5", "-c", "copy", "-an"]);
    let (results, _) =
        bench.run(&mute, vec![step("mp4", fast(), "source")], &["mp4"]).await.unwrap();
    assert!(Seen::of(path_of(&results["mp4"])).audio.is_none());
}

#[tokio::test]
async fn a_branch_that_ends_nowhere_is_refused() {
    let bench = Bench::new();
    let steps = vec![step("resize", Resize::width(160), "source")];
    let error = bench.explain(&clip(), steps, &["resize"]).await.unwrap_err();
    assert_eq!((error.code(), error.fact("step")), ("video.not_encoded", Some("resize")));
}

#[tokio::test]
async fn a_cut_behind_the_end_is_refused_before_it_runs() {
    let bench = Bench::new();
    let error = bench
        .explain(&clip(), vec![step("trim", Trim::new(9.0, 10.0), "source")], &["trim"])
        .await
        .unwrap_err();
    assert_eq!((error.code(), error.fact("op")), ("op.empty_cut", Some("trim")));
}

#[tokio::test]
async fn a_cut_after_the_end_of_the_sound_is_silent() {
    let bench = Bench::new();
    let arguments = ["-s", "320x180", "-preset", "ultrafast", "-af", "atrim=end=2"];
    let source = variant(&bench, "short-sound.mp4", &arguments);
    let steps = vec![step("trim", Trim::new(3.0, 4.0), "source"), step("mp4", fast(), "trim")];
    let (results, cx) = bench.run(&source, steps, &["mp4"]).await.unwrap();
    let seen = Seen::of(path_of(&results["mp4"]));
    assert_eq!((seen.frames(), seen.audio.is_some()), (25, true));
    assert!(cx.take_warnings().concat().contains("silence is in its place"));
}

#[tokio::test]
async fn sound_that_is_not_read_to_its_end_is_told() {
    let bench = Bench::new();
    let begun = variant(&bench, "whole.mp4", &["-c", "copy"]);
    let edited = bench.folder.path().join("edited.mp4");
    let made = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-ss", "1.33", "-i"])
        .arg(begun)
        .args(["-c", "copy"])
        .arg(&edited)
        .status();
    assert!(made.unwrap().success());
    let (results, cx) =
        bench.run(&edited, vec![step("mp4", fast(), "source")], &["mp4"]).await.unwrap();
    let seen = Seen::of(path_of(&results["mp4"]));
    let length: f64 = seen.audio.unwrap()["duration"].as_str().unwrap().parse().unwrap();
    let warned = cx.take_warnings().concat().contains("of the sound");
    assert!(warned || (length - 3.98).abs() < 0.1, "{length} s of sound, and nothing said");
}

#[tokio::test]
async fn without_longer_sound_a_clip_is_as_long_as_its_picture() {
    let bench = Bench::new();
    let arguments = ["-s", "320x180", "-preset", "ultrafast", "-vf", "trim=end=1", "-t", "3"];
    let source = variant(&bench, "long-sound.mp4", &arguments);
    let steps = vec![step("silent", fast().silent(), "source"), step("kept", fast(), "source")];
    let (results, _) = bench.run(&source, steps, &["silent", "kept"]).await.unwrap();
    assert!((Seen::of(path_of(&results["silent"])).seconds - 1.0).abs() < 0.1);
    assert!((Seen::of(path_of(&results["kept"])).seconds - 3.0).abs() < 0.1);
}
