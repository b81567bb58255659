//! The step of every job here. It gives its input back, and can tell when it begins.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mediaflow::Takes;
use mediaflow::prelude::*;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use super::Result;

/// Each has its own number, so that no result of another is reused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {
    number: u64,
    /// Keeps a core busy for so long, as a small picture does.
    busy: u64,
    /// Goes on until it is cancelled.
    hold: bool,
}

impl Operation for Nothing {
    const KIND: &'static str = "bench.nothing";
}

#[async_trait]
impl Run for Nothing {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> mediaflow::Result<Outputs> {
        if let Some(waiting) = waiting().remove(&self.number) {
            // Who has stopped waiting does not mind.
            let _ = waiting.send(Instant::now());
        }
        if self.busy > 0 {
            let until = Instant::now() + Duration::from_millis(self.busy);
            cx.cpu(move |cx| {
                while Instant::now() < until {
                    cx.check()?;
                }
                Ok(())
            })
            .await?;
        }
        if self.hold {
            // An encoder asks between two frames.
            let frame = Duration::from_millis(40);
            cx.cpu(move |cx| {
                loop {
                    cx.check()?;
                    std::thread::sleep(frame);
                }
            })
            .await?;
        }
        Ok(Outputs::one(inputs.into_first()?))
    }
}

pub(crate) fn operations(registry: &mut mediaflow::Registry) {
    registry.operation::<Nothing>();
}

/// A number that no other job of this process has.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A job of one output, whose one step does nothing.
pub(crate) fn job(number: u64) -> Result<Pipeline> {
    made(Nothing { number, busy: 0, hold: false })
}

/// A job whose step keeps a core busy for so many milliseconds.
pub(crate) fn busy(number: u64, busy: u64) -> Result<Pipeline> {
    made(Nothing { number, busy, hold: false })
}

/// A job that runs until it is cancelled.
pub(crate) fn endless(number: u64) -> Result<Pipeline> {
    made(Nothing { number, busy: 0, hold: true })
}

/// A job as the others, whose output is at the same place as that of all of its kind: what they leave does not add up.
pub(crate) fn same_place(number: u64) -> Result<Pipeline> {
    at("out/same.gif".to_owned(), Nothing { number, busy: 0, hold: false })
}

fn made(step: Nothing) -> Result<Pipeline> {
    at(format!("out/{}.gif", step.number), step)
}

fn at(place: String, step: Nothing) -> Result<Pipeline> {
    let gif = &b"GIF89a\x01\x00\x01\x00\x00\x00\x00;"[..];
    let pipeline = Pipeline::from(Source::bytes(gif));
    Ok(pipeline.output(place, |picture| picture.then(step)).build()?)
}

/// When the step of this number begins for the first time from now on, in this process.
pub(crate) fn begun(number: u64) -> oneshot::Receiver<Instant> {
    let (tell, told) = oneshot::channel();
    waiting().insert(number, tell);
    told
}

fn waiting() -> std::sync::MutexGuard<'static, HashMap<u64, oneshot::Sender<Instant>>> {
    static WAITING: LazyLock<Mutex<HashMap<u64, oneshot::Sender<Instant>>>> =
        LazyLock::new(Mutex::default);
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}
