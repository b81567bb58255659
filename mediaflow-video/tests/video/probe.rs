use mediaflow_core::Reader as _;
use mediaflow_core::media::{Blob, Format, MediaFile, StreamKind};
use mediaflow_core::ops::{Position, Poster};
use mediaflow_video::VideoReader;

use crate::common::{Bench, clip, step, variant};

#[tokio::test]
async fn the_clip_says_what_it_is() {
    let info = Bench::new().probe(&clip()).await.unwrap();
    assert_eq!(
        (info.format.clone(), (info.width, info.height), info.frames),
        (Format::MP4, (1280, 720), 132)
    );
    assert!((info.duration.unwrap().as_secs_f64() - 5.312).abs() < 0.01);
    let (video, audio) =
        (info.stream(StreamKind::Video).unwrap(), info.stream(StreamKind::Audio).unwrap());
    assert_eq!((video.codec.as_str(), video.fps), ("h264", Some(25.0)));
    assert_eq!(
        (audio.codec.as_str(), audio.channels, audio.sample_rate),
        ("aac", Some(6), Some(48_000))
    );
}

#[tokio::test]
async fn bytes_are_probed_as_files_are() {
    let file = MediaFile::sniff("clip", Blob::from(std::fs::read(clip()).unwrap())).unwrap();
    let info = VideoReader::new().probe(&file, &Bench::new().cx()).await.unwrap();
    assert_eq!(info.frames, 132);
}

/// Frames of more than eight bits take twice the memory, and are computed with at 16.
#[tokio::test]
async fn deep_frames_are_known_and_counted() {
    let bench = Bench::new();
    let coded = ["-t", "0.5", "-s", "640x360", "-preset", "ultrafast", "-pix_fmt"];
    let plain = variant(&bench, "plain.mp4", &[&coded[..], &["yuv420p"]].concat());
    let deep = variant(&bench, "deep.mp4", &[&coded[..], &["yuv420p10le"]].concat());
    let (info, deeper) = (bench.probe(&plain).await.unwrap(), bench.probe(&deep).await.unwrap());
    assert_eq!((info.depth, deeper.depth), (8, 10));
    let bytes = async |path| {
        let steps = vec![step("poster", Poster::at(Position::Seconds(0.0)), "source")];
        bench.explain(path, steps, &["poster"]).await.unwrap().estimate.bytes
    };
    let more = bytes(&deep).await - bytes(&plain).await;
    assert!(more >= info.pixels() * 3 / 2 * 24, "{more}");
}

#[tokio::test]
async fn rotation_is_an_orientation() {
    let bench = Bench::new();
    let turned = variant(&bench, "turned.mp4", &["-c", "copy", "-metadata:s:v", "rotate=270"]);
    let info = bench.probe(&turned).await.unwrap();
    assert_eq!((info.width, info.height), (720, 1280));
    assert!(info.orientation >= 5);
}

#[tokio::test]
async fn non_square_pixels_count_as_they_are_shown() {
    let bench = Bench::new();
    let wide = variant(
        &bench,
        "wide.mp4",
        &["-t", "0.5", "-vf", "scale=360:288,setsar=16/11", "-preset", "ultrafast"],
    );
    let info = bench.probe(&wide).await.unwrap();
    assert_eq!((info.width, info.height), (524, 288));
}

#[tokio::test]
async fn other_containers_are_read() {
    let bench = Bench::new();
    for (name, codec, coder) in
        [("clip.mkv", "h264", "copy"), ("clip.mov", "h264", "copy"), ("clip.avi", "mpeg4", "mpeg4")]
    {
        let path = variant(&bench, name, &["-t", "1", "-c:v", coder]);
        let info = bench.probe(&path).await.unwrap();
        assert_eq!(info.stream(StreamKind::Video).unwrap().codec, codec, "{name}");
    }
}

#[tokio::test]
async fn limits_are_kept() {
    let mut bench = Bench::new();
    bench.limits.duration = std::time::Duration::from_secs(5);
    assert_eq!(bench.probe(&clip()).await.unwrap_err().code(), "limit.duration");
    bench.limits.pixels = 1000;
    assert_eq!(bench.probe(&clip()).await.unwrap_err().code(), "limit.pixels");
}

/// So much of nothing lies between its ends that nobody would read it all for their times.
#[tokio::test]
async fn a_large_transport_stream_is_as_long_as_a_small_one() {
    const PACKET: usize = 188;
    let bench = Bench::new();
    let size = ["-t", "4", "-s", "320x180", "-preset", "ultrafast", "-ac", "2"];
    for (name, rest) in [
        ("aac.ts", &["-c:a", "aac"][..]),
        ("wrap.ts", &["-c:a", "mp2", "-output_ts_offset", "95439"]),
        ("ac3.ts", &["-c:a", "ac3", "-f", "mpegts"]),
    ] {
        let small = variant(&bench, name, &[&size[..], rest].concat());
        let right = bench.probe(&small).await.unwrap().duration.unwrap().as_secs_f64();
        let bytes = std::fs::read(&small).unwrap();
        let middle = bytes.len() / PACKET / 2 * PACKET;
        let mut nothing = [0xff; PACKET];
        nothing[..4].copy_from_slice(&[0x47, 0x1f, 0xff, 0x10]);
        let nothing = nothing.repeat((26 << 20) / PACKET);
        let large = bench.folder.path().join(format!("large-{name}"));
        std::fs::write(&large, [&bytes[..middle], &nothing, &bytes[middle..]].concat()).unwrap();
        let found = bench.probe(&large).await.unwrap().duration.unwrap().as_secs_f64();
        assert!((found - right).abs() < 0.03, "{name}: {found}, not {right}");
    }
}

/// Of one that says how long it is, and reaches as far as it says, not all is read.
#[tokio::test]
async fn a_large_matroska_file_is_as_long_as_it_says() {
    let bench = Bench::new();
    let path = variant(&bench, "large.mkv", &["-c", "copy"]);
    let right = bench.probe(&path).await.unwrap().duration.unwrap().as_secs_f64();
    let mut bytes = std::fs::read(&path).unwrap();
    let find = |name: &[u8]| bytes.windows(name.len()).position(|window| window == name).unwrap();
    let (length, segment) = (find(b"\x44\x89\x88") + 3, find(b"\x18\x53\x80\x67\x01") + 4);
    // A little more, which would be seen if it were read.
    let told = right + 0.2;
    bytes[length..length + 8].copy_from_slice(&(told * 1000.0).to_be_bytes());
    let void = (70_u64 << 20) | 1 << 56;
    let size = u64::from_be_bytes(bytes[segment..segment + 8].try_into().unwrap());
    let size = size + 9 + (void & !(1 << 56));
    bytes[segment..segment + 8].copy_from_slice(&size.to_be_bytes());
    bytes.extend([0xec]);
    bytes.extend(void.to_be_bytes());
    let file = std::fs::File::create(&path).unwrap();
    std::io::Write::write_all(&mut &file, &bytes).unwrap();
    file.set_len(bytes.len() as u64 + (void & !(1 << 56))).unwrap();
    let found = bench.probe(&path).await.unwrap().duration.unwrap().as_secs_f64();
    assert!((found - told).abs() < 0.001, "{found}, not {told}");
    // Cut off, it is no longer.
    file.set_len(60 << 20).unwrap();
    assert_eq!(bench.probe(&path).await.unwrap_err().code(), "video.truncated");
}
