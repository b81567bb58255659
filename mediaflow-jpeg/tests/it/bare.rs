//! A picture without what is beside it.

use mediaflow_jpeg::{Damage, Failure, Jpeg};
use turbojpeg::{ScalingFactor, Subsamp};

use crate::support::{Made, in_scans, photo, place, turbo_pixels, with_restarts};

fn bare(file: &[u8]) -> Result<Vec<u8>, Failure> {
    Jpeg::parse(file)?.bare()
}

fn pixels(file: &[u8]) -> Vec<u8> {
    turbo_pixels(file, ScalingFactor::ONE)
}

fn files() -> Vec<Vec<u8>> {
    use jpeg_encoder::SamplingFactor::F_2_2;
    let made = |subsamp, progressive| {
        Made { size: (203, 117), subsamp, quality: 80, optimize: true, progressive }.file(4)
    };
    vec![
        made(Subsamp::Sub2x2, false),
        made(Subsamp::None, true),
        made(Subsamp::Gray, true),
        with_restarts((150, 90), Some(F_2_2), 7, false),
        in_scans((150, 90), F_2_2, 0),
        photo("fig.jpg"),
        photo("mountains.jpg"),
    ]
}

#[test]
fn scans_stay_and_everything_beside_them_goes() {
    for (index, file) in files().into_iter().enumerate() {
        let plain = bare(&file).unwrap();
        assert!(bare(&plain).unwrap() == plain, "{index}");
        assert!(pixels(&plain) == pixels(&file), "{index}");
        let scan = place(&plain, 0xDA);
        assert!(file.windows(plain.len() - scan).any(|part| *part == plain[scan..]), "{index}");
        // Beside the first scan, before the others, and behind the end.
        let secret = b"\xFF\xFE\0\x08secret";
        let mut dirty = file.clone();
        dirty.extend_from_slice(b"secret\xFF\xD8");
        for at in (0..file.len() - 1).rev() {
            let before = file[at] == 0xFF && matches!(file[at + 1], 0xDA | 0xC0..=0xC2);
            if before && Jpeg::parse(&[&file[..at], secret, &file[at..]].concat()).is_ok() {
                dirty.splice(at..at, *secret);
            }
        }
        dirty.splice(2..2, *b"\xFF\xE1\0\x08secret");
        assert!(bare(&dirty).unwrap() == plain, "{index}");
    }
}

#[test]
fn what_ends_early_is_not_copied() {
    for file in files() {
        let scan = place(&file, 0xDA);
        for len in [scan + 200, file.len() - 2] {
            assert_eq!(bare(&file[..len]), Err(Failure::Damaged(Damage::Cut)));
        }
    }
}

#[test]
fn red_green_and_blue_stay_what_they_are() {
    let file = Made {
        size: (64, 48),
        subsamp: Subsamp::None,
        quality: 80,
        optimize: true,
        progressive: false,
    }
    .file(4);
    // The same three components, said to be no brightness and colours.
    let adobe = b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0";
    let rgb = [&file[..2], &adobe[..], &file[20..]].concat();
    let plain = bare(&rgb).unwrap();
    assert!(plain == rgb && pixels(&plain) != pixels(&file));
}
