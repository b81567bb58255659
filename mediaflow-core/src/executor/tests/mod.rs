//! Attempts as engines make them: by several workers, one after the other and at the same time, over the same storages.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod asked;
mod bundles;
mod fencing;
mod files;
mod knows;
mod parts;
mod put;
mod recall;

use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Attempt, Capacity, DeliveryPolicy, Executor, Finished, Observer, RetryPolicy};
use crate::media::{Blob, MediaFile, Scratch};
use crate::spec::{JobSpec, Key, Pipeline};
use crate::storage::{FileStorage, MemoryStorage, Storage, StorageExt as _, Storages, Ticket};
use crate::testing::{FakeBackend, FakeWork, FaultyStorage};
use crate::time::SystemClock;
use crate::{
    CancellationToken, CpuPool, Failure, Inputs, Limits, OpContext, Operation, Outputs, Registry,
    Result, Run, Takes, async_trait,
};

/// A picture without pixels, which the fake backend takes for one.
const GIF: &[u8] = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;";

/// A host with the storages `in`, which has `in/a.gif`, and `out`.
struct Host {
    fake: FakeBackend,
    input: MemoryStorage,
}

impl Host {
    async fn new() -> Self {
        let input = MemoryStorage::new();
        input.put(&key("a.gif"), &Blob::from(GIF.to_vec())).await.unwrap();
        Self { fake: FakeBackend::new(), input }
    }

    /// One of its workers.
    fn executor(&self, out: impl Storage) -> Executor {
        let mut registry = Registry::new();
        self.fake.operations()(&mut registry);
        registry.operation::<Stamp>().operation::<bundles::Copies>().job::<parts::Many>();
        let mut storages = Storages::default();
        storages.add("in".into(), Arc::new(self.input.clone()));
        storages.add("out".into(), Arc::new(out));
        Executor(Arc::new(super::Resources {
            registry,
            storages,
            notifiers: Vec::new(),
            recipients: Arc::new(crate::notify::Configured),
            routes: Vec::new(),
            routed: Default::default(),
            people: crate::notify::PeopleCache::default(),
            dry_run: false,
            limits: Limits::default(),
            cpu: CpuPool::new(2),
            capacity: Capacity::new(Some(1 << 20), 1),
            scratch: Scratch::in_folder(std::env::temp_dir()),
            _scratch_folder: None,
            clock: Arc::new(SystemClock::default()),
            allowed_paths: Vec::new(),
            #[cfg(feature = "http")]
            http: crate::http::GuardedClient::builder().build().unwrap(),
            retry: RetryPolicy {
                first: std::time::Duration::from_millis(1),
                ..RetryPolicy::default()
            },
            delivery: DeliveryPolicy::default(),
            places: std::collections::BTreeMap::new(),
            tenants: crate::Tenants::new(),
        }))
    }
}

/// Writes a text behind the bytes of its input, so that results differ.
#[derive(Debug, Serialize, Deserialize)]
struct Stamp {
    text: String,
}

impl Operation for Stamp {
    const KIND: &'static str = "test.stamp";
}

#[async_trait]
impl Run for Stamp {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        let file = inputs.into_first()?.into_file()?;
        let bytes = [&file.blob().read(1 << 20)?, self.text.as_bytes()].concat();
        Ok(Outputs::one(MediaFile::new(file.name(), file.format().clone(), bytes.into())))
    }
}

/// Outputs `out/{folder}/{n}.gif`, each worked on by a step of the name `n` and stamped with it.
fn pipeline(folder: &str, names: impl IntoIterator<Item = String>) -> Pipeline {
    names
        .into_iter()
        .fold(Pipeline::from("in/a.gif"), |pipeline, name| {
            pipeline.output(format!("out/{folder}/{name}.gif"), |dot| {
                dot.then(FakeWork::new(&name)).then(Stamp { text: name })
            })
        })
        .build()
        .unwrap()
}

fn spec(folder: &str, outputs: u32) -> JobSpec {
    JobSpec::new(&pipeline(folder, (0..outputs).map(|n| format!("{n:02}")))).unwrap()
}

fn attempt(spec: &JobSpec, fence: u64) -> Attempt {
    Attempt::new(spec.clone(), CancellationToken::new(), Arc::new(Nobody)).fenced("job-1", fence)
}

/// What an attempt makes that need not wait for anything.
async fn made(executor: &Executor, attempt: &Attempt) -> Finished {
    executor.attempt(attempt).await.unwrap().finished().unwrap()
}

#[derive(Debug)]
struct Nobody;

impl Observer for Nobody {
    fn progress(&self, _done: f32) {}

    fn steps(&self, _steps: &[String], _failure: Option<&Failure>) {}
}

async fn published(storage: &impl Storage) -> Vec<String> {
    storage.list("").await.unwrap().iter().map(ToString::to_string).collect()
}

async fn content(storage: &impl Storage, name: &str) -> Vec<u8> {
    storage.read(&key(name), 1 << 20).await.unwrap().to_vec()
}

fn staged(root: &Path) -> usize {
    std::fs::read_dir(root.join(Ticket::FOLDER)).map_or(0, Iterator::count)
}

fn files(root: &Path) -> FileStorage {
    FileStorage::new(root).unwrap()
}

fn key(name: &str) -> Key {
    name.parse().unwrap()
}
