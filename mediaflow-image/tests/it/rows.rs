//! A source is taken row by row where that can be: its picture is never in memory, and results are what they are otherwise.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use mediaflow_core::geometry::Fit;
use mediaflow_core::media::{MediaFile, OnDamage};
use mediaflow_core::ops::{
    Blur, Crop, Extend, Gamma, Grayscale, Kernel, Negate, Resize, Rotate, Saturation, Sepia,
};
use mediaflow_core::{AnyOperation, Operation};
use mediaflow_image::{Jpeg, Webp};
use png::{BitDepth, ColorType, Encoder, Info};

use crate::support::{Branches, Ran, bytes, file, noise, probe};

/// A PNG of noise, of this kind.
fn png(
    (width, height): (u32, u32),
    colour: ColorType,
    depth: BitDepth,
    more: impl FnOnce(&mut Info<'_>),
) -> MediaFile {
    let mut info = Info::with_size(width, height);
    (info.color_type, info.bit_depth) = (colour, depth);
    more(&mut info);
    if colour == ColorType::Indexed {
        info.palette = Some((0..48).map(|value| value * 5).collect());
    }
    let row = (width as usize * colour.samples() * depth as usize).div_ceil(8);
    let mut rows = noise(u32::try_from(row).unwrap(), height, 1).into_pixels();
    if colour == ColorType::Indexed {
        rows.iter_mut().for_each(|value| *value &= 15);
    }
    let mut bytes = Vec::new();
    let mut encoder = Encoder::with_info(&mut bytes, info).unwrap();
    encoder.set_compression(png::Compression::Fastest);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(&rows).unwrap();
    writer.finish().unwrap();
    file("noise.png", bytes)
}

fn plain(_info: &mut Info<'_>) {}

fn rgb(width: u32, height: u32) -> MediaFile {
    png((width, height), ColorType::Rgb, BitDepth::Eight, plain)
}

fn op(operation: impl Operation) -> AnyOperation {
    AnyOperation::new(operation)
}

async fn run(source: &MediaFile, chains: &[(&str, Vec<AnyOperation>)]) -> Ran {
    let all = chains.iter().cloned();
    let branches = all.fold(Branches::of(source.clone()), |b, (name, steps)| b.chain(name, steps));
    branches.run().await.unwrap()
}

fn by_rows(ran: &Ran) -> bool {
    ran.explanation.stages.iter().any(|stage| stage.detail.contains(", by rows"))
}

/// What each chain gives by rows is what it gives of the whole picture, to the bit. What needs that is a chain more.
async fn same(source: &MediaFile, chains: &[(&str, Vec<AnyOperation>)]) {
    let mut rows = run(source, chains).await;
    assert!(by_rows(&rows), "{}", rows.explanation);
    assert_eq!((rows.decodes, rows.explanation.decodes), (1, 1));
    let mut with_blur = chains.to_vec();
    with_blur.push(("blurred", vec![op(Blur::by(1.0)), op(Crop::new(0, 0, 9, 9))]));
    let mut whole = run(source, &with_blur).await;
    assert!(!by_rows(&whole), "{}", whole.explanation);
    for (name, _) in chains {
        let (rows, whole) = (rows.image(name), whole.image(name));
        assert_eq!(
            (rows.width(), rows.height(), rows.channels(), rows.metadata()),
            (whole.width(), whole.height(), whole.channels(), whole.metadata()),
            "{name} of {source}"
        );
        let wrong = rows.pixels().iter().zip(whole.pixels()).filter(|(a, b)| a != b).count();
        assert_eq!(wrong, 0, "{name} of {source}, of {}", rows.pixels().len());
    }
}

#[tokio::test]
async fn rows_give_what_a_whole_picture_gives_whatever_its_pixels_are() {
    use BitDepth::{Eight, Four, Sixteen};
    let clear = |info: &mut Info<'_>| info.trns = Some(vec![0, 80, 160, 255].into());
    let grey = |info: &mut Info<'_>| info.trns = Some(vec![0, 7].into());
    let turned = |info: &mut Info<'_>| {
        let exif = b"MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        info.exif_metadata = Some(exif.to_vec().into());
    };
    let p3 = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let wide = |info: &mut Info<'_>| info.icc_profile = Some(p3.clone().into());
    let dark = moxcms::ColorProfile::new_gray_with_gamma(1.4).encode().unwrap();
    let dark = |info: &mut Info<'_>| info.icc_profile = Some(dark.clone().into());
    let sources = [
        png((1502, 1001), ColorType::Rgb, Eight, wide),
        png((1501, 1002), ColorType::Rgb, Sixteen, wide),
        png((2200, 1001), ColorType::GrayscaleAlpha, Eight, dark),
        png((2301, 1905), ColorType::Grayscale, Eight, dark),
        png((2302, 1905), ColorType::Grayscale, Eight, wide),
        png((2301, 1903), ColorType::Grayscale, Eight, plain),
        png((2200, 1000), ColorType::GrayscaleAlpha, Eight, plain),
        png((1501, 1001), ColorType::Rgb, Eight, plain),
        png((1100, 999), ColorType::Rgba, Eight, plain),
        png((1500, 1001), ColorType::Indexed, Four, plain),
        png((1200, 1001), ColorType::Indexed, Eight, clear),
        png((2205, 1000), ColorType::Grayscale, Eight, grey),
        png((1500, 1001), ColorType::Rgb, Sixteen, plain),
        // Its tones are changed once it is upright, for which all of it is needed.
        file("turned.png", bytes(&png((1503, 1001), ColorType::Rgb, Eight, turned))),
    ];
    for source in &sources {
        let linear = Resize::new(170, 170, Fit::Inside).linear();
        same(source, &[("plain", vec![op(Resize::width(333))])]).await;
        let toned = vec![op(Gamma::by(2.0)), op(linear.clone())];
        same(source, &[("linear", vec![op(linear)])]).await;
        if source.name() != "turned.png" {
            same(source, &[("toned", toned)]).await;
        }
    }
}

#[tokio::test]
async fn rows_give_what_a_whole_picture_gives_whatever_is_done() {
    let source = rgb(1600, 1200);
    let cover = || Resize::new(300, 200, Fit::Cover);
    let kernel = |kernel| Resize::width(401).kernel(kernel);
    for chain in [
        vec![op(cover())],
        vec![op(Crop::new(101, 53, 700, 500)), op(Resize::width(90))],
        vec![op(Crop::new(101, 53, 80, 50))],
        vec![op(Crop::new(700, 1000, 40, 50)), op(Resize::new(100, 300, Fit::Fill))],
        vec![op(Crop::new(0, 0, 40, 50)), op(Resize::width(100).linear())],
        vec![op(Resize::new(1600, 70, Fit::Fill))],
        vec![op(kernel(Kernel::Nearest))],
        vec![op(kernel(Kernel::Mitchell))],
        vec![op(Rotate::by(90.0)), op(cover()), op(Negate::default()), op(Extend::all(3))],
        vec![op(Gamma::by(2.0)), op(Resize::width(100))],
        vec![op(Grayscale::default()), op(Negate::default()), op(Resize::width(100).linear())],
        vec![op(Saturation::by(3.0)), op(cover()), op(Blur::by(2.0))],
        vec![op(Sepia::default()), op(Resize::width(99).linear())],
    ] {
        same(&source, &[("out", chain)]).await;
    }
}

#[tokio::test]
async fn several_renditions_share_one_pass() {
    let source = rgb(1600, 1200);
    let chains = [
        ("large", vec![op(Resize::width(700))]),
        ("less", vec![op(Resize::width(500))]),
        ("small", vec![op(Resize::width(120))]),
        ("square", vec![op(Resize::new(200, 200, Fit::Cover).linear())]),
        ("toned", vec![op(Gamma::by(2.0)), op(Resize::width(100))]),
        ("part", vec![op(Crop::new(5, 6, 70, 80))]),
    ];
    same(&source, &chains).await;
    let ran = run(&source, &chains).await;
    let text = ran.explanation.to_string();
    assert!(text.contains("png of 1600x1200, at full size, by rows"), "{text}");
    let fewer = run(&source, &chains[2..3]).await;
    assert!(fewer.explanation.estimate.bytes < ran.explanation.estimate.bytes);
}

#[tokio::test]
async fn what_needs_the_whole_picture_gets_it() {
    let source = rgb(1600, 1200);
    for chain in [
        vec![op(Rotate::by(12.0)), op(Resize::width(100))],
        vec![op(Rotate::by(90.0)), op(Gamma::by(2.0)), op(Resize::width(100))],
        vec![op(Negate::default())],
        vec![op(Resize::new(30, 1300, Fit::Fill))],
        vec![op(Jpeg::quality(80))],
        vec![op(Resize::width(1599)), op(Webp::quality(1))],
    ] {
        let ran = run(&source, &[("out", chain)]).await;
        assert!(!by_rows(&ran), "{}", ran.explanation);
        assert!(ran.explanation.to_string().contains("as a whole"), "{}", ran.explanation);
    }
    let resize = || vec![op(Resize::width(100))];
    let small = run(&rgb(200, 200), &[("out", resize())]).await;
    assert!(!by_rows(&small), "{}", small.explanation);
    let mut interlaced = run(&interlaced(2100, 2100), &[("out", resize())]).await;
    assert!(!by_rows(&interlaced), "{}", interlaced.explanation);
    assert_eq!(interlaced.image("out").pixels(), [77; 100 * 100]);
}

#[tokio::test]
async fn a_file_that_ends_too_early_is_an_error_by_rows_as_well() {
    let all = bytes(&rgb(1600, 1200));
    for kept in [all.len() / 3, all.len() / 100 * 99] {
        let cut = file("cut.png", all[..kept].to_vec());
        let chain = vec![op(Resize::width(100))];
        let ran = Branches::of(cut)
            .chain("out", chain.clone())
            .chain("two", vec![op(Resize::width(30)), op(Negate::default())]);
        let error = ran.run().await.err().unwrap();
        assert_eq!((error.code(), error.fact("source")), ("image.truncated", Some("cut.png")));
    }
}

/// What is missing is empty, and how much it is is told, by rows as well.
#[tokio::test]
async fn damage_that_is_accepted_gives_what_a_whole_picture_gives() {
    let all = bytes(&rgb(1600, 1200));
    let cut = file("cut.png", all[..all.len() / 3].to_vec());
    let mut wrong = all.clone();
    wrong[all.len() / 2] ^= 0xFF;
    for source in [cut, file("wrong.png", wrong)] {
        let source = source.with_on_damage(OnDamage::Accept);
        same(&source, &[("out", vec![op(Resize::width(200))])]).await;
    }
}

/// A grey PNG in Adam7's seven passes, all of one value.
fn interlaced(width: u32, height: u32) -> MediaFile {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(data);
        png.extend(u32::try_from(data.len()).unwrap().to_be_bytes());
        png.extend([kind, data].concat());
        png.extend(crc.sum().to_be_bytes());
    };
    let size = [width.to_be_bytes(), height.to_be_bytes()].concat();
    chunk(b"IHDR", &[&size[..], &[8, 0, 0, 0, 1]].concat());
    let mut rows = ZlibEncoder::new(Vec::new(), Compression::fast());
    let passes = [
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ];
    for (left, top, across, down) in passes {
        let row = [vec![0], vec![77; (width - left).div_ceil(across) as usize]].concat();
        for _ in 0..(height - top).div_ceil(down) {
            rows.write_all(&row).unwrap();
        }
    }
    chunk(b"IDAT", &rows.finish().unwrap());
    chunk(b"IEND", &[]);
    file("interlaced.png", png)
}

