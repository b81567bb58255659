//! mediaflow's side: a case's steps as JSON, submitted as a job.

use std::path::{Path, PathBuf};

use mediaflow::prelude::*;
use serde_json::{Map, Value, json};

use super::Result;
use super::peer::Case;

pub(crate) struct Host {
    media: Mediaflow,
    out: PathBuf,
}

impl Host {
    /// With sources in these folders.
    pub(crate) async fn start(sources: &[&Path], out: &Path) -> Result<Self> {
        let mut builder = Mediaflow::builder().storage("out", &format!("file:{}", out.display()));
        for folder in sources {
            builder = builder.allow_paths(*folder);
        }
        let media = builder.with(image::operations).start().await?;
        Ok(Self { media, out: out.to_owned() })
    }

    /// The result, or what it failed with.
    pub(crate) async fn make(&self, case: &Case) -> Result<Result<PathBuf, String>> {
        let name = case.file.file_name().ok_or("a result has a name")?.to_string_lossy();
        let result = self.out.join(&*name);
        // The result of an earlier run must not be taken for one of this.
        if result.exists() {
            std::fs::remove_file(&result)?;
        }
        let pipeline: Pipeline = serde_json::from_value(spec(case, &name))?;
        let job = match self.media.submit(pipeline).await {
            Ok(job) => job,
            Err(error) => return Ok(Err(error.to_string())),
        };
        Ok(job.done().await.map(|_| result).map_err(|error| error.to_string()))
    }
}

/// Its steps, one after the other; one that takes two pictures takes the overlay as its second.
fn spec(case: &Case, name: &str) -> Value {
    let mut steps = Map::new();
    let mut last = "source".to_owned();
    for (number, (operation, parameters)) in case.steps.iter().enumerate() {
        let mut from = vec![last];
        if matches!(&**operation, "watermark" | "compose") {
            from.push("overlay".to_owned());
        }
        last = format!("step-{number}");
        let step = json!({ "op": operation, "from": from, "with": parameters });
        steps.insert(last.clone(), step);
    }
    let inputs: Map<_, _> =
        case.overlay.iter().map(|overlay| ("overlay".to_owned(), path(overlay))).collect();
    json!({
        "source": path(&case.source),
        "inputs": inputs,
        "steps": steps,
        "outputs": { format!("out/{name}"): { "from": last } },
    })
}

fn path(path: &Path) -> Value {
    format!("file:{}", path.display()).into()
}
