//! What is left to do of a job: at the start of an attempt, and when it has to wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use sha2::Digest as _;

use super::attempted::Suspended;
use super::checkpoint::{Checkpoint, GroupWait, StagedStep};
use super::digest::hex;
use super::execution::{Execution, stopping};
use super::finished::Finished;
use super::parts::PartResult;
use super::recall::Keys;
use crate::media::{Media, MediaFile, MediaInfo};
use crate::planner::needed_sources;
use crate::report::SourceReport;
use crate::spec::{Location, OutputSpec, Pipeline, PutOptions, SOURCE};
use crate::storage::{GetOptions, Ticket};
use crate::{Error, Result};

/// The share of an output's progress that is work elsewhere; the rest is what follows here.
const ELSEWHERE: f32 = 0.9;

/// What a source or step has given, as far as it is there.
#[derive(Clone)]
pub(super) enum Slot {
    Ready(Media),
    /// It waits in a storage.
    Staged(StagedStep),
    /// It comes later.
    Pending,
    Failed(Arc<Error>),
}

/// What is left of a job.
pub(super) struct Rest {
    /// The steps, and the outputs that are not made.
    pub(super) pipeline: Pipeline,
    /// What is known of sources, and of steps that need not run.
    pub(super) infos: BTreeMap<String, MediaInfo>,
    pub(super) keys: Keys,
    /// What sources and those steps have given.
    pub(super) slots: HashMap<String, Slot>,
    pub(super) waits: Vec<GroupWait>,
    /// What the spec lets expect of steps whose results have come from elsewhere.
    pub(super) expected: HashMap<String, MediaInfo>,
    /// Outputs that hang on what waits.
    pub(super) pending: BTreeMap<String, OutputSpec>,
    /// Steps whose results are taken by others that wait for something else.
    pub(super) kept: BTreeSet<String>,
    /// The highest number of an update that was looked at.
    pub(super) seen: u64,
    /// No earlier attempt has done any of it.
    pub(super) fresh: bool,
    sources: BTreeMap<String, MediaInfo>,
    made: BTreeMap<String, OutputSpec>,
}

