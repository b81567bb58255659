use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::backend::{Backend, Capability, Group, Plan};
use crate::event::Event;
use crate::media::{Blob, Format, MediaFile, MediaInfo, Medium};
use crate::notify::{DeliveryContext, Message, Notifier, NotifyError, Receipt};
use crate::operation::{Arity, Inputs, Operation, Outputs};
use crate::plan::{Estimate, Explanation, Stage};
use crate::reader::{FormatSpec, Reader};
use crate::spec::Source;
use crate::wait::Ran;
use crate::{Error, Failure, Registry, Result, RunContext};

/// The bytes of a picture of one pixel, as a source: enough for everything that does not look at pixels.
#[must_use]
pub fn dot() -> Source {
    Source::bytes(&DOT[..])
}

pub(super) const DOT: [u8; 14] = *b"GIF89a\x01\x00\x01\x00\x00\x00\x00;";

/// The step that a [`FakeBackend`] claims. It does what the backend was told for its `name`, and then gives its input
/// back.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct FakeWork {
    /// What the backend knows it by.
    pub name: String,
}

impl FakeWork {
    /// A step that the backend knows by this name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

impl Operation for FakeWork {
    const KIND: &'static str = "fake.work";

    fn arity(&self) -> Arity {
        Arity::AtLeast(1)
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(MediaInfo::still(Format::GIF, 1, 1))
    }
}

/// What a [`FakeWork`] step does in one run.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Behaviour {
    /// Succeeds.
    Succeed,
    /// Fails with this.
    Fail(Failure),
    /// Tells these progresses, and succeeds.
    Progress(Vec<f32>),
    /// Waits until it is cancelled or [`FakeBackend::release`] is called.
    Block,
    /// Neither ends nor looks whether it is cancelled.
    Hang,
    /// Panics.
    Panic,
}

/// A backend that does what a test says, step by step and run by run. Clones share.
#[derive(Clone)]
pub struct FakeBackend(Arc<Script>);

struct Script {
    behaviours: Mutex<HashMap<String, Vec<Behaviour>>>,
    runs: watch::Sender<Vec<String>>,
    released: watch::Sender<bool>,
}

impl FakeBackend {
    /// Everything succeeds.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Script {
            behaviours: Mutex::default(),
            runs: watch::Sender::new(Vec::new()),
            released: watch::Sender::new(false),
        }))
    }

    /// The next runs of the step of this name do these things; later ones succeed.
    pub fn script(&self, name: impl Into<String>, behaviours: impl IntoIterator<Item = Behaviour>) {
        let mut script = self.0.behaviours.lock().unwrap_or_else(PoisonError::into_inner);
        script.insert(name.into(), behaviours.into_iter().collect());
    }

    /// Lets all that block go on, now and later.
    pub fn release(&self) {
        self.0.released.send_replace(true);
    }

    /// The names of the steps that ran, in order.
    #[must_use]
    pub fn runs(&self) -> Vec<String> {
        self.0.runs.borrow().clone()
    }

    /// Waits until the step of this name has begun this many times.
    pub async fn begun(&self, name: &str, times: usize) {
        let reached = |runs: &Vec<String>| runs.iter().filter(|run| *run == name).count() >= times;
        // The sender lives in `self`, so waiting ends only when that is reached.
        let _ = super::soon("run of a step", self.0.runs.subscribe().wait_for(reached)).await;
    }

    /// Registers the backend and its step: `.with(fake.operations())`.
    pub fn operations(&self) -> impl FnOnce(&mut Registry) + use<> {
        let backend = self.clone();
        move |registry| {
            registry.word::<FakeWork>().reader(FakeReader {}).backend(backend);
        }
    }

    fn next(&self, name: &str) -> Behaviour {
        let mut script = self.0.behaviours.lock().unwrap_or_else(PoisonError::into_inner);
        match script.get_mut(name) {
            Some(left) if !left.is_empty() => left.remove(0),
            _ => Behaviour::Succeed,
        }
    }

    async fn perform(&self, name: &str, cx: &RunContext) -> Result<()> {
        self.0.runs.send_modify(|runs| runs.push(name.to_owned()));
        match self.next(name) {
            Behaviour::Succeed => Ok(()),
            Behaviour::Fail(failure) => Err(failure.into()),
            Behaviour::Progress(steps) => {
                steps.into_iter().for_each(|done| cx.progress(done));
                Ok(())
            }
            Behaviour::Block => {
                let mut released = self.0.released.subscribe();
                tokio::select! {
                    _ = released.wait_for(|released| *released) => Ok(()),
                    error = cx.stopped() => Err(error),
                }
            }
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Panic => panic!("the step panics on demand"),
        }
    }
}

