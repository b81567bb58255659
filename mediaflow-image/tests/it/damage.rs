//! Damage beside a picture: the picture is what it would be without, and the report says so.

use mediaflow_core::media::{Image, MediaFile};
use mediaflow_core::{RunContext, testing};
use mediaflow_image::Jpeg;

use crate::files::gif;
use crate::support::{
    as_jpeg, as_png, as_webp, bytes, decode, decode_in, file, gradient, probe, run, sample,
};

/// The picture and the warnings.
async fn decoded(bytes: Vec<u8>) -> (Image, Vec<String>) {
    let cx: RunContext = testing::context();
    let image = decode_in(&file("damaged", bytes), &cx).await.unwrap();
    (image, cx.take_warnings())
}

/// The picture is this one, and something is said of the file.
async fn is_told(bytes: Vec<u8>, wanted: &Image, what: &str) {
    let (image, warnings) = decoded(bytes).await;
    assert_eq!(image.channels(), wanted.channels(), "{what}");
    assert!(image.pixels() == wanted.pixels(), "{what}");
    assert!(
        warnings.iter().any(|warning| warning.starts_with("`damaged`: ")),
        "{what}: {warnings:?}"
    );
}

/// Where the first marker of this name begins.
fn place(jpeg: &[u8], marker: u8) -> usize {
    jpeg.windows(2).position(|pair| pair == [0xFF, marker]).unwrap()
}

fn inserted(bytes: &[u8], at: usize, more: &[u8]) -> Vec<u8> {
    [&bytes[..at], more, &bytes[at..]].concat()
}

fn segment(marker: u8, length: usize, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(length).unwrap().to_be_bytes();
    [&[0xFF, marker][..], &length, content].concat()
}

async fn jpegs() -> Vec<(Vec<u8>, Image)> {
    let picture = gradient(200, 150, 3);
    let progressive =
        run(Jpeg::quality(85).progressive(), picture.clone()).await.unwrap().into_file().unwrap();
    let grey = as_jpeg(gradient(90, 70, 1), 85).await;
    let mut all = Vec::new();
    for whole in [as_jpeg(picture, 85).await, progressive, grey] {
        all.push((bytes(&whole), decode(&whole).await.unwrap()));
    }
    all
}

#[tokio::test]
async fn stray_bytes_between_the_segments_of_a_jpeg() {
    for (whole, wanted) in jpegs().await {
        for (marker, stray) in [
            (0xDB, &b"\x11\x22\x33"[..]),
            (0xC4, &[0; 40]),
            (0xDA, b"\x02\xFF\x00\xFF\x02 text"),
            (0xDB, &[b'x'; 5_000]),
        ] {
            let damaged = inserted(&whole, place(&whole, marker), stray);
            is_told(damaged, &wanted, &format!("before {marker:02x}")).await;
        }
    }
}

#[tokio::test]
async fn stray_bytes_between_the_scans_of_a_jpeg_and_before_its_end() {
    for (whole, wanted) in jpegs().await {
        for marker in [0xC4, 0xDA, 0xD9] {
            let last = whole.windows(2).rposition(|pair| pair == [0xFF, marker]).unwrap();
            let damaged = inserted(&whole, last, b"\x11\x22\x33 stray");
            assert!(decoded(damaged).await.0.pixels() == wanted.pixels(), "{marker:02x}");
        }
    }
}

#[tokio::test]
async fn fill_bytes_and_what_follows_the_end_of_a_jpeg_are_nothing_to_tell() {
    for (whole, wanted) in jpegs().await {
        let fills = inserted(&whole, place(&whole, 0xC4), &[0xFF; 9]);
        for fine in [fills, [&whole[..], b"garbage \xFF\xC0 \xFF"].concat()] {
            assert_eq!(decoded(fine).await.0.pixels(), wanted.pixels());
        }
    }
}

