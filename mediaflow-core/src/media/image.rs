use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use super::{ColorSpace, Depth, Format, Layout, MediaInfo};
use crate::codes;
use crate::{Error, Result};

/// Decoded pixels: rows from the top without padding, alpha not premultiplied. Most are in sRGB, and all
/// that [`Media::into_image`](super::Media::into_image) gives are of 8 bits.
///
/// Clones share the pixels; [`Image::into_pixels`] copies only if somebody else still holds them.
#[derive(Clone)]
pub struct Image {
    width: u32,
    height: u32,
    layout: Layout,
    depth: Depth,
    space: ColorSpace,
    pixels: Memory,
    metadata: Metadata,
}

/// Who owns the pixels.
#[derive(Clone)]
enum Memory {
    Ours(Arc<Vec<u8>>),
    Theirs(Bytes),
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
        let memory = Memory::Ours(Arc::new(pixels));
        match Layout::of_channels(channels) {
            Some(layout) => Self::of(width, height, layout, Depth::Eight, memory),
            None => Err(shape(width, height, channels, memory.as_slice().len())),
        }
    }

    /// Pixels of this layout and depth, in whatever memory: `Bytes::from_owner` takes what a codec or a mapped file holds.
    /// Channels of 16 bits are two bytes in the order of the machine.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use mediaflow_core::media::{Depth, Image, Layout};
    ///
    /// let grey = Bytes::from_owner([0_u8; 12]);
    /// let image = Image::typed(3, 2, Layout::Gray, Depth::Sixteen, grey)?;
    /// assert_eq!(image.to_8_bit().pixels(), [0; 6]);
    /// # Ok::<(), mediaflow_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `image.shape` if the number of bytes does not fit the size, or a side is zero.
    pub fn typed(
        width: u32,
        height: u32,
        layout: Layout,
        depth: Depth,
        pixels: impl Into<Bytes>,
    ) -> Result<Self> {
        Self::of(width, height, layout, depth, Memory::Theirs(pixels.into()))
    }

    fn of(width: u32, height: u32, layout: Layout, depth: Depth, pixels: Memory) -> Result<Self> {
        let bytes = u64::from(layout.channels() * depth.bytes());
        let wanted = u64::from(width) * u64::from(height) * bytes;
        let found = pixels.as_slice().len();
        if wanted == 0 || wanted != found as u64 {
            return Err(shape(width, height, layout.channels(), found));
        }
        let (space, metadata) = (ColorSpace::Srgb, Metadata::default());
        Ok(Self { width, height, layout, depth, space, pixels, metadata })
    }

    /// With this metadata.
    #[must_use]
    pub fn with_metadata(mut self, metadata: Metadata) -> Self {
        self.metadata = metadata;
        self
    }

    /// With numbers that stand for this. A profile in the metadata says more.
    #[must_use]
    pub fn with_color_space(mut self, space: ColorSpace) -> Self {
        self.space = space;
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

    /// Channels of one pixel: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA. With 8 bits that is its bytes.
    #[must_use]
    pub fn channels(&self) -> u8 {
        self.layout.channels()
    }

    /// Which channels a pixel has.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// Bits of one channel.
    #[must_use]
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// What the numbers stand for.
    #[must_use]
    pub fn color_space(&self) -> ColorSpace {
        if self.metadata.icc.is_some() { ColorSpace::Profile } else { self.space }
    }

    /// Whether there is an alpha channel.
    #[must_use]
    pub fn has_alpha(&self) -> bool {
        self.layout.has_alpha()
    }

    /// Bytes of one row.
    #[must_use]
    pub fn row_bytes(&self) -> usize {
        self.width as usize * usize::from(self.layout.channels() * self.depth.bytes())
    }

    /// The bytes of each row, from the top.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.pixels().chunks_exact(self.row_bytes())
    }

    /// The bytes of all rows from the top: with 8 bits, a byte is a channel.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        self.pixels.as_slice()
    }

    /// The bytes of all rows from the top, without a copy if nobody else holds them.
    #[must_use]
    pub fn into_pixels(self) -> Vec<u8> {
        match self.pixels {
            Memory::Ours(ours) => {
                Arc::try_unwrap(ours).unwrap_or_else(|shared| shared.as_ref().clone())
            }
            Memory::Theirs(theirs) => theirs.into(),
        }
    }

    /// Whether somebody else holds the pixels, so that [`Image::into_pixels`] copies them.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        match &self.pixels {
            Memory::Ours(ours) => Arc::strong_count(ours) > 1,
            Memory::Theirs(_) => true,
        }
    }

    /// The same with 8 bits, rounded. Pixel work: for the CPU pool.
    #[must_use]
    pub fn to_8_bit(self) -> Self {
        if self.depth == Depth::Eight {
            return self;
        }
        let (numbers, _) = self.pixels().as_chunks::<2>();
        let round = |number: &[u8; 2]| {
            let rounded = (u32::from(u16::from_ne_bytes(*number)) + 128) / 257;
            u8::try_from(rounded).unwrap_or(u8::MAX)
        };
        let pixels = numbers.iter().map(round).collect();
        Self { depth: Depth::Eight, pixels: Memory::Ours(Arc::new(pixels)), ..self }
    }

    /// What travels beside the pixels.
    #[must_use]
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// What is known of it.
    #[must_use]
    pub fn info(&self) -> MediaInfo {
        let info = MediaInfo::still(Format::RAW, self.width, self.height);
        match self.depth {
            Depth::Eight => info.with_channels(self.channels()),
            depth => info.with_pixels(self.layout, depth),
        }
    }
}

impl Memory {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Ours(ours) => ours,
            Self::Theirs(theirs) => theirs,
        }
    }
}

impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Image({}x{}x{}", self.width, self.height, self.channels())?;
        match self.depth {
            Depth::Eight => f.write_str(")"),
            depth => write!(f, ", {} bits)", depth.bits()),
        }
    }
}

fn shape(width: u32, height: u32, channels: u8, bytes: usize) -> Error {
    Error::internal(codes::IMAGE_SHAPE, "the pixels do not fit the size")
        .with("size", format_args!("{width}x{height}x{channels}"))
        .with("bytes", bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sixteen_bits_are_rounded_to_eight() {
        let numbers = [0_u16, 128, 129, 32_768, 65_406, 65_407, 65_535, 257];
        let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_ne_bytes()).collect();
        let deep = Image::typed(4, 1, Layout::GrayAlpha, Depth::Sixteen, bytes).unwrap();
        assert_eq!((deep.row_bytes(), deep.rows().len()), (16, 1));
        assert_eq!((deep.info().depth, deep.info().channels), (16, 2));
        let eight = deep.to_8_bit();
        assert_eq!(eight.pixels(), [0, 0, 1, 128, 254, 255, 255, 1]);
        assert_eq!((eight.depth(), eight.channels()), (Depth::Eight, 2));
    }

    #[test]
    fn pixels_stay_in_the_memory_of_their_owner() {
        let owned = Bytes::from_owner(vec![7_u8; 12]);
        let at = owned.as_ptr();
        let image = Image::typed(2, 2, Layout::Rgb, Depth::Eight, owned).unwrap();
        assert_eq!(image.clone().pixels().as_ptr(), at);
        assert_eq!(image.color_space(), ColorSpace::Srgb);
        let error = Image::typed(2, 2, Layout::Rgb, Depth::Sixteen, vec![0; 12]).unwrap_err();
        assert_eq!(error.code(), "image.shape");
    }
}
