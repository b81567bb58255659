//! The steps on the wire.

use mediaflow_core::geometry::Fit;
use mediaflow_core::ops::{Position, Resize, Trim};
use mediaflow_core::spec::{Chain, Pipeline};
use mediaflow_core::{Operation, Registry};
use mediaflow_video::{Mp4, VideoEncoders};
use serde_json::{Map, Value, json};

fn registry() -> Registry {
    let mut registry = Registry::new();
    mediaflow_video::operations(&mut registry);
    registry.check().unwrap();
    registry
}

fn parse(op: &str, with: &Value) -> mediaflow_core::Result<mediaflow_core::AnyOperation> {
    let with: Map<String, Value> = with.as_object().unwrap().clone();
    registry().parse(op, 1, &with)
}

#[test]
fn stored_steps_are_read_for_ever() {
    let stored: Value = serde_json::from_str(include_str!("../fixtures/steps.json")).unwrap();
    for step in stored.as_array().unwrap() {
        let op = parse(step["op"].as_str().unwrap(), &step["with"]).unwrap();
        assert_eq!(op.params().unwrap(), step["reads_as"], "{step}");
    }
}

#[test]
fn a_misspelt_or_impossible_parameter_names_its_step() {
    for (op, with, code) in [
        ("video.mp4", json!({"crff": 23}), "spec.params"),
        ("video.mp4", json!({"crf": 52}), "video.crf"),
        ("video.mp4", json!({"gop": 0}), "video.gop"),
        ("video.mp4", json!({"audio_bitrate": 1}), "video.audio_bitrate"),
        ("video.trim", json!({"start": 2.0, "end": 1.0}), "op.trim"),
        ("video.trim", json!({"start": -1.0}), "op.trim"),
        ("video.trim", json!({"start": 1.0, "end": 2.0, "duration": 1.0}), "op.trim"),
        ("video.fps", json!({"fps": 0.0}), "op.fps"),
        ("video.poster", json!({"at": {"percent": 101.0}}), "op.position"),
        ("video.resize", json!({}), "geometry.box"),
    ] {
        assert_eq!(parse(op, &with).unwrap_err().code(), code, "{op} {with}");
    }
}

#[test]
fn a_chain_reads_like_a_sentence() {
    let make = |clip: Chain| clip.trim(1.0, 3.5).resize((640, 360, Fit::Inside));
    let pipeline = Pipeline::from("uploads/clip.mov")
        .output("public/clip.mp4", |clip| make(clip).mp4(23))
        .output("public/small.mp4", |clip| make(clip).fps(15.0).mp4(Mp4::crf(30).silent()))
        .build()
        .unwrap();
    assert_eq!(pipeline.steps["trim"].op, Trim::KIND);
    assert_eq!(pipeline.steps["resize"].op, Resize::KIND);
    assert_eq!(pipeline.steps.len(), 5, "what branches share is there once");
    let poster = Pipeline::from("uploads/clip.mov")
        .output("public/clip.jpg", |clip| clip.poster(Position::Seconds(1.0)))
        .build();
    assert_eq!(poster.unwrap().steps["poster"].with["at"], json!({"seconds": 1.0}));
}