#[tokio::test]
async fn comments_and_application_data_of_a_wrong_length_in_a_jpeg() {
    for (whole, wanted) in jpegs().await {
        for marker in [0xFE, 0xED] {
            let text = b"a comment of some length, in which nothing looks like a segment";
            for length in [text.len() + 2 - 20, text.len() + 2 + 30, text.len() + 400, 60_000] {
                for before in [0xDB, 0xC0, 0xC2, 0xC4] {
                    let Some(at) = whole.windows(2).position(|pair| pair == [0xFF, before]) else {
                        continue;
                    };
                    let damaged = inserted(&whole, at, &segment(marker, length, text));
                    let what = format!("{marker:02x} of {length} before {before:02x}");
                    is_told(damaged, &wanted, &what).await;
                }
            }
        }
    }
}

#[tokio::test]
async fn a_thumbnail_in_application_data_of_a_wrong_length_is_not_the_picture() {
    let small = bytes(&as_jpeg(gradient(32, 24, 3), 80).await);
    for (whole, wanted) in jpegs().await {
        let content = [&b"Exif\0\0II\x2A\0\x08\0\0\0\0\0\0\0\0\0"[..], &small].concat();
        for length in [content.len() - 30, content.len() + 90] {
            let damaged = inserted(&whole, 2, &segment(0xE1, length, &content));
            is_told(damaged, &wanted, &format!("{length}")).await;
        }
    }
}

#[tokio::test]
async fn parameters_of_a_progressive_scan_in_a_baseline_jpeg() {
    let (whole, wanted) = jpegs().await.swap_remove(0);
    for odd in [[0, 0, 0], [0, 63, 0x11], [1, 5, 0], [0xFF, 0xFF, 0xFF]] {
        let mut damaged = whole.clone();
        let scan = place(&whole, 0xDA);
        let end = scan + 2 + usize::from(whole[scan + 3]);
        damaged[end - 3..end].copy_from_slice(&odd);
        assert!(decoded(damaged).await.0.pixels() == wanted.pixels(), "{odd:?}");
    }
}

#[tokio::test]
async fn the_end_marker_of_a_jpeg_is_missing() {
    for (whole, wanted) in jpegs().await {
        for less in [1, 2] {
            let damaged = whole[..whole.len() - less].to_vec();
            is_told(damaged, &wanted, &format!("less {less}")).await;
        }
    }
}

#[tokio::test]
async fn a_profile_stands_behind_the_frame_of_a_jpeg() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let content = [&b"ICC_PROFILE\0\x01\x01"[..], &profile].concat();
    let part = segment(0xE2, content.len() + 2, &content);
    for (whole, wanted) in jpegs().await.into_iter().filter(|(_, wanted)| wanted.channels() == 3) {
        let usual = decoded(inserted(&whole, 2, &part)).await.0;
        assert_ne!(usual.pixels(), wanted.pixels(), "it is applied");
        let behind = decoded(inserted(&whole, place(&whole, 0xDA), &part)).await.0;
        assert_eq!(behind.pixels(), usual.pixels());
        // One of two parts alone is no profile.
        let half = [&b"ICC_PROFILE\0\x01\x02"[..], &profile[..200]].concat();
        let half = segment(0xE2, half.len() + 2, &half);
        is_told(inserted(&whole, 2, &half), &wanted, "half a profile").await;
    }
}

fn chunk(kind: [u8; 4], content: &[u8]) -> Vec<u8> {
    let mut sum = flate2::Crc::new();
    sum.update(&kind);
    sum.update(content);
    let length = u32::try_from(content.len()).unwrap();
    [&length.to_be_bytes()[..], &kind, content, &sum.sum().to_be_bytes()].concat()
}

/// Behind the first chunk.
const FIRST: usize = 8 + 25;

async fn pngs() -> Vec<(Vec<u8>, Image)> {
    let mut all = Vec::new();
    for channels in [1, 3, 4] {
        let picture = gradient(60, 40, channels);
        all.push((bytes(&as_png(picture.clone()).await), picture));
    }
    all
}

fn packed(content: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(content).unwrap();
    packer.finish().unwrap()
}

