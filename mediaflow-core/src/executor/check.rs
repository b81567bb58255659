use super::fetch::check_size;
use super::resources::Executor;
use crate::codes;
use crate::limits::at_most;
use crate::notify::Address;
use crate::registry::Demands;
use crate::spec::{JobSpec, Need, Needs, Pipeline, Place, Source};
use crate::storage::check_key;
use crate::{Error, Result};

impl Executor {
    /// Checks all that can be checked of a spec before it is stored, without its source, and gives it back with what it
    /// [requires](JobSpec::requires), which is found out here. Engines that take specs past
    /// [`Mediaflow::submit`](crate::Mediaflow::submit) call it first.
    ///
    /// # Errors
    /// The first mistake: what asks for more than the host's [limits](crate::Limits) or its [retry policy](super::RetryPolicy)
    /// have; what [`Registry::check_spec`](crate::Registry::check_spec) gives; inline sources that are too large; an operation,
    /// a storage or a notifier that is not known here; a key or address that it refuses.
    pub fn check(&self, mut spec: JobSpec) -> Result<JobSpec> {
        spec.check_size(&self.0.limits)?;
        self.check_attempts(&spec)?;
        let pipeline = self.0.registry.check_spec(&spec, &self.0.limits)?;
        let Demands { requires, places } = self.0.registry.demands(&spec)?;
        spec.requires = requires;
        self.check_targets(&spec)?;
        if let Some(pipeline) = pipeline {
            self.check_places(&pipeline)?;
        } else {
            self.check_needs(&spec.needs())?;
            places.iter().try_for_each(|place| self.check_place(place))?;
        }
        Ok(spec)
    }

    /// Checks what a job wants to be done once it has planned: before anything is fetched or made for it.
    pub(super) fn check_planned(&self, pipeline: &Pipeline) -> Result<()> {
        self.0.registry.check_pipeline(pipeline, &self.0.limits)?;
        self.check_places(pipeline)
    }

    /// Checks the number of jobs in one submission.
    ///
    /// # Errors
    /// `limit.batch_jobs`.
    pub fn check_batch(&self, jobs: usize) -> Result<()> {
        at_most(codes::LIMIT_BATCH_JOBS, "batch_jobs", jobs, self.0.limits.batch_jobs)
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
            Need::Output(what, version) => {
                ["put", "facts", "pattern", "sourceless"].contains(&what) && version <= 1
            }
            Need::Unknown => false,
        })
    }

    fn check_attempts(&self, spec: &JobSpec) -> Result<()> {
        let (asked, most) = (spec.options.max_attempts, self.0.retry.max_attempts);
        match asked.filter(|asked| *asked > most) {
            None => Ok(()),
            Some(asked) => Err(Error::limit(
                codes::LIMIT_ATTEMPTS,
                format!("{asked} attempts are more than the limit of {most}"),
            )
            .with("limit", "max_attempts")
            .with("option", "max_attempts")
            .help("ask for less, or raise `RetryPolicy::max_attempts`")),
        }
    }

    fn check_needs(&self, needs: &Needs) -> Result<()> {
        let unknown = |what: &str, entry: &str| {
            Err(Error::unsupported(
                codes::SPEC_REQUIRES,
                format!("{what} `{entry}` is not known here"),
            )
            .help("register it, or submit the job where it is known"))
        };
        needs.iter().zip(needs.each()).try_for_each(|(entry, need)| match need {
            Need::Storage(name) => self.0.storages.named(name).map(drop),
            Need::Operation(kind, version) if !self.0.registry.knows_operation(kind, version) => {
                unknown("the operation", &format!("{kind}@{version}"))
            }
            Need::Unknown => unknown("what the job requires as", entry),
            _ => Ok(()),
        })
    }

    fn check_places(&self, pipeline: &Pipeline) -> Result<()> {
        let mut inline = 0;
        for (_, source) in pipeline.sources() {
            match source {
                Source::Key(text) | Source::Output { output: text, .. } => {
                    self.0.storages.of(&text.parse()?)?;
                }
                Source::Bytes(bytes) => inline += bytes.len() as u64,
                Source::Url(_) | Source::Path(_) => {}
            }
        }
        check_size("inline_bytes", inline, self.0.limits.inline_bytes)?;
        for (name, source) in pipeline.sources() {
            if let Source::Key(place) | Source::Output { output: place, .. } = source
                && pipeline.outputs.contains_key(place)
            {
                // A second attempt would work on the result of the first.
                return Err(Error::input(
                    codes::SPEC_IN_PLACE,
                    "an output would take the place of a source",
                )
                .with("input", name)
                .with("output", place)
                .help("keep it at another place, and delete the source when the job has ended"));
            }
        }
        for (name, set) in &pipeline.sets {
            if let Some(place) = pipeline.outputs.keys().find(|place| set.covers(place)) {
                return Err(Error::input(
                    codes::SPEC_IN_PLACE,
                    "an output would be among the sources of the next attempt",
                )
                .with("input", name)
                .with("output", place)
                .help("keep it at a place that the pattern does not cover"));
            }
        }
        let mut outputs = pipeline.outputs.keys();
        outputs.try_for_each(|place| self.check_place(place).map_err(|e| e.with("output", place)))
    }

    fn check_place(&self, place: &str) -> Result<()> {
        let location = place.parse::<Place>()?.file("name", 1)?;
        self.0.storages.of(&location).and_then(|_| check_key(&location.key))
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
