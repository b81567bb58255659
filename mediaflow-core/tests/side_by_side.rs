//! Steps of a job that do not need one another run at the same time.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

use std::sync::LazyLock;

use futures_util::StreamExt as _;
use mediaflow_core::spec::Pipeline;
use mediaflow_core::testing::{FakeEncode, FakeVendor, dot, soon};
use mediaflow_core::{
    Inputs, Mediaflow, OpContext, Operation, Outputs, Result, Run, Takes, async_trait,
};
use serde::{Deserialize, Serialize};
use tokio::sync::{Barrier, Semaphore};

/// Goes on when the other one has come as well.
#[derive(Debug, Serialize, Deserialize)]
struct Meet {
    name: String,
}

static BOTH: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));

impl Operation for Meet {
    const KIND: &'static str = "test.meet";
}

#[async_trait]
impl Run for Meet {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        let file = inputs.into_first()?;
        cx.progress(0.5);
        BOTH.wait().await;
        Ok(Outputs::one(file))
    }
}

#[tokio::test]
async fn steps_that_do_not_need_one_another_run_at_the_same_time() {
    let builder = Mediaflow::builder().storage("out", "memory:");
    let builder = builder.with(|registry| {
        registry.operation::<Meet>();
    });
    let media = builder.start().await.unwrap();
    let meet = |name: &str| Meet { name: name.to_owned() };
    let pipeline = Pipeline::from(dot())
        .output("out/one.gif", |dot| dot.then(meet("one")))
        .output("out/other.gif", |dot| dot.then(meet("other")))
        // Both meet again, once each has what it needs.
        .output("out/third.gif", |dot| dot.then(meet("one")).then(meet("third")))
        .output("out/fourth.gif", |dot| dot.then(meet("other")).then(meet("fourth")));
    let job = media.submit(pipeline.build().unwrap()).await.unwrap();
    let progress = job.progress().collect::<Vec<_>>();
    let report = soon("end", job.done()).await.unwrap();
    assert_eq!(report.outputs.len(), 4);
    let told = soon("progress", progress).await;
    assert!(told.is_sorted(), "{told:?}");
    assert_eq!(told.last(), Some(&1.0));
}

/// Works until it is stopped.
#[derive(Debug, Serialize, Deserialize)]
struct Endless {}

/// How many of these have begun and have ended.
static BEGUN: Semaphore = Semaphore::const_new(0);
static ENDED: Semaphore = Semaphore::const_new(0);

impl Operation for Endless {
    const KIND: &'static str = "test.endless";
}

#[async_trait]
impl Run for Endless {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, _inputs: Inputs, cx: &OpContext) -> Result<Outputs> {
        BEGUN.add_permits(1);
        let stopped = cx.stopped().await;
        ENDED.add_permits(1);
        Err(stopped)
    }
}

#[tokio::test]
async fn what_is_handed_over_while_another_step_ends_the_attempt_can_be_stopped() {
    let vendor = FakeVendor::new();
    let builder = Mediaflow::builder().storage("out", "memory:").with(vendor.operations());
    let builder = builder.with(|registry| {
        registry.operation::<Endless>();
    });
    let media = builder.start().await.unwrap();
    vendor.hold();
    let pipeline = Pipeline::from(dot())
        .output("out/there.gif", |dot| dot.then(FakeEncode::new("there")))
        .output("out/here.gif", |dot| dot.then(Endless {}));
    let job = media.submit(pipeline.build().unwrap()).await.unwrap();
    let there = soon("hand-over", vendor.begun("there")).await;
    soon("step", BEGUN.acquire()).await.unwrap().forget();
    job.cancel().await.unwrap();
    soon("end of the step", ENDED.acquire()).await.unwrap().forget();
    vendor.answer();
    vendor.stopped(&there).await;
    soon("end", job.ended()).await.unwrap();
}
