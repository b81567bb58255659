use std::fmt::Write as _;

use mediaflow_core::media::Image;
use mediaflow_core::ops::{Brightness, Cube, Grayscale, Lut, Negate, Resize, Sepia};
use mediaflow_core::{AnyOperation, Operation};
use proptest::prelude::*;
use serde_json::json;

use super::{cube, is_the_same_one_by_one, recolours};
use crate::support::{Branches, as_png, image, noise};

/// A table without any order.
fn table(keyword: &str, size: usize, points: usize) -> Cube {
    let mut text = format!("# made up\nTITLE \"a test\"\n{keyword} {size}\n\n");
    for i in 0..points {
        let [r, g, b] = [37, 53, 71].map(|k| ((i * k + 11) % 101) as f64 / 100.0);
        writeln!(text, "{r} {g}\t{b}").unwrap();
    }
    text.parse().unwrap()
}

const COLOURS: [[u8; 3]; 8] = [
    [0, 0, 0],
    [255, 255, 255],
    [10, 200, 90],
    [128, 128, 128],
    [250, 3, 77],
    [40, 41, 42],
    [99, 180, 12],
    [12, 99, 180],
];

/// `ffmpeg -vf lut3d=a.cube:interp=tetrahedral` and `lut1d=e.cube:interp=linear` of ffmpeg 5.1, which cuts fractions off.
const FFMPEG_3D: [[u8; 3]; 8] = [
    [28, 28, 28],
    [137, 45, 71],
    [181, 45, 90],
    [210, 166, 178],
    [187, 95, 116],
    [86, 74, 158],
    [129, 85, 99],
    [93, 128, 167],
];
const FFMPEG_1D: [[u8; 3]; 8] = [
    [28, 28, 28],
    [79, 66, 84],
    [50, 148, 123],
    [54, 174, 58],
    [98, 37, 146],
    [116, 158, 206],
    [162, 85, 79],
    [54, 85, 219],
];

#[tokio::test]
async fn colours_are_those_of_ffmpeg() {
    let picture = Image::new(8, 1, 3, COLOURS.concat()).unwrap();
    for (table, wanted) in
        [(table("LUT_3D_SIZE", 5, 125), FFMPEG_3D), (table("LUT_1D_SIZE", 7, 7), FFMPEG_1D)]
    {
        let made = image(Lut::of(table), picture.clone()).await;
        for (found, wanted) in made.pixels().iter().zip(wanted.concat()) {
            assert!(found.abs_diff(wanted) <= 1, "{:?}, not {wanted}", made.pixels());
        }
    }
}

/// What changes nothing, in every form that a table can have.
fn identity(size: usize) -> String {
    let at = |i: usize| i as f64 / (size - 1) as f64;
    let mut text = format!("LUT_3D_SIZE {size}\n");
    for i in 0..size * size * size {
        let [r, g, b] = [at(i % size), at(i / size % size), at(i / size / size)];
        writeln!(text, "{r} {g} {b}").unwrap();
    }
    text
}

#[tokio::test]
async fn a_table_that_changes_nothing_changes_nothing() {
    for size in [2, 17, 64] {
        let table: Cube = identity(size).parse().unwrap();
        for channels in [3, 4] {
            assert_eq!(
                image(Lut::of(table.clone()), cube(channels)).await.pixels(),
                cube(channels).pixels()
            );
        }
    }
    let darker: Cube = "LUT_1D_SIZE 2\n0 0 0\n.5 .5 .5".parse().unwrap();
    recolours(Lut::of(darker.clone()), |rgb| rgb.map(|value| value / 2.0)).await;
    recolours(Lut::of(darker.clone()).strength(0.5), |rgb| rgb.map(|value| value * 0.75)).await;
    recolours(Lut::of(darker).strength(0.0), |rgb| rgb).await;
    let beyond: Cube = "LUT_1D_INPUT_RANGE 0.2 0.6\nLUT_1D_SIZE 2\n0 0 0\n1 1 1".parse().unwrap();
    recolours(Lut::of(beyond), |rgb| rgb.map(|value| (value - 51.0) / 0.4)).await;
    let each: Cube =
        "DOMAIN_MIN 0 0.5 0\nDOMAIN_MAX 1 1 2\nLUT_1D_SIZE 2\n1 0 0\n0 1 4".parse().unwrap();
    recolours(Lut::of(each), |[r, g, b]| [255.0 - r, 2.0 * g - 255.0, 2.0 * b]).await;
}

#[tokio::test]
async fn grey_is_given_colours_only_by_a_table_that_has_some() {
    let plain: Cube = "LUT_1D_SIZE 2\n1 1 1\n0 0 0".parse().unwrap();
    let warm: Cube = "LUT_1D_SIZE 2\n0 0 0\n1 1 .8".parse().unwrap();
    for channels in [1, 2] {
        let grey = noise(9, 7, channels);
        let negated = image(Lut::of(plain.clone()), grey.clone()).await;
        assert_eq!(negated.pixels(), image(Negate::default(), grey.clone()).await.pixels());
        assert_eq!(image(Lut::of(warm.clone()), grey).await.channels(), channels + 2);
    }
}

