//! The steps on the wire.

use mediaflow_core::spec::{Chain, Pipeline};
use mediaflow_core::{Inputs, OpContext, Operation, Registry};
use mediaflow_video::{Fit, Mp4, Position, Preset, Resize, Trim, VideoSteps};
use serde_json::{Map, Value, json};

use crate::common::{Bench, Seen, clip, file, path_of};

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
        ("video.trim", json!({"start": 2.0, "end": 1.0}), "video.trim"),
        ("video.trim", json!({"start": -1.0}), "video.trim"),
        ("video.trim", json!({"start": 1.0, "end": 2.0, "duration": 1.0}), "video.trim"),
        ("video.fps", json!({"fps": 0.0}), "video.fps"),
        ("video.poster", json!({"at": {"percent": 101.0}}), "video.position"),
        ("video.resize", json!({}), "geometry.box"),
    ] {
        assert_eq!(parse(op, &with).unwrap_err().code(), code, "{op} {with}");
    }
}

#[test]
fn a_chain_reads_like_a_sentence() {
    let make = |clip: Chain| clip.video().trim(1.0, 3.5).resize(640, 360, Fit::Inside);
    let pipeline = Pipeline::from("uploads/clip.mov")
        .output("public/clip.mp4", |clip| make(clip).mp4(23))
        .output("public/small.mp4", |clip| make(clip).fps(15.0).encode(Mp4::crf(30).silent()))
        .build()
        .unwrap();
    assert_eq!(pipeline.steps["trim"].op, Trim::KIND);
    assert_eq!(pipeline.steps["resize"].op, Resize::KIND);
    assert_eq!(pipeline.steps.len(), 5, "what branches share is there once");
    let poster = Pipeline::from("uploads/clip.mov")
        .output("public/clip.jpg", |clip| clip.video().poster(Position::Seconds(1.0)))
        .build();
    assert_eq!(poster.unwrap().steps["poster"].with["at"], json!({"seconds": 1.0}));
}

#[tokio::test]
async fn an_encoder_runs_alone_and_a_resize_does_not() {
    let bench = Bench::new();
    let cx = OpContext::new(bench.cx(), "step");
    let inputs = || Inputs::one(file(&clip()).unwrap());
    let mut outputs = Mp4::crf(40).preset(Preset::Ultrafast).run(inputs(), &cx).await.unwrap();
    assert_eq!(Seen::of(path_of(&outputs.take("main").unwrap())).frames(), 132);
    let error = Resize::width(100).run(inputs(), &cx).await.unwrap_err();
    assert_eq!(error.code(), "video.needs_backend");
}
