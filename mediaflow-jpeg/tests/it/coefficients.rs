//! Coefficients that are read and written again: the same files as libjpeg-turbo writes.

use jpeg_encoder::SamplingFactor;
use mediaflow_jpeg::{Coefficients, Control, Failure, Jpeg};
use turbojpeg::{Compressor, Image, PixelFormat, ScalingFactor, Subsamp};

use crate::support::{Made, in_scans, photo, picture};

const SUBSAMPS: [Subsamp; 4] = [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2, Subsamp::Gray];

fn control() -> Control<'static> {
    Control::new(1 << 30)
}

fn read(bytes: &[u8]) -> Result<Coefficients, Failure> {
    Jpeg::parse(bytes)?.coefficients(&control())
}

fn made(subsamp: Subsamp, size: (usize, usize), quality: i32) -> Made {
    Made { size, subsamp, quality, optimize: true, progressive: false }
}

fn turbo_pixels(bytes: &[u8]) -> Vec<u8> {
    crate::support::turbo_pixels(bytes, ScalingFactor::ONE)
}

#[test]
fn a_file_with_the_shortest_codes_is_written_as_it_was() {
    for subsamp in SUBSAMPS {
        for (size, quality) in [((160, 96), 80), ((203, 117), 60), ((17, 9), 95), ((640, 480), 30)]
        {
            for progressive in [false, true] {
                let file = Made { progressive, ..made(subsamp, size, quality) }.file(5);
                let again = read(&file).unwrap().write(progressive, &control()).unwrap();
                assert!(file == again, "{subsamp:?} {size:?} {quality} {progressive}");
            }
        }
    }
}

#[test]
fn one_way_of_writing_becomes_another() {
    for subsamp in SUBSAMPS {
        let whole = made(subsamp, (203, 117), 75);
        let long = Made { optimize: false, ..whole };
        let progressive = Made { progressive: true, ..whole };
        let [long, short, progressive] = [long, whole, progressive].map(|made| made.file(3));
        assert!(read(&long).unwrap().write(false, &control()).unwrap() == short);
        let one = read(&long).unwrap().write(true, &control()).unwrap();
        let other = read(&progressive).unwrap().write(false, &control()).unwrap();
        // Blocks beyond the edge are in none of a progressive file's scans of one component.
        assert_eq!(turbo_pixels(&one), turbo_pixels(&short), "{subsamp:?}");
        assert_eq!(turbo_pixels(&other), turbo_pixels(&short), "{subsamp:?}");
    }
}

#[test]
fn strips_are_put_together() {
    let (width, height) = (203, 117);
    let pixels = picture(width, height, 3, 11);
    for subsamp in [Subsamp::None, Subsamp::Sub2x1, Subsamp::Sub2x2] {
        let encode = |rows: std::ops::Range<usize>, optimize| {
            let mut encoder = Compressor::new().unwrap();
            encoder.set_quality(80).unwrap();
            encoder.set_subsamp(subsamp).unwrap();
            encoder.set_optimize(optimize).unwrap();
            let height = rows.len();
            let pixels = &pixels[rows.start * width * 3..rows.end * width * 3];
            let format = PixelFormat::RGB;
            encoder
                .compress_to_vec(Image { pixels, width, pitch: width * 3, height, format })
                .unwrap()
        };
        let mut all = read(&encode(0..32, false)).unwrap();
        for rows in [32..96, 96..117] {
            all.append(read(&encode(rows, false)).unwrap()).unwrap();
        }
        assert_eq!((all.width(), all.height()), (203, 117));
        let together = all.write(false, &control()).unwrap();
        let whole = encode(0..height, true);
        assert_eq!(together.len(), whole.len(), "{subsamp:?}");
        assert_eq!(turbo_pixels(&together), turbo_pixels(&whole), "{subsamp:?}");
        // Nothing goes below a strip that ends within a unit.
        assert!(all.append(read(&encode(0..32, false)).unwrap()).is_err());
    }
}

#[test]
fn photos_stay_what_they_are() {
    for name in ["dandelions.jpg", "fig.jpg", "mountains.jpg", "spaniels.jpg"] {
        let file = photo(name);
        let all = read(&file).unwrap();
        let before = turbo_pixels(&file);
        for progressive in [false, true] {
            let again = all.write(progressive, &control()).unwrap();
            assert!(turbo_pixels(&again) == before, "{name} {progressive}");
        }
    }
}

#[test]
fn it_stops_and_it_has_a_limit() {
    let file = made(Subsamp::Sub2x2, (203, 117), 75).file(3);
    let jpeg = Jpeg::parse(&file).unwrap();
    let small = Control::new(Coefficients::memory(&jpeg) - 1);
    assert!(matches!(jpeg.coefficients(&small), Err(Failure::TooLarge { .. })));
    let stopped = Control::new(1 << 30).stopped_by(&|| true);
    assert!(matches!(jpeg.coefficients(&stopped), Err(Failure::Stopped)));
    let all = read(&file).unwrap();
    assert!(matches!(all.write(true, &stopped), Err(Failure::Stopped)));
}

#[test]
fn a_scan_for_each_component_is_read() {
    let file = in_scans((203, 117), SamplingFactor::F_2_2, 0);
    for progressive in [false, true] {
        let again = read(&file).unwrap().write(progressive, &control()).unwrap();
        assert!(turbo_pixels(&again) == turbo_pixels(&file), "{progressive}");
    }
}
