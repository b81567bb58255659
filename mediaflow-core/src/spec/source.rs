use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::shown::{scheme_of, shown};
use crate::codes;
use crate::id::JobId;
use crate::{Error, Result};

/// What the name of an output of another job begins with.
const JOB: &str = "job:";

/// Where bytes come from. Written as one string:
///
/// | form | meaning |
/// |---|---|
/// | `uploads/2026/cat.jpg` | the key `2026/cat.jpg` of the storage `uploads` |
/// | `https://host/cat.jpg` | fetched with the guarded client (feature `http`) |
/// | `file:/srv/in/cat.jpg` | a local path, inside a folder that the host has allowed |
/// | `job:0199c8f0-.../public/cat.jpg` | what another job has put at `public/cat.jpg`; the job that reads it comes [after](super::JobOptions::after) that one |
/// | `data:;base64,...` | the bytes themselves, a few MiB at most |
///
/// A URL is what has a scheme, in whatever spelling; only `http` and `https` are taken. `Display` shows it without query,
/// credentials or content.
#[derive(Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Source {
    /// A storage and a key in it, not yet checked.
    Key(String),
    /// A URL.
    Url(String),
    /// A local path.
    Path(PathBuf),
    /// The bytes themselves.
    Bytes(Bytes),
    /// What another job makes.
    Output {
        /// The other job.
        job: JobId,
        /// The output's place, as its pipeline names it: `public/cat.jpg`.
        output: String,
    },
}

impl Source {
    /// The bytes themselves.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// A local path. The host must have allowed a folder above it.
    #[must_use]
    pub fn path(path: impl Into<PathBuf>) -> Self {
        Self::Path(path.into())
    }

    /// What another job makes, by the name that its pipeline gives to it. The job that has it as a source comes after the
    /// other one, and fails if that one fails.
    ///
    /// ```
    /// use mediaflow_core::JobId;
    /// use mediaflow_core::spec::{JobSpec, Pipeline, Source};
    ///
    /// let first = JobId::new();
    /// let made = Source::output(first, "public/cat.jpg");
    /// let copy = Pipeline::from(made).output("archive/cat.jpg", |photo| photo).build()?;
    /// assert_eq!(JobSpec::new(&copy)?.predecessors()[0].job, first);
    /// # Ok::<(), mediaflow_core::Error>(())
    /// ```
    #[must_use]
    pub fn output(job: JobId, output: impl Into<String>) -> Self {
        Self::Output { job, output: output.into() }
    }

    /// The job whose output a text names.
    pub(super) fn job_of(text: &str) -> Option<JobId> {
        text.strip_prefix(JOB)?.split_once('/')?.0.parse().ok()
    }

    /// Checks the form: the key of a storage key, the scheme of a URL.
    ///
    /// # Errors
    /// `storage.key`, `spec.source`.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Key(text) if text.starts_with(JOB) => Err(Error::input(
                codes::SPEC_SOURCE,
                "an output of another job is named by its id and its place",
            )
            .with("source", shown(text).escape_debug())
            .help("write it as `job:<id>/<storage>/<key>`")),
            Self::Output { output, .. } => Location::from_str(output).map(drop),
            Self::Key(text) => Location::from_str(text).map(drop),
            Self::Path(path) if !path.is_absolute() => {
                Err(Error::input(codes::SPEC_SOURCE, "a path source must be absolute")
                    .with("source", self))
            }
            Self::Bytes(bytes) if bytes.is_empty() => {
                Err(Error::input(codes::SPEC_SOURCE, "an inline source has no bytes"))
            }
            Self::Url(url) => {
                let scheme = scheme_of(url).unwrap_or_default();
                if ["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
                    return Ok(());
                }
                Err(Error::input(codes::SPEC_SOURCE, "a source by URL is `https:` or `http:`")
                    .with("source", self))
            }
            Self::Path(_) | Self::Bytes(_) => Ok(()),
        }
    }
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        if let Some(path) = text.strip_prefix("file:") {
            return Self::Path(path.into());
        }
        // No key has a colon, so nothing else is taken for a URL.
        let is_http =
            |scheme: &str| ["http", "https"].iter().any(|s| s.eq_ignore_ascii_case(scheme));
        if scheme_of(text).is_some_and(|scheme| is_http(scheme) || text.contains("://")) {
            return Self::Url(text.to_owned());
        }
        let output = text.strip_prefix(JOB).and_then(|rest| rest.split_once('/'));
        if let (Some((_, output)), Some(job)) = (output, Self::job_of(text)) {
            return Self::output(job, output);
        }
        // A `data:` that does not decode stays a key, and `validate` refuses its colon.
        let inline = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
        match inline.and_then(|(_, data)| STANDARD.decode(data).ok()) {
            Some(bytes) => Self::Bytes(bytes.into()),
            None => Self::Key(text.to_owned()),
        }
    }
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<Bytes> for Source {
    fn from(bytes: Bytes) -> Self {
        Self::Bytes(bytes)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(text) if Location::from_str(text).is_ok() => f.write_str(text),
            Self::Key(text) | Self::Url(text) => f.write_str(&shown(text)),
            Self::Path(path) => write!(f, "file:{}", path.display()),
            Self::Bytes(bytes) => write!(f, "{} inline bytes", bytes.len()),
            Self::Output { job, output } => write!(f, "{JOB}{job}/{output}"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(text) | Self::Url(text) => serializer.serialize_str(text),
            Self::Path(path) => serializer.collect_str(&format_args!("file:{}", path.display())),
            Self::Output { .. } => serializer.collect_str(self),
            Self::Bytes(bytes) => {
                serializer.collect_str(&format_args!("data:;base64,{}", STANDARD.encode(bytes)))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Cow::<'de, str>::deserialize(deserializer)?.as_ref().into())
    }
}

impl JsonSchema for Source {
    fn schema_name() -> Cow<'static, str> {
        "Source".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "A storage key (`uploads/cat.jpg`), a URL, a path (`file:/...`), an output of another job (`job:<id>/<storage>/<key>`) or bytes (`data:;base64,...`)"
        })
    }
}