#[tokio::test]
async fn a_damaged_profile_in_a_png() {
    let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
    let ink = {
        let mut ink = profile.clone();
        ink[16..20].copy_from_slice(b"CMYK");
        ink
    };
    let content = |profile: &[u8]| [&b"icc\0\0"[..], profile].concat();
    let whole_profile = content(&packed(&profile));
    let mut wrong_sum = chunk(*b"iCCP", &whole_profile);
    *wrong_sum.last_mut().unwrap() ^= 1;
    for (whole, wanted) in pngs().await {
        for (what, part) in [
            ("not packed", chunk(*b"iCCP", &content(b"this is no zlib"))),
            ("cut", chunk(*b"iCCP", &whole_profile[..whole_profile.len() / 2])),
            ("no name", chunk(*b"iCCP", &[b'x'; 90])),
            ("empty", chunk(*b"iCCP", b"")),
            ("no profile", chunk(*b"iCCP", &content(&packed(b"hello")))),
            ("a part of one", chunk(*b"iCCP", &content(&packed(&profile[..300])))),
            ("of inks", chunk(*b"iCCP", &content(&packed(&ink)))),
            ("checksum", wrong_sum.clone()),
        ] {
            is_told(inserted(&whole, FIRST, &part), &wanted, what).await;
        }
    }
}

#[tokio::test]
async fn a_wrong_checksum_beside_the_picture_of_a_png() {
    for (whole, wanted) in pngs().await {
        for (kind, content) in [
            (b"tEXt", &b"Comment\0hello"[..]),
            (b"gAMA", &[0, 0, 0xB1, 0x8F]),
            (b"pHYs", &[0, 0, 0, 1, 0, 0, 0, 1, 0]),
            (b"eXIf", b"II\x2A\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"),
            (b"tIME", &[7; 7]),
            (b"abCd", b"private"),
        ] {
            let mut damaged = chunk(*kind, content);
            *damaged.last_mut().unwrap() ^= 0x55;
            for at in [FIRST, whole.len() - 12] {
                let name = String::from_utf8_lossy(kind);
                let (image, warnings) = decoded(inserted(&whole, at, &damaged)).await;
                assert_eq!(image.pixels(), wanted.pixels(), "{name}");
                assert!(warnings.iter().any(|warning| warning.contains(&*name)), "{warnings:?}");
            }
        }
    }
}

#[tokio::test]
async fn chunks_of_a_wrong_length_beside_the_picture_of_a_png() {
    for (whole, wanted) in pngs().await {
        for kind in [b"abCd", b"gAMA", b"tEXt", b"pHYs"] {
            // As long as they say, and no such chunk is.
            let odd = inserted(&whole, FIRST, &chunk(*kind, b"abc"));
            assert_eq!(decoded(odd).await.0.pixels(), wanted.pixels());
            for length in [0_u32, 5, 40, 400, 60_000, 0x7FFF_FFFF] {
                let mut part = chunk(*kind, b"Some words of a text\0and some more");
                part[..4].copy_from_slice(&length.to_be_bytes());
                let what = format!("{} of {length}", String::from_utf8_lossy(kind));
                is_told(inserted(&whole, FIRST, &part), &wanted, &what).await;
            }
        }
    }
}

#[tokio::test]
async fn the_end_of_a_png_is_missing() {
    for (whole, wanted) in pngs().await {
        for less in [1, 4, 12, 14] {
            let damaged = whole[..whole.len() - less].to_vec();
            is_told(damaged, &wanted, &format!("less {less}")).await;
        }
        let more = [&whole[..], b"and something behind it"].concat();
        assert_eq!(decoded(more).await.0.pixels(), wanted.pixels());
    }
}

/// Two frames over the whole picture.
fn animated(whole: &[u8], (width, height): (u32, u32)) -> (Vec<u8>, Vec<u8>) {
    let control = |number: u32| {
        let mut content = number.to_be_bytes().to_vec();
        for value in [width, height, 0, 0] {
            content.extend(value.to_be_bytes());
        }
        content.extend([0, 1, 0, 10, 0, 0]);
        content
    };
    let at = whole.windows(4).position(|part| part == b"IDAT").unwrap();
    let length = u32::from_be_bytes(whole[at - 4..at].try_into().unwrap()) as usize;
    let data = [&2_u32.to_be_bytes()[..], &whole[at + 4..at + 4 + length]].concat();
    let before =
        [chunk(*b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0]), chunk(*b"fcTL", &control(0))].concat();
    let behind = [chunk(*b"fcTL", &control(1)), chunk(*b"fdAT", &data)].concat();
    (before, behind)
}

