//! mediaflow as a host uses it: a job from file to files, of the engine in memory. The program is started for it alone.

use std::path::Path;

use mediaflow::prelude::*;

use super::Result;
use super::machine::options::CHILD;
use super::work::{TRIM, Work};

/// The word for a job that only copies a result: what remains of making it is to look at it and to verify it.
const COPY: &str = "copy";

/// The arguments with which this program does it.
pub(crate) fn command(work: Work, source: &Path, out: &Path) -> Result<Vec<String>> {
    arguments(work.name(), source, out)
}

/// The arguments with which this program copies a file.
pub(crate) fn copying(file: &Path, out: &Path) -> Result<Vec<String>> {
    arguments(COPY, file, out)
}

fn arguments(what: &str, source: &Path, out: &Path) -> Result<Vec<String>> {
    let program = std::env::current_exe()?;
    let all = [program.as_path(), CHILD.as_ref(), what.as_ref(), source, out];
    Ok(all.iter().map(|word| word.to_string_lossy().into_owned()).collect())
}

/// The other end of both.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    let [what, source, out] = arguments else { return Err("a child knows three arguments".into()) };
    let (source, out) = (Path::new(source), Path::new(out));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let folder = source.parent().ok_or("the source is in no folder")?;
    let name = source.file_name().ok_or("the source has no name")?.to_string_lossy();
    let pipeline = Pipeline::from(format!("in/{name}"));
    let pipeline = match Work::named(what) {
        Some(work) => outputs(work, pipeline),
        None if what == COPY => pipeline.output(format!("out/{COPY}.mp4"), |clip| clip),
        None => return Err(format!("unknown work {what}").into()),
    };
    let pipeline = pipeline.build()?;
    runtime.block_on(async {
        let media = Mediaflow::builder()
            .storage("in", &format!("file:{}", folder.display()))
            .storage("out", &format!("file:{}", out.display()))
            .with(image::operations)
            .with(video::operations)
            .start()
            .await?;
        media.submit(pipeline).await?.done().await?;
        Ok(media.shutdown(std::time::Duration::from_secs(5)).await?)
    })
}

fn outputs(
    work: Work,
    pipeline: mediaflow::spec::PipelineBuilder,
) -> mediaflow::spec::PipelineBuilder {
    let (from, until) = (f64::from(TRIM.0), f64::from(TRIM.1));
    work.asked().iter().fold(pipeline, |pipeline, asked| {
        let place = format!("out/{}", asked.name);
        let (quality, (width, height)) = (asked.quality, asked.size);
        let smaller = (width, height, Fit::Inside);
        pipeline.output(place, |clip| match work {
            Work::Transcode | Work::Two => clip.resize(smaller).mp4(quality),
            Work::Trim => clip.trim(from, until).resize(smaller).mp4(quality),
            Work::Poster => clip.poster(Position::Percent(10.0)).resize(smaller).jpeg(quality),
        })
    })
}
