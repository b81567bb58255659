//! Parts and turns of pictures without a loss: the files that libjpeg-turbo's own transform writes, which is that of `jpegtran`.

use fastrand::Rng;
use mediaflow_jpeg::{Control, Failure, Jpeg, Unsupported, View};
use turbojpeg::{Subsamp, Transform, TransformCrop, TransformOp, Transformer};

use crate::support::{Made, in_scans, photo, with_restarts};

const SUBSAMPS: [Subsamp; 6] = [
    Subsamp::None,
    Subsamp::Sub2x1,
    Subsamp::Sub1x2,
    Subsamp::Sub2x2,
    Subsamp::Sub4x1,
    Subsamp::Gray,
];

/// In the order of the EXIF orientations that they undo.
const TURNS: [(TransformOp, (bool, bool, bool)); 8] = [
    (TransformOp::None, (false, false, false)),
    (TransformOp::Hflip, (false, true, false)),
    (TransformOp::Rot180, (false, true, true)),
    (TransformOp::Vflip, (false, false, true)),
    (TransformOp::Transpose, (true, false, false)),
    (TransformOp::Rot90, (true, true, false)),
    (TransformOp::Transverse, (true, true, true)),
    (TransformOp::Rot270, (true, false, true)),
];

fn turned(view: View, (transpose, mirror_x, mirror_y): (bool, bool, bool)) -> View {
    View { transpose, mirror_x, mirror_y, ..view }
}

fn ours(file: &[u8], view: &View, progressive: bool) -> Result<Vec<u8>, Failure> {
    let control = Control::new(1 << 30);
    Jpeg::parse(file)?.coefficients(&control)?.view(view, &control)?.write(progressive, &control)
}

/// `None` if it can not be done without a loss.
fn theirs(
    file: &[u8],
    op: TransformOp,
    crop: Option<TransformCrop>,
    progressive: bool,
) -> Option<Vec<u8>> {
    let mut how = Transform::op(op);
    (how.perfect, how.optimize, how.copy_none) = (true, true, true);
    (how.crop, how.progressive) = (crop, progressive);
    Transformer::new().unwrap().transform_to_vec(&how, file).ok()
}

/// What a picture of this size is turned by, and whether that was done.
fn compare(file: &[u8], what: &str) -> usize {
    let jpeg = Jpeg::parse(file).unwrap();
    let whole = View::whole(jpeg.width(), jpeg.height());
    let mut done = 0;
    for (op, turn) in TURNS {
        let view = turned(whole, turn);
        for progressive in [false, true] {
            let expected = theirs(file, op, None, progressive);
            assert_eq!(view.is_on_units(jpeg.unit()), expected.is_some(), "{what} {op:?}");
            match expected {
                Some(expected) => {
                    let made = ours(file, &view, progressive).unwrap();
                    // They keep what other programs' headers say: densities, tables that are there twice.
                    let (width, height) = view.size();
                    let again = || ours(&expected, &View::whole(width, height), progressive);
                    let same = made == expected || made == again().unwrap();
                    assert!(same, "{what} {op:?} {progressive}");
                    done += 1;
                }
                None => {
                    let refused = Err(Failure::Unsupported(Unsupported::Units));
                    assert_eq!(ours(file, &view, progressive), refused, "{what} {op:?}");
                }
            }
        }
    }
    done
}

#[test]
fn all_turns_of_all_samplings_are_those_of_libjpeg_turbo() {
    let mut done = 0;
    for subsamp in SUBSAMPS {
        for size in [(160, 96), (203, 96), (160, 117), (203, 117), (17, 9), (64, 8), (1, 1)] {
            for progressive in [false, true] {
                let made = Made { size, subsamp, quality: 85, optimize: true, progressive };
                done += compare(&made.file(5), &format!("{made:?}"));
            }
        }
    }
    assert!(done > 600, "{done}");
}

#[test]
fn restarts_scans_and_photos_turn_as_well() {
    use jpeg_encoder::SamplingFactor::{F_1_1, F_2_1, F_2_2};
    for sampling in [F_1_1, F_2_1, F_2_2] {
        for size in [(160, 96), (150, 96), (150, 90)] {
            for progressive in [false, true] {
                compare(&with_restarts(size, Some(sampling), 7, progressive), "restarts");
            }
            compare(&in_scans(size, sampling, 0), "scans");
        }
    }
    assert!(compare(&photo("fig.jpg"), "fig") > 0);
}

