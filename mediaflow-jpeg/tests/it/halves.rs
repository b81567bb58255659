//! A picture that is cut in two is the same picture.

use mediaflow_jpeg::{Control, Failure, Halves, Jpeg, Unsupported};
use turbojpeg::Subsamp;

use crate::support::{Made, coarse, our_planes, place, turbo_verdict, with_restarts};

fn file(subsamp: Subsamp, progressive: bool) -> Vec<u8> {
    Made { size: (403, 1210), subsamp, quality: 92, optimize: true, progressive }.file(8)
}

fn halves(file: &[u8], share: f64) -> Result<Option<Halves>, Failure> {
    Jpeg::parse(file).unwrap().halves(share, &Control::new(1 << 30))
}

/// Bytes of its scan.
fn data(file: &[u8]) -> usize {
    file.len() - place(file, 0xDA) - 14
}

/// Means of all blocks, by which a unit that is lost, or a difference that is wrong, is found.
fn rows(file: &[u8]) -> Vec<Vec<u8>> {
    our_planes(&coarse(file).unwrap())
}

#[test]
fn both_together_are_the_whole() {
    for (subsamp, tall) in [
        (Subsamp::None, 8),
        (Subsamp::Sub2x1, 8),
        (Subsamp::Sub2x2, 16),
        (Subsamp::Gray, 8),
        (Subsamp::Sub1x4, 32),
    ] {
        let file = file(subsamp, false);
        for wanted in [0.0, 0.01, 0.1, 0.3, 0.6] {
            let Some(halves) = halves(&file, wanted).unwrap() else {
                panic!("{subsamp:?} {wanted}")
            };
            let rows_of_upper = halves.rows;
            assert!(rows_of_upper > 0 && rows_of_upper % tall == 0, "{wanted}");
            let is_behind = halves.upper.len() as f64 >= wanted * data(&file) as f64;
            assert!(is_behind, "{subsamp:?} {wanted}: {} bytes", halves.upper.len());
            let (upper, lower) = (rows(&halves.upper), rows(&halves.lower));
            let joined: Vec<_> =
                upper.iter().zip(&lower).map(|(a, b)| [&a[..], b].concat()).collect();
            assert!(joined == rows(&file), "{subsamp:?}, below {rows_of_upper}");
            for half in [&halves.upper, &halves.lower] {
                assert_eq!(turbo_verdict(half), Ok(()), "{subsamp:?}, below {rows_of_upper}");
            }
        }
    }
}

#[test]
fn where_there_is_no_place_there_are_no_halves() {
    let file = file(Subsamp::Sub2x2, false);
    assert!(halves(&file, 1.0).unwrap().is_none());
    assert!(halves(&file, 5.0).unwrap().is_none());
    for other in [self::file(Subsamp::Sub2x2, true), with_restarts((64, 640), None, 9, false)] {
        let failure = halves(&other, 0.1).unwrap_err();
        assert_eq!(failure, Failure::Unsupported(Unsupported::Scans));
    }
}

#[test]
fn damage_above_the_place_is_told() {
    let file = file(Subsamp::Sub2x2, false);
    let begin = place(&file, 0xDA) + 14;
    let forged = [&file[..begin + (file.len() - begin) / 4], b"\xFF\xD9"].concat();
    assert!(matches!(halves(&forged, 0.9), Err(Failure::Damaged(_))));
    let mut damaged = file.clone();
    let at = begin + (file.len() - begin) / 4;
    damaged.splice(at..at + 30, [0xFF, 0].repeat(15));
    assert!(matches!(halves(&damaged, 0.5), Err(Failure::Damaged(_))));
}
