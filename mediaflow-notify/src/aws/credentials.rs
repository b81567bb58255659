use std::fmt;
use std::sync::Arc;

use mediaflow_core::{Error, Result, codes};

/// What requests are signed with. It is asked for each request, so that a host can hand over what expires.
#[derive(Clone)]
pub struct AwsCredentials(Arc<dyn Fn() -> Keys + Send + Sync>);

/// An access key with its secret.
#[derive(Clone)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) session: Option<String>,
}

impl AwsCredentials {
    /// A key and its secret, for as long as the process lives.
    #[must_use]
    pub fn new(id: impl Into<String>, secret: impl Into<String>) -> Self {
        let keys = Keys { id: id.into(), secret: secret.into(), session: None };
        Self(Arc::new(move || keys.clone()))
    }

    /// Those of the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, and `AWS_SESSION_TOKEN` if there is one.
    ///
    /// # Errors
    /// `aws.credentials`: the first two are not there.
    pub fn from_env() -> Result<Self> {
        let of = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let (id, secret) = (of("AWS_ACCESS_KEY_ID"), of("AWS_SECRET_ACCESS_KEY"));
        let (Some(id), Some(secret)) = (id, secret) else {
            let mistake = Error::input(
                codes::AWS_CREDENTIALS,
                "there are no credentials for Amazon's services",
            );
            return Err(mistake.help("set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"));
        };
        let session = of("AWS_SESSION_TOKEN");
        let keys = Keys { id, secret, session };
        Ok(Self(Arc::new(move || keys.clone())))
    }

    /// Those that the host holds at this moment, with a session's token: key, secret, token. It is asked often and must not
    /// block: a host with roles refreshes them beside.
    #[must_use]
    pub fn current(
        now: impl Fn() -> (String, String, Option<String>) + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move || {
            let (id, secret, session) = now();
            Keys { id, secret, session }
        }))
    }

    pub(super) fn now(&self) -> Keys {
        (self.0)()
    }
}

impl fmt::Debug for AwsCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwsCredentials([REDACTED])")
    }
}