/// Half of them are full of whole units.
fn side(rng: &mut Rng) -> usize {
    if rng.bool() { 32 * rng.usize(1..6) } else { rng.usize(1..200) }
}

/// Whatever part, whatever turn: the same file, or it can not be done.
#[test]
fn parts_that_begin_on_units_are_those_of_libjpeg_turbo() {
    let mut rng = Rng::with_seed(11);
    let (mut done, mut refused) = (0, 0);
    for _ in 0..400 {
        let subsamp = SUBSAMPS[rng.usize(..SUBSAMPS.len())];
        let made = Made {
            size: (side(&mut rng), side(&mut rng)),
            subsamp,
            quality: rng.i32(20..100),
            optimize: rng.bool(),
            progressive: rng.bool(),
        };
        let file = made.file(rng.u64(..));
        let jpeg = Jpeg::parse(&file).unwrap();
        let (op, turn) = TURNS[rng.usize(..TURNS.len())];
        let whole = turned(View::whole(jpeg.width(), jpeg.height()), turn);
        // As they name a part: in the picture after its turn, whose units may be turned as well.
        let (width, height) = whole.size();
        let (across, down) = turned(View::whole(jpeg.unit().0, jpeg.unit().1), turn).size();
        let (x, y) = (rng.u32(..width) / across * across, rng.u32(..height) / down * down);
        let (w, h) = (rng.u32(1..=width - x), rng.u32(1..=height - y));
        let size = |side: u32| side as usize;
        let crop =
            TransformCrop { x: size(x), y: size(y), width: Some(size(w)), height: Some(size(h)) };
        let expected = theirs(&file, op, Some(crop), made.progressive);
        let begin_x = if whole.mirror_x { width - x - w } else { x };
        let begin_y = if whole.mirror_y { height - y - h } else { y };
        let view = match whole.transpose {
            true => View { left: begin_y, top: begin_x, width: h, height: w, ..whole },
            false => View { left: begin_x, top: begin_y, width: w, height: h, ..whole },
        };
        match expected {
            Some(expected) => {
                let what = format!("{made:?} {op:?} {crop:?}");
                assert!(ours(&file, &view, made.progressive).unwrap() == expected, "{what}");
                done += 1;
            }
            // A part of what they can not turn as a whole may begin on a unit nevertheless.
            None => refused += usize::from(!view.is_on_units(jpeg.unit())),
        }
    }
    assert!(done > 150 && refused > 50, "{done} {refused}");
}

/// What libjpeg-turbo has no name for: a part that begins within a unit where the result ends.
#[test]
fn a_mirrored_part_may_begin_anywhere_and_ends_on_a_unit() {
    let subsamp = Subsamp::Sub2x2;
    let made =
        Made { size: (203, 117), subsamp, quality: 90, optimize: true, progressive: false }.file(3);
    let part = View { left: 37, top: 21, width: 59, height: 43, ..View::whole(203, 117) };
    let view = View { mirror_x: true, mirror_y: true, ..part };
    assert!(view.is_on_units((16, 16)) && !part.is_on_units((16, 16)));
    let mirrored = ours(&made, &view, false).unwrap();
    // The same by the units around it, mirrored, and cut after that.
    let around = View { left: 32, top: 16, width: 64, height: 48, ..view };
    let around = ours(&made, &around, false).unwrap();
    let cut = ours(&around, &View::whole(59, 43), false).unwrap();
    assert!(mirrored == cut);
}

#[test]
fn it_stops_and_takes_nothing_from_outside() {
    let subsamp = Subsamp::Sub2x2;
    let made = Made { size: (64, 48), subsamp, quality: 90, optimize: true, progressive: false };
    let file = made.file(3);
    let whole = View::whole(64, 48);
    let out = [
        View { left: 16, ..whole },
        View { top: u32::MAX - 15, ..whole },
        View { width: 65, ..whole },
        View { height: 0, ..whole },
    ];
    for view in out {
        assert_eq!(ours(&file, &view, false), Err(Unsupported::Units.into()), "{view:?}");
    }
    let all = Jpeg::parse(&file).unwrap().coefficients(&Control::new(1 << 20)).unwrap();
    let stopped = Control::new(1 << 20).stopped_by(&|| true);
    assert!(matches!(all.view(&whole, &stopped), Err(Failure::Stopped)));
}
