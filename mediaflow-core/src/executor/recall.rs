use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
use serde_json::{Value, json};

use crate::Result;
use crate::media::OnDamage;
use crate::report::OutputReport;
use crate::spec::Pipeline;
use crate::spec::digest::{digest, sorted};

/// Remembers results by their content key: the same work is not done twice.
///
/// The content key of an output is a SHA-256 over mediaflow's version, the bytes of every source that the output hangs
/// on, and the operations that lead to it with their versions and parameters. It does not depend on the names of files,
/// steps and places, nor on the other outputs of the job. So an operation whose results change needs a higher version, and
/// results that depend on anything else, for instance on the time, are asked for with
/// [`JobOptions::reuse`](crate::spec::JobOptions::reuse) switched off.
#[async_trait]
pub trait Recall: fmt::Debug + Send + Sync + 'static {
    /// The reports of outputs with this key that were published before, the newest first, and a few of them only: what was
    /// the job's newest result may have been replaced or deleted, and an older one still be there. The bytes are looked at
    /// before they are used; what has changed or vanished meanwhile is passed over.
    ///
    /// # Errors
    /// It can not be known now; then the output is made again.
    async fn recall(&self, key: &str) -> Result<Vec<OutputReport>>;
}

/// Content keys by place.
pub(super) type Keys = BTreeMap<String, String>;

/// Digests each step from those that it takes from: names fall away, and so does all that an output does not hang on.
pub(super) fn content_keys(
    pipeline: &Pipeline,
    sources: &BTreeMap<String, String>,
) -> Result<Keys> {
    let source = match pipeline.on_damage {
        OnDamage::Accept => "damaged source",
        OnDamage::Refuse => "source",
    };
    let mut known: BTreeMap<&str, String> =
        sources.iter().map(|(name, hash)| (name.as_str(), format!("{source} {hash}"))).collect();
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
