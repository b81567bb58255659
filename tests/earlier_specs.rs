//! Specs as an earlier version has stored them, with names that hold their medium, still give the results of that version, byte
//! for byte.
#![cfg(feature = "image")]
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of tests fail by panicking")]

use std::collections::BTreeMap;
use std::time::Duration;

use mediaflow::prelude::*;
use serde_json::{Value, json};

/// Steps with their results as PNG, all of them of one photo: what is in JPEG depends on which decoder is built in, so it comes
/// from a PNG.
fn spec() -> JobSpec {
    let resize = |with: Value| ("image.resize", with);
    let works: Vec<(&str, Vec<(&str, Value)>)> = vec![
        ("inside", vec![resize(json!({ "width": 320, "height": 320, "fit": "inside" }))]),
        ("cover", vec![resize(json!({ "width": 200, "height": 300, "gravity": "north" }))]),
        (
            "contain",
            vec![resize(
                json!({ "width": 200, "height": 200, "fit": "contain", "background": "#336699" }),
            )],
        ),
        (
            "fill",
            vec![resize(
                json!({ "width": 150, "height": 40, "fit": "fill", "kernel": "mitchell" }),
            )],
        ),
        ("linear", vec![resize(json!({ "width": 99, "linear": true, "fit": "inside" }))]),
        ("crop", vec![("image.crop", json!({ "left": 11, "top": 7, "width": 123, "height": 77 }))]),
        (
            "quarter",
            vec![
                resize(json!({ "width": 120, "fit": "inside" })),
                ("image.rotate", json!({ "angle": 90.0 })),
            ],
        ),
        (
            "angle",
            vec![
                resize(json!({ "width": 120, "fit": "inside" })),
                ("image.rotate", json!({ "angle": 33.3, "background": "#ff000080" })),
            ],
        ),
        (
            "flip",
            vec![
                resize(json!({ "width": 120, "fit": "inside" })),
                ("image.flip", json!({})),
                ("image.negate", json!({})),
            ],
        ),
        (
            "flop",
            vec![
                resize(json!({ "width": 120, "fit": "inside" })),
                ("image.flop", json!({})),
                ("image.grayscale", json!({})),
            ],
        ),
        (
            "flat",
            vec![
                resize(json!({ "width": 120, "fit": "inside" })),
                ("image.auto_orient", json!({})),
                ("image.flatten", json!({ "background": "#102030" })),
            ],
        ),
        (
            "marked",
            vec![
                resize(json!({ "width": 300, "fit": "inside" })),
                (
                    "image.watermark",
                    json!({ "gravity": "southwest", "offset": 9, "scale": 0.25, "opacity": 0.6 }),
                ),
            ],
        ),
        (
            "tiled",
            vec![
                resize(json!({ "width": 300, "fit": "inside" })),
                (
                    "image.watermark",
                    json!({ "tile": true, "scale": 0.2, "offset": 5, "opacity": 0.4 }),
                ),
            ],
        ),
    ];
    let (mut steps, mut outputs) = (serde_json::Map::new(), serde_json::Map::new());
    for (name, works) in works {
        let mut from = "source".to_owned();
        for (number, (op, with)) in works.into_iter().enumerate() {
            let step = format!("{name}-{number}");
            let inputs =
                if op == "image.watermark" { json!([from, "logo"]) } else { json!([from]) };
            steps.insert(step.clone(), json!({ "op": op, "v": 1, "from": inputs, "with": with }));
            from = step;
        }
        let encoders =
            [("png", "image.png", json!({})), ("webp", "image.webp", json!({ "lossless": true }))];
        for (ending, op, with) in encoders {
            let step = format!("{name}-{ending}");
            steps.insert(step.clone(), json!({ "op": op, "v": 1, "from": [from], "with": with }));
            outputs.insert(format!("out/{name}.{ending}"), json!({ "from": step }));
        }
    }
    let spec = json!({
        "schema": "mediaflow.job/1", "kind": "pipeline", "v": 1, "requires": ["image.png@1", "image.resize@1"],
        "with": { "source": "media/coffee.png", "inputs": { "logo": "media/logo.png" }, "steps": steps, "outputs": outputs },
    });
    JobSpec::from_json(&spec.to_string()).unwrap()
}

#[tokio::test]
async fn specs_of_an_earlier_version_give_its_results() {
    let media = concat!("file://", env!("CARGO_MANIFEST_DIR"), "/examples/media");
    let builder = Mediaflow::builder().storage("media", media).storage("out", "memory:");
    let media = builder.with(image::operations).start().await.unwrap();
    let report = media.submit(spec()).await.unwrap().done().await.unwrap();
    let made: BTreeMap<_, _> =
        report.outputs.into_iter().map(|output| (output.output, output.sha256)).collect();
    let golden = include_str!("earlier_specs.json");
    let golden: BTreeMap<String, String> = serde_json::from_str(golden).unwrap();
    assert_eq!(made, golden, "{}", serde_json::to_string_pretty(&made).unwrap());
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}
