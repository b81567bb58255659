//! What one engine knows: operations, jobs, readers and backends. Nothing is global.
//!
//! Uses: backend, codes, error, job, limits, media, operation, ops, plan, reader, spec, suggest.

mod media;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::Schema;
use serde_json::{Map, Value};

use crate::backend::{Backend, Capability};
use crate::codes;
use crate::job::{Job, PlanContext, required};
use crate::media::{Format, MediaInfo};
use crate::operation::{AnyOperation, Operation, Run};
use crate::plan::CostClass;
use crate::reader::{FormatSpec, Reader};
use crate::spec::{JobSpec, Pipeline, StepSpec, quoted};
use crate::suggest::did_you_mean;
use crate::{Error, Result};

/// The operations, jobs, readers and backends of one engine. A crate of operations fills it with a function:
/// `.with(mediaflow_image::operations)`.
pub struct Registry {
    operations: BTreeMap<&'static str, OperationEntry>,
    jobs: BTreeMap<&'static str, Box<dyn JobEntry>>,
    readers: Vec<(Arc<dyn Reader>, Vec<FormatSpec>)>,
    backends: Vec<Registered>,
    mistakes: Vec<Error>,
}

/// A backend, and what it has said that it can do.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) capability: Arc<Capability>,
}

impl Registered {
    /// Whether both are one.
    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.backend, &other.backend)
    }
}

#[derive(Clone, Copy)]
struct OperationEntry {
    kind: &'static str,
    version: u32,
    parse: fn(Value) -> Result<AnyOperation>,
    upgrade: fn(u32, Value) -> Result<Value>,
    schema: fn() -> Option<Schema>,
    formats: fn() -> Vec<Format>,
    /// Of one that runs by itself.
    class: Option<CostClass>,
}

impl OperationEntry {
    fn of<O: Operation>(
        parse: fn(Value) -> Result<AnyOperation>,
        class: Option<CostClass>,
    ) -> Self {
        let (kind, version, upgrade, schema) = (O::KIND, O::VERSION, O::upgrade, O::schema);
        Self { kind, version, parse, upgrade, schema, formats: O::formats, class }
    }
}

