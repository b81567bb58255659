use std::fmt;

use super::{Blob, Format};
use crate::{Error, Result};

/// An encoded file: bytes with a sniffed format and a name that is safe to show (no query, no credentials).
#[derive(Clone, Debug)]
pub struct MediaFile {
    name: String,
    format: Format,
    blob: Blob,
}

impl MediaFile {
    /// A file whose format its maker knows.
    #[must_use]
    pub fn new(name: impl Into<String>, format: Format, blob: Blob) -> Self {
        Self { name: name.into(), format, blob }
    }

    /// A file whose format is told by its first bytes; its name is not trusted.
    ///
    /// # Errors
    /// `media.empty` for zero bytes, `media.unrecognised` if no known format begins so, and what reading can give.
    pub fn sniff(name: impl Into<String>, blob: Blob) -> Result<Self> {
        let name = name.into();
        if blob.is_empty() {
            return Err(Error::input("media.empty", "the file has no bytes")
                .with("source", name)
                .help("the upload was probably cut off: send it again"));
        }
        let head = blob.head(Format::SNIFF_BYTES)?;
        match Format::sniff(&head) {
            Some(format) => Ok(Self { name, format, blob }),
            None => Err(unrecognised(&name, &head)),
        }
    }

    /// The name to show in logs, errors and reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The format its content has.
    #[must_use]
    pub fn format(&self) -> &Format {
        &self.format
    }

    /// Its bytes.
    #[must_use]
    pub fn blob(&self) -> &Blob {
        &self.blob
    }
}

impl fmt::Display for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {} bytes)", self.name, self.format, self.blob.len())
    }
}

fn unrecognised(name: &str, head: &[u8]) -> Error {
    let looks = if std::str::from_utf8(head).is_ok() { "text" } else { "no known media format" };
    Error::input("media.unrecognised", format!("the content is {looks}, whatever the name says"))
        .with("source", name)
        .help("send an image, video or audio file")
}