impl Default for FakeBackend {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeBackend")
    }
}

#[async_trait]
impl Backend for FakeBackend {
    fn name(&self) -> &str {
        "fake"
    }

    fn capability(&self) -> Capability {
        Capability::new([FakeWork::KIND], [Medium::Still, Medium::File]).opening([Format::GIF])
    }

    fn plan(&self, group: &Group) -> Result<Box<dyn Plan>> {
        Ok(Box::new(FakePlan { backend: self.clone(), group: group.clone() }))
    }
}

/// Takes every GIF for a picture of one pixel.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct FakeReader {}

#[async_trait]
impl Reader for FakeReader {
    fn name(&self) -> &str {
        "fake"
    }

    fn formats(&self) -> Vec<FormatSpec> {
        vec![FormatSpec::new(Format::GIF)]
    }

    async fn probe(&self, file: &MediaFile, _cx: &RunContext) -> Result<MediaInfo> {
        Ok(MediaInfo::still(file.format().clone(), 1, 1).with_bytes(file.blob().len()))
    }

    async fn verify(
        &self,
        file: &MediaFile,
        _expected: &MediaInfo,
        cx: &RunContext,
    ) -> Result<MediaInfo> {
        self.probe(file, cx).await
    }
}

#[derive(Debug)]
struct FakePlan {
    backend: FakeBackend,
    group: Group,
}

#[async_trait]
impl Plan for FakePlan {
    fn explain(&self) -> Explanation {
        let names = self.group.steps.iter().map(|step| step.name.clone());
        Explanation::new("fake", self.estimate())
            .with_stage(Stage::new("work", "as scripted").with_steps(names))
    }

    fn estimate(&self) -> Estimate {
        Estimate::cpu(1)
    }

    async fn run(self: Box<Self>, _inputs: Inputs, cx: &RunContext) -> Result<Ran> {
        let mut outputs = Outputs::new();
        let mut failed: HashMap<&str, Failure> = HashMap::new();
        for step in &self.group.steps {
            let name = step.op.downcast_ref::<FakeWork>().map_or("", |work| work.name.as_str());
            let upstream = step.from.iter().find_map(|from| failed.get(from.as_str()).cloned());
            let result = match upstream {
                Some(failure) => Err(Error::from(failure)),
                None => {
                    self.backend.perform(name, cx).await.map_err(|e| e.with("step", &step.name))
                }
            };
            if let Err(error) = &result {
                failed.insert(&step.name, error.into());
            }
            if self.group.exits.contains(&step.name) {
                let file = MediaFile::new(&step.name, Format::GIF, Blob::bytes(&DOT[..]));
                outputs = outputs.and(&step.name, result.map(|()| file.into()));
            }
        }
        Ok(outputs.into())
    }
}

/// A notifier that remembers what it was told, and fails first if it is asked to. Clones share.
#[derive(Clone)]
pub struct RecordingNotifier {
    name: String,
    failures: Arc<Mutex<Vec<NotifyError>>>,
    told: Arc<watch::Sender<Vec<(Message, DeliveryContext)>>>,
}

impl RecordingNotifier {
    /// Takes every event but progress, and succeeds.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            failures: Arc::default(),
            told: Arc::new(watch::Sender::new(Vec::new())),
        }
    }

    /// Its next attempts fail with these.
    pub fn fail(&self, failures: impl IntoIterator<Item = NotifyError>) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).extend(failures);
    }

    /// Every attempt so far, failed ones too.
    #[must_use]
    pub fn attempts(&self) -> Vec<(Message, DeliveryContext)> {
        self.told.borrow().clone()
    }

    /// Waits until there have been this many attempts, and gives them.
    pub async fn attempted(&self, times: usize) -> Vec<(Message, DeliveryContext)> {
        let mut told = self.told.subscribe();
        let enough = super::soon("delivery", told.wait_for(|told| told.len() >= times)).await;
        enough.map(|told| told.clone()).unwrap_or_default()
    }
}

impl fmt::Debug for RecordingNotifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecordingNotifier").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl Notifier for RecordingNotifier {
    fn name(&self) -> &str {
        &self.name
    }

    fn wants(&self, event: &Event) -> bool {
        event.kind != crate::EventKind::JobProgress
    }

    async fn notify(
        &self,
        message: &Message,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let failure = {
            let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
            (!failures.is_empty()).then(|| failures.remove(0))
        };
        self.told.send_modify(|told| told.push((message.clone(), cx.clone())));
        failure.map_or(Ok(Receipt::new()), Err)
    }
}