#[tokio::test]
async fn an_animation_with_broken_control_falls_back_to_the_still() {
    let (whole, wanted) = pngs().await.swap_remove(1);
    let (before, behind) = animated(&whole, (60, 40));
    let put = |before: &[u8], behind: &[u8]| {
        let end = whole.len() - 12;
        [&whole[..FIRST], before, &whole[FIRST..end], behind, &whole[end..]].concat()
    };
    let moving = file("moving.png", put(&before, &behind));
    assert_eq!(probe(&moving).await.unwrap().frames, 2);
    assert_eq!(decode(&moving).await.unwrap().pixels(), wanted.pixels());
    let control = |content: &[u8]| [chunk(*b"acTL", content), before[20..].to_vec()].concat();
    let mut wrong_sum = before.clone();
    wrong_sum[17] ^= 1;
    let mut out_of_order = before.clone();
    let frame = before.len() - 38;
    out_of_order.splice(
        frame..,
        chunk(
            *b"fcTL",
            &before[frame + 8..frame + 34]
                .iter()
                .enumerate()
                .map(|(i, b)| if i == 3 { 9 } else { *b })
                .collect::<Vec<_>>(),
        ),
    );
    for (what, before, behind) in [
        ("no frames", control(&[0; 8]), behind.clone()),
        ("too many", control(&[0, 0, 0, 9, 0, 0, 0, 0]), behind.clone()),
        ("a length", control(&[0, 0, 0, 2]), behind.clone()),
        ("a checksum", wrong_sum, behind.clone()),
        ("a number", out_of_order, behind.clone()),
        ("without control", before[20..].to_vec(), behind.clone()),
        ("frames are missing", before.clone(), Vec::new()),
        ("twice", [&before[..20], &before].concat(), behind.clone()),
    ] {
        let damaged = put(&before, &behind);
        let info = probe(&file("damaged", damaged.clone())).await.unwrap();
        assert_eq!(info.frames, 1, "{what}");
        is_told(damaged, &wanted, what).await;
    }
}

/// A GIF of four by two pixels: its blocks are given.
fn blocks(parts: &[&[u8]]) -> Vec<u8> {
    let mut gif = b"GIF89a\x04\0\x02\0\x81\0\0\0\0\0\xFF\0\0\0\xFF\0\0\0\xFF".to_vec();
    parts.iter().for_each(|part| gif.extend_from_slice(part));
    gif
}

/// How a frame of all of it begins.
const FRAME: &[u8] = b"\x2C\0\0\0\0\x04\0\x02\0\0";

/// Red, green, blue, black, and the other way round.
fn wanted() -> Image {
    let [black, red, green, blue] = [[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]];
    Image::new(4, 2, 3, [red, green, blue, black, black, blue, green, red].concat()).unwrap()
}

/// The codes of the frame, each of three to five bits, with clear codes (4) as often as is said.
fn frame(clears: &[usize]) -> Vec<u8> {
    let (mut held, mut count, mut data) = (0_u32, 0, Vec::new());
    let mut put = |code: u32| {
        held |= code << count;
        count += 3;
        while count >= 8 {
            data.push(held.to_le_bytes()[0]);
            held >>= 8;
            count -= 8;
        }
    };
    let numbers = [1, 2, 3, 0, 0, 3, 2, 1];
    for (index, number) in numbers.into_iter().enumerate() {
        // With one before every number or two, codes never grow.
        let clears = clears.get(index).copied().unwrap_or(1).max(usize::from(index % 2 == 0));
        (0..clears).for_each(|_| put(4));
        put(number);
    }
    put(5);
    put(0);
    put(0);
    let length = u8::try_from(data.len()).unwrap();
    [FRAME, &[2, length], &data, &[0]].concat()
}

