use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Blob, Format};
use crate::codes;
use crate::{Error, Result};

/// An encoded file: bytes with a sniffed format and a name that is safe to show (no query, no credentials).
#[derive(Clone, Debug)]
pub struct MediaFile {
    name: String,
    format: Format,
    blob: Blob,
    on_damage: OnDamage,
}

/// What becomes of a file in which a part of the picture, or of the sound, is missing or can not be read. Damage beside it, in
/// metadata and padding, is never more than a warning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OnDamage {
    /// It is an error. The default.
    #[default]
    Refuse,
    /// What is there is taken, with a warning that says how much is missing. A file of which nothing can be shown is still an
    /// error.
    Accept,
}

impl OnDamage {
    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde's `skip_serializing_if` passes a reference"
    )]
    pub(crate) fn is_refuse(&self) -> bool {
        *self == Self::Refuse
    }
}

impl MediaFile {
    /// A file whose format its maker knows.
    #[must_use]
    pub fn new(name: impl Into<String>, format: Format, blob: Blob) -> Self {
        Self { name: name.into(), format, blob, on_damage: OnDamage::Refuse }
    }

    /// Read in this way if it is damaged. Default: [`OnDamage::Refuse`].
    #[must_use]
    pub fn with_on_damage(self, on_damage: OnDamage) -> Self {
        Self { on_damage, ..self }
    }

    /// A file whose format is told by its first bytes; its name is not trusted.
    ///
    /// # Errors
    /// `media.empty` for zero bytes, `media.unrecognised` if no known format begins so, and what reading can give.
    pub fn sniff(name: impl Into<String>, blob: Blob) -> Result<Self> {
        let head = blob.head(Format::SNIFF_BYTES)?;
        Self::recognised(name, blob, &head, Format::sniff(&head))
    }

    /// A file that begins with `head`, of the format that this was recognised as, if it was:
    /// [`Registry::sniff`](crate::Registry::sniff).
    pub(crate) fn recognised(
        name: impl Into<String>,
        blob: Blob,
        head: &[u8],
        format: Option<Format>,
    ) -> Result<Self> {
        let name = name.into();
        if blob.is_empty() {
            return Err(Error::input(codes::MEDIA_EMPTY, "the file has no bytes")
                .with("source", name)
                .help("the upload was probably cut off: send it again"));
        }
        match format {
            Some(format) => Ok(Self::new(name, format, blob)),
            None => Err(unrecognised(&name, head)),
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

    /// What whoever decodes it does with damage in it.
    #[must_use]
    pub fn on_damage(&self) -> OnDamage {
        self.on_damage
    }
}

impl fmt::Display for MediaFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {} bytes)", self.name, self.format, self.blob.len())
    }
}

fn unrecognised(name: &str, head: &[u8]) -> Error {
    let looks = if std::str::from_utf8(head).is_ok() { "text" } else { "no known media format" };
    Error::input(
        codes::MEDIA_UNRECOGNISED,
        format!("the content is {looks}, whatever the name says"),
    )
    .with("source", name)
    .help("send an image, video or audio file")
}
