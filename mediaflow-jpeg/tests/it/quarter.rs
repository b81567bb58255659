//! At a quarter there are four samples of each block.

use jpeg_encoder::SamplingFactor;
use mediaflow_jpeg::Planes;
use turbojpeg::{ScalingFactor, Subsamp, Transform, Transformer};

use crate::support::{Made, coarse, in_scans, photo, psnr, quarter, turbo_pixels, with_restarts};

fn made(size: (usize, usize), subsamp: Subsamp, quality: i32) -> Made {
    Made { size, subsamp, quality, optimize: true, progressive: false }
}

/// The mean of the four is that of the block: it is in its place, and so are its slopes, or they would not cancel each other out.
fn has_means_of(large: &Planes, small: &Planes, what: &str) {
    for (plane, (large, small)) in large.planes().iter().zip(small.planes()).enumerate() {
        for y in 0..large.height() / 2 {
            let rows = [large.row(2 * y), large.row(2 * y + 1)].map(|row| row.as_chunks::<2>().0);
            for (x, (above, below)) in rows[0].iter().zip(rows[1]).enumerate() {
                let four = [above[0], above[1], below[0], below[1]];
                let (sum, mean) = (four.map(u32::from).iter().sum::<u32>(), small.row(y)[x]);
                let off = (sum + 2) / 4;
                // What is beyond black and white has been cut off.
                let cut = four.iter().any(|sample| matches!(sample, 0 | 255));
                let what = format!("{what}: plane {plane}, {x}, {y}: {four:?} and {mean}");
                assert!(cut || off.abs_diff(u32::from(mean)) <= 1, "{what}");
            }
        }
    }
}

fn is_quarter(file: &[u8], (width, height): (usize, usize), what: &str) {
    let (large, small) = (quarter(file).unwrap(), coarse(file).unwrap());
    let size = (large.width() as usize, large.height() as usize);
    assert_eq!(size, (width.div_ceil(4), height.div_ceil(4)), "{what}");
    assert_eq!(large.to_pixels().len(), size.0 * size.1 * usize::from(large.channels()), "{what}");
    has_means_of(&large, &small, what);
}

#[test]
fn all_samplings_and_sizes() {
    for subsamp in [
        Subsamp::None,
        Subsamp::Sub2x1,
        Subsamp::Sub2x2,
        Subsamp::Gray,
        Subsamp::Sub1x2,
        Subsamp::Sub4x1,
        Subsamp::Sub1x4,
    ] {
        for size in [(1, 1), (4, 5), (9, 8), (17, 33), (640, 479), (1503, 1107)] {
            let made = made(size, subsamp, 92);
            is_quarter(&made.file(4), size, &format!("{made:?}"));
        }
        let made = Made { progressive: true, ..made((640, 479), subsamp, 95) };
        is_quarter(&made.file(4), made.size, &format!("{made:?}"));
    }
    for every in [1, 40] {
        let file = with_restarts((613, 411), Some(SamplingFactor::F_2_2), every, false);
        is_quarter(&file, (613, 411), &format!("every {every}"));
    }
    is_quarter(&in_scans((613, 411), SamplingFactor::F_2_1, 0), (613, 411), "in scans");
}

/// It takes all of the slopes, and libjpeg-turbo means of pixels.
#[test]
fn as_libjpeg_turbo() {
    let pixels = |file: &[u8]| turbo_pixels(file, ScalingFactor::new(1, 4));
    for name in ["fig.jpg", "spaniels.jpg", "mountains.jpg"] {
        let file = photo(name);
        let alike = psnr(&quarter(&file).unwrap().to_pixels(), &pixels(&file));
        assert!(alike > 38.0, "{name}: {alike} dB");
    }
    // Of blocks that are no more than slopes both make nearly the same.
    let file = slopes();
    let alike = psnr(&quarter(&file).unwrap().to_pixels(), &pixels(&file));
    assert!(alike > 40.0, "{alike} dB");
}

/// A picture whose blocks hold one wave of half their size.
fn slopes() -> Vec<u8> {
    let (width, height) = (320_u16, 240_u16);
    let wave = |at: u16, speed: f64| (f64::from(at) * speed).sin();
    let mut pixels = Vec::new();
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        let value = 128.0 + 50.0 * wave(x, 0.11) + 50.0 * wave(y, 0.07);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "28 to 228")]
        pixels.push(value as u8);
    }
    let mut file = Vec::new();
    let encoder = jpeg_encoder::Encoder::new(&mut file, 97);
    encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Luma).unwrap();
    file
}

/// The same coefficients, in many scans.
fn in_passes(file: &[u8]) -> Vec<u8> {
    let mut transform = Transform::default();
    transform.progressive = true;
    Transformer::new().unwrap().transform_to_vec(&transform, file).unwrap()
}

/// Of a progressive file the last bits of slopes are read where steps are so large that they are seen.
#[test]
fn a_progressive_file_gives_what_others_give() {
    for subsamp in [Subsamp::None, Subsamp::Sub2x2, Subsamp::Sub2x1, Subsamp::Gray] {
        for quality in [1, 20, 50, 75, 85, 92, 99] {
            let file = made((643, 481), subsamp, quality).file(3);
            let [ours, theirs] = [in_passes(&file), file].map(|file| quarter(&file).unwrap());
            let what = format!("{subsamp:?} at {quality}");
            assert!(quality > 85 || ours == theirs, "{what}");
            let alike = psnr(&ours.to_pixels(), &theirs.to_pixels());
            assert!(quality <= 85 || alike > 40.0, "{what}: {alike} dB");
        }
    }
}
