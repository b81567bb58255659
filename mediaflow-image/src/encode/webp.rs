use enough::{Stop, StopReason};
use mediaflow_core::media::{Format, Image};
use mediaflow_core::{Error, Result, RunContext};
use webpx::{Encoder, EncoderConfig};

use super::{check_side, fitting, metadata, too_large};
use crate::error;
use crate::ops::Webp;
use crate::pixels::widen;

pub(crate) fn encode(image: Image, how: &Webp, cx: &RunContext) -> Result<Vec<u8>> {
    check_side(&image, &Format::WEBP, 16_383)?;
    let kept = metadata::kept(&image, how.metadata);
    let image = widen(image, 3)?;
    let config = || {
        let mut config =
            EncoderConfig::new().method(how.effort).lossless(how.lossless).thread_level(0);
        if let Some(profile) = &kept.icc {
            config = config.icc_profile(profile.to_vec());
        }
        if let Some(tiff) = &kept.exif {
            config = config.exif(tiff.to_vec());
        }
        if let Some(packet) = &kept.xmp {
            config = config.xmp(packet.to_vec());
        }
        config
    };
    let encode = |quality: u8| {
        let config = config().quality(f32::from(quality));
        let (width, height) = (image.width(), image.height());
        let encoder = match image.channels() {
            4 => Encoder::new_rgba(image.pixels(), width, height),
            _ => Encoder::new_rgb(image.pixels(), width, height),
        };
        encoder.config(config).encode(Poll(cx)).map_err(|e| failed(e, cx))
    };
    if !how.lossless {
        return fitting(how.max_bytes, how.quality, cx, encode);
    }
    let bytes = encode(how.quality)?;
    match how.max_bytes.filter(|max| bytes.len() as u64 > *max) {
        Some(max) => Err(too_large(bytes.len(), max)),
        None => Ok(bytes),
    }
}

/// Tells the encoder, after each row of blocks, whether the job was cancelled.
struct Poll<'a>(&'a RunContext);

impl Stop for Poll<'_> {
    fn check(&self) -> std::result::Result<(), StopReason> {
        self.0.check().map_err(|_| StopReason::Cancelled)
    }
}

fn failed(cause: impl std::fmt::Display, cx: &RunContext) -> Error {
    cx.check().err().unwrap_or_else(|| error::encode(&Format::WEBP, cause.to_string()))
}
