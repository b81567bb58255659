//! What the planner and the executor promise: what is asked of readers and backends, what a failure takes with it, how much memory
//! is in use at once, what errors say.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mediaflow_core::backend::{Backend, Capability, Group, Plan};
use mediaflow_core::media::{Format, Image, MediaFile, MediaInfo, Medium};
use mediaflow_core::ops::{Resize, Trim};
use mediaflow_core::plan::Estimate;
use mediaflow_core::reader::{FormatSpec, Reader};
use mediaflow_core::report::{JobState, OutputState};
use mediaflow_core::spec::{Chain, Pipeline};
use mediaflow_core::testing::{FakeBackend, FakeReader, FakeWork, dot, soon};
use mediaflow_core::{
    Error, Inputs, Mediaflow, OpContext, Operation, Outputs, Result, Run, RunContext, Takes,
    async_trait,
};
use serde::{Deserialize, Serialize};

/// Gives its input back, or fails.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scan {
    clean: bool,
}

impl Operation for Scan {
    const KIND: &'static str = "test.scan";
}

#[async_trait]
impl Run for Scan {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        if self.clean {
            return Ok(Outputs::one(inputs.into_first()?));
        }
        Err(Error::input("scan.found", "there is something in it"))
    }
}

#[tokio::test]
async fn an_input_that_fails_takes_only_what_hangs_on_it_out_of_its_group() {
    let fake = FakeBackend::new();
    let media = Mediaflow::builder().storage("public", "memory:").with(fake.operations());
    let media = media.with(|registry| {
        registry.operation::<Scan>();
    });
    let media = media.start().await.unwrap();
    let scanned = |dot: Chain, clean| dot.then(Scan { clean });
    let job = Pipeline::from(dot())
        .output("public/bad.gif", |dot| scanned(dot, false).or_skip().then(FakeWork::new("bad")))
        .output("public/good.gif", |dot| scanned(dot, true).then(FakeWork::new("good")))
        .build()
        .unwrap();
    let report = media.submit(job).await.unwrap().done().await.unwrap();
    assert_eq!(report.state, JobState::Partial);
    let states: Vec<_> = report.outputs.iter().map(|output| output.state).collect();
    assert_eq!(states, [OutputState::Failed, OutputState::Published]);
    assert_eq!(report.outputs[0].failure.as_ref().unwrap().code, "scan.found");
    assert_eq!(fake.runs(), ["good"]);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Counts how often it is asked what it can do.
#[derive(Clone, Debug, Default)]
struct Asked(FakeBackend, Arc<AtomicUsize>);

impl Asked {
    fn once_more(&self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Reader for Asked {
    fn name(&self) -> &str {
        "asked"
    }

    fn formats(&self) -> Vec<FormatSpec> {
        self.once_more();
        vec![FormatSpec::new(Format::GIF)]
    }

    async fn probe(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        FakeReader::default().probe(file, cx).await
    }

    async fn verify(&self, file: &MediaFile, to: &MediaInfo, cx: &RunContext) -> Result<MediaInfo> {
        FakeReader::default().verify(file, to, cx).await
    }
}

impl Backend for Asked {
    fn name(&self) -> &str {
        "asked"
    }

    fn capability(&self) -> Capability {
        self.once_more();
        self.0.capability()
    }

    fn plan(&self, group: &Group) -> Result<Box<dyn Plan>> {
        self.0.plan(group)
    }
}

#[tokio::test]
async fn readers_and_backends_say_once_what_they_can_do() {
    let asked = Asked::default();
    let (reader, backend) = (asked.clone(), asked.clone());
    let media = Mediaflow::builder()
        .storage("public", "memory:")
        .with(move |registry| {
            registry.word::<FakeWork>().reader(reader).backend(backend);
        })
        .start()
        .await
        .unwrap();
    let job = Pipeline::from(dot())
        .output("public/x.gif", |dot| dot.then(FakeWork::new("one")).then(FakeWork::new("two")))
        .build()
        .unwrap();
    media.submit(job).await.unwrap().done().await.unwrap();
    assert_eq!(asked.1.load(Ordering::SeqCst), 2, "once each, when they were registered");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Does one word on one medium.
#[derive(Debug)]
struct Only(&'static str, Medium);

impl Backend for Only {
    fn name(&self) -> &str {
        "only"
    }

    fn capability(&self) -> Capability {
        Capability::new([self.0], [self.1])
    }

    fn plan(&self, _group: &Group) -> Result<Box<dyn Plan>> {
        Err(Error::unsupported("only.plan", "it only claims"))
    }
}

#[tokio::test]
async fn errors_of_media_say_what_is_done_here_on_what() {
    let media = Mediaflow::builder()
        .storage("public", "memory:")
        .with(|registry| {
            registry
                .backend(Only(Resize::KIND, Medium::Still))
                .backend(Only(Trim::KIND, Medium::Video))
                .reader(FakeReader::default());
        })
        .start()
        .await
        .unwrap();
    // Resizing is for films as well, only nobody here does it.
    let both = Pipeline::from(dot())
        .output("public/x", |dot| dot.trim(0.0, 1.0).resize(Resize::inside(9, 9)))
        .build()
        .unwrap();
    let error = media.submit(both).await.unwrap_err();
    let told = format!("{error} {error:?}");
    assert_eq!(error.code(), "plan.unclaimed", "{told}");
    assert!(told.contains("nothing here does `resize` on video"), "{told}");
    assert!(told.contains("here it is done on still"), "{told}");

    let beside = Pipeline::from(dot())
        .output("public/x", |dot| dot.resize(Resize::inside(9, 9)))
        .output("public/y", |dot| dot.trim(0.0, 1.0))
        .build()
        .unwrap();
    let error = media.submit(beside).await.unwrap_err();
    let told = format!("{error} {error:?}");
    assert_eq!(error.code(), "plan.medium", "{told}");
    assert!(told.contains("here `trim` works on video, and `resize` on still"), "{told}");
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Takes every GIF for a large picture, and counts how many are verified at once.
#[derive(Clone, Debug, Default)]
struct Large {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

const SIDE: u32 = 1_000;

#[async_trait]
impl Reader for Large {
    fn name(&self) -> &str {
        "large"
    }

    fn formats(&self) -> Vec<FormatSpec> {
        vec![FormatSpec::new(Format::GIF)]
    }

    async fn probe(&self, file: &MediaFile, _cx: &RunContext) -> Result<MediaInfo> {
        Ok(MediaInfo::still(file.format().clone(), SIDE, SIDE))
    }

    async fn verify(&self, file: &MediaFile, _: &MediaInfo, cx: &RunContext) -> Result<MediaInfo> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        self.probe(file, cx).await
    }
}

#[tokio::test]
async fn verification_waits_for_memory() {
    let reader = Large::default();
    let of_engine = reader.clone();
    let media = Mediaflow::builder()
        .storage("public", "memory:")
        // Enough for one of the pictures, and not for two.
        .memory(u64::from(SIDE * SIDE * 6))
        .with(move |registry| {
            registry.reader(of_engine);
        })
        .start()
        .await
        .unwrap();
    let copy = |place: &str| Pipeline::from(dot()).output(place, |dot| dot).build().unwrap();
    let mut jobs = Vec::new();
    for place in ["public/1.gif", "public/2.gif", "public/3.gif"] {
        jobs.push(media.submit(copy(place)).await.unwrap());
    }
    for job in jobs {
        soon("end of a job", job.done()).await.unwrap();
    }
    assert_eq!(reader.most.load(Ordering::SeqCst), 1);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}

/// Makes a picture of four megabytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Make {}

impl Operation for Make {
    const KIND: &'static str = "test.make";

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(MediaInfo::still(Format::RAW, SIDE, SIDE).with_channels(4))
    }
}

#[async_trait]
impl Run for Make {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, _inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        let pixels = vec![0; (SIDE * SIDE * 4) as usize];
        Ok(Outputs::one(Image::new(SIDE, SIDE, 4, pixels)?))
    }

    fn estimate(&self, _inputs: &[MediaInfo]) -> Estimate {
        Estimate::cpu(u64::from(SIDE * SIDE * 4))
    }
}

#[tokio::test]
async fn what_one_step_has_made_is_counted_while_the_next_works_on_it() {
    let fake = FakeBackend::new();
    let media = Mediaflow::builder()
        .storage("public", "memory:")
        // Enough for one of the pictures, and not for two.
        .memory(u64::from(SIDE * SIDE * 6))
        .with(fake.operations())
        .with(|registry| {
            registry.operation::<Make>();
        })
        .start()
        .await
        .unwrap();
    let job = |name: &str| {
        Pipeline::from(dot())
            .output(format!("public/{name}.gif"), |dot| dot.then(Make {}).then(FakeWork::new(name)))
            .build()
            .unwrap()
    };
    fake.script("first", [mediaflow_core::testing::Behaviour::Block]);
    let first = media.submit(job("first")).await.unwrap();
    fake.begun("first", 1).await;
    let second = media.submit(job("second")).await.unwrap();
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.runs(), ["first"], "the second picture waits until the first is gone");
    fake.release();
    soon("end of the first", first.done()).await.unwrap();
    soon("end of the second", second.done()).await.unwrap();
    assert_eq!(fake.runs(), ["first", "second"]);
    media.shutdown(Duration::from_secs(5)).await.unwrap();
}
