//! What the settings of all providers share.

use std::env;
use std::time::Duration;

use mediaflow_core::{Error, Result, codes};
use object_store::{BackoffConfig, ClientOptions, RetryConfig};

/// The variables of the environment that have a value and begin so.
pub(crate) fn vars(prefix: &'static str) -> impl Iterator<Item = (String, String)> {
    env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty())
}

/// No deadline for a whole request, which may move gigabytes; but each read must bring something.
pub(crate) fn client(allow_http: bool) -> ClientOptions {
    ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(Duration::from_secs(5))
        .with_timeout_disabled()
        .with_read_timeout(Duration::from_secs(60))
}

/// Over a hiccup. Longer outages are for the schedule of the job.
pub(crate) fn retries() -> RetryConfig {
    let backoff = BackoffConfig { init_backoff: Duration::from_millis(100), ..Default::default() };
    RetryConfig { backoff, max_retries: 4, retry_timeout: Duration::from_secs(60) }
}

pub(crate) fn check_endpoint(endpoint: Option<&str>, allow_http: bool) -> Result<()> {
    let Some(endpoint) = endpoint else { return Ok(()) };
    let shown = without_user(endpoint);
    if endpoint != shown {
        return Err(Error::unsupported(
            codes::STORAGE_CONFIG,
            "an endpoint has no user name and no query",
        )
        .with("endpoint", shown)
        .help("give credentials by `credentials()`, or by the environment"));
    }
    if endpoint.starts_with("https://") || (allow_http && endpoint.starts_with("http://")) {
        Ok(())
    } else if endpoint.starts_with("http://") {
        Err(Error::unsupported(codes::STORAGE_INSECURE, "the endpoint has no TLS")
            .with("endpoint", shown)
            .help("use https, or allow it with `allow_http(true)` or AWS_ALLOW_HTTP=true"))
    } else {
        Err(Error::unsupported(codes::STORAGE_CONFIG, "this is no endpoint")
            .with("endpoint", shown)
            .help("write `https://host:port`"))
    }
}

/// Without what could be a secret in a URL.
pub(crate) fn without_user(url: &str) -> &str {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    url.rsplit('@').next().unwrap_or_default()
}
