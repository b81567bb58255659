use mediaflow_core::media::Image;

use super::{decoded, is_told};
use crate::support::{decode, file, probe};

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
        ("many", blocks(&[&frame, &[0; 70_000], &frame, b"\x3B"])),
        ("none, nor of the data", blocks(&[&frame[..frame.len() - 1]])),
        ("nor of the data of the second", blocks(&[&frame, &frame[..frame.len() - 1]])),
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
async fn a_canvas_that_is_too_small_is_as_large_as_the_first_frame() {
    let whole = blocks(&[b"\x21\xF9\x04\0\0\0\0\0", &frame(&[]), b"\x3B"]);
    for (width, height) in [(0, 0), (0, 2), (4, 0), (3, 1), (4, 1)] {
        let mut odd = whole.clone();
        (odd[6], odd[8]) = (width, height);
        let odd = file("odd", odd);
        let (info, image) = (probe(&odd).await.unwrap(), decode(&odd).await.unwrap());
        assert_eq!((info.width, info.height), (4, 2), "{width}x{height}");
        assert_eq!(image.pixels(), wanted().pixels(), "{width}x{height}");
    }
}
