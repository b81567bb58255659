//! A reader that opens files finds what is in memory in the host's folder, and in no other.

use std::path::PathBuf;

use super::*;
use crate::media::{Format, MediaInfo};
use crate::reader::{FormatSpec, Reader};
use crate::{Error, RunContext};

/// Reads files only, and says where they have to be.
#[derive(Debug)]
struct Opens(PathBuf);

impl Opens {
    fn look(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        let blob = cx.scratch().materialise(file.blob(), "gif")?;
        match blob.path() {
            Some(path) if path.starts_with(&self.0) => Ok(MediaInfo::new(file.format().clone())),
            path => Err(Error::input("test.elsewhere", format!("the file is at {path:?}"))),
        }
    }
}

#[async_trait]
impl Reader for Opens {
    fn name(&self) -> &str {
        "opens"
    }

    fn formats(&self) -> Vec<FormatSpec> {
        vec![FormatSpec::new(Format::GIF)]
    }

    async fn probe(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        self.look(file, cx)
    }

    async fn verify(
        &self,
        file: &MediaFile,
        _expected: &MediaInfo,
        cx: &RunContext,
    ) -> Result<MediaInfo> {
        self.look(file, cx)
    }
}

#[tokio::test]
async fn what_is_probed_and_verified_lies_in_the_hosts_folder() {
    let (host, folder) = (Host::new().await, tempfile::tempdir().unwrap());
    let mut executor = host.executor(MemoryStorage::new());
    let resources = Arc::get_mut(&mut executor.0).unwrap();
    let mut registry = Registry::new();
    registry.operation::<Stamp>().reader(Opens(folder.path().to_owned()));
    (resources.registry, resources.scratch) = (registry, Scratch::in_folder(folder.path()));
    let stamp = Pipeline::from("in/a.gif")
        .output("out/a.gif", |dot| dot.then(Stamp { text: "x".into() }))
        .build()
        .unwrap();
    let made = made(&executor, &attempt(&JobSpec::new(&stamp).unwrap(), 1)).await;
    assert_eq!(made.outputs.len(), 1);
    assert_eq!(folder.path().read_dir().unwrap().count(), 0, "and nothing stays there");
}