#[tokio::test]
async fn it_is_done_in_one_pass_with_other_colours() {
    let chain = || {
        vec![
            AnyOperation::new(Brightness::by(1.3)),
            AnyOperation::new(Lut::of(table("LUT_3D_SIZE", 5, 125)).strength(0.8)),
            AnyOperation::new(Sepia::default()),
            AnyOperation::new(Lut::of(table("LUT_1D_SIZE", 9, 9))),
            AnyOperation::new(Resize::width(31)),
        ]
    };
    is_the_same_one_by_one(noise(40, 30, 4), chain()).await;
    let after = vec![AnyOperation::new(Grayscale::default()), chain().swap_remove(1)];
    is_the_same_one_by_one(noise(40, 30, 3), after).await;
    let ran =
        Branches::of(as_png(noise(40, 30, 3)).await).chain("out", chain()).run().await.unwrap();
    let text = ran.explanation.to_string();
    assert!(text.contains("brightness, look-up table, sepia and look-up table"), "{text}");
}

#[test]
fn what_is_no_table_is_refused_with_the_line() {
    for (text, code, line) in [
        ("", "lut.size", None),
        ("0 0 0", "lut.size", Some("1")),
        ("LUT_3D_SIZE 1", "lut.size", Some("1")),
        ("LUT_3D_SIZE 65", "lut.size", Some("1")),
        ("LUT_1D_SIZE 65537", "lut.size", Some("1")),
        ("LUT_1D_SIZE 2\nLUT_3D_SIZE 2", "lut.size", Some("2")),
        ("LUT_1D_SIZE two", "lut.syntax", Some("1")),
        ("LUT_1D_SIZE 2\n0 0", "lut.syntax", Some("2")),
        ("LUT_1D_SIZE 2\n0 0 0 0", "lut.syntax", Some("2")),
        ("LUT_1D_SIZE 2\n0 0 1e99", "lut.syntax", Some("2")),
        ("LUT_1D_SIZE 2\n0 0 nan", "lut.syntax", Some("2")),
        ("# fine\nLUT_IN_VIDEO_RANGE\nLUT_1D_SIZE 2", "lut.syntax", Some("2")),
        ("LUT_1D_SIZE 2\n0 0 0", "lut.values", None),
        ("LUT_1D_SIZE 2\n0 0 0\n1 1 1\n2 2 2", "lut.values", Some("4")),
        ("LUT_1D_SIZE 2\nDOMAIN_MIN 1 1 1\n0 0 0\n1 1 1", "lut.syntax", None),
    ] {
        let error = text.parse::<Cube>().unwrap_err();
        assert_eq!((error.code(), error.fact("line")), (code, line), "{text}");
        let step = serde_json::from_value::<Lut>(json!({ "cube": text }));
        assert!(step.is_err());
    }
    let crlf: Cube = "\u{feff}LUT_1D_SIZE 2\r\n0 0 0\r\n1 1 1\r\n".parse().unwrap();
    assert!(crlf.keeps_grey());
    let stored = serde_json::to_value(Lut::of(crlf.clone())).unwrap();
    assert_eq!(serde_json::from_value::<Lut>(stored).unwrap(), Lut::of(crlf.clone()));
    assert_eq!(Lut::of(crlf).strength(1.1).validate().unwrap_err().code(), "op.range");
}

proptest! {
    /// Between its corners a table gives nothing that lies beyond them, and each corner as it is.
    #[test]
    fn tetrahedra_stay_within_their_corners(values in prop::collection::vec(prop::array::uniform3(0.0..1.0_f32), 8), rgb in any::<[u8; 3]>()) {
        let lines: String = values.iter().map(|[r, g, b]| format!("{r} {g} {b}\n")).collect();
        let table: Cube = format!("LUT_3D_SIZE 2\n{lines}").parse().unwrap();
        let corner = rgb.map(|value| if value < 128 { 0 } else { 255 });
        let picture = Image::new(2, 1, 3, [rgb, corner].concat()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let made = runtime.block_on(image(Lut::of(table), picture));
        let index = corner.iter().zip([1, 2, 4]).map(|(value, step)| usize::from(*value > 0) * step).sum::<usize>();
        for channel in 0..3 {
            let of = values.iter().map(|value| value[channel] * 255.0);
            let (low, high) = of.fold((255.0_f32, 0.0_f32), |(low, high), value| (low.min(value), high.max(value)));
            let found = f32::from(made.pixels()[channel]);
            prop_assert!(found >= low - 0.51 && found <= high + 0.51);
            let off = (f32::from(made.pixels()[3 + channel]) - values[index][channel] * 255.0).abs();
            prop_assert!(off <= 0.51);
        }
    }
}
