use async_trait::async_trait;
use mediaflow_core::media::{Format, Media, MediaFile, MediaInfo};
use mediaflow_core::plan::Demand;
use mediaflow_core::reader::{FormatSpec, Reader};
use mediaflow_core::{Error, Result, RunContext, codes};

use crate::formats::{self, check, decode, probe};
use crate::pixels::{Turn, srgb};

/// Reads the formats that this crate has a codec for; of an animation the first frame.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct ImageReader {}

impl ImageReader {
    /// The reader. It has no settings: limits are the engine's.
    #[must_use]
    pub fn new() -> Self {
        Self {}
    }
}

#[async_trait]
impl Reader for ImageReader {
    fn name(&self) -> &str {
        crate::NAME
    }

    fn formats(&self) -> Vec<FormatSpec> {
        formats::specs()
    }

    async fn probe(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo> {
        let (name, limits) = (file.name(), cx.limits().clone());
        let file = file.clone();
        let probed = cx.blocking(move || {
            let header = probe(file.format(), file.blob(), &limits)?;
            Ok(header.info(file.blob().len()))
        });
        probed.await.map_err(|e| e.with("source", name))
    }

    async fn decode(&self, file: &MediaFile, wanted: Demand, cx: &RunContext) -> Result<Media> {
        let file = file.clone();
        cx.cpu(move |cx| {
            let turn = Turn::exif(probe(file.format(), file.blob(), cx.limits())?.orientation);
            let decoded = decode(&file, wanted, cx)?;
            srgb(turn.apply(decoded.image, cx)?, cx).map(Media::from)
        })
        .await
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
}

fn verify(file: &MediaFile, expected: &MediaInfo, cx: &RunContext) -> Result<MediaInfo> {
    let broken =
        |e: Error| Error::input(codes::VERIFY_DECODE, "the result can not be decoded").because(e);
    let info =
        probe(file.format(), file.blob(), cx.limits()).map_err(broken)?.info(file.blob().len());
    let (wanted, found) = ((expected.width, expected.height), (info.width, info.height));
    if wanted != (0, 0) && wanted != found {
        return Err(Error::internal(
            codes::VERIFY_SIZE,
            "the result has another size than planned",
        )
        .with("planned", format_args!("{}x{}", wanted.0, wanted.1))
        .with("found", format_args!("{}x{}", found.0, found.1)));
    }
    if expected.format != Format::RAW && expected.format != info.format {
        return Err(Error::internal(
            codes::VERIFY_FORMAT,
            "the result has another format than planned",
        )
        .with("planned", &expected.format)
        .with("found", &info.format));
    }
    check(file, &info, cx).map_err(|e| cx.check().err().unwrap_or_else(|| broken(e)))?;
    Ok(info)
}
