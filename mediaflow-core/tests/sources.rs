//! Many sources of one job: by list and by pattern, fetched side by side, and what becomes of one that can not be had.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mediaflow_core::media::{Blob, Facts, Format, MediaFile, MediaInfo, Medium};
use mediaflow_core::reader::{FormatSpec, Reader};
use mediaflow_core::report::{JobState, Report};
use mediaflow_core::spec::{Accept, Chain, JobSpec, Pipeline, Source, SourceSet};
use mediaflow_core::storage::{MemoryStorage, StorageExt as _};
use mediaflow_core::testing::{FakeBackend, FakeWork, soon};
use mediaflow_core::{
    Arity, Inputs, JobId, Limits, Mediaflow, OpContext, Operation, Outputs, Result, Run,
    RunContext, Takes, async_trait,
};
use serde::{Deserialize, Serialize};
use tokio::sync::Barrier;

const DOT: &[u8] = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;";

/// Tells the names of its inputs.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {}

impl Operation for Names {
    const KIND: &'static str = "test.names";

    fn arity(&self) -> Arity {
        Arity::AtLeast(1)
    }

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Facts
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(Facts::info())
    }
}

#[async_trait]
impl Run for Names {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        let names = (0..inputs.len())
            .map(|at| inputs.get(at)?.clone().into_file().map(|file| file.name().to_owned()));
        Ok(Outputs::one(Facts::new(names.collect::<Result<Vec<_>>>()?)?))
    }
}

async fn uploads(keys: &[&str]) -> MemoryStorage {
    let storage = MemoryStorage::new();
    for key in keys {
        storage.put(&key.parse().unwrap(), &Blob::bytes(DOT)).await.unwrap();
    }
    storage
}

async fn engine(uploads: MemoryStorage) -> (Mediaflow, FakeBackend) {
    let fake = FakeBackend::new();
    let media = Mediaflow::builder()
        .storage_with("uploads", uploads)
        .storage("public", "memory:")
        .with(fake.operations())
        .with(|registry| {
            registry.operation::<Names>();
        });
    (media.start().await.unwrap(), fake)
}

