use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::admission::Capacity;
use super::policy::{DeliveryPolicy, RetryPolicy};
use super::scratch::OwnFolder;
use crate::media::Scratch;
use crate::notify::{Notifier, Recipients};
use crate::storage::Storages;
use crate::time::Clock;
use crate::{CpuPool, Limits, Registry};

/// Everything that a host has configured, as engines use it. Clones share.
#[derive(Clone)]
pub struct Executor(pub(crate) Arc<Resources>);

/// What an executor is made of.
pub(crate) struct Resources {
    pub(crate) registry: Registry,
    pub(crate) storages: Storages,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    pub(crate) recipients: Arc<dyn Recipients>,
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
    pub(crate) concurrency: usize,
    pub(crate) videos: usize,
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

    /// How many jobs may be under way at once; admission by memory and class comes on top.
    #[must_use]
    pub fn concurrency(&self) -> usize {
        self.0.concurrency
    }

    /// How many video pipelines may run at once.
    #[must_use]
    pub fn videos(&self) -> usize {
        self.0.videos
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
