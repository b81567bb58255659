use std::time::Duration;

use super::super::{
    Behaviour, FakeBackend, FakeVendor, FakeWork, FaultyStorage, RecordingNotifier, dot, soon,
};
use crate::engine::Engine;
use crate::event::EventKind;
use crate::executor::{DeliveryPolicy, RetryPolicy};
use crate::notify::{DeliveryContext, Message};
use crate::spec::{JobSpec, Pipeline, PipelineBuilder};
use crate::storage::{MemoryStorage, Storage};
use crate::{Builder, Error, Failure, JobId, Limits, Mediaflow};

/// An engine with everything around it that a test looks at.
pub(super) struct Host {
    pub(super) media: Mediaflow,
    pub(super) fake: FakeBackend,
    pub(super) vendor: FakeVendor,
    pub(super) storage: MemoryStorage,
    pub(super) faults: FaultyStorage,
    pub(super) first: RecordingNotifier,
    pub(super) second: RecordingNotifier,
}

impl Host {
    pub(super) async fn new(engine: impl Engine) -> Self {
        Self::with(engine, |builder| builder.places("image", 1)).await
    }

    pub(super) async fn with(
        engine: impl Engine,
        configure: impl FnOnce(Builder) -> Builder,
    ) -> Self {
        let (fake, vendor, storage) = (FakeBackend::new(), FakeVendor::new(), MemoryStorage::new());
        let faults = FaultyStorage::new(storage.clone());
        let (first, second) = (RecordingNotifier::new("first"), RecordingNotifier::new("second"));
        let soon = Duration::from_millis(5);
        let media = configure(Mediaflow::builder())
            .engine(engine)
            .with(fake.operations())
            .with(vendor.operations())
            .storage_with("out", faults.clone())
            .notify(first.clone())
            .notify(second.clone())
            .retry(RetryPolicy {
                max_attempts: 3,
                first: soon,
                longest: soon,
                ..RetryPolicy::default()
            })
            .limits(Limits { priority: i16::MAX, ..Limits::default() })
            .delivery(DeliveryPolicy::every(soon, 3))
            .start()
            .await
            .expect("start");
        Self { media, fake, vendor, storage, faults, first, second }
    }

    pub(super) async fn kept(&self) -> usize {
        self.storage.list("").await.expect("list").len()
    }

    pub(super) async fn done(self) {
        self.fake.release();
        soon("shutdown", self.media.shutdown(Duration::from_secs(10))).await.expect("shutdown");
    }
}

/// A pipeline with one fake step and one output.
pub(super) fn work(name: &str) -> PipelineBuilder {
    Pipeline::from(dot()).output(format!("out/{name}.gif"), |dot| dot.then(FakeWork::new(name)))
}

pub(super) fn spec(name: &str) -> JobSpec {
    work(name).build().and_then(crate::spec::IntoSpec::into_spec).expect("a valid spec")
}

pub(super) fn transient() -> Behaviour {
    Behaviour::Fail(Failure::from(&Error::transient("fake.transient", "it may pass")))
}

pub(super) fn of_job(told: &[(Message, DeliveryContext)], job: JobId) -> Vec<EventKind> {
    told.iter()
        .map(|(message, _)| message.event())
        .filter(|event| event.job == Some(job))
        .map(|event| event.kind)
        .collect()
}
