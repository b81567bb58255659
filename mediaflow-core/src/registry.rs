//! What one engine knows: operations, jobs and backends. Nothing is global.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use schemars::Schema;
use serde_json::{Map, Value};

use crate::backend::Backend;
use crate::job::{Job, PlanContext};
use crate::media::Format;
use crate::operation::{AnyOperation, Operation};
use crate::plan::CostClass;
use crate::spec::{JobSpec, Need, Pipeline};
use crate::suggest::did_you_mean;
use crate::{Error, Result};

/// The operations, jobs and backends of one engine. A crate of operations fills it with a function:
/// `.with(mediaflow_image::operations)`.
pub struct Registry {
    operations: BTreeMap<&'static str, OperationEntry>,
    jobs: BTreeMap<&'static str, Box<dyn JobEntry>>,
    backends: Vec<Arc<dyn Backend>>,
    mistakes: Vec<Error>,
}

#[derive(Clone, Copy)]
struct OperationEntry {
    kind: &'static str,
    version: u32,
    parse: fn(Value) -> Result<AnyOperation>,
    upgrade: fn(u32, Value) -> Result<Value>,
    schema: fn() -> Option<Schema>,
    class: CostClass,
}

impl Default for Registry {
    fn default() -> Self {
        Self::new()
    }
}

impl Registry {
    /// Knows only the job kind `pipeline`.
    #[must_use]
    pub fn new() -> Self {
        let mut registry = Self {
            operations: BTreeMap::new(),
            jobs: BTreeMap::new(),
            backends: Vec::new(),
            mistakes: Vec::new(),
        };
        registry.job::<Pipeline>();
        registry
    }

