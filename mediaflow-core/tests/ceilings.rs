//! The host's limits are ceilings: what a spec asks for, and what work takes, stays below them.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::time::Duration;

use mediaflow_core::executor::RetryPolicy;
use mediaflow_core::report::JobState;
use mediaflow_core::spec::{Chain, JobOptions, JobSpec, Pipeline, Source};
use mediaflow_core::storage::MemoryStorage;
use mediaflow_core::testing::{
    Behaviour, FakeBackend, FakeWork, FaultyStorage, RecordingNotifier, dot, soon,
};
use mediaflow_core::{
    Builder, ErrorKind, EventKind, Inputs, Job, Limits, Mediaflow, OpContext, Operation, Outputs,
    PlanContext, Result, Run, Takes, async_trait,
};
use serde::{Deserialize, Serialize};

/// A job that decides by itself what it does; it says what it needs, and has a mind of its own about its plan.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Custom {
    requires: Vec<String>,
    places: Vec<String>,
    plans: String,
    hangs: bool,
}

#[async_trait]
impl Job for Custom {
    const KIND: &'static str = "test.custom";

    fn validate(&self) -> Result<()> {
        match &*self.plans {
            "nonsense" => Err(mediaflow_core::Error::input("test.nonsense", "this is nonsense")),
            _ => Ok(()),
        }
    }

    fn requires(&self) -> Vec<String> {
        self.requires.clone()
    }

    fn places(&self) -> Vec<String> {
        self.places.clone()
    }

    async fn plan(&self, _cx: &PlanContext<'_>) -> Result<Pipeline> {
        if self.hangs {
            return std::future::pending().await;
        }
        Pipeline::from(dot()).output(&self.plans, |dot| dot.then(FakeWork::new("custom"))).build()
    }
}

/// Neither ends nor looks whether it is to stop.
#[derive(Debug, Serialize, Deserialize)]
struct Stuck {}

impl Operation for Stuck {
    const KIND: &'static str = "test.stuck";
}

#[async_trait]
impl Run for Stuck {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, _inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        std::future::pending().await
    }
}

struct Host {
    fake: FakeBackend,
    storage: FaultyStorage,
}

impl Host {
    fn new() -> Self {
        Self { fake: FakeBackend::new(), storage: FaultyStorage::new(MemoryStorage::new()) }
    }

    async fn start(&self, configure: impl FnOnce(Builder) -> Builder) -> Mediaflow {
        let moment = Duration::from_millis(1);
        let retry = RetryPolicy { first: moment, longest: moment, ..RetryPolicy::default() };
        let builder = Mediaflow::builder()
            .storage_with("out", self.storage.clone())
            .with(self.fake.operations())
            .with(|registry| {
                registry.job::<Custom>().operation::<Stuck>();
            })
            .retry(retry);
        configure(builder).start().await.unwrap()
    }
}

fn copy() -> Pipeline {
    Pipeline::from(dot()).output("out/a.gif", |dot| dot.then(FakeWork::new("a"))).build().unwrap()
}

fn with(options: JobOptions) -> JobSpec {
    JobSpec::new(&copy()).unwrap().with_options(options)
}

#[tokio::test]
async fn a_spec_asks_for_less_and_never_for_more() {
    let limits = Limits {
        deadline: Duration::from_secs(60),
        priority: 7,
        inputs: 2,
        spec_bytes: 4000,
        inline_bytes: 100,
        ..Limits::default()
    };
    let media = Host::new().start(|builder| builder.limits(limits)).await;
    let inputs = |n: usize, bytes: usize| {
        let mut pipeline = copy();
        let input = |n| (format!("input-{n}"), Source::bytes(vec![b'x'; bytes]));
        pipeline.inputs.extend((0..n).map(input));
        JobSpec::new(&pipeline).unwrap()
    };
    let day = Duration::from_secs(86_400);
    for (spec, code, field) in [
        (with(JobOptions::new().deadline(300_000 * day)), "limit.deadline", "deadline"),
        (with(JobOptions::new().max_attempts(u32::MAX)), "limit.attempts", "max_attempts"),
        (with(JobOptions::new().priority(8)), "limit.priority", "priority"),
        (inputs(2, 1), "limit.inputs", "inputs"),
        (inputs(1, 100), "limit.inline_bytes", "inline_bytes"),
        (inputs(1, 4000), "limit.spec_bytes", "spec_bytes"),
    ] {
        let error = media.submit(spec).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), (code, ErrorKind::Limit), "{error}");
        assert_eq!(error.fact("limit"), Some(field), "{error}");
    }
    let asks = JobOptions::new().deadline(Duration::from_secs(60)).max_attempts(8).priority(7);
    media.submit(with(asks)).await.unwrap().done().await.unwrap();
    media.submit(with(JobOptions::new().priority(i16::MIN))).await.unwrap();
    media.submit(inputs(1, 50)).await.unwrap();
}

