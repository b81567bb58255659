//! Amazon S3, and what speaks its protocol.
//!
//! Uses: client, failure, native, storage.

mod api;
mod listing;
mod native;
mod sign;

use std::fmt;
use std::sync::Arc;

use mediaflow_core::{Error, Result, codes};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey, AwsCredential};
use object_store::client::{HttpConnector as _, ReqwestConnector};
use object_store::{ClientConfigKey, ClientOptions, StaticCredentialProvider};

use crate::ObjectStorage;
use crate::client::{check_endpoint, client, retries, vars, without_user};
use api::Api;
use native::NativeS3;

/// A bucket on Amazon S3 or on what speaks its protocol.
///
/// What is not said here is taken from the environment when it is built, by the names that the AWS SDKs read:
/// `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION` or `AWS_DEFAULT_REGION` (default
/// `us-east-1`), `AWS_ENDPOINT_URL_S3` or `AWS_ENDPOINT_URL`; also `AWS_ALLOW_HTTP=true`. Without credentials the role
/// of the machine, container or pod is asked for them.
///
/// ```
/// use mediaflow_storage::S3;
///
/// let storage = S3::bucket("media")
///     .prefix("public")
///     .endpoint("https://minio.example:9000")
///     .region("eu-central-1")
///     .credentials("key-id", "secret")
///     .build()?;
/// # Ok::<_, mediaflow_core::Error>(())
/// ```
#[must_use]
#[derive(Clone)]
pub struct S3 {
    bucket: String,
    prefix: String,
    region: Option<String>,
    endpoint: Option<String>,
    credentials: Option<(String, String)>,
    session_token: Option<String>,
    allow_http: Option<bool>,
    copy_limit: Option<u64>,
}

impl S3 {
    /// A bucket by its name.
    pub fn bucket(name: impl Into<String>) -> Self {
        Self {
            bucket: name.into(),
            prefix: String::new(),
            region: None,
            endpoint: None,
            credentials: None,
            session_token: None,
            allow_http: None,
            copy_limit: None,
        }
    }

    /// What the names of all objects begin with, as a folder. Default: nothing.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// The region of the bucket.
    pub fn region(self, region: impl Into<String>) -> Self {
        Self { region: Some(region.into()), ..self }
    }

    /// The server, `https://host:port`. Default: Amazon's of the region.
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        Self { endpoint: Some(url.into()), ..self }
    }

    /// The access key's id and its secret, in place of what the environment says.
    pub fn credentials(self, key_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { credentials: Some((key_id.into(), secret.into())), ..self }
    }

    /// What belongs to temporary [credentials](Self::credentials).
    pub fn session_token(self, token: impl Into<String>) -> Self {
        Self { session_token: Some(token.into()), ..self }
    }

    /// Lets the endpoint begin with `http://`: bytes travel in the clear. For servers on the same machine.
    pub fn allow_http(self, allow: bool) -> Self {
        Self { allow_http: Some(allow), ..self }
    }

    /// The largest object that the server copies in one request, in bytes; larger ones it copies in parts of at most 1 GiB.
    /// Default, and at most: 5 GiB, which is Amazon's limit; at least 5 MiB.
    pub fn copy_limit(self, bytes: u64) -> Self {
        Self { copy_limit: Some(bytes), ..self }
    }

    /// Makes the storage. Nothing is connected yet.
    ///
    /// # Errors
    /// `storage.config` if something is missing or makes no sense, `storage.insecure` for an endpoint without TLS that
    /// is not [allowed](Self::allow_http), `storage.prefix`.
    pub fn build(self) -> Result<ObjectStorage> {
        let (bucket, prefix) = (self.bucket.clone(), self.prefix.clone());
        let copy_limit = self.copy_limit;
        let (settings, client) = self.settings(vars("AWS_"))?;
        let region = settings.get_config_value(&AmazonS3ConfigKey::Region);
        let wrong = |e| misconfigured(&bucket).because(e);
        let store = settings.with_client_options(client.clone()).build().map_err(wrong)?;
        let client = ReqwestConnector::default().connect(&client).map_err(wrong)?;
        let region = region.unwrap_or_else(|| "us-east-1".to_owned());
        let native = NativeS3::new(Api::new(store.clone(), client, region, bucket), copy_limit);
        Ok(ObjectStorage::new(Arc::new(store), &prefix)?.with_native(Arc::new(native)))
    }

    /// What is said here, over what is said in this environment.
    fn settings(
        self,
        vars: impl Iterator<Item = (String, String)>,
    ) -> Result<(AmazonS3Builder, ClientOptions)> {
        let mut s3 = vars
            .filter(|(name, value)| name.starts_with("AWS_") && !value.is_empty())
            .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
            .fold(AmazonS3Builder::new(), |s3, (key, value)| s3.with_config(key, value))
            .with_bucket_name(self.bucket);
        if let Some(region) = self.region {
            s3 = s3.with_region(region);
        }
        if let Some(endpoint) = self.endpoint {
            // The more special setting, so that it stands above both that the environment may have.
            s3 = s3.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint);
        }
        if let Some((key_id, secret_key)) = self.credentials {
            let credential = AwsCredential { key_id, secret_key, token: self.session_token };
            s3 = s3.with_credentials(Arc::new(StaticCredentialProvider::new(credential)));
        } else if let Some(token) = self.session_token {
            s3 = s3.with_token(token);
        }
        let allow_http = self.allow_http.unwrap_or_else(|| {
            let said = s3.get_config_value(&AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp));
            said.is_some_and(|said| matches!(said.as_str(), "true" | "1"))
        });
        let endpoint = s3
            .get_config_value(&AmazonS3ConfigKey::S3Endpoint)
            .or_else(|| s3.get_config_value(&AmazonS3ConfigKey::Endpoint));
        check_endpoint(endpoint.as_deref(), allow_http)?;
        Ok((s3.with_retry(retries()), client(allow_http)))
    }
}

