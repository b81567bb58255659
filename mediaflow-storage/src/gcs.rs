use std::fmt;
use std::sync::Arc;

use mediaflow_core::{Error, Result, codes};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{ClientConfigKey, ClientOptions};

use crate::ObjectStorage;
use crate::client::{check_endpoint, client, retries, vars, without_user};

/// A bucket of Google Cloud Storage.
///
/// What is not said here is taken from the environment when it is built: `GOOGLE_APPLICATION_CREDENTIALS` or
/// `GOOGLE_SERVICE_ACCOUNT` (the path of a file), `GOOGLE_SERVICE_ACCOUNT_KEY` (its content); also `GOOGLE_BASE_URL` and
/// `GOOGLE_ALLOW_HTTP=true`. Without credentials the identity of the machine is asked for them.
///
/// ```
/// use mediaflow_storage::Gcs;
///
/// let storage = Gcs::bucket("media").prefix("public").build()?;
/// # Ok::<_, mediaflow_core::Error>(())
/// ```
#[must_use]
#[derive(Clone)]
pub struct Gcs {
    bucket: String,
    prefix: String,
    service_account: Option<String>,
    endpoint: Option<String>,
    allow_http: Option<bool>,
}

impl Gcs {
    /// A bucket by its name.
    pub fn bucket(name: impl Into<String>) -> Self {
        Self {
            bucket: name.into(),
            prefix: String::new(),
            service_account: None,
            endpoint: None,
            allow_http: None,
        }
    }

    /// What the names of all objects begin with, as a folder. Default: nothing.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// The key of a service account, as JSON, in place of what the environment says.
    pub fn service_account(self, json: impl Into<String>) -> Self {
        Self { service_account: Some(json.into()), ..self }
    }

    /// The server, `https://host:port`. Default: Google's.
    pub fn endpoint(self, url: impl Into<String>) -> Self {
        Self { endpoint: Some(url.into()), ..self }
    }

    /// Lets the endpoint begin with `http://`: bytes travel in the clear. For servers on the same machine.
    pub fn allow_http(self, allow: bool) -> Self {
        Self { allow_http: Some(allow), ..self }
    }

    /// Makes the storage. Nothing is connected yet.
    ///
    /// # Errors
    /// `storage.config` if something is missing or makes no sense, `storage.insecure` for an endpoint without TLS that
    /// is not [allowed](Self::allow_http), `storage.prefix`.
    pub fn build(self) -> Result<ObjectStorage> {
        let (bucket, prefix) = (self.bucket.clone(), self.prefix.clone());
        let (settings, client) = self.settings(vars("GOOGLE_"))?;
        // Its cause may repeat the key.
        let store = settings.with_client_options(client).build().map_err(|_| {
            Error::unsupported(codes::STORAGE_CONFIG, "the settings for Google do not fit together")
                .with("bucket", bucket)
                .help("check the variables that begin with GOOGLE_, and the file that they name")
        })?;
        ObjectStorage::new(Arc::new(store), &prefix)
    }

    /// What is said here, over what is said in this environment.
    fn settings(
        self,
        vars: impl Iterator<Item = (String, String)>,
    ) -> Result<(GoogleCloudStorageBuilder, ClientOptions)> {
        let mut google = GoogleCloudStorageBuilder::new().with_bucket_name(self.bucket);
        // The builder itself allows it, for the sake of the machine's identity, which is asked for without TLS.
        let mut allow_http = false;
        for (name, value) in vars {
            let Ok(key) = name.to_ascii_lowercase().parse() else { continue };
            match key {
                GoogleConfigKey::Bucket => {}
                GoogleConfigKey::Client(ClientConfigKey::AllowHttp) => {
                    allow_http = matches!(value.as_str(), "true" | "1");
                }
                key => google = google.with_config(key, value),
            }
        }
        if let Some(json) = self.service_account {
            google = google.with_service_account_key(json);
        }
        if let Some(endpoint) = self.endpoint {
            google = google.with_base_url(&endpoint);
        }
        let allow_http = self.allow_http.unwrap_or(allow_http);
        check_endpoint(google.get_config_value(&GoogleConfigKey::BaseUrl).as_deref(), allow_http)?;
        Ok((google.with_retry(retries()), client(allow_http)))
    }
}

impl fmt::Debug for Gcs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gcs")
            .field("bucket", &self.bucket)
            .field("prefix", &self.prefix)
            .field("service_account", &self.service_account.as_ref().map(|_| "[REDACTED]"))
            .field("endpoint", &self.endpoint.as_deref().map(without_user))
            .field("allow_http", &self.allow_http)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(gcs: Gcs, vars: &[(&str, &str)]) -> Result<GoogleCloudStorageBuilder> {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        gcs.settings(vars).map(|(settings, _)| settings)
    }

    #[test]
    fn the_environment_fills_in_what_is_not_said() {
        let vars = [
            ("GOOGLE_APPLICATION_CREDENTIALS", "/srv/key.json"),
            ("GOOGLE_BASE_URL", "http://127.0.0.1:4443"),
            ("GOOGLE_ALLOW_HTTP", "true"),
            ("GOOGLE_SOMETHING_ELSE", "x"),
        ];
        let from_outside = settings(Gcs::bucket("b"), &vars).unwrap();
        let said = settings(Gcs::bucket("b").endpoint("https://gcs.example"), &vars).unwrap();
        for (builder, key, value) in [
            (&from_outside, GoogleConfigKey::Bucket, "b"),
            (&from_outside, GoogleConfigKey::ApplicationCredentials, "/srv/key.json"),
            (&from_outside, GoogleConfigKey::BaseUrl, "http://127.0.0.1:4443"),
            (&said, GoogleConfigKey::BaseUrl, "https://gcs.example"),
        ] {
            assert_eq!(builder.get_config_value(&key).as_deref(), Some(value), "{key:?}");
        }
    }

    #[test]
    fn what_can_not_work_is_said_before_it_is_tried_and_secrets_are_not_shown() {
        for (gcs, code) in [
            (Gcs::bucket("b").endpoint("http://127.0.0.1:4443"), "storage.insecure"),
            (Gcs::bucket("b").endpoint("127.0.0.1:4443"), "storage.config"),
            (Gcs::bucket("b").endpoint("https://user:hunter2@host"), "storage.config"),
            (Gcs::bucket("b").service_account("hunter2, no JSON"), "storage.config"),
            (Gcs::bucket("b").prefix("a//b"), "storage.prefix"),
        ] {
            let error = gcs.build().unwrap_err();
            assert_eq!(error.code(), code);
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
        let shown = format!("{:?}", Gcs::bucket("b").service_account("hunter2"));
        assert!(shown.contains("[REDACTED]") && !shown.contains("hunter2"), "{shown}");
    }
}
