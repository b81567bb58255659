//! Planes are those of libjpeg-turbo to the bit.

use jpeg_encoder::SamplingFactor;
use mediaflow_jpeg::{Coding, Jpeg};
use turbojpeg::Subsamp;

use crate::support::{
    EIGHTH, Made, coarse, eighth, our_planes, photo, turbo_pixels, turbo_planes, with_restarts,
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

fn psnr(ours: &[u8], theirs: &[u8]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let square = |(a, b): (&u8, &u8)| u64::from(a.abs_diff(*b)).pow(2);
    let sum: u64 = ours.iter().zip(theirs).map(square).sum();
    let count = u32::try_from(ours.len()).unwrap();
    10.0 * (255.0 * 255.0 * f64::from(count) / f64::from(u32::try_from(sum).unwrap())).log10()
}
