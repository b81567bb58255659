use mediaflow_core::media::Image;

use super::{decoded, inserted, is_told};
use crate::support::{as_png, bytes, decode, file, gradient, probe};

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
            ("a name without letters", chunk(*b"iCCP", &whole_profile[3..])),
            (
                "packed in another way",
                chunk(*b"iCCP", &[b"icc\0\x09", &whole_profile[5..]].concat()),
            ),
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
    // How the first frame is left, or put over what was there, in ways that do not exist.
    let shown = |at: usize| {
        let mut content = before[frame + 8..frame + 34].to_vec();
        content[at] = 3;
        [&before[..frame], &chunk(*b"fcTL", &content)].concat()
    };
    for (what, before, behind) in [
        ("how it is left", shown(24), behind.clone()),
        ("how it is put", shown(25), behind.clone()),
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
