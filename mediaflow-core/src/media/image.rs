use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{Format, MediaInfo};
use crate::{Error, Result};

/// Decoded pixels: 8 bits per channel, sRGB, rows from the top without padding, alpha not premultiplied.
///
/// Clones share the pixels; [`Image::into_pixels`] copies only if somebody else still holds them.
#[derive(Clone)]
pub struct Image {
    width: u32,
    height: u32,
    channels: u8,
    pixels: Arc<Vec<u8>>,
    metadata: Metadata,
}

/// What travels beside the pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metadata {
    /// The EXIF block, TIFF header first.
    pub exif: Option<Bytes>,
    /// The XMP packet.
    pub xmp: Option<Bytes>,
    /// The ICC profile that the pixels still are in; `None` once they are sRGB.
    pub icc: Option<Bytes>,
}

impl Image {
    /// Pixels of `channels` bytes each: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
    ///
    /// # Errors
    /// `image.shape` if the number of bytes does not fit the size, or a side is zero.
    pub fn new(width: u32, height: u32, channels: u8, pixels: Vec<u8>) -> Result<Self> {
        let wanted = u64::from(width) * u64::from(height) * u64::from(channels);
        if !(1..=4).contains(&channels) || wanted == 0 || wanted != pixels.len() as u64 {
            return Err(Error::internal("image.shape", "the pixels do not fit the size")
                .with("size", format_args!("{width}x{height}x{channels}"))
                .with("bytes", pixels.len()));
        }
        Ok(Self {
            width,
            height,
            channels,
            pixels: Arc::new(pixels),
            metadata: Metadata::default(),
        })
    }

    /// With this metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Bytes of one pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
    #[must_use]
    pub fn channels(&self) -> u8 {
        self.channels
    }

    /// Whether there is an alpha channel.
    #[must_use]
    pub fn has_alpha(&self) -> bool {
        self.channels.is_multiple_of(2)
    }

    /// The rows from the top.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// The rows from the top, without a copy if nobody else holds them.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        Arc::try_unwrap(self.pixels).unwrap_or_else(|shared| shared.as_ref().clone())
    }

    /// What travels beside the pixels.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> MediaInfo {
        let mut info = MediaInfo::new(Format::RAW).with_size(self.width, self.height);
        info.alpha = self.has_alpha();
        info.channels = self.channels;
        info
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}x{}x{})", self.width, self.height, self.channels)
    }
}
