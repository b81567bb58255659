//! From a file to pixels: 8 bits per channel, as stored (not yet turned, not yet sRGB), with the metadata beside them.
//!
//! Each decoder must report a file that ends too early. A grey lower half is never a success.
//!
//! Uses: error, probe.

mod gif;
mod jpeg;
mod png;
mod read;
mod webp;

use mediaflow_core::media::{Image, MediaFile};
use mediaflow_core::plan::Demand;
use mediaflow_core::{Limits, Result, RunContext};

use crate::probe::{self, Header};

/// Pixels as stored.
#[derive(Debug)]
pub(crate) struct Decoded {
    pub(crate) image: Image,
    /// How many decoded pixels one stored pixel became: 1, or less after a scaled decode. The right and bottom edge may
    /// hold a part of a pixel.
    pub(crate) scale: f64,
}

/// Decodes a file, at the smallest scale that satisfies `demand`.
///
/// # Errors
/// What [`probe::probe`] gives, `image.truncated`, `image.corrupt`, `image.unsupported`, and `job.cancelled`.
pub(crate) fn decode(file: &MediaFile, demand: Demand, cx: &RunContext) -> Result<Decoded> {
    let limits = cx.limits();
    decode_unnamed(file, demand, limits, cx).map_err(|e| e.with("source", file.name()))
}

fn decode_unnamed(
    file: &MediaFile,
    demand: Demand,
    limits: &Limits,
    cx: &RunContext,
) -> Result<Decoded> {
    let header = probe::probe(file.format(), file.blob(), limits)?;
    let bytes = file.blob().read(limits.image_bytes)?;
    cx.check()?;
    let eighths = if header.format == mediaflow_core::media::Format::JPEG {
        eighths(&header, demand)
    } else {
        8
    };
    let decoded = match header.format.name() {
        "jpeg" => jpeg::decode(&bytes, &header, eighths, cx),
        "png" => png::decode(&bytes, &header, cx),
        "webp" => webp::decode(&bytes, &header, cx),
        _ => gif::decode(&bytes, &header, cx),
    };
    // A decoder that was interrupted reports a read error; the reason is the better news.
    let image = decoded.or_else(|error| cx.check().and(Err(error)))?;
    Ok(Decoded { image, scale: f64::from(eighths) / 8.0 })
}

/// The scale of a JPEG decode in eighths: 1, 2, 4 or 8, the smallest that is no smaller than the demand.
pub(crate) fn eighths_for(width: u32, height: u32, demand: Demand) -> u32 {
    // The decoders round up: of a narrow picture nothing would be saved, and its shape would change.
    if width.min(height) < 64 {
        return 8;
    }
    [1_u32, 2, 4].into_iter().find(|n| f64::from(*n) / 8.0 >= demand.as_scale()).unwrap_or(8)
}

fn eighths(header: &Header, demand: Demand) -> u32 {
    eighths_for(header.width, header.height, demand)
}
