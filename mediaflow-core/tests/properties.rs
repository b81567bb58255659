//! What holds for every input of the parsers and every shape of a box.

use std::path::Path;

use mediaflow_core::geometry::{Fit, FitBox, Gravity};
use mediaflow_core::media::Format;
use mediaflow_core::spec::{JobSpec, Key, Source};
use proptest::prelude::*;

fn fits() -> impl Strategy<Value = Fit> {
    prop::sample::select(vec![Fit::Cover, Fit::Contain, Fit::Fill, Fit::Inside, Fit::Outside])
}

proptest! {
    #[test]
    fn a_key_that_parses_stays_below_its_root(text in "[a-zA-Z0-9./\\\\: \\x00-]{0,40}") {
        if let Ok(key) = text.parse::<Key>() {
            let path = Path::new("/srv/storage").join(key.as_str());
            prop_assert!(path.starts_with("/srv/storage"));
            let up = path.components().any(|part| matches!(part, std::path::Component::ParentDir));
            prop_assert!(!up, "{key}");
        }
    }

    #[test]
    fn any_text_is_a_spec_or_an_error(text in ".{0,200}") {
        let _ = JobSpec::from_json(&text);
        let source = Source::from(text.as_str());
        let _ = source.validate();
        let json = serde_json::to_string(&source).unwrap();
        prop_assert_eq!(serde_json::from_str::<Source>(&json).unwrap(), source);
    }

    #[test]
    fn any_bytes_can_be_sniffed(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Format::sniff(&bytes);
    }

    #[test]
    fn a_placement_stays_inside_the_picture_and_the_box(
        (width, height) in (1_u32..5000, 1_u32..5000),
        (box_width, box_height) in (1_u32..5000, 1_u32..5000),
        fit in fits(),
        (x, y) in (0.0..=1.0, 0.0..=1.0),
        without_enlargement: bool,
    ) {
        let gravity = Gravity::Focal { x, y };
        let fit_box = FitBox {
            width: Some(box_width), height: Some(box_height), fit, gravity, without_enlargement,
        };
        prop_assert!(fit_box.validate().is_ok());
        let placed = fit_box.place(width, height);
        let crop = placed.crop;
        let slack = 1e-6;
        prop_assert!(crop.x >= 0.0 && crop.y >= 0.0 && crop.width > 0.0 && crop.height > 0.0);
        prop_assert!(crop.x + crop.width <= f64::from(width) + slack, "{placed:?}");
        prop_assert!(crop.y + crop.height <= f64::from(height) + slack, "{placed:?}");
        prop_assert!(placed.offset.0 + placed.size.0 <= placed.canvas.0, "{placed:?}");
        prop_assert!(placed.offset.1 + placed.size.1 <= placed.canvas.1, "{placed:?}");
        if without_enlargement {
            prop_assert!(placed.size.0 <= width && placed.size.1 <= height, "{placed:?}");
        }
        if matches!(fit, Fit::Inside | Fit::Cover | Fit::Contain) {
            prop_assert!(placed.size.0 <= box_width && placed.size.1 <= box_height, "{placed:?}");
        }
    }
}