fn params<O: Operation>(with: Value) -> Result<O> {
    serde_json::from_value::<O>(with).map_err(|e| {
        let wrong = quoted(&e.to_string());
        Error::input(codes::SPEC_PARAMS, format!("the parameters are wrong: {wrong}"))
            .with("op", O::KIND)
    })
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// Knows the job kind `pipeline`, and the [vocabulary](crate::ops); nobody does any of it yet.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Self {
            operations: BTreeMap::new(),
            jobs: BTreeMap::new(),
            readers: Vec::new(),
            backends: Vec::new(),
            mistakes: Vec::new(),
        };
        registry.job::<Pipeline>();
        registry.enter_words();
        registry
    }

    /// Makes an operation that runs by itself known, by its kind and its aliases.
    pub fn operation<O: Run>(&mut self) -> &mut Self {
        let class = O::class();
        self.note(class.check().map_err(|e| e.with("op", O::KIND)));
        let parse = |with| params::<O>(with).map(AnyOperation::running);
        self.enter::<O>(OperationEntry::of::<O>(parse, Some(class)))
    }

    /// Makes an operation known whose work backends do.
    pub fn word<O: Operation>(&mut self) -> &mut Self {
        let parse = |with| params::<O>(with).map(AnyOperation::new);
        self.enter::<O>(OperationEntry::of::<O>(parse, None))
    }

    fn enter<O: Operation>(&mut self, entry: OperationEntry) -> &mut Self {
        for name in std::iter::once(&O::KIND).chain(O::ALIASES) {
            if self.operations.insert(*name, entry).is_some() {
                self.mistakes.push(twice("operation", name));
            }
        }
        self
    }

    /// Makes a job known by its kind.
    pub fn job<J: Job>(&mut self) -> &mut Self {
        if self.jobs.insert(J::KIND, Box::new(Entry::<J>(std::marker::PhantomData))).is_some() {
            self.mistakes.push(twice("job", J::KIND));
        }
        self
    }

    /// Adds a reader. Earlier ones are asked first.
    pub fn reader(&mut self, reader: impl Reader) -> &mut Self {
        let formats = reader.formats();
        self.readers.push((Arc::new(reader), formats));
        self
    }

    /// Adds a backend. Earlier ones are asked first.
    pub fn backend(&mut self, backend: impl Backend) -> &mut Self {
        let capability = Arc::new(backend.capability());
        self.note(capability.class.check().map_err(|e| e.with("backend", backend.name())));
        self.backends.push(Registered { backend: Arc::new(backend), capability });
        self
    }

    fn note(&mut self, checked: Result<CostClass>) {
        self.mistakes.extend(checked.err());
    }

    /// What went wrong while it was filled: a kind that was registered twice, a class that can have no name.
    ///
    /// # Errors
    /// `registry.twice`, `class.name`.
    pub fn check(&mut self) -> Result<()> {
        self.mistakes.pop().map_or(Ok(()), Err)
    }

    /// Reads a step: finds the operation, brings old parameters up to date, parses and validates them.
    ///
    /// # Errors
    /// `spec.unknown_op` (with the nearest known name), `spec.version`, `spec.params`, or what validation says.
    pub fn parse(&self, op: &str, version: u32, with: &Map<String, Value>) -> Result<AnyOperation> {
        let entry = self.operations.get(op).ok_or_else(|| {
            Error::unsupported(codes::SPEC_UNKNOWN_OP, format!("no operation `{op}` is registered"))
                .help(did_you_mean(op, self.operations.keys().copied()))
        })?;
        let with = Value::Object(with.clone());
        let with = up_to_date(entry.kind, version, entry.version, entry.upgrade, with)?;
        let operation = (entry.parse)(with)?;
        operation.validate()?;
        Ok(operation)
    }

    /// Reads a step of a pipeline, and counts its inputs.
    ///
    /// # Errors
    /// As [`Registry::parse`], or `spec.inputs`; each names the step.
    pub(crate) fn parse_step(
        &self,
        name: &str,
        step: &StepSpec,
        pipeline: &Pipeline,
    ) -> Result<AnyOperation> {
        let parsed = self.parse(&step.op, step.v, &step.with).and_then(|op| {
            let single = step.from.iter().filter(|from| !pipeline.sets.contains_key(*from)).count();
            let counted = if single == step.from.len() {
                op.arity().check(single)
            } else {
                op.arity().check_beside_several(single)
            };
            counted.map_err(|e| e.with("op", op.kind()))?;
            Ok(op)
        });
        parsed.map_err(|e| e.with("step", name))
    }

    /// Whether there is an operation of this name.
    #[cfg(feature = "testing")]
    pub(crate) fn is_known(&self, kind: &str) -> bool {
        self.operations.contains_key(kind)
    }

    /// Whether an operation of this kind can be done here, in this version or a newer one.
    pub(crate) fn knows_operation(&self, kind: &str, version: u32) -> bool {
        let known = self.operations.get(kind);
        known.is_some_and(|known| known.version >= version && self.does(known))
    }

    /// Whether anybody here does it.
    fn does(&self, entry: &OperationEntry) -> bool {
        entry.class.is_some() || self.backends_for(entry.kind).next().is_some()
    }

    fn backends_for(&self, kind: &str) -> impl Iterator<Item = &Registered> {
        self.backends.iter().filter(move |known| known.capability.kinds.contains(&kind))
    }

    /// Whether a job of this kind is known, in this version or a newer one.
    pub(crate) fn knows_job(&self, kind: &str, version: u32) -> bool {
        self.jobs.get(kind).is_some_and(|known| known.version() >= version)
    }

    /// All kinds of jobs and operations that can be done here, with their versions.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&'static str, String)> {
        let jobs = self.jobs.iter().map(|(kind, job)| ("job", format!("{kind}@{}", job.version())));
        let operations = self.operations.iter().filter(|(_, known)| self.does(known));
        jobs.chain(operations.map(|(kind, known)| ("op", format!("{kind}@{}", known.version))))
    }

    /// Lets the job of a spec decide on its pipeline.
    ///
    /// # Errors
    /// `spec.unknown_job`, `spec.version`, `spec.params`, or what the job's plan gives.
    pub async fn plan_job(&self, spec: &JobSpec, cx: &PlanContext<'_>) -> Result<Pipeline> {
        self.job_entry(spec)?.plan(spec, cx).await
    }

    /// Checks all that can be checked of a spec without its source. Gives the pipeline if the job is one.
    ///
    /// # Errors
    /// As [`Registry::plan_job`], and for a pipeline the first step that does not parse, by name.
    pub fn check_spec(&self, spec: &JobSpec, limits: &crate::Limits) -> Result<Option<Pipeline>> {
        let pipeline = self.job_entry(spec)?.check(spec)?;
        if let Some(pipeline) = &pipeline {
            self.check_pipeline(pipeline, limits)?;
        }
        Ok(pipeline)
    }

    /// Checks the graph of a pipeline, and that each of its steps can be read and fits its inputs.
    pub(crate) fn check_pipeline(&self, pipeline: &Pipeline, limits: &crate::Limits) -> Result<()> {
        pipeline.validate(limits)?;
        self.check_media(pipeline)
    }

    /// What the job of a spec requires, by its own word, and its places.
    pub(crate) fn demands(&self, spec: &JobSpec) -> Result<Demands> {
        self.job_entry(spec)?.demands(spec)
    }

    /// The backend that claims a step on these inputs; none if the step runs by itself.
    ///
    /// # Errors
    /// `plan.unclaimed` if nobody does it.
    pub(crate) fn backend_for(
        &self,
        op: &AnyOperation,
        inputs: &[MediaInfo],
    ) -> Result<Option<&Registered>> {
        let claims = |known: &&Registered| {
            known.capability.claims(known.backend.claim(op, inputs), op, inputs)
        };
        match self.backends_for(op.kind()).find(claims) {
            None if !op.can_run() => {
                let on: Vec<_> = inputs.first().map(|input| input.medium).into_iter().collect();
                Err(self.unclaimed(op, &on))
            }
            claimed => Ok(claimed),
        }
    }

    /// The backend of this name.
    ///
    /// # Errors
    /// `backend.unknown`, with the nearest known name.
    pub fn backend_named(&self, name: &str) -> Result<&Arc<dyn Backend>> {
        let mut backends = self.backends.iter().map(|known| &known.backend);
        backends.find(|backend| backend.name() == name).ok_or_else(|| {
            let known = self.backends.iter().map(|known| known.backend.name());
            Error::unsupported(codes::BACKEND_UNKNOWN, format!("there is no backend `{name}`"))
                .help(did_you_mean(name, known))
        })
    }

    /// Whether work at a step of this name may go on elsewhere.
    pub(crate) fn may_wait(&self, op: &str) -> bool {
        let known = self.operations.get(op);
        known.is_some_and(|known| {
            self.backends_for(known.kind).any(|backend| backend.capability.waits)
        })
    }

    /// Which kind of work a job is, as far as its steps tell: those of a custom job are what it requires.
    pub(crate) fn class_of(&self, spec: &JobSpec) -> CostClass {
        let classes = spec.operations().filter_map(|kind| self.class_of_step(kind));
        classes.max().unwrap_or(CostClass::Image)
    }

    /// Of a word that several backends do, each for its media, this is the lightest: the words of the medium tell.
    fn class_of_step(&self, op: &str) -> Option<CostClass> {
        let known = self.operations.get(op)?;
        let classes = self.backends_for(known.kind).map(|backend| backend.capability.class);
        classes.min().or(known.class)
    }

    /// The classes of work that can come up here.
    pub(crate) fn classes(&self) -> BTreeSet<CostClass> {
        let steps = self.operations.keys().filter_map(|op| self.class_of_step(op));
        let backends = self.backends.iter().map(|backend| backend.capability.class);
        CostClass::BUILT_IN.into_iter().chain(steps).chain(backends).collect()
    }

    /// The reader that knows this format.
    ///
    /// # Errors
    /// `media.unsupported`, saying which formats are known.
    pub fn reader_of(&self, format: &Format) -> Result<&Arc<dyn Reader>> {
        self.format(format).map(|(reader, _)| reader).ok_or_else(|| {
            let known: Vec<_> = self.formats().map(|(_, spec)| spec.format.to_string()).collect();
            Error::unsupported(codes::MEDIA_UNSUPPORTED, format!("nothing here reads {format}"))
                .with("known", if known.is_empty() { "none".to_owned() } else { known.join(" ") })
                .help("add the reader for it, for instance `.with(video::operations)`, or convert the file first")
        })
    }

    /// What is known of a format here, and by whom.
    pub(crate) fn format(&self, format: &Format) -> Option<(&Arc<dyn Reader>, &FormatSpec)> {
        self.formats().find(|(_, spec)| spec.format == *format)
    }

    fn formats(&self) -> impl Iterator<Item = (&Arc<dyn Reader>, &FormatSpec)> {
        let readers = self.readers.iter();
        readers.flat_map(|(reader, formats)| formats.iter().map(move |spec| (reader, spec)))
    }

    /// The format of a file with these first bytes: what a reader recognises, then what [`Format::sniff`] does.
    #[must_use]
    pub fn sniff(&self, head: &[u8]) -> Option<Format> {
        let known = self.formats().find(|(_, spec)| spec.sniff.is_some_and(|sniff| sniff(head)));
        known.map(|(_, spec)| spec.format.clone()).or_else(|| Format::sniff(head))
    }

    /// The media type of a format.
    pub(crate) fn mime<'f>(&'f self, format: &'f Format) -> &'f str {
        self.format(format).map_or(format.mime(), |(_, spec)| &*spec.mime)
    }

    /// The backend that gives out files of this format decoded.
    pub(crate) fn decoding_backend(&self, format: &Format) -> Option<&Registered> {
        self.backends.iter().find(|Registered { capability, .. }| {
            capability.decodes && capability.formats.contains(format)
        })
    }

    /// The operations that publish a schema of their parameters.
    pub fn schemas(&self) -> impl Iterator<Item = (&'static str, Schema)> {
        self.operations
            .iter()
            .filter_map(|(kind, entry)| (entry.schema)().map(|schema| (*kind, schema)))
    }

    fn job_entry(&self, spec: &JobSpec) -> Result<&dyn JobEntry> {
        self.jobs.get(spec.kind.as_str()).map(|entry| &**entry).ok_or_else(|| {
            Error::unsupported(
                codes::SPEC_UNKNOWN_JOB,
                format!("no job `{}` is registered", spec.kind),
            )
            .help(did_you_mean(&spec.kind, self.jobs.keys().copied()))
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("operations", &self.operations.keys())
            .field("jobs", &self.jobs.keys())
            .field("readers", &self.readers.iter().map(|(reader, _)| reader).collect::<Vec<_>>())
            .field(
                "backends",
                &self.backends.iter().map(|known| &known.backend).collect::<Vec<_>>(),
            )
            .finish_non_exhaustive()
    }
}

/// What a job asks for before it has planned.
pub(crate) struct Demands {
    pub(crate) requires: Vec<String>,
    pub(crate) places: Vec<String>,
}

struct Entry<J>(std::marker::PhantomData<fn() -> J>);

#[async_trait]
trait JobEntry: Send + Sync {
    fn version(&self) -> u32;
    /// Parses; gives the pipeline if that is what the job is.
    fn check(&self, spec: &JobSpec) -> Result<Option<Pipeline>>;
    fn demands(&self, spec: &JobSpec) -> Result<Demands>;
    async fn plan(&self, spec: &JobSpec, cx: &PlanContext<'_>) -> Result<Pipeline>;
}

impl<J: Job> Entry<J> {
    fn parse(spec: &JobSpec) -> Result<J> {
        let with = up_to_date(J::KIND, spec.v, J::VERSION, J::upgrade, spec.with.clone())?;
        serde_json::from_value(with).map_err(|e| {
            let wrong = quoted(&e.to_string());
            Error::input(codes::SPEC_PARAMS, format!("the parameters are wrong: {wrong}"))
                .with("job", J::KIND)
        })
    }
}

#[async_trait]
impl<J: Job> JobEntry for Entry<J> {
    fn version(&self) -> u32 {
        J::VERSION
    }

    fn check(&self, spec: &JobSpec) -> Result<Option<Pipeline>> {
        let job = Self::parse(spec)?;
        job.validate()?;
        Ok((&job as &dyn std::any::Any).downcast_ref::<Pipeline>().cloned())
    }

    fn demands(&self, spec: &JobSpec) -> Result<Demands> {
        let job = Self::parse(spec)?;
        Ok(Demands { requires: required(&job), places: job.places() })
    }

    async fn plan(&self, spec: &JobSpec, cx: &PlanContext<'_>) -> Result<Pipeline> {
        Self::parse(spec)?.plan(cx).await
    }
}

fn up_to_date(
    kind: &'static str,
    version: u32,
    newest: u32,
    upgrade: fn(u32, Value) -> Result<Value>,
    with: Value,
) -> Result<Value> {
    match version.cmp(&newest) {
        std::cmp::Ordering::Equal => Ok(with),
        std::cmp::Ordering::Less => upgrade(version, with),
        std::cmp::Ordering::Greater => Err(Error::unsupported(
            codes::SPEC_VERSION,
            format!("version {version} is newer than this worker's {newest}"),
        )
        .with("kind", kind)
        .help("run it on a newer worker")),
    }
}

fn twice(what: &str, kind: &str) -> Error {
    Error::input(codes::REGISTRY_TWICE, format!("the {what} `{kind}` is registered twice"))
        .help("register each kind once, and choose kinds of your own as `yourname.verb`")
}
