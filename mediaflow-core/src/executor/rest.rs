//! What is left to do of a job: at the start of an attempt, and when it has to wait.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::Digest as _;

use super::attempted::Suspended;
use super::checkpoint::{Checkpoint, GroupWait, StagedStep};
use super::execution::{Execution, stopping};
use super::finished::Finished;
use super::parts::PartResult;
use super::recall::Keys;
use super::room::Share;
use crate::codes;
use crate::media::{Media, MediaFile, MediaInfo};
use crate::planner::{Failed, needed_sources};
use crate::report::SourceReport;
use crate::spec::digest::hex;
use crate::spec::{
    FactSpec, Location, OnError, OnMissing, OutputSpec, Pipeline, Place, PutOptions, SOURCE, Source,
};
use crate::storage::{GetOptions, Ticket};
use crate::{Error, ErrorKind, Result, Retry};

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
    Failed(Failed),
}

/// What is left of a job.
pub(super) struct Rest {
    /// The steps, and the outputs that are not made.
    pub(super) pipeline: Pipeline,
    /// What is known of sources, and of steps that need not run.
    pub(super) infos: BTreeMap<String, MediaInfo>,
    /// Sources that can not be had.
    pub(super) failed: BTreeMap<String, Failed>,
    pub(super) keys: Keys,
    /// What sources and those steps have given.
    pub(super) slots: HashMap<String, Slot>,
    /// The memory of what steps have given and is not taken yet.
    pub(super) held: HashMap<String, Share>,
    pub(super) waits: Vec<GroupWait>,
    /// What the spec lets expect of steps whose results have come from elsewhere.
    pub(super) expected: HashMap<String, MediaInfo>,
    /// Outputs that hang on what waits.
    pub(super) pending: BTreeMap<String, OutputSpec>,
    /// Facts that do.
    pub(super) pending_facts: BTreeMap<String, FactSpec>,
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
            failed: BTreeMap::new(),
            keys: Keys::new(),
            slots: HashMap::new(),
            held: HashMap::new(),
            waits: Vec::new(),
            expected: HashMap::new(),
            pending: BTreeMap::new(),
            pending_facts: BTreeMap::new(),
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