#[tokio::test]
async fn the_sources_of_a_job_are_counted_together() {
    let host = Host::new();
    let limits = Limits { job_input_bytes: 40, ..Limits::default() };
    let media = host.start(|builder| builder.limits(limits)).await;
    let sources = |n: u8| {
        // Comments of their own tell them apart.
        let gif = |n| [&b"GIF89a\x01\x00\x01\x00\x00\x00\x00"[..], &[n], b";"].concat();
        let inputs = (1..n).map(|n| Chain::source(Source::bytes(gif(n)))).collect::<Vec<_>>();
        Pipeline::from(Source::bytes(gif(0)))
            .output("out/a.gif", |dot| dot.then_with(FakeWork::new("a"), inputs))
            .build()
            .unwrap()
    };
    media.submit(sources(2)).await.unwrap().done().await.unwrap();
    let error = media.submit(sources(3)).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "limit.job_input_bytes", "{error}");
    assert_eq!(error.fact("limit"), Some("job_input_bytes"));
}

#[tokio::test]
async fn a_custom_job_is_checked_like_a_pipeline() {
    let media = Host::new().start(|builder| builder).await;
    let job = |requires: &[&str], places: &[&str]| Custom {
        requires: requires.iter().map(ToString::to_string).collect(),
        places: places.iter().map(ToString::to_string).collect(),
        plans: "out/a.gif".into(),
        hangs: false,
    };
    for (job, code) in [
        (job(&["storage:outt"], &[]), "storage.unknown"),
        (job(&["fake.wrok@1"], &[]), "spec.requires"),
        (job(&["fake.work@2"], &[]), "spec.requires"),
        (job(&["gpu:cuda"], &[]), "spec.requires"),
        (job(&[], &["outt/a.gif"]), "storage.unknown"),
        (job(&[], &["out/../a.gif"]), "storage.key"),
        (job(&[], &["out/.mediaflow/a.gif"]), "storage.key"),
        (Custom { plans: "nonsense".into(), ..job(&[], &[]) }, "test.nonsense"),
    ] {
        let error = media.submit(job.clone()).await.unwrap_err();
        assert_eq!(error.code(), code, "{job:?}: {error}");
    }
    let good = job(&["fake.work@1", "storage:out"], &["out/a.gif"]);
    media.submit(good).await.unwrap().done().await.unwrap();
    // What it plans is checked before anything is made.
    let host = Host::new();
    let media = host.start(|builder| builder).await;
    let wrong = Custom { plans: "outt/a.gif".into(), ..Custom::default() };
    let error = media.submit(wrong).await.unwrap().done().await.unwrap_err();
    assert_eq!(error.code(), "storage.unknown");
    assert_eq!(host.fake.runs(), [""; 0]);
}

#[tokio::test]
async fn a_plan_that_hangs_is_cancelled() {
    let media = Host::new().start(|builder| builder).await;
    let hangs = Custom { plans: "out/a.gif".into(), hangs: true, ..Custom::default() };
    let job = media.submit(hangs.clone()).await.unwrap();
    media_runs(&job).await;
    job.cancel().await.unwrap();
    assert_eq!(soon("end", job.ended()).await.unwrap().state, JobState::Cancelled);

    let options = JobOptions::new().deadline(Duration::from_millis(50));
    let spec = JobSpec::new(&hangs).unwrap().with_options(options);
    let error = soon("end", media.submit(spec).await.unwrap().done()).await.unwrap_err();
    assert_eq!(error.code(), "job.deadline");

    let job = media.submit(hangs).await.unwrap();
    media_runs(&job).await;
    soon("shutdown", media.shutdown(Duration::ZERO)).await.unwrap();
}

async fn media_runs(job: &mediaflow_core::JobHandle) {
    let running = async {
        while job.status().await.unwrap().state != JobState::Running {
            tokio::task::yield_now().await;
        }
    };
    soon("start", running).await;
}

