//! What is damaged is never a success.

use jpeg_encoder::SamplingFactor;
use mediaflow_jpeg::{Damage, Failure};
use turbojpeg::Subsamp;

use crate::support::{Made, eighth, photo, place, with_restarts};

fn baseline(size: (usize, usize)) -> Vec<u8> {
    let (subsamp, quality) = (Subsamp::Sub2x2, 90);
    Made { size, subsamp, quality, optimize: true, progressive: false }.file(5)
}

fn places(from: usize, to: usize, count: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |index| from + (to - from) * index / count)
}

#[test]
fn a_cut_is_told_at_every_place() {
    for (file, count) in [
        (baseline((150, 100)), 2_000),
        (baseline((1700, 1300)), 150),
        (photo("mountains.jpg"), 60),
        (with_restarts((613, 411), Some(SamplingFactor::R_4_2_0), 5, false), 500),
    ] {
        let begin = place(&file, 0xDA) + 14;
        for end in places(begin, file.len() - 1, count) {
            let failure = eighth(&file[..end]).unwrap_err();
            assert!(
                matches!(failure, Failure::Damaged(_) | Failure::Unsupported(_)),
                "cut at {end}: {failure:?}"
            );
        }
    }
}

#[test]
fn an_end_behind_a_cut_deceives_nobody() {
    for (file, count) in [
        (baseline((150, 100)), 2_000),
        (baseline((1700, 1300)), 150),
        (with_restarts((613, 411), Some(SamplingFactor::R_4_2_0), 5, false), 500),
    ] {
        let begin = place(&file, 0xDA) + 14;
        for end in places(begin, file.len() - 8, count) {
            let forged = [&file[..end], b"\xFF\xD9"].concat();
            let failure = eighth(&forged).unwrap_err();
            assert!(matches!(failure, Failure::Damaged(_)), "cut at {end}: {failure:?}");
        }
    }
    // Of a progressive one the scans that are missing tell.
    let file = photo("mountains.jpg");
    let last = file.windows(2).rposition(|pair| pair == [0xFF, 0xDA]).unwrap();
    for end in places(place(&file, 0xDA) + 14, last, 60) {
        assert!(eighth(&[&file[..end], b"\xFF\xD9"].concat()).is_err(), "cut at {end}");
    }
}

#[test]
fn how_much_was_read_is_told() {
    let file = baseline((1700, 1300));
    let forged = [&file[..file.len() / 2], b"\xFF\xD9"].concat();
    let Err(Failure::Damaged(Damage::Ended { blocks, of })) = eighth(&forged) else { panic!() };
    assert_eq!(of, 107 * 82 * 6);
    assert!((of / 3..2 * of / 3).contains(&blocks), "{blocks} of {of}");
}

#[test]
fn ones_are_no_code() {
    for file in [baseline((150, 100)), baseline((1700, 1300))] {
        let begin = place(&file, 0xDA) + 14;
        for at in places(begin, file.len() - 80, 40) {
            let at = if file[at - 1] == 0xFF { at + 1 } else { at };
            let mut damaged = file.clone();
            damaged.splice(at..at + 30, [0xFF, 0].repeat(15));
            let failure = eighth(&damaged).unwrap_err();
            let wanted = |failure| matches!(failure, Failure::Damaged(Damage::Code { .. }));
            assert!(wanted(failure), "{at}: {failure:?}");
        }
    }
}

#[test]
fn restarts_follow_one_another() {
    let file = with_restarts((613, 411), Some(SamplingFactor::R_4_2_0), 20, false);
    let at = |number: u8| place(&file, 0xD0 + number);
    let mut swapped = file.clone();
    (swapped[at(2) + 1], swapped[at(3) + 1]) = (0xD3, 0xD2);
    let mut lost = file.clone();
    lost.drain(at(2)..at(3));
    let mut twice = file.clone();
    let again = file[at(2)..at(3)].to_vec();
    twice.splice(at(3)..at(3), again);
    for damaged in [swapped, lost, twice] {
        assert_eq!(eighth(&damaged).err(), Some(Failure::Damaged(Damage::Restarts)));
    }
    // Eight are lost, so that the numbers are right.
    let from = at(2);
    let next = file[from + 2..].windows(2).position(|pair| pair == [0xFF, 0xD2]).unwrap();
    let mut lost = file.clone();
    lost.drain(from..from + 2 + next);
    assert!(matches!(eighth(&lost), Err(Failure::Damaged(Damage::Ended { .. }))));
}