/// Memory is measured in a process of its own: this program again, with one test.
#[cfg(target_os = "linux")]
mod memory {
    use std::path::Path;
    use std::process::Command;

    use mediaflow_core::media::Blob;

    use super::*;

    const SOURCE: &str = "MEDIAFLOW_TEST_SOURCE";

    /// A line of `/proc/self/status`, in bytes.
    fn status(field: &str) -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.trim_matches(|c: char| !c.is_ascii_digit()).parse::<u64>().unwrap() << 10
    }

    /// A large picture in few bytes, written row by row.
    fn write(path: &Path, side: u32, colour: ColorType) {
        let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
        let mut encoder = Encoder::new(file, side, side);
        encoder.set_color(colour);
        encoder.set_compression(png::Compression::Fast);
        let mut writer = encoder.write_header().unwrap();
        let mut stream = writer.stream_writer().unwrap();
        let mut row = vec![0; side as usize * colour.samples()];
        for y in 0..side {
            row.fill((y >> 6).to_le_bytes()[0]);
            stream.write_all(&row).unwrap();
        }
        stream.finish().unwrap();
        writer.finish().unwrap();
    }

    fn chains(side: u32) -> Vec<(&'static str, Vec<AnyOperation>)> {
        let thumbnail = Resize::new(256, 256, Fit::Cover);
        let linear = Resize::new(100, 120, Fit::Cover).linear();
        let mut chains = vec![("thumbnail", vec![op(thumbnail), op(Jpeg::quality(80))])];
        if side < 12_000 {
            chains.push(("linear", vec![op(linear), op(Jpeg::quality(80))]));
            let part = Crop::new(5000, 5000, 500, 500);
            chains.push(("part", vec![op(part), op(Webp::quality(70))]));
        }
        chains
    }

    /// Measures, if it is asked to; else there is nothing to do.
    #[allow(clippy::print_stdout, reason = "the process that has started this one reads it")]
    #[tokio::test]
    async fn child() {
        let Some(path) = std::env::var_os(SOURCE) else { return };
        let source = MediaFile::sniff("large.png", Blob::file(path).unwrap()).unwrap();
        let chains = chains(probe(&source).await.unwrap().width);
        let (idle, before) = (status("VmRSS:"), status("VmHWM:"));
        assert!(before < idle + (8 << 20), "it was busy before: {before}, {idle}");
        let ran = run(&source, &chains).await;
        let peak = status("VmHWM:").saturating_sub(idle);
        assert!(ran.results.values().all(Result::is_ok));
        let estimate = ran.explanation.estimate.bytes;
        println!("peak {} KiB, estimate {} KiB", peak >> 10, estimate >> 10);
        assert!(peak <= 64 << 20, "{} MiB", peak >> 20);
        assert!(estimate <= 64 << 20, "{} MiB are said", estimate >> 20);
        // Threads, tables and the heap of the process are not counted.
        assert!(peak <= estimate + (8 << 20), "{peak} bytes, and {estimate} were said");
    }

    #[test]
    fn a_large_picture_in_a_small_file_takes_as_much_as_its_result() {
        let folder = tempfile();
        for (side, colour) in [(16_000, ColorType::Rgb), (11_000, ColorType::Rgb)] {
            let path = folder.join(format!("{side}.png"));
            write(&path, side, colour);
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["rows::memory::child", "--exact", "--nocapture"])
                .env(SOURCE, &path)
                .output()
                .unwrap();
            std::fs::remove_file(&path).unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{side}: {said}\n{error}");
            assert!(said.contains("peak "), "{said}");
        }
        std::fs::remove_dir(folder).unwrap();
    }

    fn tempfile() -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("mediaflow-rows-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }
}
