//! What every engine shares: the host's registry, storages, notifiers and limits, and the two things done with them,
//! an attempt at a job and an attempt at a delivery. Engines decide *when*; the worker knows *how*.

mod admission;
mod attempt;
mod fetch;
mod finished;
mod outputs;
mod parts;
mod policy;
mod recall;
mod run;
#[cfg(all(test, feature = "testing"))]
mod tests;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::Semaphore;

pub use attempt::{Attempt, Observer};
pub use finished::Finished;
pub use parts::{Artefact, PartResult, PartSpec};
pub use policy::{DeliveryPolicy, RetryPolicy};
pub use recall::Recall;

pub(crate) use admission::MemoryBudget;

use crate::event::Event;
use crate::media::Scratch;
use crate::notify::{
    DeliveryContext, Message, Notifier, NotifyError, Receipt, Recipient, Recipients,
};
use crate::spec::{JobSpec, Source};
use crate::storage::{Storages, check_key};
use crate::time::Clock;
use crate::{CpuPool, Error, Limits, Registry, Result};

/// Everything that a host has configured, as engines use it. Clones share.
#[derive(Clone)]
pub struct Executor(pub(crate) Arc<Resources>);

/// What a worker is made of.
pub(crate) struct Resources {
    pub(crate) registry: Registry,
    pub(crate) storages: Storages,
    pub(crate) notifiers: Vec<Arc<dyn Notifier>>,
    pub(crate) recipients: Arc<dyn Recipients>,
    pub(crate) limits: Limits,
    pub(crate) cpu: CpuPool,
    pub(crate) memory: MemoryBudget,
    /// Places for video work, which uses all cores by itself.
    pub(crate) video: Semaphore,
    pub(crate) scratch: Scratch,
    /// Deletes the scratch folder with the worker, if the worker made it.
    pub(crate) _scratch_folder: Option<crate::host::OwnFolder>,
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
    /// Who is told of this event, as configured: each notifier that wants it, and for a notifier that the job names, the
    /// address that the job gave. [`Recipients`] has the last word.
    #[must_use]
    pub fn configured(&self, event: &Event) -> Vec<Recipient> {
        let wanting = self.0.notifiers.iter().filter(|notifier| notifier.wants(event));
        wanting
            .flat_map(|notifier| {
                let named = event.notify.iter().filter(|target| target.channel == notifier.name());
                let to = named.filter_map(|target| target.to.clone());
                let mut found: Vec<_> =
                    to.map(|to| Recipient::new(notifier.name()).to(to)).collect();
                if found.is_empty() {
                    found.push(Recipient::new(notifier.name()));
                }
                found
            })
            .collect()
    }

    /// Finds who is told of an event.
    #[must_use]
    pub fn recipients(&self) -> &dyn Recipients {
        &*self.0.recipients
    }

    /// A notifier by its name.
    ///
    /// # Errors
    /// `notify.unknown`.
    pub fn notifier(&self, channel: &str) -> Result<&dyn Notifier> {
        let found = self.0.notifiers.iter().find(|notifier| notifier.name() == channel);
        found.map(|notifier| &**notifier).ok_or_else(|| {
            let message = format!("there is no notifier `{channel}`");
            Error::input("notify.unknown", message)
                .help(crate::registry::did_you_mean(channel, self.channels()))
        })
    }

    /// One attempt to send a message through a channel. It takes at most [`DeliveryPolicy::timeout`].
    ///
    /// # Errors
    /// What to do next: see [`NotifyError`].
    pub async fn deliver(
        &self,
        channel: &str,
        message: &Message,
        cx: &DeliveryContext,
    ) -> Result<Receipt, NotifyError> {
        let Ok(notifier) = self.notifier(channel) else {
            return Err(NotifyError::retryable("this process has no such notifier"));
        };
        tokio::time::timeout(self.0.delivery.timeout, notifier.notify(message, cx))
            .await
            .unwrap_or_else(|_| Err(NotifyError::ambiguous("no answer in time")))
    }

    /// Checks all that can be checked of a spec before it is stored, without its source: engines that take specs past
    /// [`Mediaflow::submit`](crate::Mediaflow::submit) call it first.
    ///
    /// # Errors
    /// The first mistake: what [`Registry::check_spec`] gives, an inline source that is too large, a storage or notifier
    /// that is not configured, a key or address that it refuses.
    pub fn check(&self, spec: &JobSpec) -> Result<()> {
        let Some(pipeline) = self.0.registry.check_spec(spec, &self.0.limits)? else {
            return Ok(());
        };
        for source in std::iter::once(&pipeline.source).chain(pipeline.inputs.values()) {
            fetch::check_inline(source, &self.0.limits)?;
            if let Source::Key(text) = source {
                self.0.storages.of(&text.parse()?)?;
            }
        }
        for place in pipeline.outputs.keys() {
            let location = place.parse()?;
            self.0
                .storages
                .of(&location)
                .and_then(|_| check_key(&location.key))
                .map_err(|e| e.with("output", place))?;
        }
        for target in &spec.options.notify {
            let notifier = self.notifier(&target.channel)?;
            if let Some(to) = &target.to {
                notifier.address(to).map_err(|e| e.with("channel", &target.channel))?;
            }
        }
        Ok(())
    }

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
