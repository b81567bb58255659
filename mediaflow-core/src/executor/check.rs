use super::fetch::check_inline;
use super::resources::Executor;
use crate::Result;
use crate::spec::{JobSpec, Source};
use crate::storage::check_key;

impl Executor {
    /// Checks all that can be checked of a spec before it is stored, without its source: engines that take specs past
    /// [`Mediaflow::submit`](crate::Mediaflow::submit) call it first.
    ///
    /// # Errors
    /// The first mistake: what [`Registry::check_spec`](crate::Registry::check_spec) gives, an inline source that is too
    /// large, a storage or notifier that is not configured, a key or address that it refuses.
    pub fn check(&self, spec: &JobSpec) -> Result<()> {
        let Some(pipeline) = self.0.registry.check_spec(spec, &self.0.limits)? else {
            return Ok(());
        };
        for source in std::iter::once(&pipeline.source).chain(pipeline.inputs.values()) {
            check_inline(source, &self.0.limits)?;
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
}
