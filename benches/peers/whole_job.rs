//! A job from file to files, as a host has it done: the engine in memory, folders as storages.

use std::path::Path;

use mediaflow::Mediaflow;
use mediaflow::image::{self, ImageEncoders as _};
use mediaflow::ops::Resize;
use mediaflow::spec::Pipeline;
use tokio::runtime::Runtime;

use super::Result;

/// A host that was started before.
pub(crate) struct Jobs {
    runtime: Runtime,
    media: Mediaflow,
}

impl Jobs {
    /// A host whose storages are the folders of the input and above those of the results.
    pub(crate) fn start(input: &Path, out: &Path) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let folder = input.parent().ok_or("the input is in no folder")?;
        let above = out.ancestors().nth(2).ok_or("the results are in no folder")?;
        let media = runtime.block_on(
            Mediaflow::builder()
                .storage("in", &format!("file:{}", folder.display()))
                .storage("out", &format!("file:{}", above.display()))
                .with(image::operations)
                .start(),
        )?;
        Ok(Self { runtime, media })
    }

    /// One JPEG per width, published, when this returns.
    pub(crate) fn run(
        &self,
        input: &Path,
        out: &Path,
        widths: &[u32],
        quality: u8,
    ) -> Result<Option<Vec<Vec<Vec<u8>>>>> {
        let name = input.file_name().ok_or("the input has no name")?.to_string_lossy();
        let above = out.ancestors().nth(2).ok_or("the results are in no folder")?;
        let folder = out.strip_prefix(above)?.display();
        let source = Pipeline::from(format!("in/{name}"));
        let pipeline = widths.iter().fold(source, |pipeline, width| {
            let resize = Resize::width(*width);
            let place = format!("out/{folder}/0-{width}.jpg");
            pipeline.output(place, |photo| photo.resize(resize).jpeg(quality))
        });
        let pipeline = pipeline.build()?;
        self.runtime.block_on(async { self.media.submit(pipeline).await?.done().await })?;
        Ok(None)
    }
}
