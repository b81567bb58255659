use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mediaflow::Result;
use mediaflow::media::{Media, MediaFile, MediaInfo};
use mediaflow::plan::{Demand, Estimate, Explanation};
use mediaflow::prelude::*;
use mediaflow::spi::backend::{Backend, Capability, Claim, Group, Plan};
use mediaflow::spi::reader::{FormatSpec, Reader};
use mediaflow::spi::wait::Ran;
use mediaflow::spi::{AnyOperation, RunContext};
use tokio::process::{Child, Command};

use super::frames::Origin;
use super::wire::{self, Done, Found, Steps, Task, What};

/// Where tasks are done. Clones share.
#[derive(Clone, Debug)]
pub struct Sandbox {
    pub(super) program: PathBuf,
    pub(super) children: Arc<AtomicUsize>,
}

impl Sandbox {
    /// Each task is done by a process of this program, which calls [`serve`](super::serve).
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), children: Arc::default() }
    }

    /// How many children there are now.
    pub fn children(&self) -> usize {
        self.children.load(Ordering::SeqCst)
    }

    /// Runs a backend's plans.
    pub fn backend<B: Backend>(&self, backend: B) -> SandboxedBackend<B> {
        SandboxedBackend { backend, sandbox: self.clone() }
    }

    /// Lets a reader look at files.
    pub fn reader<R: Reader>(&self, reader: R) -> SandboxedReader<R> {
        SandboxedReader { reader, sandbox: self.clone() }
    }

    /// Does a task in a child of its own, which is dead when this ends, however it does.
    async fn run(
        &self,
        what: What,
        media: Vec<(String, Media)>,
        origin: Option<&Origin>,
        cx: &RunContext,
    ) -> Result<Outputs> {
        cx.check()?;
        let limits = cx.limits().clone();
        let (media, bodies): (Vec<_>, Vec<_>) = cx
            .blocking(move || {
                let packed =
                    media.into_iter().map(|(name, media)| wire::packed(&name, media, &limits));
                Ok(packed.collect::<Result<Vec<_>>>()?.into_iter().unzip())
            })
            .await?;
        let task = Task { limits: cx.limits().clone(), what, media };
        let mut child = Command::new(&self.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| {
                Error::transient("sandbox.start", "no process can be started").because(e)
            })?;
        let _counted = Counted::one_more(&self.children);
        let done = tokio::select! {
            done = talk(&mut child, &task, &bodies, origin, cx) => done,
            error = cx.stopped() => Err(error),
        };
        // Nothing of it goes on, whatever it has said.
        child.kill().await.ok();
        done
    }

    /// One result, whatever its name.
    async fn ask(&self, what: What, file: &MediaFile, cx: &RunContext) -> Result<Media> {
        let media = vec![(String::new(), file.clone().into())];
        let origin = Origin::new(self.clone(), file.clone(), cx.limits().clone());
        self.run(what, media, Some(&origin), cx).await?.take("")
    }

    async fn look(&self, what: What, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        let facts = self.ask(what, file, cx).await?.into_facts()?;
        serde_json::from_value(facts.into_value()).map_err(|e| wire::died().because(e))
    }
}

/// A child more for as long as it lives.
pub(super) struct Counted(Arc<AtomicUsize>);

impl Counted {
    pub(super) fn one_more(children: &Arc<AtomicUsize>) -> Self {
        children.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(children))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Tells a child what to do, and hears what came of it.
async fn talk(
    child: &mut Child,
    task: &Task,
    bodies: &[Vec<u8>],
    origin: Option<&Origin>,
    cx: &RunContext,
) -> Result<Outputs> {
    let (Some(mut to), Some(mut from)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(wire::died());
    };
    wire::write(task, bodies, &mut to).await?;
    let done: Done = wire::read(&mut from).await?;
    (0..done.decodes).for_each(|_| cx.count_decode());
    done.warnings.into_iter().for_each(|warning| cx.warn(warning));
    let mut outputs = Outputs::new();
    for (name, found) in done.results {
        let result = match found {
            Ok(Found::Media(header)) => header.read(&mut from, origin).await,
            Ok(Found::Info(info)) => mediaflow::media::Facts::new(info).map(Media::from),
            // The task as a whole.
            Err(failure) if name.is_empty() => return Err(failure.into()),
            Err(failure) => Err(failure.into()),
        };
        outputs = outputs.and(name, result);
    }
    Ok(outputs)
}

/// A backend whose plans run in a child.
#[derive(Clone, Debug)]
pub struct SandboxedBackend<B> {
    backend: B,
    sandbox: Sandbox,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: Backend> Backend for SandboxedBackend<B> {
    fn name(&self) -> &str {
        self.backend.name()
    }

    fn capability(&self) -> Capability {
        self.backend.capability()
    }

    fn claim(&self, step: &AnyOperation, inputs: &[MediaInfo]) -> Claim {
        self.backend.claim(step, inputs)
    }

    fn plan(&self, group: &Group) -> Result<Box<dyn Plan>> {
        let (plan, steps) = (self.backend.plan(group)?, Steps::of(self.backend.name(), group)?);
        Ok(Box::new(SandboxedPlan { plan, steps, sandbox: self.sandbox.clone() }))
    }

    async fn resume(
        &self,
        wait: &mediaflow::spi::wait::Wait,
        update: Option<&mediaflow::spi::wait::Update>,
        cx: &RunContext,
    ) -> Result<Ran> {
        self.backend.resume(wait, update, cx).await
    }

    async fn abandon(&self, wait: &mediaflow::spi::wait::Wait) -> Result<()> {
        self.backend.abandon(wait).await
    }
}

#[derive(Debug)]
struct SandboxedPlan {
    /// Tells what will be done, and does none of it.
    plan: Box<dyn Plan>,
    steps: Steps,
    sandbox: Sandbox,
}

#[async_trait]
impl Plan for SandboxedPlan {
    fn explain(&self) -> Explanation {
        self.plan.explain()
    }

    fn estimate(&self) -> Estimate {
        self.plan.estimate()
    }

    async fn run(self: Box<Self>, inputs: Inputs, cx: &RunContext) -> Result<Ran> {
        let names = self.steps.inputs().map(str::to_owned);
        let media = names.filter_map(|name| {
            let media = inputs.named(&name)?.clone();
            Some((name, media))
        });
        let media = media.collect();
        let outputs = self.sandbox.run(What::Group(Box::new(self.steps)), media, None, cx).await?;
        Ok(outputs.into())
    }
}

/// A reader that looks at files in a child.
#[derive(Clone, Debug)]
pub struct SandboxedReader<R> {
    reader: R,
    sandbox: Sandbox,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<R: Reader> Reader for SandboxedReader<R> {
    fn name(&self) -> &str {
        self.reader.name()
    }

    fn formats(&self) -> Vec<FormatSpec> {
        self.reader.formats()
    }

    async fn probe(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        self.sandbox.look(What::Probe, file, cx).await
    }

    async fn decode(&self, file: &MediaFile, wanted: Demand, cx: &RunContext) -> Result<Media> {
        self.sandbox.ask(What::Decode(wanted.into()), file, cx).await
    }

    async fn verify(
        &self,
        file: &MediaFile,
        expected: &MediaInfo,
        cx: &RunContext,
    ) -> Result<MediaInfo> {
        self.sandbox.look(What::Verify(expected.clone().into()), file, cx).await
    }
}
