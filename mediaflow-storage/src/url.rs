use mediaflow_core::spec::Source;
use mediaflow_core::{Error, Result};

use crate::storage::ObjectStorage;

impl ObjectStorage {
    /// `s3://bucket/prefix`, reached as the environment says: see `S3`.
    ///
    /// # Errors
    /// `storage.url` if it has another form, or this build has no such storage; those of `S3::build`.
    pub fn from_url(url: &str) -> Result<Self> {
        let help = "write `s3://bucket/prefix`; how to get there is said by AWS_REGION, AWS_ENDPOINT_URL and so on";
        let wrong = |what: &str| {
            let shown = Source::Url(url.to_owned());
            Error::unsupported("storage.url", what).with("url", shown).help(help)
        };
        match url.strip_prefix("s3://") {
            Some(place) if !url.contains(['?', '#', '@']) => {
                let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
                let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
                if bucket.is_empty() || !bucket.chars().all(valid) {
                    return Err(wrong("this is no name of a bucket"));
                }
                s3(bucket, prefix)
            }
            Some(_) => Err(wrong("a storage's URL has nothing but a bucket and a prefix")),
            None => Err(wrong("no cloud storage has such a URL")),
        }
    }
}

#[cfg(feature = "s3")]
fn s3(bucket: &str, prefix: &str) -> Result<ObjectStorage> {
    crate::s3::S3::bucket(bucket).prefix(prefix).build()
}

#[cfg(not(feature = "s3"))]
fn s3(_bucket: &str, _prefix: &str) -> Result<ObjectStorage> {
    Err(Error::unsupported("storage.url", "this build has no S3")
        .help("switch on the feature `s3`"))
}
