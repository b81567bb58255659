//! Stored specs stay readable: every file under `tests/specs` is read for ever, and written back as it is.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::Path;

use mediaflow_core::spec::{Chain, JobSpec, OnError, Pipeline, Source};
use mediaflow_core::testing::{FakeBackend, FakeWork, dot};
use mediaflow_core::{Limits, Registry};
use serde_json::{Value, json};

fn fixtures() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/specs");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_stored_spec_reads_and_writes_back() {
    let files = fixtures();
    assert!(files.len() >= 3);
    for (name, text) in files {
        let spec = JobSpec::from_json(&text).unwrap_or_else(|e| panic!("{name}: {e}"));
        let before: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(serde_json::to_value(&spec).unwrap(), before, "{name} changes on the way");
        if spec.kind == "pipeline" {
            let pipeline: Pipeline = serde_json::from_value(spec.with).unwrap();
            pipeline.validate(&Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"));
        }
    }
}

#[test]
fn the_schema_accepts_every_stored_spec_and_refuses_a_typo() {
    let mut registry = Registry::new();
    FakeBackend::new().operations()(&mut registry);
    let schema = mediaflow_core::spec::json_schema(registry.schemas());
    let validator = jsonschema::validator_for(&schema).unwrap();
    for (name, text) in fixtures() {
        let spec: Value = serde_json::from_str(&text).unwrap();
        let errors: Vec<_> = validator.iter_errors(&spec).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?}");
    }
    let (_, text) = &fixtures()[0];
    let mut typo: Value = serde_json::from_str(text).unwrap();
    typo["prioritty"] = json!(1);
    assert!(!validator.is_valid(&typo));
}

#[test]
fn equal_steps_become_one_and_further_sources_become_inputs() {
    let base = |dot: Chain| dot.then(FakeWork::new("shared"));
    let pipeline = Pipeline::from(dot())
        .output("out/a.gif", |dot| base(dot).then(FakeWork::new("a")))
        .output("out/b.gif", |dot| {
            base(dot).then_with(FakeWork::new("b"), [Chain::source("uploads/logo.png")])
        })
        .build()
        .unwrap();
    assert_eq!(pipeline.steps.len(), 3, "{:?}", pipeline.steps.keys());
    assert_eq!(pipeline.inputs.values().collect::<Vec<_>>(), [&Source::from("uploads/logo.png")]);
    let b = &pipeline.steps[&pipeline.outputs["out/b.gif"].from];
    assert_eq!(b.from, ["work", "input"]);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let pipeline = |steps: Value, outputs: Value| {
        let pipeline = json!({ "source": "uploads/cat.gif", "steps": steps, "outputs": outputs });
        let pipeline: Pipeline = serde_json::from_value(pipeline).unwrap();
        pipeline.validate(&Limits::default()).unwrap_err()
    };
    let one = json!({ "out/a.gif": { "from": "a" } });
    let cases = [
        (json!({}), json!({}), "spec.outputs", ""),
        (json!({}), one.clone(), "spec.reference", "out/a.gif"),
        (json!({ "a": { "op": "x.y", "from": ["b"] } }), one.clone(), "spec.reference", "a"),
        (json!({ "a": { "op": "x.y", "from": [] } }), one.clone(), "spec.inputs", "a"),
        (json!({ "a": { "op": "x.y", "from": ["a"] } }), one.clone(), "spec.cycle", "a"),
        (json!({ "A b": { "op": "x.y" } }), one, "spec.name", "A b"),
        (json!({}), json!({ "out/../a": { "from": "source" } }), "storage.key", "out/../a"),
        (json!({}), json!({ "a.gif": { "from": "source" } }), "storage.key", "a.gif"),
    ];
    for (steps, outputs, code, place) in cases {
        let error = pipeline(steps, outputs);
        assert_eq!(error.code(), code, "{error}");
        assert!(error.to_string().contains(place), "{error} should name {place}");
    }
}

#[test]
fn unknown_and_newer_things_are_left_to_others() {
    let mut registry = Registry::new();
    FakeBackend::new().operations()(&mut registry);
    let pipeline = Pipeline::from(dot())
        .output("out/a.gif", |dot| dot.then(FakeWork::new("a")))
        .build()
        .unwrap();
    let spec = JobSpec::new(&pipeline).unwrap();
    assert_eq!(spec.requires, ["fake.work@1"]);
    assert!(registry.knows(&spec));
    for foreign in ["fake.work@2", "fake.other@1"] {
        let mut spec = spec.clone();
        spec.requires = vec![foreign.to_owned()];
        assert!(!registry.knows(&spec), "{foreign}");
    }
    let mut newer = spec;
    newer.v = 2;
    assert!(!registry.knows(&newer));
    assert_eq!(registry.check_spec(&newer, &Limits::default()).unwrap_err().code(), "spec.version");
}

#[test]
fn a_misspelt_operation_is_told_the_nearest() {
    let mut registry = Registry::new();
    FakeBackend::new().operations()(&mut registry);
    let error = registry.parse("fake.wrok", 1, &serde_json::Map::new()).unwrap_err();
    assert_eq!(error.code(), "spec.unknown_op");
    assert!(error.to_string().contains("did you mean `fake.work`?"), "{error}");
}

#[test]
fn a_policy_belongs_to_a_step() {
    let error = Pipeline::from(dot()).output("out/a.gif", Chain::or_skip).build().unwrap_err();
    assert_eq!(error.code(), "spec.on_error");
    let with = Pipeline::from(dot())
        .output("out/a.gif", |dot| {
            dot.clone().then(FakeWork::new("a")).or_else(dot.then(FakeWork::new("b")))
        })
        .build()
        .unwrap();
    let policies: Vec<_> = with.steps.values().map(|step| step.on_error.clone()).collect();
    assert!(policies.contains(&OnError::Fallback("work".to_owned())), "{policies:?}");
}
