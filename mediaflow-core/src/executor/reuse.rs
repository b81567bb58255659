use std::collections::BTreeMap;

use super::attempt::Attempt;
use super::execution::Execution;
use super::finished::{Finished, StagedOutput};
use super::outputs::misnamed;
use super::recall::{Keys, content_keys};
use super::rest::Rest;
use crate::Result;
use crate::checksum::sha256;
use crate::codes;
use crate::planner::needed_sources;
use crate::report::{OutputReport, OutputState};
use crate::spec::{Location, OutputSpec, Place};
use crate::storage::GetOptions;

impl Attempt {
    fn reuses(&self) -> bool {
        self.spec.options.reuse.unwrap_or(true)
    }
}

impl Execution<'_> {
    /// The content keys of the outputs, if anybody wants to know them: they cost reading every source.
    pub(super) async fn content_keys(&self, rest: &Rest) -> Result<Keys> {
        let pipeline = &rest.pipeline;
        if self.attempt.recall.is_none() {
            return Ok(Keys::new());
        }
        pipeline.validate(&self.resources.limits)?;
        let mut sources = BTreeMap::new();
        let needed = needed_sources(pipeline, &BTreeMap::new()).into_iter();
        for name in needed.filter(|name| !rest.failed.contains_key(name)) {
            let source = pipeline.source_named(&name)?;
            sources.insert(name, self.sources.sha256(source).await?);
        }
        content_keys(pipeline, &sources)
    }

    /// Takes from the pipeline the outputs that are there already, and notes them as done.
    pub(super) async fn reuse(&self, rest: &mut Rest, done: &mut Finished) -> Result<()> {
        let Some(recall) = self.attempt.recall.as_ref().filter(|_| self.attempt.reuses()) else {
            return Ok(());
        };
        let keys = rest.keys.clone();
        for (place, key) in keys
            .iter()
            .filter(|(place, _)| rest.pipeline.outputs.contains_key(*place))
            .collect::<Vec<_>>()
        {
            let hits = recall.recall(key).await.unwrap_or_else(|error| {
                tracing::warn!(output = %place, %error, "earlier results can not be recalled");
                Vec::new()
            });
            for hit in hits.into_iter().filter(|hit| hit.state == OutputState::Published) {
                let output = rest.pipeline.outputs[place].clone();
                if let Some((report, staged)) = self.taken_over(place, &output, key, hit).await? {
                    rest.made(place);
                    done.outputs.push(report);
                    done.staged.extend(staged);
                    break;
                }
            }
        }
        Ok(())
    }

    /// The output made from an earlier result: staged copies, or nothing to do for what is in its place. `None` if the result
    /// is not what it was. Several files are used again at the same places only.
    async fn taken_over(
        &self,
        place: &str,
        output: &OutputSpec,
        key: &str,
        hit: OutputReport,
    ) -> Result<Option<(OutputReport, Vec<StagedOutput>)>> {
        if hit.files.is_empty() {
            let taken = self.taken_over_file(place, output, key, hit).await?;
            return Ok(taken.map(|(report, staged)| (report, staged.into_iter().collect())));
        }
        if hit.output != place {
            return Ok(None);
        }
        let (mut files, mut all) = (Vec::new(), Vec::new());
        for file in hit.files {
            let at = file.output.clone();
            let Some((report, staged)) = self.taken_over_file(&at, output, key, file).await? else {
                return Ok(None);
            };
            files.push(report);
            all.extend(staged);
        }
        Ok(Some((OutputReport::of_files(place, files), all)))
    }

    async fn taken_over_file(
        &self,
        place: &str,
        output: &OutputSpec,
        key: &str,
        hit: OutputReport,
    ) -> Result<Option<(OutputReport, Option<StagedOutput>)>> {
        let (Ok(here), Ok(there)) =
            (place.parse::<Place>().and_then(|place| place.one()), hit.output.parse::<Location>())
        else {
            return Ok(None);
        };
        let Ok(storage) = self.resources.storages.of(&there) else { return Ok(None) };
        let Ok(found) = storage.stat(&there.key).await else { return Ok(None) };
        if found.len != hit.bytes {
            return Ok(None);
        }
        let options = GetOptions::new().limit(hit.bytes);
        let Ok(blob) = storage.get(&there.key, &options, self.cx.scratch()).await else {
            return Ok(None);
        };
        if blob.len() != hit.bytes {
            return Ok(None);
        }
        let mut report = hit;
        let registry = &self.resources.registry;
        let told = |key| misnamed(registry, key, report.format.as_ref());
        let (before, now) = (told(&there.key), told(&here.key));
        report.warnings.retain(|warning| Some(warning) != before.as_ref());
        report.warnings.extend(now);
        (report.output, report.content_key) = (place.to_owned(), key.to_owned());
        report.reused = true;
        let wanted = self.resources.storages.put_options(&here, &output.put);
        let staged = if here == there && wanted.or(&found.options) == found.options {
            None
        } else {
            match self.stage(&report, &blob, &output.put, output.precondition.clone()).await {
                Ok(staged) => Some(staged),
                // Gone while it was copied.
                Err(error) if error.code() == codes::BLOB_IO => return Ok(None),
                Err(error) => return Err(error.with("output", place)),
            }
        };
        // Looked at after the copy: had it been replaced before, this would see it.
        match self.cx.cpu(move |cx| sha256(&blob, cx)).await {
            Ok(found) if found == report.sha256 => Ok(Some((report, staged))),
            Ok(_) => Ok(None),
            Err(error) if error.code() == codes::BLOB_IO => Ok(None),
            Err(error) => Err(error),
        }
    }
}
