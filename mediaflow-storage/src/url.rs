use mediaflow_core::spec::Source;
use mediaflow_core::{Error, Result, codes};

use crate::storage::ObjectStorage;

impl ObjectStorage {
    /// `s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix`, reached as the environment says: see `S3`,
    /// `Azure` and `Gcs`.
    ///
    /// # Errors
    /// `storage.url` if it has another form, or this build has no such storage; those of `build` there.
    pub fn from_url(url: &str) -> Result<Self> {
        let help = "write `s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix`; how to get there is said by AWS_REGION, AWS_ENDPOINT_URL and so on";
        let wrong = |what: &str| {
            let shown = Source::Url(url.to_owned());
            Error::unsupported(codes::STORAGE_URL, what).with("url", shown).help(help)
        };
        let known = ["s3", "az", "gs"];
        let Some((scheme, place)) =
            url.split_once("://").filter(|(scheme, _)| known.contains(scheme))
        else {
            return Err(wrong("no cloud storage has such a URL"));
        };
        if url.contains(['?', '#', '@']) {
            return Err(wrong("a storage's URL has nothing but a bucket and a prefix"));
        }
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if bucket.is_empty() || !bucket.chars().all(valid) {
            return Err(wrong("this is no name of a bucket"));
        }
        match scheme {
            #[cfg(feature = "s3")]
            "s3" => crate::S3::bucket(bucket).prefix(prefix).build(),
            #[cfg(feature = "azure")]
            "az" => crate::Azure::container(bucket).prefix(prefix).build(),
            #[cfg(feature = "gcs")]
            "gs" => crate::Gcs::bucket(bucket).prefix(prefix).build(),
            _ => Err(Error::unsupported(codes::STORAGE_URL, "this build has no such storage")
                .with("scheme", scheme)
                .with("prefix", prefix)
                .help("switch on the feature `s3`, `azure` or `gcs`")),
        }
    }
}
