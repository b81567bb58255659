//! What a job is: something that plans a pipeline once its source is known.

use std::collections::BTreeSet;
use std::fmt;

use async_trait::async_trait;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::codes;
use crate::media::MediaInfo;
use crate::spec::{IntoSpec, JobOptions, JobSpec, Pipeline, Place, SchemaVersion, Source};
use crate::{Error, Result};

/// A job. Most are a [`Pipeline`] as it stands; a custom job decides on its pipeline after it has seen the source.
///
/// ```
/// use mediaflow_core::spec::{Pipeline, Source};
/// use mediaflow_core::{Job, PlanContext, Result, async_trait};
/// use serde::{Deserialize, Serialize};
///
/// /// Keeps a copy of what is large enough to be worth it.
/// #[derive(Debug, Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct Archive {
///     source: Source,
/// }
///
/// #[async_trait]
/// impl Job for Archive {
///     const KIND: &'static str = "acme.archive";
///
///     async fn plan(&self, cx: &PlanContext<'_>) -> Result<Pipeline> {
///         let info = cx.probe(&self.source).await?;
///         let place = if info.width >= 1000 { "archive/large" } else { "archive/small" };
///         Pipeline::from(self.source.clone()).output(place, |media| media).build()
///     }
/// }
/// ```
#[async_trait]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    note = "build a `Pipeline`, or derive `Serialize`, `Deserialize` and `Debug` and implement `Job` with a `KIND` and `plan`"
)]
pub trait Job: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// The wire name: chosen, never changed, never derived from a Rust name.
    const KIND: &'static str;
    /// The version of the parameters.
    const VERSION: u32 = 1;

    /// Decides what to do. Runs at the start of each attempt, without side effects.
    ///
    /// # Errors
    /// The source can not be used, or the parameters make no sense for it.
    async fn plan(&self, cx: &PlanContext<'_>) -> Result<Pipeline>;

    /// Checks the parameters, as far as that goes without the source. Asked at submit.
    ///
    /// # Errors
    /// What is wrong with them.
    fn validate(&self) -> Result<()> {
        Ok(())
    }

    /// What a worker must know to run it, as far as that is known before the plan: operations as `kind@version`,
    /// storages as `storage:name`. The job's own kind, its places and the channels to tell need not be named. All of it is
    /// looked for at submit.
    fn requires(&self) -> Vec<String> {
        Vec::new()
    }

    /// The places, `storage/key`, that it reads from and writes to, as far as they are known before the plan. They are checked
    /// at submit as those of a pipeline are.
    fn places(&self) -> Vec<String> {
        Vec::new()
    }

    /// Turns parameters of an earlier version into today's.
    ///
    /// # Errors
    /// Default: no earlier version is understood.
    fn upgrade(from: u32, _with: Value) -> Result<Value> {
        Err(Error::unsupported(
            codes::SPEC_VERSION,
            "a job of this version is no longer understood",
        )
        .with("job", Self::KIND)
        .with("version", from))
    }
}

/// What a job may look at while it plans.
#[derive(Clone, Copy, Debug)]
pub struct PlanContext<'a> {
    prober: &'a dyn Prober,
}

/// Looks at sources for a [`PlanContext`].
#[async_trait]
pub(crate) trait Prober: fmt::Debug + Send + Sync {
    async fn probe(&self, source: &Source) -> Result<MediaInfo>;
}

impl<'a> PlanContext<'a> {
    pub(crate) fn new(prober: &'a dyn Prober) -> Self {
        Self { prober }
    }

    /// Reads the headers of a source. A source that is probed and then used is fetched once.
    ///
    /// # Errors
    /// The source can not be fetched or read, or passes a limit.
    pub async fn probe(&self, source: &Source) -> Result<MediaInfo> {
        self.prober.probe(source).await
    }
}

#[async_trait]
impl Job for Pipeline {
    const KIND: &'static str = Self::WIRE;

    async fn plan(&self, _cx: &PlanContext<'_>) -> Result<Self> {
        Ok(self.clone())
    }

    fn requires(&self) -> Vec<String> {
        let needed: BTreeSet<_> =
            self.steps.values().map(|step| format!("{}@{}", step.op, step.v)).collect();
        needed.into_iter().collect()
    }
}

impl JobSpec {
    /// The stored form of a job.
    ///
    /// # Errors
    /// `spec.params` if the job does not serialise.
    pub fn new<J: Job>(job: &J) -> Result<Self> {
        let with = serde_json::to_value(job).map_err(|e| {
            Error::internal(codes::SPEC_PARAMS, "the job can not be written as JSON")
                .with("job", J::KIND)
                .because(e)
        })?;
        let (kind, requires) = (J::KIND.to_owned(), required(job));
        Ok(Self {
            schema: SchemaVersion::V1,
            kind,
            v: J::VERSION,
            requires,
            with,
            options: JobOptions::default(),
        })
    }
}

/// What a job requires, with the storages of its places.
pub(crate) fn required<J: Job>(job: &J) -> Vec<String> {
    let mut required = job.requires();
    for place in job.places() {
        // What is no place is told by the check.
        let storage = place.parse::<Place>().map(|place| format!("storage:{}", place.storage));
        required.extend(storage.ok().filter(|storage| !required.contains(storage)));
    }
    required
}

impl<J: Job> IntoSpec for J {
    fn into_spec(self) -> Result<JobSpec> {
        JobSpec::new(&self)
    }
}