    /// Probes the sources that are needed and not known yet, side by side. Those that a step needs are fetched by that. One that
    /// can not be had fails what hangs on it, if there are policies for that, or is left out of several; what may pass fails
    /// the attempt, which is repeated.
    pub(super) async fn probe(&self, rest: &mut Rest, done: &mut Finished) -> Result<()> {
        let mut needed = Vec::new();
        for name in needed_sources(&rest.pipeline, &rest.infos) {
            if !rest.infos.contains_key(&name) && !rest.failed.contains_key(&name) {
                let source = rest.pipeline.source_named(&name)?.clone();
                needed.push((name, source));
            }
        }
        for (name, found) in self.sources.get_all(needed).await {
            let accepted = found.and_then(|(file, info)| {
                let accepted = rest.pipeline.check_accepted(&name, &info);
                accepted.map_err(|e| e.with("source", file.name()))?;
                Ok((file, info))
            });
            let (file, info) = match accepted {
                Ok(found) => found,
                Err(error) => {
                    match missing(&mut rest.pipeline, name, error)? {
                        Missing::LeftOut(warning) => self.cx.warn(warning),
                        Missing::Failed(name, failed) => {
                            rest.failed.insert(name, failed);
                        }
                    }
                    continue;
                }
            };
            if name == SOURCE {
                done.source =
                    Some(SourceReport { name: file.name().to_owned(), info: info.clone() });
            }
            rest.infos.insert(name.clone(), info.clone());
            rest.sources.insert(name.clone(), info);
            let file = file.with_on_damage(rest.pipeline.on_damage);
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
                return Err(Error::internal(codes::PLAN_ORDER, "a step ran before its input")
                    .with("input", name));
            }
            None => {
                let source = rest.pipeline.source_named(name)?;
                let (file, info) = self.sources.get(source).await?;
                // What decoding takes was not always known, nor were bits, pages and the order of rows.
                let same = |known: &MediaInfo| {
                    let MediaInfo { decoder_bytes, depth, pages, progressive, .. } = info;
                    MediaInfo { decoder_bytes, depth, pages, progressive, ..known.clone() } == info
                };
                if !rest.infos.get(name).is_none_or(same) {
                    return Err(Error::input(
                        codes::SOURCE_CHANGED,
                        "the source was replaced while its job waited",
                    )
                    .with("source", source)
                    .help("submit a new job for the new source"));
                }
                file.with_on_damage(rest.pipeline.on_damage).into()
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
        rest.pipeline.facts.append(&mut rest.pending_facts);
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
        (done.facts, done.facts_failed) = (made.facts, made.facts_failed);
        let mut lost = BTreeSet::new();
        for artefact in made.artefacts {
            let place = artefact.place.clone();
            let whole = made.outputs.iter().find(|output| output.file_at(&place).is_some());
            let known = whole.and_then(|output| output.file_at(&place));
            let bytes = known.map_or(self.resources.limits.input_bytes, |known| known.bytes);
            match stopping(self.cx, self.resources.take_up(artefact, bytes, self.cx)).await {
                Ok(staged) => done.staged.extend(staged),
                Err(error) if error.code() == codes::PART_LOST => {
                    tracing::warn!(place, %error, "an output that was made is gone: it is made again");
                    lost.insert(whole.map_or(place, |output| output.output.clone()));
                }
                Err(error) => return Err(error),
            }
        }
        for output in made.outputs.iter().filter(|output| lost.contains(&output.output)) {
            done.staged.retain(|staged| output.file_at(staged.place()).is_none());
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
        let location = place.parse::<Place>()?.file("step", 1)?;
        let place = location.to_string();
        let digest = hex(&sha2::Sha256::digest(name)[..16]);
        let ticket = Ticket::new(&self.job, self.attempt.fence, format!("step-{digest}"))?;
        let storage = self.resources.storages.of(&location)?;
        storage.stage(&location.key, file.blob(), &PutOptions::default(), &ticket).await?.keep();
        let info = match rest.infos.get(name) {
            Some(known) => known.clone(),
            None => self.resources.probe(file, self.cx).await?,
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
            Err(error) if error.code() == codes::STORAGE_NOT_FOUND => Ok(false),
            Err(error) => Err(error.with("step", &step.name)),
        }
    }
}

impl Rest {
    /// Whether this is the place of another output of the job, or of a source.
    pub(super) fn has_place(&self, place: &str) -> bool {
        let outputs = [&self.pipeline.outputs, &self.made, &self.pending];
        let mut sources = self.pipeline.sources().map(|(_, source)| source);
        outputs.iter().any(|outputs| outputs.contains_key(place))
            || sources.any(|source| match source {
                Source::Key(key) | Source::Output { output: key, .. } => key == place,
                _ => false,
            })
            || self.pipeline.sets.values().any(|set| set.covers(place))
    }

    /// Notes an output as made, so that a later attempt knows how, should it be lost.
    pub(super) fn made(&mut self, place: &str) {
        if let Some((place, output)) = self.pipeline.outputs.remove_entry(place) {
            self.made.insert(place, output);
        }
    }
}

/// What becomes of a source that can not be had.
pub(super) enum Missing {
    /// It is one of several, and left out, with this warning.
    LeftOut(String),
    /// What hangs on it fails.
    Failed(String, Failed),
}

/// Decides what becomes of a source that can not be had.
///
/// # Errors
/// The error itself: it may pass, or there is no policy for it.
pub(super) fn missing(pipeline: &mut Pipeline, name: String, error: Error) -> Result<Missing> {
    if error.retry() != Retry::Never || is_final(&error) {
        return Err(error);
    }
    let set = pipeline.set_of(&name).map(|(set, known)| (set.to_owned(), known.on_missing));
    if let Some((set, OnMissing::Skip)) = set {
        pipeline.leave_out(&name);
        return Ok(Missing::LeftOut(format!("one of `{set}` was left out: {error}")));
    }
    let error = error.with("input", set.map_or(name.clone(), |(set, _)| set));
    if pipeline.steps.values().all(|step| step.on_error == OnError::Fail) {
        return Err(error);
    }
    let failed = Failed::new(name.clone(), error);
    Ok(Missing::Failed(name, failed))
}

/// Whether the attempt as a whole ends with it.
pub(super) fn is_final(error: &Error) -> bool {
    error.kind() == ErrorKind::Cancelled || error.code() == codes::JOB_DEADLINE
}
