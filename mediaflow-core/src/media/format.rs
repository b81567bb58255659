use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type of formats unknown here.
const UNKNOWN: &str = "application/octet-stream";

/// The name of an encoded format: `jpeg`, `mp4`. Open: a backend may bring formats of its own.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Format(Cow<'static, str>);

impl Format {
    /// JPEG.
    pub const JPEG: Self = Self(Cow::Borrowed("jpeg"));
    /// PNG.
    pub const PNG: Self = Self(Cow::Borrowed("png"));
    /// WebP.
    pub const WEBP: Self = Self(Cow::Borrowed("webp"));
    /// GIF.
    pub const GIF: Self = Self(Cow::Borrowed("gif"));
    /// AVIF.
    pub const AVIF: Self = Self(Cow::Borrowed("avif"));
    /// BMP.
    pub const BMP: Self = Self(Cow::Borrowed("bmp"));
    /// Icons and cursors of Windows.
    pub const ICO: Self = Self(Cow::Borrowed("ico"));
    /// PBM, PGM, PPM and PAM.
    pub const PNM: Self = Self(Cow::Borrowed("pnm"));
    /// QOI.
    pub const QOI: Self = Self(Cow::Borrowed("qoi"));
    /// TIFF.
    pub const TIFF: Self = Self(Cow::Borrowed("tiff"));
    /// MP4 and its kin (M4V, M4A).
    pub const MP4: Self = Self(Cow::Borrowed("mp4"));
    /// QuickTime.
    pub const MOV: Self = Self(Cow::Borrowed("mov"));
    /// Decoded pixels: not a file.
    pub const RAW: Self = Self(Cow::Borrowed("raw"));

    /// How many bytes [`Format::sniff`] wants to see.
    pub const SNIFF_BYTES: usize = 8192;

    /// A format by its name: lower case, the word that its users say.
    #[must_use]
    pub fn named(name: impl Into<Cow<'static, str>>) -> Self {
        Self(name.into())
    }

    /// The format that begins with these bytes.
    #[must_use]
    pub fn sniff(head: &[u8]) -> Option<Self> {
        let kind = infer::get(head)?;
        match kind.matcher_type() {
            infer::MatcherType::Image | infer::MatcherType::Video | infer::MatcherType::Audio => {}
            _ if kind.mime_type() == "application/pdf" => {}
            _ => return None,
        }
        Some(match kind.mime_type() {
            "image/jpeg" => Self::JPEG,
            "image/tiff" => Self::TIFF,
            "video/mp4" | "video/x-m4v" | "audio/m4a" => Self::MP4,
            _ => Self(Cow::Borrowed(kind.extension())),
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The media type, `application/octet-stream` for formats unknown here.
    #[must_use]
    pub fn mime(&self) -> &'static str {
        match self.name() {
            "jpeg" => "image/jpeg",
            "png" => "image/png",
            "webp" => "image/webp",
            "gif" => "image/gif",
            "avif" => "image/avif",
            "heif" => "image/heif",
            "tiff" => "image/tiff",
            "bmp" => "image/bmp",
            "ico" => "image/vnd.microsoft.icon",
            "pnm" => "image/x-portable-anymap",
            "qoi" => "image/qoi",
            "mp4" => "video/mp4",
            "mov" => "video/quicktime",
            "webm" => "video/webm",
            "mkv" => "video/x-matroska",
            "avi" => "video/x-msvideo",
            "mp3" => "audio/mpeg",
            "ogg" => "audio/ogg",
            "flac" => "audio/x-flac",
            "wav" => "audio/x-wav",
            "pdf" => "application/pdf",
            _ => UNKNOWN,
        }
    }

    /// Whether the ending of a name, without the dot, may stand for this format: none may, and so may one that is not known here
    /// for another format. An engine knows more of them: those of its readers and encoders.
    #[must_use]
    pub fn is_named(&self, extension: &str) -> bool {
        let extension = extension.to_ascii_lowercase();
        match extension.as_str() {
            "" => true,
            "jpg" | "jpeg" | "jpe" | "jfif" => self.name() == "jpeg",
            "tif" | "tiff" => self.name() == "tiff",
            "heic" | "heif" => self.name() == "heif",
            "mp4" | "m4v" | "m4a" => self.name() == "mp4",
            "mov" | "qt" => self.name() == "mov",
            name if Self::named(name.to_owned()).mime() == UNKNOWN => true,
            name => self.name() == name,
        }
    }

    /// The usual ending of a file's name, without the dot.
    #[must_use]
    pub fn extension(&self) -> &str {
        match self.name() {
            "jpeg" => "jpg",
            "tiff" => "tif",
            name => name,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
