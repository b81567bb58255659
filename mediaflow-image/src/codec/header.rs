use mediaflow_core::media::{Format, MediaInfo, Medium};
use mediaflow_core::{Error, Limits, Result, codes};

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
    /// How many pages there are, if there are several.
    pub(crate) pages: u64,
    /// Bits of one stored sample.
    pub(crate) depth: u8,
    /// Whether there is an ICC profile.
    pub(crate) icc: bool,
    /// Bytes that the picture makes its decoder hold beside the pixels, if they are many: coefficients.
    pub(crate) decoder_bytes: u64,
    /// Whether no row is there before most of the file was read.
    pub(crate) progressive: bool,
    /// Width and height of the units that can be laid down elsewhere without decoding them: pixels.
    pub(crate) unit: Option<(u32, u32)>,
}

impl Header {
    pub(crate) fn new(format: Format) -> Self {
        Self {
            format,
            width: 0,
            height: 0,
            channels: 3,
            orientation: 1,
            frames: 1,
            pages: 0,
            depth: 8,
            icc: false,
            decoder_bytes: 0,
            progressive: false,
            unit: None,
        }
    }

    /// The same in the words of the planner.
    pub(crate) fn info(&self, bytes: u64) -> MediaInfo {
        let turned = self.orientation >= 5;
        let (width, height) =
            if turned { (self.height, self.width) } else { (self.width, self.height) };
        let medium = if self.frames > 1 { Medium::Animation } else { Medium::Still };
        let mut info = MediaInfo::still(self.format.clone(), width, height)
            .with_medium(medium)
            .with_channels(self.channels)
            .with_bytes(bytes);
        info.orientation = self.orientation;
        info.frames = self.frames;
        info.pages = self.pages;
        info.decoder_bytes = self.decoder_bytes;
        info.progressive = self.progressive;
        info.unit = self.unit;
        info
    }

    pub(crate) fn check(self, limits: &Limits) -> Result<Self> {
        if self.width == 0 || self.height == 0 {
            return Err(crate::error::corrupt(&self.format, "the picture has no size"));
        }
        limits.check_pixels(self.width, self.height, self.frames)?;
        if self.decoder_bytes > limits.image_bytes {
            let bytes = self.decoder_bytes;
            return Err(Error::limit(
                codes::LIMIT_IMAGE_BYTES,
                format!("a picture of this kind and size takes {bytes} bytes to decode"),
            )
            .with("limit", "image_bytes")
            .with("format", &self.format)
            .with("size", format_args!("{}x{}", self.width, self.height))
            .help(
                "send one that is not progressive, or is stored in smaller strips or tiles; or raise `Limits::image_bytes`",
            ));
        }
        Ok(self)
    }
}
