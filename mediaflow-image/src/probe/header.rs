use mediaflow_core::media::{Format, MediaInfo};
use mediaflow_core::{Error, Limits, Result};

/// What a header says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Header {
    pub(crate) format: Format,
    /// As stored, before `orientation`.
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Of the decoded picture: 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA.
    pub(crate) channels: u8,
    /// The EXIF orientation, 1 to 8.
    pub(crate) orientation: u8,
    pub(crate) frames: u64,
    /// Bits of one stored sample.
    pub(crate) depth: u8,
    /// Whether there is an ICC profile.
    pub(crate) icc: bool,
    /// Bytes of coefficients that a progressive JPEG makes its decoder hold; zero otherwise.
    pub(crate) coefficients: u64,
}

impl Header {
    pub(super) fn new(format: Format) -> Self {
        Self {
            format,
            width: 0,
            height: 0,
            channels: 3,
            orientation: 1,
            frames: 1,
            depth: 8,
            icc: false,
            coefficients: 0,
        }
    }

    /// Whether the picture has to be read whole before its first pixel is known.
    pub(crate) fn progressive(&self) -> bool {
        self.coefficients > 0
    }

    /// The same in the words of the planner.
    pub(crate) fn info(&self, bytes: u64) -> MediaInfo {
        let mut info = MediaInfo::new(self.format.clone())
            .with_size(self.width, self.height)
            .with_bytes(bytes);
        info.channels = self.channels;
        info.alpha = self.channels.is_multiple_of(2);
        info.orientation = self.orientation;
        info.frames = self.frames;
        info
    }

    pub(super) fn check(self, limits: &Limits) -> Result<Self> {
        if self.width == 0 || self.height == 0 {
            return Err(crate::error::corrupt(&self.format, "the picture has no size"));
        }
        limits.check_pixels(self.width, self.height, self.frames)?;
        if self.coefficients > limits.image_bytes {
            return Err(Error::limit(
                "limit.image_bytes",
                format!(
                    "a progressive JPEG of this size takes {} bytes to decode",
                    self.coefficients
                ),
            )
            .with("limit", "image_bytes")
            .with("size", format_args!("{}x{}", self.width, self.height))
            .help("send a baseline JPEG, or raise `Limits::image_bytes`"));
        }
        Ok(self)
    }
}
