//! Headers, without decoding: size, channels, orientation, frames, and what would make decoding dangerous.
//!
//! Every limit that a header can break is checked here, before a decoder sees the file. The walks below read a few
//! bytes of each segment and seek over the rest, so that a chunk that claims a gigabyte costs nothing.
//!
//! Uses: error.

mod exif;
mod gif;
mod header;
mod jpeg;
mod png;
mod walk;
mod webp;

use std::io::BufReader;

use mediaflow_core::media::{Blob, Format};
use mediaflow_core::{Error, Limits, Result};

pub(crate) use exif::{essential, upright};
pub(crate) use header::Header;
pub(crate) use jpeg::{Segment, segments};
pub(crate) use png::inflate;
pub(crate) use webp::chunks;

/// Reads the header of a file in one of the formats of this crate.
///
/// # Errors
/// `image.truncated`, `image.corrupt`, `image.unsupported`, `limit.*`, and what reading the blob can give.
pub(crate) fn probe(format: &Format, blob: &Blob, limits: &Limits) -> Result<Header> {
    if blob.is_empty() {
        return Err(Error::input("media.empty", "the file has no bytes")
            .help("the upload was probably cut off: send it again"));
    }
    let mut walk = walk::Walk::new(BufReader::new(blob.reader()?), blob.len(), format.clone());
    let header = match format.name() {
        "jpeg" => jpeg::probe(&mut walk, limits),
        "png" => png::probe(&mut walk, limits),
        "webp" => webp::probe(&mut walk, limits),
        "gif" => gif::probe(&mut walk, limits),
        _ => Err(Error::unsupported("image.format", "this format is not decoded here")
            .with("format", format)
            .help("send a JPEG, PNG, WebP or GIF")),
    }?;
    header.check(limits)
}
