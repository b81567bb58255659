use super::fetch::check_inline;
use super::resources::Executor;
use crate::Result;
use crate::limits::at_most;
use crate::notify::Address;
use crate::spec::{JobSpec, Need, Needs, Pipeline, Source};
use crate::storage::check_key;

impl Executor {
    /// Checks all that can be checked of a spec before it is stored, without its source: engines that take specs past
    /// [`Mediaflow::submit`](crate::Mediaflow::submit) call it first.
    ///
    /// # Errors
    /// The first mistake: an option above its limit, what [`Registry::check_spec`](crate::Registry::check_spec) gives, an
    /// inline source that is too large, a storage or notifier that is not configured, a key or address that it refuses.
    pub fn check(&self, spec: &JobSpec) -> Result<()> {
        spec.check_size(&self.0.limits)?;
        let pipeline = self.0.registry.check_spec(spec, &self.0.limits)?;
        self.check_targets(spec)?;
        pipeline.map_or(Ok(()), |pipeline| self.check_places(&pipeline))
    }

    /// Checks the number of jobs in one submission.
    ///
    /// # Errors
    /// `limit.batch_jobs`.
    pub fn check_batch(&self, jobs: usize) -> Result<()> {
        at_most("limit.batch_jobs", "batch_jobs", jobs, self.0.limits.batch_jobs)
    }

    /// Whether all that a job needs is known here, its kind and operations in that version or a newer one. A process that
    /// does not know leaves the job, its parts and its later tasks to another.
    #[must_use]
    pub fn knows(&self, needs: &Needs) -> bool {
        needs.each().all(|need| match need {
            Need::Job(kind, version) => self.0.registry.knows_job(kind, version),
            Need::Operation(kind, version) => self.0.registry.knows_operation(kind, version),
            Need::Storage(name) => self.0.storages.named(name).is_ok(),
            Need::Channel(name) => self.channels().any(|channel| channel == name),
            Need::Feature(name) => Needs::FEATURES.contains(&name),
            Need::Output(what, version) => what == "put" && version <= 1,
            Need::Unknown => false,
        })
    }

    fn check_places(&self, pipeline: &Pipeline) -> Result<()> {
        for source in std::iter::once(&pipeline.source).chain(pipeline.inputs.values()) {
            check_inline(source, &self.0.limits)?;
            if let Source::Key(text) | Source::Output { output: text, .. } = source {
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
        Ok(())
    }

    fn check_targets(&self, spec: &JobSpec) -> Result<()> {
        for target in &spec.options.notify {
            let notifier = self.notifier(&target.channel)?;
            if let Some(to) = &target.to {
                notifier.address(to).map_err(|e| {
                    // Errors go into logs, and an address may be a secret.
                    let address = Address::opaque(to);
                    let error = e.reworded(|text| address.redact(text).into_owned());
                    error.with("channel", &target.channel)
                })?;
            }
        }
        Ok(())
    }
}
