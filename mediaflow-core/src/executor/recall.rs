use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::finished::Waiting;
use super::outputs::{hex, misnamed, sha256};
use super::run::Execution;
use super::{Attempt, Finished};
use crate::planner::needed_sources;
use crate::report::{OutputReport, OutputState};
use crate::spec::{Location, Pipeline, SOURCE, Source};
use crate::{Error, Result};

/// Remembers results by their content key: the same work is not done twice.
///
/// The content key of an output is a SHA-256 over mediaflow's version, the bytes of every source that the output hangs
/// on, and the operations that lead to it with their versions and parameters. It does not depend on the names of files,
/// steps and places, nor on the other outputs of the job. So an operation whose results change needs a higher version, and
/// results that depend on anything else, for instance on the time, are asked for with
/// [`JobOptions::reuse`](crate::spec::JobOptions::reuse) switched off.
#[async_trait]
pub trait Recall: fmt::Debug + Send + Sync + 'static {
    /// The report of an output with this key that was published before. Its bytes are looked at before they are used:
    /// what has changed or vanished meanwhile is made again.
    ///
    /// # Errors
    /// It can not be known now; then the output is made again.
    async fn recall(&self, key: &str) -> Result<Option<OutputReport>>;
}

/// Content keys by place.
pub(super) type Keys = BTreeMap<String, String>;

impl Attempt {
    fn reuses(&self) -> bool {
        self.spec.options.reuse.unwrap_or(true)
    }
}

impl Execution<'_> {
    /// The content keys of the outputs, if anybody wants to know them: they cost reading every source.
    pub(super) async fn content_keys(&self, pipeline: &Pipeline) -> Result<Keys> {
        if self.attempt.recall.is_none() {
            return Ok(Keys::new());
        }
        pipeline.validate(&self.resources.limits)?;
        let mut sources = BTreeMap::new();
        for name in needed_sources(pipeline) {
            let source = source_named(pipeline, &name)?;
            sources.insert(name, self.sources.sha256(source).await?);
        }
        content_keys(pipeline, &sources)
    }

    /// Takes from the pipeline the outputs that are there already, and notes them as done.
    pub(super) async fn reuse(
        &self,
        pipeline: &mut Pipeline,
        keys: &Keys,
        done: &mut Finished,
    ) -> Result<()> {
        let Some(recall) = self.attempt.recall.as_ref().filter(|_| self.attempt.reuses()) else {
            return Ok(());
        };
        for (place, key) in keys {
            let hit = match recall.recall(key).await {
                Ok(hit) => hit.filter(|hit| hit.state == OutputState::Published),
                Err(error) => {
                    tracing::warn!(output = %place, %error, "earlier results can not be recalled");
                    None
                }
            };
            let Some(hit) = hit else { continue };
            if let Some((report, waiting)) = self.taken_over(place, key, hit).await? {
                pipeline.outputs.remove(place);
                done.outputs.push(report);
                done.staged.extend(waiting);
            }
        }
        Ok(())
    }

    /// The output made from an earlier result: a staged copy, or nothing to do if it is in its place. `None` if the
    /// result is not what it was.
    async fn taken_over(
        &self,
        place: &str,
        key: &str,
        hit: OutputReport,
    ) -> Result<Option<(OutputReport, Option<Waiting>)>> {
        let (Ok(here), Ok(there)) = (place.parse::<Location>(), hit.output.parse::<Location>())
        else {
            return Ok(None);
        };
        let Ok(storage) = self.resources.storages.of(&there) else { return Ok(None) };
        let Ok(blob) = storage.get(&there.key).await else { return Ok(None) };
        if blob.len() != hit.bytes {
            return Ok(None);
        }
        let mut report = hit;
        report
            .warnings
            .retain(|told| misnamed(&there.key, report.format.as_ref()).as_ref() != Some(told));
        report.warnings.extend(misnamed(&here.key, report.format.as_ref()));
        (report.output, report.content_key) = (place.to_owned(), key.to_owned());
        report.reused = true;
        let waiting = if here == there {
            None
        } else {
            match self.stage(&report, &blob).await {
                Ok(waiting) => Some(waiting),
                // Gone while it was copied.
                Err(error) if error.code() == "blob.io" => return Ok(None),
                Err(error) => return Err(error.with("output", place)),
            }
        };
        // Looked at after the copy: had it been replaced before, this would see it.
        match self.cx.cpu(move |cx| sha256(&blob, cx)).await {
            Ok(found) if found == report.sha256 => Ok(Some((report, waiting))),
            Ok(_) => Ok(None),
            Err(error) if error.code() == "blob.io" => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The source or input of this name.
pub(super) fn source_named<'a>(pipeline: &'a Pipeline, name: &str) -> Result<&'a Source> {
    if name == SOURCE {
        return Ok(&pipeline.source);
    }
    pipeline.inputs.get(name).ok_or_else(|| {
        Error::input("spec.reference", format!("there is no step or input `{name}`"))
    })
}

/// Digests each step from those that it takes from: names fall away, and so does all that an output does not hang on.
pub(super) fn content_keys(
    pipeline: &Pipeline,
    sources: &BTreeMap<String, String>,
) -> Result<Keys> {
    let mut known: BTreeMap<&str, String> =
        sources.iter().map(|(name, hash)| (name.as_str(), format!("source {hash}"))).collect();
    for name in pipeline.ordered()? {
        let step = &pipeline.steps[name];
        let from: Option<Vec<_>> = step.from.iter().map(|from| known.get(from.as_str())).collect();
        // Without a digest it hangs on a source that no output needs, so no output needs it.
        let Some(from) = from else { continue };
        let recipe = json!([step.op, step.v, sorted(&Value::Object(step.with.clone())), from]);
        let digest = format!("step {}", digest(&recipe));
        known.insert(name, digest);
    }
    let keys = pipeline.outputs.iter().filter_map(|(place, output)| {
        let made = known.get(output.from.as_str())?;
        Some((place.clone(), digest(&json!(["mediaflow", env!("CARGO_PKG_VERSION"), made]))))
    });
    Ok(keys.collect())
}

fn digest(value: &Value) -> String {
    hex(&Sha256::digest(value.to_string()))
}

/// With the names in each object in order, whatever a build of `serde_json` does with them.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> = fields.iter().collect();
            let fields = fields.into_iter().map(|(name, value)| (name.clone(), sorted(value)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}
