//! What is read is told by the header.

use jpeg_encoder::SamplingFactor;
use mediaflow_jpeg::{Coding, Control, Failure, Jpeg, Unsupported};
use turbojpeg::{Colorspace, Compressor, Image, PixelFormat, Subsamp};

use crate::support::{Made, eighth, picture, place, with_restarts};

fn made() -> Made {
    let (subsamp, quality) = (Subsamp::Sub2x2, 80);
    Made { size: (200, 120), subsamp, quality, optimize: false, progressive: false }
}

#[test]
fn size_sampling_and_coding() {
    let file = made().file(1);
    let jpeg = Jpeg::parse(&file).unwrap();
    assert_eq!((jpeg.width(), jpeg.height(), jpeg.components()), (200, 120, 3));
    assert_eq!(jpeg.sampling(), [(2, 2), (1, 1), (1, 1)]);
    assert_eq!(jpeg.coding(), Coding::Baseline);
    let file = Made { progressive: true, subsamp: Subsamp::Gray, ..made() }.file(1);
    let jpeg = Jpeg::parse(&file).unwrap();
    assert_eq!((jpeg.coding(), jpeg.sampling()), (Coding::Progressive, vec![(1, 1)]));
}

#[test]
fn others_are_for_another_decoder() {
    let file = made().file(1);
    let with = |offset: usize, value: u8| {
        let mut other = file.clone();
        other[place(&file, 0xC0) + offset] = value;
        Jpeg::parse(&other).err()
    };
    assert_eq!(with(1, 0xC9), Some(Unsupported::Coding));
    assert_eq!(with(1, 0xC3), Some(Unsupported::Coding));
    assert_eq!(with(4, 12), Some(Unsupported::Depth));
    assert_eq!(with(11, 0x52), Some(Unsupported::Sampling));
    assert_eq!(with(11, 0x44), Some(Unsupported::Sampling));
    assert_eq!(with(14, 0x31), Some(Unsupported::Sampling));
    let mut none = file.clone();
    none[place(&file, 0xC0) + 5..][..2].fill(0);
    assert_eq!(Jpeg::parse(&none).err(), Some(Unsupported::Size));
    assert_eq!(Jpeg::parse(b"GIF89a").err(), Some(Unsupported::Structure));
    for end in 0..place(&file, 0xDA) {
        assert!(Jpeg::parse(&file[..end]).is_err(), "{end}");
    }
    let mut encoder = Compressor::new().unwrap();
    encoder.set_colorspace(Colorspace::CMYK).unwrap();
    let pixels = picture(64, 64, 4, 1);
    let (width, pitch, height, format) = (64, 256, 64, PixelFormat::CMYK);
    let image = Image { pixels: &pixels[..], width, pitch, height, format };
    let inks = encoder.compress_to_vec(image).unwrap();
    assert_eq!(Jpeg::parse(&inks).err(), Some(Unsupported::Components));
}

#[test]
fn memory_has_a_limit_and_a_decode_stops() {
    let file = made().file(1);
    let jpeg = Jpeg::parse(&file).unwrap();
    let (needed, limit) = (jpeg.memory(), 1000);
    let refused = jpeg.eighth(&Control::new(limit)).unwrap_err();
    assert_eq!(refused, Failure::TooLarge { needed, limit });
    assert!(jpeg.eighth(&Control::new(needed)).is_ok());
    for progressive in [false, true] {
        let file = Made { progressive, size: (1500, 1100), ..made() }.file(1);
        let count = std::cell::Cell::new(0);
        let stop = |after: usize| {
            count.set(0);
            let asked = || {
                count.set(count.get() + 1);
                count.get() > after
            };
            Jpeg::parse(&file).unwrap().eighth(&Control::new(1 << 30).stopped_by(&asked)).err()
        };
        assert_eq!(stop(usize::MAX - 1), None);
        assert!(count.get() > 4, "{} looks", count.get());
        assert_eq!(stop(3), Some(Failure::Stopped));
    }
}

#[test]
fn oddities_behind_the_data_are_for_another_decoder() {
    let file = made().file(1);
    let end = file.len() - 2;
    for stray in
        [&b"\x11\x22"[..], b"\xFF\xFE\0\x04ab", b"\xFF\xD0", b"\xFF\xDA\0\x08\x01\x01\0\0\x3F\0"]
    {
        let odd = [&file[..end], stray, &file[end..]].concat();
        assert_eq!(eighth(&odd).err(), Some(Failure::Unsupported(Unsupported::Stray)), "{stray:?}");
    }
    // Restarts too many, in whichever order.
    let sampling = Some(SamplingFactor::F_2_2);
    let others = [
        Made { progressive: true, ..made() }.file(1),
        with_restarts((200, 120), sampling, 5, false),
        with_restarts((200, 120), sampling, 5, true),
    ];
    for file in others {
        let end = file.len() - 2;
        let odd = [&file[..end], b"\xFF\xD0\x11\xFF\xD1\xFF\xD1", &file[end..]].concat();
        assert_eq!(eighth(&odd).err(), Some(Failure::Unsupported(Unsupported::Stray)));
    }
    // Fill bytes, and what follows the end, are nothing.
    let filled = [&file[..end], b"\xFF\xFF\xFF", &file[end..], b"behind"].concat();
    assert_eq!(eighth(&filled), eighth(&file));
}
