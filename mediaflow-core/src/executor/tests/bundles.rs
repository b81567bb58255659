//! Outputs of several files: in parts, and used again.

use serde_json::json;

use super::super::PartSpec;
use super::*;
use crate::media::{Bundle, Format, MediaInfo, Medium};

/// Gives its input under several names.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Copies {
    names: Vec<String>,
}

impl Operation for Copies {
    const KIND: &'static str = "test.copies";

    fn gives(&self, _input: Medium) -> Medium {
        Medium::Bundle
    }

    fn describe(&self, _inputs: &[MediaInfo]) -> Result<MediaInfo> {
        Ok(Bundle::info(Format::GIF))
    }
}

#[async_trait]
impl Run for Copies {
    const TAKES: Takes = Takes::Encoded;

    async fn run(&self, inputs: Inputs, _cx: &OpContext) -> Result<Outputs> {
        let file = inputs.into_first()?.into_file()?;
        let with = |bundle: Bundle, name: &String| bundle.with(name, file.clone());
        Ok(Outputs::one(self.names.iter().try_fold(Bundle::new(), with)?))
    }
}

pub(super) fn bundle(place: &str) -> Pipeline {
    let names = ["a.gif", "b.gif", "main.gif"].map(str::to_owned).into();
    Pipeline::from("in/a.gif")
        .output(place, |dot| dot.then(FakeWork::new("work")).then(Copies { names }))
        .build()
        .unwrap()
}

#[tokio::test]
async fn a_part_can_be_several_files() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let out = files(folder.path());
    let executor = host.executor(out.clone());
    let spec = JobSpec::new(&bundle("out/b/{name}")).unwrap();
    let part = PartSpec::new(1, json!({ "outputs": ["out/b/{name}"] }));
    let result = executor.part(&attempt(&spec, 1), &part).await.unwrap().detach();
    assert_eq!((result.artefacts.len(), published(&out).await.len()), (3, 0));
    let stored = serde_json::to_value(&result).unwrap();
    let mut whole = executor
        .assemble(&attempt(&spec, 2), vec![serde_json::from_value(stored).unwrap()])
        .await
        .unwrap();
    whole.publish().await.unwrap();
    assert_eq!(published(&out).await, ["b/a.gif", "b/b.gif", "b/main.gif"]);
    assert_eq!((whole.outputs.len(), whole.outputs[0].files.len()), (1, 3));
    assert_eq!(staged(folder.path()), 0);
}

#[tokio::test]
async fn several_files_become_visible_as_a_whole_where_the_storage_can() {
    let (host, storage) = (Host::new().await, MemoryStorage::new());
    let out = FaultyStorage::new(storage.clone());
    let executor = host.executor(out.clone());
    let spec = JobSpec::new(&bundle("out/b/{name}")).unwrap();
    out.block("b/main.gif");
    let error = made(&executor, &attempt(&spec, 1)).await.publish().await.unwrap_err();
    assert_eq!((error.code(), error.fact("output")), ("storage.io", Some("out/b/{name}")));
    assert_eq!(published(&storage).await, [""; 0], "nothing of it is there without the main one");

    let again = FaultyStorage::new(storage.clone());
    again.fail_publishes(1);
    let executor = host.executor(again);
    made(&executor, &attempt(&spec, 2)).await.publish().await.unwrap();
    assert_eq!(published(&storage).await, ["b/a.gif", "b/b.gif", "b/main.gif"]);
}
