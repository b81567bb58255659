//! Jobs from files to files, as a host has them done; folders are storages.

use std::path::Path;

use mediaflow::image::{self, ImageEncoders as _};
use mediaflow::ops::Resize;
use mediaflow::spec::Pipeline;
use mediaflow::{Builder, Mediaflow};
use tokio::runtime::Runtime;

use super::Result;
use super::mediaflow::Request;

/// A host that was started before.
pub(crate) struct Jobs {
    runtime: Runtime,
    media: Mediaflow,
    /// Where its engine has its file, if it has one.
    _folder: Option<tempfile::TempDir>,
}

impl Jobs {
    /// A host whose storages are the folders of the inputs and above those of the results; its engine is in memory, or on SQLite.
    pub(crate) fn start(request: &Request, on_file: bool) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let input = request.inputs.first().and_then(|input| input.parent());
        let input = input.ok_or("there is no input in a folder")?;
        let builder = Mediaflow::builder()
            .storage("in", &format!("file:{}", input.display()))
            .storage("out", &format!("file:{}", above(&request.out)?.display()))
            .with(image::operations);
        let folder = on_file.then(|| tempfile::tempdir_in(&request.out)).transpose()?;
        let builder = match &folder {
            Some(folder) => durable(builder, folder.path())?,
            None => builder,
        };
        let media = runtime.block_on(builder.start())?;
        Ok(Self { runtime, media, _folder: folder })
    }

    /// A job for each input. One JPEG per width of it is published when this returns.
    pub(crate) fn run(&self, request: &Request) -> Result<()> {
        let folder = request.out.strip_prefix(above(&request.out)?)?.display();
        let mut pipelines = Vec::with_capacity(request.inputs.len());
        for (number, input) in request.inputs.iter().enumerate() {
            let name = input.file_name().ok_or("an input has no name")?.to_string_lossy();
            let source = Pipeline::from(format!("in/{name}"));
            let pipeline = request.widths.iter().fold(source, |pipeline, width| {
                let place = format!("out/{folder}/{number}-{width}.jpg");
                let resize = Resize::width(*width);
                pipeline.output(place, |photo| photo.resize(resize).jpeg(request.quality))
            });
            pipelines.push(pipeline.build()?);
        }
        self.runtime.block_on(async {
            let mut jobs = Vec::with_capacity(pipelines.len());
            for pipeline in pipelines {
                // What was made before is made again.
                jobs.push(self.media.job(pipeline).reuse(false).submit().await?);
            }
            for job in jobs {
                job.done().await?;
            }
            Ok(())
        })
    }
}

/// The folder of all results.
fn above(out: &Path) -> Result<&Path> {
    Ok(out.ancestors().nth(2).ok_or("the results are in no folder")?)
}

#[cfg(feature = "sqlite")]
fn durable(builder: Builder, folder: &Path) -> Result<Builder> {
    Ok(builder.engine(mediaflow::queue::Sqlite::open(folder.join("jobs.db"))))
}

#[cfg(not(feature = "sqlite"))]
fn durable(_: Builder, _: &Path) -> Result<Builder> {
    Err("this program was built without the feature `sqlite`".into())
}
