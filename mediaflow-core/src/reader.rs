//! Who knows a format of files: recognises it, looks into it, decodes it, and verifies what was made in it.
//!
//! A reader is asked for its formats whoever works on them afterwards. A [`Backend`](crate::backend::Backend) that opens
//! such files itself does so at the scale that its group needs; for everybody else the reader decodes.
//!
//! Uses: codes, context, error, media, plan.

use std::borrow::Cow;
use std::fmt;

use async_trait::async_trait;

use crate::codes;
use crate::media::{Format, Media, MediaFile, MediaInfo};
use crate::plan::Demand;
use crate::{Error, Result, RunContext};

/// Knows one or several formats.
#[async_trait]
pub trait Reader: fmt::Debug + Send + Sync + 'static {
    /// Its name in errors: `image`, `video`.
    fn name(&self) -> &str;

    /// The formats that it knows.
    fn formats(&self) -> Vec<FormatSpec>;

    /// Reads the headers of a file, without decoding, within [`Limits::probe_time`](crate::Limits::probe_time) and on no
    /// place of the CPU pool.
    ///
    /// # Errors
    /// What is wrong with the file, or which limit it passes.
    async fn probe(&self, file: &MediaFile, cx: &RunContext) -> Result<MediaInfo>;

    /// Decodes a file, upright, for steps of others: at any size that is no smaller than `wanted` of it. Damage beside what it
    /// shows is a [warning](RunContext::warn); what becomes of damage in it is said by [`MediaFile::on_damage`]. Of an animation or a
    /// film it gives frames, of a document pages; if `wanted` is the first of them only, a picture will do. Default: this reader
    /// does not.
    ///
    /// # Errors
    /// `reader.not_decoded` by default; what is wrong with the file.
    async fn decode(&self, file: &MediaFile, _wanted: Demand, _cx: &RunContext) -> Result<Media> {
        Err(Error::unsupported(
            codes::READER_NOT_DECODED,
            format!("files of the format {} are not decoded for steps of others", file.format()),
        )
        .with("reader", self.name()))
    }

    /// Looks at a result before it is published: it decodes, and it has the size, length and streams of `expected`
    /// (a zero or missing field expects nothing). Returns what it found.
    ///
    /// # Errors
    /// `verify.*`: what differs.
    async fn verify(
        &self,
        file: &MediaFile,
        expected: &MediaInfo,
        cx: &RunContext,
    ) -> Result<MediaInfo>;
}

/// A format as its reader knows it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FormatSpec {
    /// Its name.
    pub format: Format,
    /// Its media type.
    pub mime: Cow<'static, str>,
    /// Whether a file with these first bytes, at most [`Format::SNIFF_BYTES`], is of this format. Without it only what
    /// [`Format::sniff`] says counts.
    pub sniff: Option<fn(&[u8]) -> bool>,
}

impl FormatSpec {
    /// A format with the media type that [`Format`] knows for it.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self { mime: format.mime().into(), sniff: None, format }
    }

    /// With this media type.
    #[must_use]
    pub fn mime(self, mime: impl Into<Cow<'static, str>>) -> Self {
        Self { mime: mime.into(), ..self }
    }

    /// Recognised by its first bytes.
    #[must_use]
    pub fn sniffed(self, sniff: fn(&[u8]) -> bool) -> Self {
        Self { sniff: Some(sniff), ..self }
    }
}
