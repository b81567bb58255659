//! A page with a picture of each operation on stills, made of the photos of this repository from steps as JSON.
//!
//! `cargo run --release --example gallery --features text,avif` writes `target/gallery/index.html`. An operation without a picture
//! fails it; a picture of one that needs a feature which is off is left out.
#![allow(clippy::print_stdout, reason = "an example talks to its reader")]

mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::Duration;

use mediaflow::Registry;
use mediaflow::media::Medium;
use mediaflow::prelude::*;
use serde::Deserialize;
use serde_json::{Map, Value, json};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A picture to make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Picture {
    title: String,
    /// A file of `examples/media`.
    source: String,
    /// Another, for the steps that take two pictures.
    overlay: Option<String>,
    /// Each an operation, and its parameters if it is given some.
    steps: Vec<Vec<Value>>,
    /// Of a result that the last step has encoded; the others become PNG.
    extension: Option<String>,
}

impl Picture {
    fn operations(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().filter_map(|step| step.first()?.as_str())
    }

    /// The pipeline, in the form in which a service would take it from its client.
    fn pipeline(&self, place: &str) -> Value {
        let input = |file: &str| format!("media/{file}");
        let mut steps = Map::new();
        let mut last = "source".to_owned();
        let png = [Value::from("png")];
        let made = self.steps.iter().map(Vec::as_slice);
        let end = self.extension.is_none().then_some(png.as_slice());
        for (number, step) in made.chain(end).enumerate() {
            let operation = step.first().and_then(Value::as_str).unwrap_or_default();
            let mut from = vec![last];
            if matches!(operation, "watermark" | "compose") {
                from.push("overlay".to_owned());
            }
            last = format!("step-{number}");
            let with = step.get(1).cloned().unwrap_or_else(|| json!({}));
            steps.insert(last.clone(), json!({ "op": operation, "from": from, "with": with }));
        }
        let inputs: Map<String, Value> =
            self.overlay.iter().map(|file| ("overlay".to_owned(), input(file).into())).collect();
        json!({
            "source": input(&self.source),
            "inputs": inputs,
            "steps": steps,
            "outputs": { place: { "from": last } },
        })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = repository.join("target/gallery");
    let groups: BTreeMap<String, Vec<Picture>> =
        serde_json::from_str(include_str!("pictures.json"))?;
    let mut registry = Registry::new();
    image::operations(&mut registry);
    let kinds: BTreeSet<_> = registry.schemas().map(|(kind, _)| kind).collect();
    all_are_shown(groups.values().flatten(), &registry)?;

    let media = Mediaflow::builder()
        .storage("media", &format!("file:{}", repository.join("examples/media").display()))
        .storage("out", &format!("file:{}", out.display()))
        .with(image::operations)
        .start()
        .await?;
    let mut page = String::new();
    for (group, pictures) in &groups {
        page += &page::heading(group);
        let known = |picture: &&Picture| picture.operations().all(|kind| kinds.contains(kind));
        for (number, picture) in pictures.iter().filter(known).enumerate() {
            let extension = picture.extension.as_deref().unwrap_or("png");
            let name = format!("{}-{number}.{extension}", group.replace(' ', "-"));
            let pipeline: Pipeline =
                serde_json::from_value(picture.pipeline(&format!("out/{name}")))?;
            let report = media.submit(pipeline).await?.done().await;
            let report = report.map_err(|error| format!("{}: {error}", picture.title))?;
            let output = report.outputs.first().ok_or("a job without an output")?;
            page += &page::figure(picture, &name, output);
        }
    }
    media.shutdown(Duration::from_secs(5)).await?;
    let index = out.join("index.html");
    fs::write(&index, page::whole(&page))?;
    println!("{}", index.display());
    Ok(())
}

/// Operations on what moves, and formats that browsers do not show.
const NOT_SHOWN: [&str; 5] = ["fps", "poster", "qoi", "tiff", "trim"];

/// That there is a picture of every operation on stills that makes one. Its earlier names have the same schema.
fn all_are_shown<'a>(
    pictures: impl Iterator<Item = &'a Picture>,
    registry: &Registry,
) -> Result<()> {
    let shown: BTreeSet<&str> = pictures.flat_map(Picture::operations).chain(NOT_SHOWN).collect();
    let schemas: Vec<_> = registry.schemas().collect();
    let finds_facts = |kind: &str| {
        let word = registry.parse(kind, 1, &Map::new());
        word.is_ok_and(|word| word.gives(Medium::Still) == Medium::Facts)
    };
    let is_shown = |(kind, schema): &(&str, _)| {
        shown.contains(kind)
            || finds_facts(kind)
            || schemas.iter().any(|(other, same)| shown.contains(other) && same == schema)
    };
    let missing: Vec<_> =
        schemas.iter().filter(|entry| !is_shown(entry)).map(|(kind, _)| *kind).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(format!("there is no picture of {}", missing.join(", ")).into())
}