fn told(report: &Report) -> Vec<&str> {
    report.facts["names"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect()
}

fn names(sources: Chain) -> Pipeline {
    Pipeline::generate().fact("names", |_| sources.then(Names {})).build().unwrap()
}

#[tokio::test]
async fn a_pattern_is_all_that_is_there_and_a_list_keeps_its_order() {
    let keys = ["cells/b.gif", "cells/a.gif", "cells/old/c.gif", "cells/d.txt", "logo.gif"];
    let (media, _fake) = engine(uploads(&keys).await).await;
    let both = Chain::sources(["uploads/logo.gif", "uploads/cells/*.gif"]);
    let report = media.submit(names(both)).await.unwrap().done().await.unwrap();
    assert_eq!(told(&report), ["uploads/logo.gif", "uploads/cells/a.gif", "uploads/cells/b.gif"]);

    // By name, beside a single source, on the wire.
    let set = SourceSet::of(["uploads/cells/*.gif"]);
    let mut job = Pipeline::from("uploads/logo.gif")
        .sources("cells", set)
        .fact("names", |logo| logo.then(Names {}))
        .build()
        .unwrap();
    let step = job.steps.values_mut().next().unwrap();
    step.from.push("cells".to_owned());
    let wire = serde_json::to_value(&job).unwrap();
    assert_eq!(wire["sets"]["cells"]["of"][0], "uploads/cells/*.gif");
    assert_eq!(serde_json::from_value::<Pipeline>(wire).unwrap(), job);
    let report = media.submit(job).await.unwrap().done().await.unwrap();
    assert_eq!(told(&report).len(), 3);

    let none = names(Chain::sources(["uploads/nothing/*.gif"]));
    let error = media.submit(none).await.unwrap().done().await.unwrap_err();
    assert_eq!(
        (error.code(), error.fact("source")),
        ("source.none", Some("uploads/nothing/*.gif"))
    );
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn one_that_is_missing_is_named_or_left_out() {
    let (media, _fake) = engine(uploads(&["a.gif", "c.gif"]).await).await;
    let list = || Chain::sources(["uploads/a.gif", "uploads/b.gif", "uploads/c.gif"]);
    let error = media.submit(names(list())).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "storage.not_found");
    assert_eq!(
        (error.fact("source"), error.fact("input")),
        (Some("uploads/b.gif"), Some("inputs"))
    );

    let report = media.submit(names(list().or_skip())).await.unwrap().done().await.unwrap();
    assert_eq!(
        (report.state, told(&report)),
        (JobState::Succeeded, vec!["uploads/a.gif", "uploads/c.gif"])
    );
    assert!(report.warnings.iter().any(|warning| warning.contains("left out")), "{report:?}");
    let explained = media.explain(names(list().or_skip())).await.unwrap();
    assert!(explained.contains("names"), "{explained}");

    // What needs one at least fails without any.
    let none = names(Chain::sources(["uploads/x.gif"]).or_skip());
    let error = media.submit(none).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "spec.inputs");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn sets_are_checked_at_submit() {
    let (media, _fake) = engine(uploads(&[]).await).await;
    let refused = async |job: Pipeline| media.submit(job).await.unwrap_err().code().to_owned();
    let pattern = || Chain::sources(["uploads/cells/*.gif"]);
    // Several are not one output.
    let several = Pipeline::generate().output("public/x.gif", |_| pattern()).build().unwrap_err();
    assert_eq!(several.code(), "spec.reference");
    // The next attempt would take its own result for a source.
    let itself = Pipeline::generate()
        .output("uploads/cells/sheet.gif", |_| pattern().then(FakeWork::new("sheet")))
        .build()
        .unwrap();
    assert_eq!(refused(itself).await, "spec.in_place");
    let nowhere = names(Chain::sources(["elsewhere/*.gif"]));
    assert_eq!(refused(nowhere).await, "storage.unknown");
    let none = Pipeline::generate()
        .fact("names", |_| Chain::sources(Vec::<Source>::new()).then(Names {}))
        .build()
        .unwrap_err();
    assert_eq!(none.code(), "spec.sources");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[test]
fn who_runs_a_job_with_sets_knows_them_and_the_jobs_that_make_them() {
    let first = JobId::new();
    let made = Source::output(first, "shared/cell.gif");
    let job = names(Chain::sources(["uploads/cells/*.gif".into(), made]));
    let spec = JobSpec::new(&job).unwrap();
    let after: Vec<_> = spec.predecessors().iter().map(|after| after.job).collect();
    assert_eq!(after, [first]);
    let needs = spec.needs().to_string();
    for need in ["feature:sets", "feature:after", "storage:shared", "storage:uploads"] {
        assert!(needs.contains(need), "{needs}");
    }
}

/// Lets so many probes meet, and counts how many are under way.
#[derive(Clone, Debug)]
struct Meeting {
    barrier: Arc<Barrier>,
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

#[async_trait]
impl Reader for Meeting {
    fn name(&self) -> &str {
        "meeting"
    }

    fn formats(&self) -> Vec<FormatSpec> {
        vec![FormatSpec::new(Format::GIF)]
    }

    async fn probe(&self, file: &MediaFile, _cx: &RunContext) -> Result<MediaInfo> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.barrier.wait().await;
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(MediaInfo::still(file.format().clone(), 1, 1))
    }

    async fn verify(&self, file: &MediaFile, _: &MediaInfo, cx: &RunContext) -> Result<MediaInfo> {
        self.probe(file, cx).await
    }
}

#[tokio::test]
async fn sources_are_fetched_side_by_side_within_the_limit() {
    let keys = ["1.gif", "2.gif", "3.gif", "4.gif", "5.gif", "6.gif"];
    let reader =
        Meeting { barrier: Arc::new(Barrier::new(3)), now: Arc::default(), most: Arc::default() };
    let of_engine = reader.clone();
    let media = Mediaflow::builder()
        .storage_with("uploads", uploads(&keys).await)
        .limits(Limits { fetches: 3, ..Limits::default() })
        .with(move |registry| {
            registry.operation::<Names>().reader(of_engine);
        })
        .start()
        .await
        .unwrap();
    let job = names(Chain::sources(["uploads/*.gif"]));
    let done = async { media.submit(job).await.unwrap().done().await.unwrap() };
    let report = soon("end of the job", done).await;
    assert_eq!(told(&report).len(), 6);
    assert_eq!(reader.most.load(Ordering::SeqCst), 3);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_pattern_looks_at_no_more_keys_than_the_limit() {
    let media = Mediaflow::builder()
        .storage_with(
            "uploads",
            uploads(&["cells/1.gif", "cells/2.gif", "cells/3.txt", "x.gif"]).await,
        )
        .limits(Limits { listed: 2, ..Limits::default() })
        .with(FakeBackend::new().operations())
        .with(|registry| {
            registry.operation::<Names>();
        })
        .start()
        .await
        .unwrap();
    let job = names(Chain::sources(["uploads/cells/*.gif"]));
    let error = media.submit(job).await.unwrap().done().await.unwrap_err();
    assert_eq!((error.code(), error.fact("source")), ("limit.listed", Some("uploads/cells/*.gif")));
    let job = names(Chain::sources(["uploads/x*.gif"]));
    media.submit(job).await.unwrap().done().await.unwrap();
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn all_together_keep_to_the_limit_of_a_job() {
    let limits = Limits { job_input_bytes: 3 * DOT.len() as u64, ..Limits::default() };
    let media = Mediaflow::builder()
        .storage_with("uploads", uploads(&["1.gif", "2.gif", "3.gif", "4.gif"]).await)
        .limits(limits)
        .with(FakeBackend::new().operations())
        .with(|registry| {
            registry.operation::<Names>();
        })
        .start()
        .await
        .unwrap();
    let job = names(Chain::sources(["uploads/*.gif"]));
    let error = media.submit(job).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "limit.job_input_bytes");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn explain_tells_what_an_optional_input_that_is_missing_leaves_out() {
    let (media, _fake) = engine(uploads(&["a.gif"]).await).await;
    let job = Pipeline::from("uploads/a.gif")
        .output("public/plain.gif", |a| a.then(FakeWork::new("plain")))
        .output("public/marked.gif", |a| {
            a.then_with(FakeWork::new("mark"), [Chain::source("uploads/logo.gif")]).or_skip()
        })
        .output("public/other.gif", |a| {
            let plain = a.clone().then(FakeWork::new("other"));
            a.then_with(FakeWork::new("mark"), [Chain::source("uploads/logo.gif")]).or_else(plain)
        })
        .build()
        .unwrap();
    let told = media.explain(job.clone()).await.unwrap();
    assert!(told.contains("left out  public/marked.gif"), "{told}");
    assert!(told.contains("keep      public/other.gif"), "{told}");
    let needed = Pipeline::from("uploads/none.gif").output("public/x.gif", |a| a).build().unwrap();
    assert_eq!(media.explain(needed).await.unwrap_err().code(), "storage.not_found");
    let report = media.submit(job).await.unwrap().done().await.unwrap();
    assert_eq!(report.state, JobState::Partial);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn a_source_that_breaks_rules_is_refused_with_all_of_them_before_anything_is_made() {
    let (media, fake) = engine(uploads(&["a.gif", "b.gif"]).await).await;
    let work = |name| move |dot: Chain| dot.then(FakeWork::new(name));
    let rules = Accept::new().formats([Format::JPEG]).bytes(100..).width(..=1);
    let job = Pipeline::from("uploads/a.gif")
        .accept(rules)
        .output("public/a.gif", work("never"))
        .build()
        .unwrap();
    // The same on the wire.
    let wire = serde_json::to_value(&job).unwrap();
    let rules =
        serde_json::json!({ "formats": ["jpeg"], "bytes": { "min": 100 }, "width": { "max": 1 } });
    assert_eq!(wire["accept"], serde_json::json!({ "source": rules }));
    assert_eq!(serde_json::from_value::<Pipeline>(wire).unwrap(), job);

    let handle = media.submit(job).await.unwrap();
    let report = handle.ended().await.unwrap();
    let error = report.failure.unwrap();
    let facts = |name: &str| {
        error.facts.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    };
    assert_eq!((error.code.as_str(), report.state), ("source.refused", JobState::Failed));
    assert_eq!(facts("formats"), Some("gif, not jpeg"));
    assert_eq!(facts("bytes"), Some("14, not at least 100"));
    assert_eq!((facts("width"), facts("source")), (None, Some("uploads/a.gif")));
    assert_eq!((report.attempts, fake.runs().len()), (1, 0), "nothing was made, and nothing again");

    let kept = Accept::new().formats([Format::GIF]).bytes(..=14);
    let job = Pipeline::from("uploads/a.gif")
        .accept(kept.clone())
        .accept_of("uploads/b.gif", kept)
        .output("public/a.gif", work("made"))
        .build()
        .unwrap();
    assert_eq!(job.accept.keys().collect::<Vec<_>>(), ["input", "source"]);
    let report = media.submit(job).await.unwrap().ended().await.unwrap();
    assert_eq!(report.state, JobState::Succeeded, "{:?}", report.failure);

    let wrong = Pipeline::from("uploads/a.gif").accept(Accept::new().aspect(f64::NAN..));
    let error = wrong.output("public/a.gif", |dot| dot).build().unwrap_err();
    assert_eq!((error.code(), error.fact("accept")), ("spec.accept", Some("source")));
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn of_several_sources_those_that_break_rules_fail_the_job_or_are_left_out() {
    let storage = uploads(&["a.gif", "b.gif"]).await;
    let larger = Blob::bytes([DOT, &[0; 9]].concat());
    storage.put(&"b.gif".parse().unwrap(), &larger).await.unwrap();
    let (media, _fake) = engine(storage).await;
    let job = |set: SourceSet, sources: Chain| {
        Pipeline::generate()
            .fact("names", |_| sources.then(Names {}))
            .accept_each(&set, Accept::new().bytes(..=20))
            .build()
            .unwrap()
    };
    let all = ["uploads/a.gif", "uploads/b.gif"];
    let strict = job(SourceSet::of(all), Chain::sources(all));
    let error = media.submit(strict).await.unwrap().done().await.unwrap_err();
    assert_eq!((error.code(), error.fact("bytes")), ("source.refused", Some("23, not at most 20")));
    let some = job(SourceSet::of(all).skipping(), Chain::sources(all).or_skip());
    let report = media.submit(some).await.unwrap().done().await.unwrap();
    assert_eq!(told(&report), ["uploads/a.gif"]);
    assert!(report.warnings.iter().any(|warning| warning.contains("left out")), "{report:?}");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

#[tokio::test]
async fn the_checksum_of_a_source_is_a_fact() {
    let (media, _fake) = engine(uploads(&["a.gif"]).await).await;
    let job = Pipeline::from("uploads/a.gif").fact("file", |dot| dot.checksum()).build().unwrap();
    let report = media.submit(job).await.unwrap().done().await.unwrap();
    // `sha256sum` and `md5sum` of coreutils.
    let wanted = serde_json::json!({
        "bytes": 14,
        "sha256": "1f19970f056cd116a5fe3c02422c1ee1ac827136df470b5c89af492620512aa4",
        "md5": "bc4be32fc23f91be8d1d93f61cf61838",
    });
    assert_eq!(report.facts["file"], wanted);
    assert_eq!(report.decodes, 0);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}