fn misconfigured(bucket: &str) -> Error {
    Error::unsupported(codes::STORAGE_CONFIG, "the settings for S3 do not fit together")
        .with("bucket", bucket)
        .help("check the variables that begin with AWS_: a key's id and its secret come together")
}

impl fmt::Debug for S3 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let redacted = "[REDACTED]";
        f.debug_struct("S3")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint.as_deref().map(without_user))
            .field("credentials", &self.credentials.as_ref().map(|_| redacted))
            .field("session_token", &self.session_token.as_ref().map(|_| redacted))
            .field("allow_http", &self.allow_http)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(s3: S3, vars: &[(&str, &str)]) -> Result<AmazonS3Builder> {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        s3.settings(vars).map(|(settings, _)| settings)
    }

    #[test]
    fn the_environment_fills_in_what_is_not_said() {
        let vars = [
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", "eu-north-1"),
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:9000"),
            ("AWS_ALLOW_HTTP", "true"),
            ("PATH", "/bin"),
        ];
        let from_outside = settings(S3::bucket("b"), &vars).unwrap();
        for (key, value) in [
            (AmazonS3ConfigKey::Bucket, "b"),
            (AmazonS3ConfigKey::AccessKeyId, "id"),
            (AmazonS3ConfigKey::SecretAccessKey, "secret"),
            (AmazonS3ConfigKey::Region, "eu-north-1"),
            (AmazonS3ConfigKey::Endpoint, "http://127.0.0.1:9000"),
        ] {
            assert_eq!(from_outside.get_config_value(&key).as_deref(), Some(value), "{key:?}");
        }
        let said = S3::bucket("b").region("eu-west-2").endpoint("https://s3.example");
        let said = settings(said, &vars).unwrap();
        for (key, value) in [
            (AmazonS3ConfigKey::Region, "eu-west-2"),
            (AmazonS3ConfigKey::S3Endpoint, "https://s3.example"),
        ] {
            assert_eq!(said.get_config_value(&key).as_deref(), Some(value), "{key:?}");
        }
    }

    #[test]
    fn what_can_not_work_is_said_before_it_is_tried() {
        for (s3, vars, code) in [
            (S3::bucket("b").endpoint("http://127.0.0.1:9000"), vec![], "storage.insecure"),
            (S3::bucket("b").endpoint("127.0.0.1:9000"), vec![], "storage.config"),
            (S3::bucket("b").endpoint("https://user:hunter2@host"), vec![], "storage.config"),
            (S3::bucket("b"), vec![("AWS_ENDPOINT_URL", "http://host")], "storage.insecure"),
        ] {
            let error = settings(s3, &vars).unwrap_err();
            assert_eq!(error.code(), code);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let error = S3::bucket("b").prefix("a//b").credentials("id", "s").build().unwrap_err();
        assert_eq!(error.code(), "storage.prefix");
    }

    #[test]
    fn secrets_are_not_shown() {
        let s3 = S3::bucket("b").credentials("id", "hunter2").session_token("hunter3");
        let shown = format!("{s3:?} {:?}", s3.clone().build().unwrap());
        assert!(shown.contains("[REDACTED]") && !shown.contains("hunter"), "{shown}");
    }
}
