use std::fmt;
use std::sync::Arc;

use mediaflow_core::{Error, Result, codes};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::{ClientConfigKey, ClientOptions};

use crate::ObjectStorage;
use crate::client::{check_endpoint, client, retries, vars, without_user};

/// A container of Azure Blob Storage.
///
/// What is not said here is taken from the environment when it is built: `AZURE_STORAGE_ACCOUNT_NAME`,
/// `AZURE_STORAGE_ACCOUNT_KEY`, or `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET` or
/// `AZURE_FEDERATED_TOKEN_FILE`; also `AZURE_STORAGE_ENDPOINT` and `AZURE_ALLOW_HTTP=true`. Without credentials the identity
/// of the machine is asked for them.
///
/// ```
/// use mediaflow_storage::Azure;
///
/// let storage = Azure::container("media").account("acme", "c2VjcmV0").prefix("public").build()?;
/// # Ok::<_, mediaflow_core::Error>(())
/// ```
#[must_use]
#[derive(Clone)]
pub struct Azure {
    container: String,
    prefix: String,
    account: Option<(String, String)>,
    endpoint: Option<String>,
    allow_http: Option<bool>,
}

impl Azure {
    /// A container by its name.
    pub fn container(name: impl Into<String>) -> Self {
        Self {
            container: name.into(),
            prefix: String::new(),
            account: None,
            endpoint: None,
            allow_http: None,
        }
    }

    /// What the names of all blobs begin with, as a folder. Default: nothing.
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// The storage account and its key, in place of what the environment says.
    pub fn account(self, name: impl Into<String>, key: impl Into<String>) -> Self {
        Self { account: Some((name.into(), key.into())), ..self }
    }

    /// The server, `https://host:port`. Default: `https://{account}.blob.core.windows.net`.
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
        let (container, prefix) = (self.container.clone(), self.prefix.clone());
        let (settings, client) = self.settings(vars("AZURE_"))?;
        let store = settings.with_client_options(client).build().map_err(|e| {
            Error::unsupported(codes::STORAGE_CONFIG, "the settings for Azure do not fit together")
                .with("container", container)
                .help("check the variables that begin with AZURE_; a key is base64")
                .because(e)
        })?;
        ObjectStorage::new(Arc::new(store), &prefix)
    }

    /// What is said here, over what is said in this environment.
    fn settings(
        self,
        vars: impl Iterator<Item = (String, String)>,
    ) -> Result<(MicrosoftAzureBuilder, ClientOptions)> {
        let mut azure = vars
            .filter_map(|(name, value)| Some((name.to_ascii_lowercase().parse().ok()?, value)))
            .fold(MicrosoftAzureBuilder::new(), |azure, (key, value)| azure.with_config(key, value))
            .with_container_name(self.container);
        if let Some((name, key)) = self.account {
            azure = azure.with_account(name).with_access_key(key);
        }
        if let Some(endpoint) = self.endpoint {
            azure = azure.with_endpoint(endpoint);
        }
        let allow_http = self.allow_http.unwrap_or_else(|| {
            let said = azure.get_config_value(&AzureConfigKey::Client(ClientConfigKey::AllowHttp));
            said.is_some_and(|said| matches!(said.as_str(), "true" | "1"))
        });
        check_endpoint(azure.get_config_value(&AzureConfigKey::Endpoint).as_deref(), allow_http)?;
        Ok((azure.with_retry(retries()), client(allow_http)))
    }
}

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Azure")
            .field("container", &self.container)
            .field("prefix", &self.prefix)
            .field("account", &self.account.as_ref().map(|(name, _)| (name, "[REDACTED]")))
            .field("endpoint", &self.endpoint.as_deref().map(without_user))
            .field("allow_http", &self.allow_http)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(azure: Azure, vars: &[(&str, &str)]) -> Result<MicrosoftAzureBuilder> {
        let vars = vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        azure.settings(vars).map(|(settings, _)| settings)
    }

    #[test]
    fn the_environment_fills_in_what_is_not_said() {
        let vars = [
            ("AZURE_STORAGE_ACCOUNT_NAME", "acme"),
            ("AZURE_STORAGE_ACCOUNT_KEY", "a2V5"),
            ("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:10000/acme"),
            ("AZURE_ALLOW_HTTP", "true"),
            ("AZURE_SOMETHING_ELSE", "x"),
        ];
        let from_outside = settings(Azure::container("c"), &vars).unwrap();
        let said =
            Azure::container("c").account("other", "b3RoZXI=").endpoint("https://blob.example");
        let said = settings(said, &vars).unwrap();
        for (builder, key, value) in [
            (&from_outside, AzureConfigKey::ContainerName, "c"),
            (&from_outside, AzureConfigKey::AccountName, "acme"),
            (&from_outside, AzureConfigKey::AccessKey, "a2V5"),
            (&from_outside, AzureConfigKey::Endpoint, "http://127.0.0.1:10000/acme"),
            (&said, AzureConfigKey::AccountName, "other"),
            (&said, AzureConfigKey::Endpoint, "https://blob.example"),
        ] {
            assert_eq!(builder.get_config_value(&key).as_deref(), Some(value), "{key:?}");
        }
    }

    #[test]
    fn what_can_not_work_is_said_before_it_is_tried_and_secrets_are_not_shown() {
        let azure = || Azure::container("c").account("acme", "aHVudGVyMg==");
        for (azure, code) in [
            (azure().endpoint("http://127.0.0.1:10000"), "storage.insecure"),
            (azure().endpoint("127.0.0.1:10000"), "storage.config"),
            (azure().endpoint("https://user:hunter2@host"), "storage.config"),
            (azure().prefix("a//b"), "storage.prefix"),
            (Azure::container("c").account("acme", "no base64!"), "storage.config"),
        ] {
            let error = azure.build().unwrap_err();
            assert_eq!(error.code(), code);
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
        let shown = format!("{:?} {:?}", azure(), azure().build().unwrap());
        assert!(shown.contains("[REDACTED]") && !shown.contains("aHVudGVyMg"), "{shown}");
    }
}
