//! Stored specs stay readable: every file under `tests/specs` is read for ever, and written back as it is.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::fs;
use std::path::Path;

use mediaflow_core::spec::{Chain, JobOptions, JobSpec, OnError, Pipeline, Source};
use mediaflow_core::testing::{FakeBackend, FakeWork, RecordingNotifier, dot};
use mediaflow_core::{ErrorKind, Job, Limits, Mediaflow, PlanContext, Registry, async_trait};
use serde::{Deserialize, Serialize};
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

/// A custom job without a pipeline to look at.
#[derive(Debug, Serialize, Deserialize)]
struct Custom;

#[async_trait]
impl Job for Custom {
    const KIND: &'static str = "test.custom";

    async fn plan(&self, _cx: &PlanContext<'_>) -> mediaflow_core::Result<Pipeline> {
        Pipeline::from(dot()).output("out/a.gif", |dot| dot).build()
    }
}

async fn host() -> Mediaflow {
    Mediaflow::builder()
        .storage("out", "memory:")
        .with(FakeBackend::new().operations())
        .with(|registry| {
            registry.job::<Custom>();
        })
        .notify(RecordingNotifier::new("hook"))
        .start()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_custom_job_can_not_name_a_notifier_that_is_not_there() {
    let options = JobOptions::new().notify("hock", "somewhere");
    let spec = JobSpec::new(&Custom).unwrap().with_options(options);
    let error = host().await.submit(spec).await.unwrap_err();
    assert_eq!(error.code(), "notify.unknown");
}

#[tokio::test]
async fn options_have_limits() {
    let long = "x".repeat(256);
    let many = |n: usize, one: fn(JobOptions) -> JobOptions| {
        (0..n).fold(JobOptions::new(), |all, _| one(all))
    };
    let cases = [
        (JobOptions::new().idempotency_key(&long), "limit.option_bytes"),
        (JobOptions::new().owner(&long), "limit.option_bytes"),
        (JobOptions::new().tag(&long), "limit.option_bytes"),
        (JobOptions::new().notify(&long, "x"), "limit.option_bytes"),
        (JobOptions::new().notify("hook", "x".repeat(4097)), "limit.address_bytes"),
        (many(65, |options| options.tag("t")), "limit.tags"),
        (many(33, |options| options.notify("hook", "x")), "limit.notify_targets"),
        (JobOptions::new().metadata("all", "x".repeat(10 << 20)), "limit.option_metadata_bytes"),
    ];
    let host = host().await;
    let pipeline = Pipeline::from(dot()).output("out/a.gif", |dot| dot).build().unwrap();
    for (options, code) in cases {
        for spec in [JobSpec::new(&Custom).unwrap(), JobSpec::new(&pipeline).unwrap()] {
            let error = host.submit(spec.with_options(options.clone())).await.unwrap_err();
            assert_eq!((error.code(), error.kind()), (code, ErrorKind::Limit));
            let field = code.strip_prefix("limit.").unwrap();
            assert_eq!(error.fact("limit"), Some(field), "the error names what to raise");
        }
    }
    let mut spec = JobSpec::new(&Custom).unwrap();
    spec.requires = vec!["a.b@1".to_owned(); 1001];
    assert_eq!(host.submit(spec.clone()).await.unwrap_err().code(), "limit.steps");
    spec.requires = vec![long];
    assert_eq!(host.submit(spec).await.unwrap_err().code(), "limit.option_bytes");

    let fits = many(64, |options| options.tag("t"))
        .owner("x".repeat(255))
        .metadata("note", "x".repeat(60_000));
    host.submit(JobSpec::new(&Custom).unwrap().with_options(fits)).await.unwrap();
}

#[tokio::test]
async fn a_batch_has_a_limit() {
    let pipeline = Pipeline::from(dot()).output("out/a.gif", |dot| dot).build().unwrap();
    let spec = JobSpec::new(&pipeline).unwrap();
    // Endless, so it must be counted on the way.
    let error = host().await.eager(std::iter::repeat(spec)).await.unwrap_err();
    assert_eq!((error.code(), error.fact("limit")), ("limit.batch_jobs", Some("batch_jobs")));
}

#[test]
fn newer_versions_are_left_to_others() {
    let mut registry = Registry::new();
    FakeBackend::new().operations()(&mut registry);
    let pipeline = Pipeline::from(dot())
        .output("out/a.gif", |dot| dot.then(FakeWork::new("a")))
        .build()
        .unwrap();
    let mut newer = JobSpec::new(&pipeline).unwrap();
    assert_eq!(newer.requires, ["fake.work@1"]);
    newer.v = 2;
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