impl Execution<'_> {
    /// What is left at the start: all, or what an earlier attempt has left. What it had made is noted as done.
    pub(super) async fn rest(&self, pipeline: Pipeline, done: &mut Finished) -> Result<Rest> {
        let mut rest = Rest {
            pipeline,
            infos: BTreeMap::new(),
            keys: Keys::new(),
            slots: HashMap::new(),
            waits: Vec::new(),
            expected: HashMap::new(),
            pending: BTreeMap::new(),
            kept: BTreeSet::new(),
            seen: 0,
            fresh: true,
            sources: BTreeMap::new(),
            made: BTreeMap::new(),
        };
        let Some(checkpoint) = self.attempt.checkpoint.clone() else { return Ok(rest) };
        rest.fresh = false;
        rest.pipeline = checkpoint.pipeline;
        rest.infos.clone_from(&checkpoint.sources);
        rest.sources = checkpoint.sources;
        rest.keys = checkpoint.content_keys;
        self.take_up_made(checkpoint.made, &mut rest, done).await?;
        for step in checkpoint.steps {
            if self.is_staged(&step).await? {
                rest.infos.insert(step.name.clone(), step.info.clone());
                rest.slots.insert(step.name.clone(), Slot::Staged(step));
            }
        }
        Ok(rest)
    }

    /// Probes the sources that are needed and not known yet. Those that a step needs are fetched by that.
    pub(super) async fn probe(&self, rest: &mut Rest, done: &mut Finished) -> Result<()> {
        for name in needed_sources(&rest.pipeline, &rest.infos) {
            if rest.infos.contains_key(&name) {
                continue;
            }
            let (file, info) = self.sources.get(rest.pipeline.source_named(&name)?).await?;
            if name == SOURCE {
                done.source =
                    Some(SourceReport { name: file.name().to_owned(), info: info.clone() });
            }
            rest.infos.insert(name.clone(), info.clone());
            rest.sources.insert(name.clone(), info);
            rest.slots.insert(name, Slot::Ready(file.into()));
        }
        Ok(())
    }

    /// Which share of the job's progress this attempt makes: from what is made already, to what it need not wait for. What
    /// goes on elsewhere counts as far as it says.
    pub(super) fn share(&self, rest: &Rest) -> Result<(f32, f32)> {
        let hanging = self.hanging(rest)?;
        let left = &rest.pipeline.outputs;
        let all = (rest.made.len() + left.len()).max(1) as f32;
        let waits =
            left.values().filter(|output| hanging.contains(output.from.as_str())).count() as f32;
        let elsewhere = rest.waits.iter().map(|group| group.wait.progress).sum::<f32>()
            / rest.waits.len().max(1) as f32;
        let made = rest.made.len() as f32 / all;
        self.cx.progress(made + ELSEWHERE * elsewhere * waits / all);
        Ok((made, 1.0 - waits / all))
    }

    /// The steps that hang on something that comes later, or may.
    fn hanging<'r>(&self, rest: &'r Rest) -> Result<BTreeSet<&'r str>> {
        let mut hanging = BTreeSet::new();
        for name in rest.pipeline.ordered()? {
            let step = &rest.pipeline.steps[name];
            let hangs = match rest.slots.get(name) {
                Some(slot) => matches!(slot, Slot::Pending),
                None => {
                    self.resources.registry.may_wait(&step.op)
                        || step.from.iter().any(|from| hanging.contains(from.as_str()))
                }
            };
            if hangs {
                hanging.insert(name);
            }
        }
        Ok(hanging)
    }

    /// What a source or step has given. A source that an earlier attempt has looked at is fetched now.
    pub(super) async fn slot(&self, name: &str, rest: &mut Rest) -> Result<Slot> {
        let media: Media = match rest.slots.get(name) {
            Some(Slot::Staged(step)) => {
                let location: Location = step.place.parse()?;
                let storage = self.resources.storages.of(&location)?;
                let staged = storage.staged(&location.key, &step.ticket).await?;
                let limit = GetOptions::new().limit(self.resources.limits.input_bytes);
                let blob = staged.get(&limit, self.cx.scratch()).await;
                staged.keep();
                MediaFile::new(name, step.format.clone(), blob?).into()
            }
            Some(slot) => return Ok(slot.clone()),
            None if rest.pipeline.steps.contains_key(name) => {
                return Err(Error::internal("plan.order", "a step ran before its input")
                    .with("input", name));
            }
            None => {
                let source = rest.pipeline.source_named(name)?;
                let (file, info) = self.sources.get(source).await?;
                if rest.infos.get(name).is_some_and(|known| *known != info) {
                    return Err(Error::input(
                        "source.changed",
                        "the source was replaced while its job waited",
                    )
                    .with("source", source)
                    .help("submit a new job for the new source"));
                }
                file.into()
            }
        };
        rest.slots.insert(name.to_owned(), Slot::Ready(media.clone()));
        Ok(Slot::Ready(media))
    }

    /// Leaves what was made for another attempt, staged.
    pub(super) async fn suspend(&self, mut rest: Rest, done: &mut Finished) -> Result<Suspended> {
        let mut steps = Vec::new();
        for name in &rest.kept {
            match rest.slots.get(name) {
                Some(Slot::Staged(step)) => steps.push(step.clone()),
                Some(Slot::Ready(Media::File(file))) => {
                    steps.extend(self.stage_step(name, file, &rest).await?);
                }
                // Pixels are made again: nothing here can write them down.
                _ => {}
            }
        }
        let made = done.set_aside();
        rest.pipeline.outputs = rest.made;
        rest.pipeline.outputs.append(&mut rest.pending);
        let pipeline = rest.pipeline;
        let checkpoint =
            Checkpoint { pipeline, sources: rest.sources, content_keys: rest.keys, made, steps };
        Ok(Suspended { checkpoint, waits: rest.waits, seen: rest.seen })
    }

    /// Takes up the outputs that an earlier attempt has made. One that is gone is made again.
    async fn take_up_made(
        &self,
        made: PartResult,
        rest: &mut Rest,
        done: &mut Finished,
    ) -> Result<()> {
        (done.source, done.decodes) = (made.source, made.decodes);
        (done.plan, done.warnings) = (made.plan, made.warnings);
        let mut lost = BTreeSet::new();
        for artefact in made.artefacts {
            let place = artefact.place.clone();
            let known = made.outputs.iter().find(|output| output.output == place);
            let bytes = known.map_or(self.resources.limits.input_bytes, |known| known.bytes);
            match stopping(self.cx, self.resources.take_up(artefact, bytes, self.cx)).await {
                Ok(staged) => done.staged.extend(staged),
                Err(error) if error.code() == "part.lost" => {
                    tracing::warn!(place, %error, "an output that was made is gone: it is made again");
                    lost.insert(place);
                }
                Err(error) => return Err(error),
            }
        }
        for output in made.outputs.into_iter().filter(|output| !lost.contains(&output.output)) {
            rest.made(&output.output);
            done.outputs.push(output);
        }
        Ok(())
    }

    async fn stage_step(
        &self,
        name: &str,
        file: &MediaFile,
        rest: &Rest,
    ) -> Result<Option<StagedStep>> {
        // Beside an output that waits: who may write that may write this.
        let Some(place) = rest.pending.keys().next() else { return Ok(None) };
        let location: Location = place.parse()?;
        let digest = hex(&sha2::Sha256::digest(name)[..16]);
        let ticket = Ticket::new(&self.job, self.attempt.fence, format!("step-{digest}"))?;
        let storage = self.resources.storages.of(&location)?;
        storage.stage(&location.key, file.blob(), &PutOptions::default(), &ticket).await?.keep();
        let info = match rest.infos.get(name) {
            Some(known) => known.clone(),
            None => self.resources.probe(file).await?,
        };
        let (name, place, format) = (name.to_owned(), place.clone(), file.format().clone());
        Ok(Some(StagedStep { name, place, ticket, format, info }))
    }

    async fn is_staged(&self, step: &StagedStep) -> Result<bool> {
        let location: Location = step.place.parse()?;
        match self.resources.storages.of(&location)?.staged(&location.key, &step.ticket).await {
            Ok(staged) => {
                staged.keep();
                Ok(true)
            }
            Err(error) if error.code() == "storage.not_found" => Ok(false),
            Err(error) => Err(error.with("step", &step.name)),
        }
    }
}

impl Rest {
    /// Notes an output as made, so that a later attempt knows how, should it be lost.
    pub(super) fn made(&mut self, place: &str) {
        if let Some((place, output)) = self.pipeline.outputs.remove_entry(place) {
            self.made.insert(place, output);
        }
    }
}
