//! The sources of a job that stand in sets, by list or by pattern.

use super::resources::Resources;
use crate::codes;
use crate::spec::{OnMissing, Pipeline, Source, SourceSet, fits};
use crate::{Error, Result};

impl Resources {
    /// Puts the sources of each set in its place: what is at a pattern now.
    pub(super) async fn expand(&self, mut pipeline: Pipeline) -> Result<Pipeline> {
        for (name, set) in pipeline.open_sets() {
            let sources = self.sources_of(&set).await.map_err(|e| e.with("input", &name))?;
            let known = pipeline.inputs.len() + sources.len() + 1;
            crate::limits::at_most(codes::LIMIT_INPUTS, "inputs", known, self.limits.inputs)?;
            pipeline.expand(&name, sources);
        }
        Ok(pipeline)
    }

    async fn sources_of(&self, set: &SourceSet) -> Result<Vec<Source>> {
        let mut sources = Vec::new();
        for source in &set.of {
            let Some(pattern) = source.pattern() else {
                sources.push(source.clone());
                continue;
            };
            let key = pattern.key.as_str();
            let begins = key.split('*').next().unwrap_or_default();
            let most = self.limits.listed;
            let storage = self.storages.of(&pattern)?;
            let mut keys = storage.list_some(begins, most.saturating_add(1)).await?;
            crate::limits::at_most(codes::LIMIT_LISTED, "listed", keys.len(), most)
                .map_err(|e| e.with("source", source))?;
            keys.retain(|found| fits(key, found.as_str()));
            keys.sort();
            if keys.is_empty() && set.on_missing == OnMissing::Fail {
                return Err(Error::input(codes::SOURCE_NONE, "there is nothing at this pattern")
                    .with("source", source)
                    .help("look at the key, or leave out what is not there"));
            }
            let storage = &pattern.storage;
            sources.extend(keys.into_iter().map(|key| Source::Key(format!("{storage}/{key}"))));
        }
        Ok(sources)
    }
}
