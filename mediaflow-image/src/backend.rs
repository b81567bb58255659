use async_trait::async_trait;
use mediaflow_core::backend::{Backend, Capability, Group, Plan};
use mediaflow_core::media::{Format, MediaFile, MediaInfo};
use mediaflow_core::plan::Demand;
use mediaflow_core::{Error, Limits, Operation, Result, RunContext};

use crate::decode::decode;
use crate::ops::{
    AutoOrient, Crop, Flatten, Flip, Flop, Grayscale, Jpeg, Negate, Png, Resize, Rotate, Watermark,
    Webp,
};
use crate::plan::ImagePlan;
use crate::probe;

/// Runs all image steps on one source as one plan. See the [crate documentation](crate).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ImageBackend {}

impl ImageBackend {
    /// The backend. It has no settings: limits and threads are the engine's.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

#[async_trait]
impl Backend for ImageBackend {
    fn name(&self) -> &str {
        "image"
    }

    fn capability(&self) -> Capability {
        Capability::new(
            [
                AutoOrient::KIND,
                Crop::KIND,
                Flatten::KIND,
                Flip::KIND,
                Flop::KIND,
                Grayscale::KIND,
                Jpeg::KIND,
                Negate::KIND,
                Png::KIND,
                Resize::KIND,
                Rotate::KIND,
                Watermark::KIND,
                Webp::KIND,
            ],
            [Format::JPEG, Format::PNG, Format::WEBP, Format::GIF],
        )
    }

    async fn probe(&self, file: &MediaFile, limits: &Limits) -> Result<MediaInfo> {
        let name = file.name();
        let (file, limits, time) = (file.clone(), limits.clone(), limits.probe_time);
        let work = tokio::task::spawn_blocking(move || {
            probe::probe(file.format(), file.blob(), &limits)
                .map(|header| header.info(file.blob().len()))
        });
        let probed = match tokio::time::timeout(time, work).await {
            Ok(Ok(probed)) => probed,
            Ok(Err(e)) => {
                Err(Error::internal("image.probe", "reading the header panicked").because(e))
            }
            Err(e) => Err(Error::limit("limit.probe_time", "reading the header took too long")
                .with("limit", "probe_time")
                .because(e)),
        };
        probed.map_err(|e| e.with("source", name))
    }

    async fn verify(
        &self,
        file: &MediaFile,
        expected: &MediaInfo,
        cx: &RunContext,
    ) -> Result<MediaInfo> {
        let name = file.name();
        let (file, expected) = (file.clone(), expected.clone());
        cx.cpu(move |cx| verify(&file, &expected, cx)).await.map_err(|e| e.with("result", name))
    }

    fn plan(&self, group: &Group) -> Result<Box<dyn Plan>> {
        Ok(Box::new(ImagePlan::new(group)?))
    }
}

fn verify(file: &MediaFile, expected: &MediaInfo, cx: &RunContext) -> Result<MediaInfo> {
    let broken =
        |e: Error| Error::input("verify.decode", "the result can not be decoded").because(e);
    let info = probe::probe(file.format(), file.blob(), cx.limits())
        .map_err(broken)?
        .info(file.blob().len());
    let (wanted, found) = (expected.upright_size(), info.upright_size());
    if wanted != (0, 0) && wanted != found {
        return Err(Error::internal("verify.size", "the result has another size than planned")
            .with("planned", format_args!("{}x{}", wanted.0, wanted.1))
            .with("found", format_args!("{}x{}", found.0, found.1)));
    }
    if expected.format != Format::RAW && expected.format != info.format {
        return Err(Error::internal("verify.format", "the result has another format than planned")
            .with("planned", &expected.format)
            .with("found", &info.format));
    }
    // The smallest scale still reads every byte.
    decode(file, Demand::NONE, cx).map_err(|e| cx.check().err().unwrap_or_else(|| broken(e)))?;
    Ok(info)
}