    /// Makes an operation known by its kind and its aliases.
    pub fn operation<O: Operation>(&mut self) -> &mut Self {
        let entry = OperationEntry {
            kind: O::KIND,
            version: O::VERSION,
            parse: |with| {
                serde_json::from_value::<O>(with).map(AnyOperation::new).map_err(|e| {
                    Error::input("spec.params", format!("the parameters are wrong: {e}"))
                        .with("op", O::KIND)
                })
            },
            upgrade: O::upgrade,
            schema: O::schema,
            class: O::class(),
        };
        self.note(entry.class.check().map_err(|e| e.with("op", O::KIND)));
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

    /// Adds a backend. Earlier ones are asked first.
    pub fn backend(&mut self, backend: impl Backend) -> &mut Self {
        let class = backend.capability().class;
        self.note(class.check().map_err(|e| e.with("backend", backend.name())));
        self.backends.push(Arc::new(backend));
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
            Error::unsupported("spec.unknown_op", format!("no operation `{op}` is registered"))
                .help(did_you_mean(op, self.operations.keys().copied()))
        })?;
        let with = up_to_date(
            entry.kind,
            version,
            entry.version,
            entry.upgrade,
            Value::Object(with.clone()),
        )?;
        let operation = (entry.parse)(with)?;
        operation.validate()?;
        Ok(operation)
    }

    /// Whether an operation of this kind is known, in this version or a newer one.
    pub(crate) fn knows_operation(&self, kind: &str, version: u32) -> bool {
        self.operations.get(kind).is_some_and(|known| known.version >= version)
    }

    /// Whether a job of this kind is known, in this version or a newer one.
    pub(crate) fn knows_job(&self, kind: &str, version: u32) -> bool {
        self.jobs.get(kind).is_some_and(|known| known.version() >= version)
    }

    /// All kinds of jobs and operations, with their versions.
    pub(crate) fn known(&self) -> impl Iterator<Item = (&'static str, String)> {
        let jobs = self.jobs.iter().map(|(kind, job)| ("job", format!("{kind}@{}", job.version())));
        let operations = self.operations.iter();
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
            pipeline.validate(limits)?;
            for (name, step) in &pipeline.steps {
                self.parse(&step.op, step.v, &step.with).map_err(|e| e.with("step", name))?;
            }
        }
        Ok(pipeline)
    }

    /// The backend that claims steps of this kind.
    #[must_use]
    pub fn backend_for_kind(&self, kind: &str) -> Option<&Arc<dyn Backend>> {
        self.backends.iter().find(|backend| backend.capability().kinds.contains(&kind))
    }

    /// The backend of this name.
    ///
    /// # Errors
    /// `backend.unknown`, with the nearest known name.
    pub fn backend_named(&self, name: &str) -> Result<&Arc<dyn Backend>> {
        self.backends.iter().find(|backend| backend.name() == name).ok_or_else(|| {
            Error::unsupported("backend.unknown", format!("there is no backend `{name}`"))
                .help(did_you_mean(name, self.backends.iter().map(|backend| backend.name())))
        })
    }

    /// Whether work at a step of this name may go on elsewhere.
    pub(crate) fn may_wait(&self, op: &str) -> bool {
        let kind = self.operations.get(op).map(|known| known.kind);
        let backend = kind.and_then(|kind| self.backend_for_kind(kind));
        backend.is_some_and(|backend| backend.capability().waits)
    }

    /// Which kind of work a job is, as far as its steps tell: those of a custom job are what it requires.
    pub(crate) fn class_of(&self, spec: &JobSpec) -> CostClass {
        let needs = spec.needs();
        let kinds = needs.each().filter_map(|need| match need {
            Need::Operation(kind, _) => Some(kind),
            _ => None,
        });
        kinds.filter_map(|kind| self.class_of_step(kind)).max().unwrap_or(CostClass::Image)
    }

    fn class_of_step(&self, op: &str) -> Option<CostClass> {
        let known = self.operations.get(op)?;
        let backend = self.backend_for_kind(known.kind);
        Some(backend.map_or(known.class, |backend| backend.capability().class))
    }

    /// The classes of work that can come up here.
    pub(crate) fn classes(&self) -> BTreeSet<CostClass> {
        let steps = self.operations.keys().filter_map(|op| self.class_of_step(op));
        CostClass::BUILT_IN.into_iter().chain(steps).collect()
    }

    /// The backend that reads this format.
    ///
    /// # Errors
    /// `media.unsupported`, saying which formats can be read.
    pub fn backend_for_format(&self, format: &Format) -> Result<&Arc<dyn Backend>> {
        self.backends.iter().find(|backend| backend.capability().formats.contains(format)).ok_or_else(|| {
            let known: Vec<_> =
                self.backends.iter().flat_map(|b| b.capability().formats).map(|f| f.name().to_owned()).collect();
            Error::unsupported("media.unsupported", format!("no backend here reads {format}"))
                .with("known", if known.is_empty() { "none".to_owned() } else { known.join(" ") })
                .help("add the backend for it, for instance `.with(video::operations)`, or convert the file first")
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
            Error::unsupported("spec.unknown_job", format!("no job `{}` is registered", spec.kind))
                .help(did_you_mean(&spec.kind, self.jobs.keys().copied()))
        })
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry")
            .field("operations", &self.operations.keys())
            .field("jobs", &self.jobs.keys())
            .field("backends", &self.backends)
            .finish_non_exhaustive()
    }
}

struct Entry<J>(std::marker::PhantomData<fn() -> J>);

#[async_trait]
trait JobEntry: Send + Sync {
    fn version(&self) -> u32;
    /// Parses; gives the pipeline if that is what the job is.
    fn check(&self, spec: &JobSpec) -> Result<Option<Pipeline>>;
    async fn plan(&self, spec: &JobSpec, cx: &PlanContext<'_>) -> Result<Pipeline>;
}

impl<J: Job> Entry<J> {
    fn parse(spec: &JobSpec) -> Result<J> {
        let with = up_to_date(J::KIND, spec.v, J::VERSION, J::upgrade, spec.with.clone())?;
        serde_json::from_value(with).map_err(|e| {
            Error::input("spec.params", format!("the parameters are wrong: {e}"))
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
        Ok((&job as &dyn std::any::Any).downcast_ref::<Pipeline>().cloned())
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
            "spec.version",
            format!("version {version} is newer than this worker's {newest}"),
        )
        .with("kind", kind)
        .help("run it on a newer worker")),
    }
}

fn twice(what: &str, kind: &str) -> Error {
    Error::input("registry.twice", format!("the {what} `{kind}` is registered twice"))
        .help("register each kind once, and choose kinds of your own as `yourname.verb`")
}
