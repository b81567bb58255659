use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::{Error, Result};

/// What is stored with the bytes of an output, for those who read it from the storage: the HTTP headers it is served with,
/// and metadata of the host's own. What is not said here, the storage's defaults say; the content type is found by the
/// key's ending, or by the content.
///
/// A file system keeps none of it: there the server that serves the folder decides.
///
/// ```
/// use mediaflow_core::spec::PutOptions;
///
/// let options = PutOptions::new().cache_control("public, max-age=31536000, immutable").metadata("owner", "7");
/// assert!(options.validate().is_ok());
/// let split = PutOptions::new().cache_control("no-store\r\nset-cookie: a=b");
/// assert_eq!(split.validate().unwrap_err().code(), "spec.put");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PutOptions {
    /// `Content-Type`, at most 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// `Cache-Control`, at most 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_control: Option<String>,
    /// `Content-Disposition`, at most 1,024 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_disposition: Option<String>,
    /// Names of up to 64 lower-case letters, digits, `-` and `_` (a letter first), with their values; 2,048 bytes in all.
    /// Names that begin with `mediaflow` are reserved. Azure takes no `-` in a name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// A condition on what is at the place already. If it does not hold, nothing is published, and the error is
/// `storage.precondition`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Precondition {
    /// Nothing: `If-None-Match: *`.
    IfNoneMatch,
    /// This version, as [`Stat::version`](crate::storage::Stat::version) tells it: `If-Match`.
    IfMatch(String),
}

impl PutOptions {
    /// Nothing is said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `Content-Type`.
    #[must_use]
    pub fn content_type(self, value: impl Into<String>) -> Self {
        Self { content_type: Some(value.into()), ..self }
    }

    /// Sets `Cache-Control`.
    #[must_use]
    pub fn cache_control(self, value: impl Into<String>) -> Self {
        Self { cache_control: Some(value.into()), ..self }
    }

    /// Sets `Content-Disposition`.
    #[must_use]
    pub fn content_disposition(self, value: impl Into<String>) -> Self {
        Self { content_disposition: Some(value.into()), ..self }
    }

    /// Adds metadata of the host's own.
    #[must_use]
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata.insert(name.into(), value.into());
        self
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// With what `defaults` say where this says nothing; metadata by name.
    #[must_use]
    pub fn or(&self, defaults: &Self) -> Self {
        let either =
            |mine: &Option<String>, other: &Option<String>| mine.clone().or_else(|| other.clone());
        let mut metadata = defaults.metadata.clone();
        metadata.extend(self.metadata.clone());
        Self {
            content_type: either(&self.content_type, &defaults.content_type),
            cache_control: either(&self.cache_control, &defaults.cache_control),
            content_disposition: either(&self.content_disposition, &defaults.content_disposition),
            metadata,
        }
    }

    /// Checks characters and lengths: printable ASCII only, so that no value can add a header.
    ///
    /// # Errors
    /// `spec.put`, with the name of the option.
    pub fn validate(&self) -> Result<()> {
        for (option, value, most) in [
            ("content_type", &self.content_type, 255),
            ("cache_control", &self.cache_control, 255),
            ("content_disposition", &self.content_disposition, 1024),
        ] {
            if let Some(value) = value {
                check(option, value, most)?;
            }
        }
        if self.content_type.as_ref().is_some_and(|kind| !kind.contains('/')) {
            return Err(wrong("content_type", "a content type has a `/`"));
        }
        let mut bytes = 0;
        for (name, value) in &self.metadata {
            let valid =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
            let begins = name.starts_with(|c: char| c.is_ascii_lowercase());
            if !begins || name.len() > 64 || !name.chars().all(valid) {
                return Err(wrong("metadata", "this can not name metadata")
                    .with("name", name.escape_debug())
                    .help("use up to 64 lower-case letters, digits, `-` and `_`, a letter first"));
            }
            if name.starts_with("mediaflow") {
                return Err(wrong("metadata", "this name is reserved").with("name", name));
            }
            check("metadata", value, 2048).map_err(|e| e.with("name", name))?;
            bytes += name.len() + value.len();
        }
        if bytes > 2048 {
            return Err(wrong("metadata", "the metadata has more than 2,048 bytes"));
        }
        Ok(())
    }
}

impl Precondition {
    /// Checks the form of the version.
    ///
    /// # Errors
    /// `spec.put`.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::IfNoneMatch => Ok(()),
            Self::IfMatch(version) => check("if_match", version, 255),
        }
    }
}

fn check(option: &'static str, value: &str, most: usize) -> Result<()> {
    let plain = |c: char| c.is_ascii_graphic() || c == ' ';
    let padded = value.starts_with(' ') || value.ends_with(' ');
    if value.is_empty() || value.len() > most || padded || !value.chars().all(plain) {
        return Err(wrong(option, "this can not be stored as a header")
            .help(format!("use 1 to {most} printable ASCII characters, no space at the ends")));
    }
    Ok(())
}

fn wrong(option: &'static str, what: &str) -> Error {
    Error::input(codes::SPEC_PUT, what).with("option", option)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_no_header_is_stored() {
        let long = "x".repeat(2000);
        for (options, option) in [
            (PutOptions::new().content_type("image/png\r\nx: y"), "content_type"),
            (PutOptions::new().content_type("png"), "content_type"),
            (PutOptions::new().content_type(""), "content_type"),
            (PutOptions::new().cache_control("no-store\n"), "cache_control"),
            (PutOptions::new().cache_control(&long), "cache_control"),
            (
                PutOptions::new().content_disposition("inline; filename=\"ü\""),
                "content_disposition",
            ),
            (PutOptions::new().content_disposition(" inline"), "content_disposition"),
            (PutOptions::new().metadata("Owner", "x"), "metadata"),
            (PutOptions::new().metadata("", "x"), "metadata"),
            (PutOptions::new().metadata("a:b", "x"), "metadata"),
            (PutOptions::new().metadata("mediaflow-upload", "x"), "metadata"),
            (PutOptions::new().metadata("a", "x\0"), "metadata"),
            (PutOptions::new().metadata("a", &long).metadata("b", &long), "metadata"),
        ] {
            let error = options.validate().unwrap_err();
            assert_eq!((error.code(), error.fact("option")), ("spec.put", Some(option)));
        }
        assert!(Precondition::IfMatch("a\"\r\n".into()).validate().is_err());
        assert!(Precondition::IfMatch("\"5d41402abc\"".into()).validate().is_ok());
    }

    #[test]
    fn defaults_fill_in_what_is_not_said() {
        let defaults =
            PutOptions::new().cache_control("no-cache").metadata("a", "1").metadata("b", "1");
        let mine = PutOptions::new().content_type("image/png").metadata("b", "2");
        let expected = PutOptions::new()
            .content_type("image/png")
            .cache_control("no-cache")
            .metadata("a", "1")
            .metadata("b", "2");
        assert_eq!(mine.or(&defaults), expected);
    }
}