#[tokio::test]
async fn a_publication_that_hangs_ends() {
    let host = Host::new();
    let limits = Limits { publish_time: Duration::from_millis(50), ..Limits::default() };
    let media = host.start(|builder| builder.limits(limits)).await;
    host.storage.hang_publishes(1);
    let report = soon("end", media.submit(copy()).await.unwrap().done()).await.unwrap();
    assert_eq!(report.attempts, 2);

    let host = Host::new();
    let media = host.start(|builder| builder).await;
    host.storage.hang_publishes(1);
    let job = media.submit(copy()).await.unwrap();
    let hangs = async {
        while host.storage.hangs_left() > 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("publication", hangs).await;
    job.cancel().await.unwrap();
    assert_eq!(soon("end", job.ended()).await.unwrap().state, JobState::Cancelled);
    soon("shutdown", media.shutdown(Duration::ZERO)).await.unwrap();
}

#[tokio::test]
async fn a_step_that_is_stuck_is_stopped_and_its_policy_asked() {
    let host = Host::new();
    let limits = Limits { stall_time: Duration::from_millis(100), ..Limits::default() };
    let media = host.start(|builder| builder.limits(limits)).await;
    host.fake.script("stuck", [Behaviour::Hang, Behaviour::Hang, Behaviour::Hang]);
    let stuck = || {
        Pipeline::from(dot())
            .output("out/a.gif", |dot| dot.then(FakeWork::new("good")))
            .output("out/b.gif", |dot| dot.then(FakeWork::new("base")).then(Stuck {}).or_skip())
    };
    let job = media.submit(stuck().build().unwrap()).await.unwrap();
    let status = soon("end", job.ended()).await.unwrap();
    assert_eq!(status.state, JobState::Partial);
    let failed = status.outputs.iter().find_map(|output| output.failure.as_ref()).unwrap();
    assert_eq!(failed.code, "step.stalled");

    let alone = Pipeline::from(dot()).output("out/c.gif", |dot| dot.then(FakeWork::new("stuck")));
    let job = media.submit(alone.build().unwrap()).await.unwrap();
    let error = soon("end", job.done()).await.unwrap_err();
    assert_eq!(error.code(), "step.stalled");
    assert_eq!(job.status().await.unwrap().attempts, 2, "nobody knows whether it passes");
}

#[tokio::test]
async fn a_target_takes_the_place_of_the_notifiers_own_address() {
    let (host, told) = (Host::new(), RecordingNotifier::new("hook"));
    let media = host.start(|builder| builder.notify(told.clone())).await;
    for (options, expected) in [
        (JobOptions::new(), vec![None]),
        (JobOptions::new().notify("hook", "x"), vec![Some("x")]),
        (JobOptions::new().notify("hook", "x").notify("hook", "y"), vec![Some("x"), Some("y")]),
        (JobOptions::new().notify("hook", "x").notify_own("hook"), vec![None, Some("x")]),
    ] {
        let before = told.attempts().len();
        let job = media.submit(with(options)).await.unwrap();
        job.done().await.unwrap();
        // Created, started, a step, an output, the end: for each of them.
        let told = told.attempted(before + 5 * expected.len()).await;
        let ends = told[before..].iter().filter(|(message, _)| {
            message.event().kind == EventKind::JobCompleted && message.event().job == Some(job.id())
        });
        let mut to: Vec<_> = ends
            .map(|(message, _)| message.address.as_ref().map(|to| to.reveal().to_owned()))
            .collect();
        to.sort();
        assert_eq!(to.iter().map(Option::as_deref).collect::<Vec<_>>(), expected);
    }
}

#[cfg(feature = "http")]
#[tokio::test]
async fn a_host_can_allow_redirects() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = Vec::new();
            while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
                if stream.read_buf(&mut asked).await.unwrap_or(0) == 0 {
                    break;
                }
            }
            let answer = if asked.starts_with(b"GET /there") {
                "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 6\r\n\r\nGIF89a"
            } else {
                "HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: /there\r\ncontent-length: 0\r\n\r\n"
            };
            // The client may have hung up.
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    let url = format!("http://{address}/here");
    let start = async |redirects: Option<u8>| {
        Host::new()
            .start(|builder| {
                let builder = builder.allow_private_host(address.to_string());
                match redirects {
                    Some(hops) => builder.allow_redirects(hops),
                    None => builder,
                }
            })
            .await
    };
    let error = start(None).await.probe(&*url).await.unwrap_err();
    assert_eq!(error.code(), "http.redirect");
    assert!(error.to_string().contains("allow_redirects()"), "{error}");
    assert_eq!(start(Some(1)).await.probe(&*url).await.unwrap().bytes, 6);
}
