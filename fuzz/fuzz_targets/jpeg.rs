//! `cargo +nightly fuzz run jpeg`: all ways to read a JPEG.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediaflow_jpeg::{Coding, Control, Jpeg};

fuzz_target!(|bytes: &[u8]| {
    let Ok(jpeg) = Jpeg::parse(bytes) else { return };
    let control = Control::new(64 << 20);
    let (eighth, quarter) = (jpeg.eighth(&control), jpeg.quarter(&control));
    // Of a progressive file more is looked at if more is wanted.
    let same = quarter.as_ref().err() == eighth.as_ref().err();
    assert!(same || jpeg.coding() == Coding::Progressive);
    for planes in [&eighth, &quarter].into_iter().flatten() {
        let pixels = planes.width() as usize * planes.height() as usize;
        assert_eq!(planes.to_pixels().len(), pixels * usize::from(planes.channels()));
    }
    let (Ok(_), Ok(Some(halves))) = (eighth, jpeg.halves(0.3, &control)) else {
        return;
    };
    for half in [&halves.upper, &halves.lower] {
        let half = Jpeg::parse(half).map(|half| half.eighth(&control).is_ok());
        assert_eq!(half, Ok(true), "a half is a picture where the whole is one");
    }
});
