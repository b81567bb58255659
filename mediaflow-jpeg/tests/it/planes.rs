//! Planes are those of libjpeg-turbo to the bit.

use jpeg_encoder::SamplingFactor;
use mediaflow_jpeg::{Coding, Control, Failure, Jpeg, Unsupported};
use turbojpeg::Subsamp;

use crate::support::{
    EIGHTH, Made, coarse, eighth, in_scans, our_planes, photo, psnr, quarter, turbo_pixels,
    turbo_planes, with_restarts,
};

fn is_exact(file: &[u8], what: &str) {
    let planes = coarse(file).unwrap_or_else(|e| panic!("{what}: {e}"));
    let (ours, theirs) = (our_planes(&planes), turbo_planes(file));
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (index, (ours, theirs)) in ours.iter().zip(&theirs).enumerate() {
        assert_eq!(ours.len(), theirs.len(), "{what}: plane {index}");
        let differ = ours.iter().zip(theirs).position(|(a, b)| a != b);
        assert_eq!(differ, None, "{what}: plane {index}");
    }
}

const SAMPLINGS: [Subsamp; 7] = [
    Subsamp::None,
    Subsamp::Sub2x1,
    Subsamp::Sub2x2,
    Subsamp::Gray,
    Subsamp::Sub1x2,
    Subsamp::Sub4x1,
    Subsamp::Sub1x4,
];

#[test]
fn the_photos_of_the_demo() {
    for name in ["dandelions.jpg", "fig.jpg", "mountains.jpg", "spaniels.jpg"] {
        is_exact(&photo(name), name);
    }
}

#[test]
fn all_samplings_qualities_and_codings() {
    for subsamp in SAMPLINGS {
        for (index, quality) in [5, 50, 75, 92, 100].into_iter().enumerate() {
            for (optimize, progressive) in [(false, false), (true, false), (false, true)] {
                let size = (640 + 37 * index, 480 - 23 * index);
                let made = Made { size, subsamp, quality, optimize, progressive };
                is_exact(&made.file(index as u64), &format!("{made:?}"));
            }
        }
    }
}

#[test]
fn odd_sizes() {
    let sides = [1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 65, 127];
    for subsamp in SAMPLINGS {
        for width in sides {
            for height in sides {
                let progressive = (width + height) % 2 == 0;
                let size = (width, height);
                let made = Made { size, subsamp, quality: 85, optimize: false, progressive };
                is_exact(&made.file(width as u64), &format!("{made:?}"));
            }
        }
    }
}

/// So large that four lanes read it, which begin blindly.
#[test]
fn large_pictures() {
    for (seed, subsamp) in (0..).zip(SAMPLINGS) {
        for quality in [30, 90, 98] {
            let (size, optimize) = ((2003, 1507), seed % 2 == 0);
            let made = Made { size, subsamp, quality, optimize, progressive: false };
            is_exact(&made.file(seed), &format!("{made:?}"));
        }
    }
}

#[test]
fn restarts() {
    let samplings = [
        None,
        Some(SamplingFactor::R_4_4_4),
        Some(SamplingFactor::R_4_2_2),
        Some(SamplingFactor::R_4_2_0),
        Some(SamplingFactor::R_4_4_0),
    ];
    for sampling in samplings {
        for every in [1, 2, 7, 40, 500, 60_000] {
            for progressive in [false, true] {
                let file = with_restarts((613, 411), sampling, every, progressive);
                assert_eq!(
                    Jpeg::parse(&file).unwrap().coding() == Coding::Progressive,
                    progressive
                );
                is_exact(&file, &format!("{sampling:?}, every {every}, progressive {progressive}"));
            }
        }
    }
}

/// Colours are those of libjpeg-turbo where no component is sampled more coarsely than the others.
#[test]
fn pixels() {
    for subsamp in [Subsamp::None, Subsamp::Gray] {
        let (size, quality) = ((643, 481), 90);
        let made = Made { size, subsamp, quality, optimize: true, progressive: false };
        let file = made.file(3);
        assert!(eighth(&file).unwrap().to_pixels() == turbo_pixels(&file, EIGHTH), "{subsamp:?}");
    }
}

/// Elsewhere libjpeg-turbo looks at sixteen coefficients of a block, and here it is four.
#[test]
fn colours_that_are_sampled_coarsely() {
    for name in ["dandelions.jpg", "fig.jpg", "mountains.jpg", "spaniels.jpg"] {
        let file = photo(name);
        let theirs = turbo_pixels(&file, EIGHTH);
        let fine = psnr(&eighth(&file).unwrap().to_pixels(), &theirs);
        let coarse = psnr(&coarse(&file).unwrap().to_pixels(), &theirs);
        assert!(fine > 47.0 && fine > coarse + 3.0, "{name}: {fine} dB, and coarse {coarse} dB");
    }
}

/// A scan for each component, as encoders write it that choose codes for each one.
#[test]
fn several_scans() {
    use SamplingFactor::{F_1_1, F_1_2, F_1_4, F_2_1, F_2_2, F_4_1};
    for (sampling, restarts) in [
        (F_1_1, &[0][..]),
        (F_1_2, &[0]),
        (F_2_1, &[0]),
        (F_2_2, &[0]),
        (F_4_1, &[0, 1, 7, 500]),
        (F_1_4, &[0, 7]),
    ] {
        for every in restarts {
            for size in [(613, 411), (1, 1), (17, 90), (33, 8), (1601, 1203)] {
                let file = in_scans(size, sampling, *every);
                let scans = file.windows(2).filter(|pair| *pair == [0xFF, 0xDA]).count();
                assert_eq!((scans, Jpeg::parse(&file).unwrap().coding()), (3, Coding::Baseline));
                is_exact(&file, &format!("{sampling:?}, every {every}, {size:?}"));
            }
        }
    }
    // The same coefficients in one scan.
    let one = with_restarts((613, 411), Some(F_1_1), 0, false);
    let file = in_scans((613, 411), F_1_1, 0);
    assert!(quarter(&file).unwrap() == quarter(&one).unwrap());
    let file = in_scans((613, 411), F_2_2, 0);
    let (fine, means) = (eighth(&file).unwrap().to_pixels(), coarse(&file).unwrap().to_pixels());
    let theirs = turbo_pixels(&file, EIGHTH);
    assert!(psnr(&fine, &theirs) > psnr(&means, &theirs));
}

/// Without one of them there is no picture here.
#[test]
fn all_scans_are_wanted() {
    let file = in_scans((613, 411), SamplingFactor::F_2_2, 0);
    let last = file.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    let without = [&file[..last], b"\xFF\xD9"].concat();
    let twice = [&file[..file.len() - 2], &file[last..]].concat();
    let (scans, stray) = (Unsupported::Scans, Unsupported::Stray);
    for (file, small, whole) in [(without, scans, scans), (twice, stray, scans)] {
        assert_eq!(eighth(&file).err(), Some(Failure::Unsupported(small)));
        let all = Jpeg::parse(&file).unwrap().coefficients(&Control::new(1 << 30));
        assert_eq!(all.err(), Some(Failure::Unsupported(whole)));
    }
}
