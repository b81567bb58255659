use super::resources::Executor;
use crate::spec::Needs;

impl Executor {
    /// A short name for all that is known here: processes of the same name can do the same jobs.
    #[must_use]
    pub fn capability(&self) -> String {
        let mut known = Needs::default();
        self.0.registry.known().for_each(|(class, kind)| known.add(class, kind));
        self.0.storages.iter().for_each(|(name, _)| known.add("storage", name));
        self.channels().for_each(|name| known.add("channel", name));
        known.digest()
    }
}