/// The name of something inside a storage: relative, with `/` between its parts. It can not leave the root: no part is
/// `.`, `..` or empty, and none has a backslash, a colon or a control character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last part.
    #[must_use]
    pub fn file_name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The ending of the last part, without the dot; empty if there is none.
    #[must_use]
    pub fn extension(&self) -> &str {
        self.file_name().rsplit_once('.').map_or("", |(_, extension)| extension)
    }
}

impl Key {
    /// What is wrong with a text as a key.
    fn mistake(text: &str) -> Option<&'static str> {
        if text.is_empty() || text.len() > 1024 {
            return Some("a key has between 1 and 1024 bytes");
        }
        if text.chars().any(|c| c.is_control() || c == '\\' || c == ':') {
            return Some("a key has no backslash, colon or control character");
        }
        let unfit = |part| matches!(part, "" | "." | "..");
        text.split('/').any(unfit).then_some("a key has no empty part and no part `.` or `..`")
    }

    /// With this text as errors may show it, which can be more than the key.
    fn parse(key: &str, name: &'static str, whole: &str) -> Result<Self> {
        match Self::mistake(key) {
            None => Ok(Self(key.to_owned())),
            Some(what) => Err(Error::input(codes::STORAGE_KEY, what)
                .with(name, shown(whole).escape_debug())
                .help("use a relative key such as `2026/cat.jpg`")),
        }
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::parse(text, "key", text)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A key in a storage: `public/2026/cat.jpg` is the key `2026/cat.jpg` of the storage `public`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct Location {
    /// The name of the storage.
    pub storage: String,
    /// The key in it.
    pub key: Key,
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (storage, key) = text.split_once('/').ok_or_else(|| {
            Error::input(codes::STORAGE_KEY, "a storage and a key are needed")
                .with("key", shown(text).escape_debug())
                .help("write them as `storage/key`, for instance `uploads/cat.jpg`")
        })?;
        let key = Key::parse(key, "location", text)?;
        if storage.is_empty()
            || !storage.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        {
            return Err(Error::input(
                codes::STORAGE_KEY,
                "the name of a storage has letters, digits, `-` and `_` only",
            )
            .with("location", shown(text).escape_debug()));
        }
        Ok(Self { storage: storage.to_owned(), key })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.storage, self.key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_reads_back_as_itself() {
        for source in [
            Source::from("uploads/cat.jpg"),
            Source::from("https://example.com/cat.jpg?token=1"),
            Source::path("/srv/cat.jpg"),
            Source::bytes(&b"cat"[..]),
            Source::output(JobId::new(), "public/cat.jpg"),
        ] {
            let json = serde_json::to_string(&source).unwrap();
            assert_eq!(serde_json::from_str::<Source>(&json).unwrap(), source);
        }
    }

    #[test]
    fn a_url_is_shown_without_its_secrets() {
        let shown = Source::from("https://user:pass@example.com/cat.jpg?token=1").to_string();
        assert_eq!(shown, "https://example.com/cat.jpg");
    }

    #[test]
    fn whatever_its_scheme_and_its_spelling_a_url_is_no_key() {
        for text in [
            "HTTPS://host.example/cat.jpg?X-Amz-Signature=s3cret",
            "Http:user:s3cret@host.example/cat.jpg",
            "https:\\\\user:s3cret@host.example/cat.jpg",
            "ftp://user:s3cret@host.example/cat.jpg",
            "s3+ssh://s3cret@host.example/cat.jpg#s3cret",
            " https://user:s3cret@host.example/cat.jpg",
            "\u{1}ftp://user:s3cret@host.example/cat.jpg",
            "host.example/cat.jpg?X-Amz-Signature=s3cret",
            "data:image/gif;base64;s3cret",
        ] {
            let source = Source::from(text);
            let told = source.validate().err().map(|error| format!("{error:?} {error}"));
            let place = text.parse::<Location>().unwrap_err();
            let told = format!("{source} {source:?} {told:?} {place:?}");
            assert!(!told.contains("s3cret"), "{told}");
            assert_eq!(serde_json::to_value(&source).unwrap(), text);
        }
        Source::from("HTTPS://host.example/cat.jpg").validate().unwrap();
        let error = Source::from("ftp://host.example/cat.jpg").validate().unwrap_err();
        assert_eq!(error.code(), "spec.source");
    }

    #[test]
    fn keys_can_not_leave_the_root() {
        for key in
            ["", "/etc/passwd", "a/../b", "..", "a//b", "a\\b", "c:/x", "a/./b", "a\0b", "a/"]
        {
            let error = key.parse::<Key>().unwrap_err();
            assert_eq!(error.code(), "storage.key", "{key:?}");
        }
        assert!("2026/äö/cat.v2.jpg".parse::<Key>().is_ok());
    }
}
