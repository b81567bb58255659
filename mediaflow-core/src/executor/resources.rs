use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::admission::Capacity;
use super::policy::{DeliveryPolicy, RetryPolicy};
use super::scratch::OwnFolder;
use crate::media::Scratch;
use crate::notify::{Notifier, PeopleCache, Recipients, Route};
use crate::plan::CostClass;
use crate::spec::{JobSpec, Pipeline};
use crate::storage::Storages;
use crate::time::Clock;
use crate::{CpuPool, Limits, Registry, Tenants};

/// Everything that a host has configured, as engines use it. Clones share.
#[derive(Clone)]
pub struct Executor(pub(crate) Arc<Resources>);

/// What an executor is made of.
pub(crate) struct Resources {
    pub(crate) registry: Registry,
    pub(crate) storages: Storages,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    pub(crate) recipients: Arc<dyn Recipients>,
    pub(crate) routes: Vec<Route>,
    /// The channels that routes name: they tell nothing by themselves.
    pub(crate) routed: BTreeSet<String>,
    pub(crate) people: PeopleCache,
    pub(crate) dry_run: bool,
    pub(crate) limits: Limits,
    pub(crate) cpu: CpuPool,
    pub(crate) capacity: Capacity,
    pub(crate) scratch: Scratch,
    /// Deletes the scratch folder with the executor, if it was made for it.
    pub(crate) _scratch_folder: Option<OwnFolder>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) allowed_paths: Vec<PathBuf>,
    #[cfg(feature = "http")]
    pub(crate) http: crate::http::GuardedClient,
    pub(crate) retry: RetryPolicy,
    pub(crate) delivery: DeliveryPolicy,
    pub(crate) places: BTreeMap<CostClass, usize>,
    pub(crate) tenants: Tenants,
}

impl Resources {
    /// Whether some of a pipeline may be made elsewhere.
    pub(super) fn may_wait(&self, pipeline: &Pipeline) -> bool {
        pipeline.steps.values().any(|step| self.registry.may_wait(&step.op))
    }
}

impl Executor {
    /// The names of the notifiers.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.0.notifiers.iter().map(|notifier| notifier.name())
    }

    /// What is known here: engines ask it whether a spec is for them.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    /// How failed attempts at a job are repeated.
    #[must_use]
    pub fn retry(&self) -> &RetryPolicy {
        &self.0.retry
    }

    /// How failed attempts at a delivery are repeated.
    #[must_use]
    pub fn delivery(&self) -> &DeliveryPolicy {
        &self.0.delivery
    }

    /// The classes of work that can come up here, each with how many of its jobs may be under way at once, which may be
    /// none; admission by memory comes on top.
    pub fn places(&self) -> impl Iterator<Item = (CostClass, usize)> {
        self.0.places.iter().map(|(class, places)| (*class, *places))
    }

    /// Which kind of work a job is, as far as its steps tell.
    #[must_use]
    pub fn class_of(&self, spec: &JobSpec) -> CostClass {
        self.0.registry.class_of(spec)
    }

    /// How many jobs of a tenant may be under way at once in this class, in the whole fleet; nothing if that is not said.
    #[must_use]
    pub fn share(&self, tenant: &str, class: CostClass) -> Option<usize> {
        self.0.tenants.share(tenant, class)
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor")
            .field("registry", &self.0.registry)
            .field("storages", &self.0.storages)
            .field("notifiers", &self.0.notifiers)
            .finish_non_exhaustive()
    }
}
