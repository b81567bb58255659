use std::ops::Range;

use crate::codes;
use crate::spec::{Key, Precondition, PutOptions};
use crate::time::Timestamp;
use crate::{Error, Result, limits};

/// What a storage knows of a key without reading its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stat {
    /// Bytes.
    pub len: u64,
    /// Names this version of the content: of S3 and its kin the `ETag`, quotes included; of a file its number, its time of
    /// change and its length. Another content has another version; whether the same content has the same one is the
    /// storage's affair. `None` if the storage does not tell.
    pub version: Option<String>,
    /// When it was written, if the storage tells.
    pub modified: Option<Timestamp>,
    /// What is stored with it. A file system keeps nothing, and a storage may not give back all that it keeps.
    pub options: PutOptions,
}

impl Stat {
    /// So many bytes, of which nothing else is known.
    #[must_use]
    pub fn new(len: u64) -> Self {
        Self { len, ..Self::default() }
    }

    /// The content type that is stored with it.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.options.content_type.as_deref()
    }
}

/// How a key is read. Default: the whole of whatever version is there, however large.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GetOptions {
    /// Only these bytes; what lies beyond the end is left out. Default: all.
    pub range: Option<Range<u64>>,
    /// The most bytes to read, looked at before the first one is. Default: any number.
    pub limit: Option<u64>,
    /// Only if this is its [version](Stat::version).
    pub if_match: Option<String>,
}

impl GetOptions {
    /// The whole of whatever is there.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads these bytes only.
    #[must_use]
    pub fn range(self, range: Range<u64>) -> Self {
        Self { range: Some(range), ..self }
    }

    /// Reads at most so many bytes.
    #[must_use]
    pub fn limit(self, bytes: u64) -> Self {
        Self { limit: Some(bytes), ..self }
    }

    /// Reads this version only.
    #[must_use]
    pub fn if_match(self, version: impl Into<String>) -> Self {
        Self { if_match: Some(version.into()), ..self }
    }

    /// Which bytes are to be read of something of which this is known: what every storage asks before it reads.
    ///
    /// # Errors
    /// `storage.precondition` if it has another version, `storage.range` if the range begins beyond its end or has no
    /// bytes, `limit.input_bytes` if there are more bytes than the limit.
    pub fn part(&self, key: &Key, found: &Stat) -> Result<Range<u64>> {
        if self.if_match.is_some() && self.if_match != found.version {
            return Err(precondition_failed(key).help("it was replaced meanwhile"));
        }
        let part = match &self.range {
            None => 0..found.len,
            Some(range) if range.start < range.end && range.start < found.len => {
                range.start..range.end.min(found.len)
            }
            Some(range) => {
                return Err(Error::input(codes::STORAGE_RANGE, "there are no such bytes")
                    .with("key", key)
                    .with("range", format_args!("{}-{}", range.start, range.end))
                    .with("bytes", found.len));
            }
        };
        self.check_len(part.end - part.start).map_err(|e| e.with("key", key))?;
        Ok(part)
    }

    /// Counts bytes against the limit.
    ///
    /// # Errors
    /// `limit.input_bytes`, with what was found and what is allowed.
    pub fn check_len(&self, found: u64) -> Result<()> {
        match self.limit {
            Some(allowed) if found > allowed => {
                Err(limits::over(codes::LIMIT_INPUT_BYTES, "input_bytes", found, allowed)
                    .with("found", found)
                    .with("allowed", allowed))
            }
            _ => Ok(()),
        }
    }
}

impl Precondition {
    /// Whether it holds, if this is the version of what is at the place; `None`: nothing is.
    ///
    /// # Errors
    /// `storage.precondition`.
    pub fn check(&self, key: &Key, there: Option<&Stat>) -> Result<()> {
        let holds = match self {
            Self::IfNoneMatch => there.is_none(),
            Self::IfMatch(version) => {
                there.is_some_and(|there| there.version.as_deref() == Some(version))
            }
        };
        if holds { Ok(()) } else { Err(precondition_failed(key)) }
    }
}

/// The error of a condition on what is under a key.
#[must_use]
pub fn precondition_failed(key: &Key) -> Error {
    Error::input(codes::STORAGE_PRECONDITION, "what is under the key is not what it has to be")
        .with("key", key)
        .help("look at what is there, and ask again with its version")
}
