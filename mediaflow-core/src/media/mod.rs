//! What flows between steps: decoded pixels, or an encoded file.
//!
//! Uses: error, limits, wire.

mod blob;
mod file;
mod format;
mod image;
mod info;

pub use blob::{Blob, ReadSeek, Scratch};
pub use file::MediaFile;
pub use format::Format;
pub use image::{Image, Metadata};
pub(crate) use info::seconds;
pub use info::{MediaInfo, StreamInfo, StreamKind};

use crate::{Error, Result};

/// One input or result of a step.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Media {
    /// Decoded pixels.
    Image(Image),
    /// An encoded file: a source, or what an encoder made.
    File(MediaFile),
}

impl Media {
    /// The decoded pixels.
    ///
    /// # Errors
    /// `media.not_decoded` if this is an encoded file.
    pub fn into_image(self) -> Result<Image> {
        match self {
            Self::Image(image) => Ok(image),
            Self::File(file) => {
                Err(Error::input("media.not_decoded", "the step needs decoded pixels")
                    .with("media", file.name())
                    .help("put the step before the encoder"))
            }
        }
    }

    /// The encoded file.
    ///
    /// # Errors
    /// `media.not_encoded` if this is decoded pixels.
    pub fn into_file(self) -> Result<MediaFile> {
        match self {
            Self::File(file) => Ok(file),
            Self::Image(image) => {
                Err(Error::input("media.not_encoded", "an encoded file is needed, not pixels")
                    .with("size", format_args!("{}x{}", image.width(), image.height()))
                    .help("end the output with an encoder, for instance `.jpeg(82)`"))
            }
        }
    }

    /// What is known of it without decoding: of pixels all, of a file its format and size.
    #[must_use]
    pub fn info(&self) -> MediaInfo {
        match self {
            Self::Image(image) => image.info(),
            Self::File(file) => MediaInfo::new(file.format().clone()).with_bytes(file.blob().len()),
        }
    }
}

impl From<Image> for Media {
    fn from(image: Image) -> Self {
        Self::Image(image)
    }
}

impl From<MediaFile> for Media {
    fn from(file: MediaFile) -> Self {
        Self::File(file)
    }
}