#[tokio::test]
async fn clear_codes_of_a_gif_can_come_several_times() {
    for clears in [&[1][..], &[2, 2, 2], &[9, 1, 1, 1, 9]] {
        let (image, warnings) = decoded(blocks(&[&frame(clears), b"\x3B"])).await;
        assert_eq!((image.pixels(), warnings.len()), (wanted().pixels(), 0), "{clears:?}");
    }
}

#[tokio::test]
async fn zeros_between_blocks_and_a_missing_end_of_a_gif() {
    let (frame, comment) = (frame(&[]), b"\x21\xFE\x05hello\0");
    for (what, damaged) in [
        ("before a frame", blocks(&[&[0; 3], &frame, b"\x3B"])),
        ("behind a frame", blocks(&[&frame, &[0], b"\x3B"])),
        ("between frames", blocks(&[&frame, &[0; 9], &frame, b"\x3B"])),
        ("at the end", blocks(&[&frame, &[0; 9]])),
        ("none", blocks(&[&frame])),
        ("none behind two", blocks(&[&frame, &frame])),
        ("in a comment", blocks(&[&frame, &comment[..5]])),
        ("another byte", blocks(&[&frame, b"\x3C"])),
    ] {
        is_told(damaged, &wanted(), what).await;
    }
}

#[tokio::test]
async fn frames_of_a_gif_without_pixels_are_passed_over() {
    let frame = frame(&[]);
    let control = b"\x21\xF9\x04\0\0\0\0\0";
    for (what, empty) in [
        ("no width", &b"\x2C\0\0\0\0\0\0\x02\0\0\x02\x02\x4C\x01\0"[..]),
        ("no size", b"\x2C\0\0\0\0\0\0\0\0\0\x02\0"),
        ("no data", b"\x2C\0\0\0\0\x04\0\x02\0\0\x02\0"),
        ("an end alone", b"\x2C\0\0\0\0\x04\0\x02\0\0\x02\x01\x2C\0"),
    ] {
        for (frames, damaged) in [
            (1, blocks(&[control, empty, control, &frame, b"\x3B"])),
            (1, blocks(&[&frame, empty, b"\x3B"])),
            (2, blocks(&[&frame, empty, &frame, b"\x3B"])),
        ] {
            let info = probe(&file("damaged", damaged.clone())).await.unwrap();
            assert_eq!(info.frames, frames, "{what}");
            is_told(damaged, &wanted(), what).await;
        }
        let nothing = decode(&file("nothing", blocks(&[empty, b"\x3B"]))).await.unwrap_err();
        assert_eq!(nothing.code(), "image.corrupt", "{what}");
    }
}

#[tokio::test]
async fn the_size_in_the_header_of_a_webp_is_wrong() {
    let picture = gradient(33, 21, 4);
    let whole = bytes(&as_webp(picture.clone()).await);
    let metadata = [&whole[..], b"EXIF\x20\0\0\0II\x2A\0"].concat();
    let mut longer = whole.clone();
    longer[4] = longer[4].wrapping_add(8);
    let mut claimed = metadata.clone();
    let size = u32::try_from(metadata.len() + 20).unwrap();
    claimed[4..8].copy_from_slice(&size.to_le_bytes());
    for damaged in [longer, claimed] {
        is_told(damaged, &picture, "size").await;
    }
}

#[tokio::test]
async fn whole_files_are_nothing_to_tell() {
    let picture = gradient(60, 40, 3);
    let files: Vec<MediaFile> = vec![
        as_jpeg(picture.clone(), 85).await,
        as_png(picture.clone()).await,
        as_webp(picture).await,
        file("two.gif", gif(2)),
        sample("stray-bytes-clean.jpg"),
    ];
    for whole in files {
        let (_, warnings) = decoded(bytes(&whole)).await;
        assert_eq!(warnings, [""; 0], "{}", whole.format());
    }
}
