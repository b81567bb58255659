//! The one HTTP client of mediaflow: sources by URL are fetched with it, webhooks are posted with it.
//!
//! URLs come from users, and a service that follows them blindly can be sent to its own metadata endpoint, its database
//! or its neighbours. So this client goes to public addresses only. It looks at the host of the URL after
//! normalisation (`http://2130706433/` is `127.0.0.1`), because an HTTP client does not ask its resolver about an
//! address that is written as such; and at every address that a name resolves to, in the resolver that the connection
//! uses, because what was looked up before may have changed meanwhile. One bad address refuses the whole answer. It
//! reads no proxy variables, follows no redirect unasked, decompresses nothing, and shows neither query strings nor
//! credentials in its errors. The path of a source says which file was meant, and is shown; that of an address to post to
//! is most often a secret itself, so that [`post`](GuardedClient::post) and [`origin`](GuardedClient::origin) show nothing
//! but `scheme://host:port`.
//!
//! What is private and yet meant is allowed one by one:
//!
//! ```
//! use mediaflow_core::http::GuardedClient;
//!
//! let client = GuardedClient::builder().allow_private("127.0.0.1:9000").build()?;
//! assert_eq!(client.origin("http://127.0.0.1:9000/hook")?, "http://127.0.0.1:9000");
//! assert_eq!(client.origin("http://127.0.0.1:9001/").unwrap_err().code(), "http.forbidden_address");
//! assert_eq!(client.origin("http://2130706433/").unwrap_err().code(), "http.forbidden_address");
//! # Ok::<(), mediaflow_core::Error>(())
//! ```

mod address;
mod fetch;
mod guard;
mod post;
#[cfg(test)]
mod tests;

use std::error::Error as StdError;
use std::time::Duration;

use url::Url;

use crate::spec::Source;
use crate::{Error, Failure, Result};
use guard::{Guard, Road};

pub use post::Response;

/// An HTTP client that goes to public addresses and to those that the host has allowed. Clones share connections.
#[derive(Clone, Debug)]
pub struct GuardedClient {
    guard: Guard,
    guarded: reqwest::Client,
    /// For hosts that are allowed by name and port: the resolver sees no port, so they have a client without a guard.
    open: Option<reqwest::Client>,
    settings: Settings,
}

#[derive(Clone, Debug)]
struct Settings {
    timeout: Duration,
    connect_timeout: Duration,
    fetch_timeout: Duration,
    stall_timeout: Duration,
    redirects: u8,
}

/// See [`GuardedClient::builder`].
#[derive(Debug)]
#[must_use]
pub struct GuardedClientBuilder {
    guard: Guard,
    settings: Settings,
    mistake: Option<Error>,
}

impl GuardedClient {
    /// With the defaults: nothing private is allowed.
    ///
    /// # Errors
    /// `http.client`: the TLS library does not start, for instance because the machine has no certificates.
    pub fn new() -> Result<Self> {
        Self::builder().build()
    }

    /// Chooses what is allowed and how long to wait.
    pub fn builder() -> GuardedClientBuilder {
        let settings = Settings {
            timeout: Duration::from_secs(15),
            connect_timeout: Duration::from_secs(5),
            fetch_timeout: Duration::from_secs(3600),
            stall_timeout: Duration::from_secs(30),
            redirects: 0,
        };
        GuardedClientBuilder { guard: Guard::default(), settings, mistake: None }
    }

    /// Checks a URL as far as that goes without asking anybody: its form, its scheme, and its host if it is an address.
    /// Gives its origin, `https://host:443`, the port always said: nothing else of it may be shown.
    ///
    /// # Errors
    /// `http.url`, `http.scheme`, `http.forbidden_address`.
    pub fn origin(&self, url: &str) -> Result<String> {
        let url = parse(url)?;
        let origin = guard::origin(&url);
        self.guard.check(&url).map_err(|e| e.with("origin", &origin))?;
        Ok(origin)
    }

    fn client_for(&self, url: &Url) -> Result<&reqwest::Client> {
        Ok(match (self.guard.check(url)?, &self.open) {
            (Road::Open, Some(open)) => open,
            (Road::Open | Road::Guarded, _) => &self.guarded,
        })
    }
}

impl GuardedClientBuilder {
    /// Allows one private `host:port`: `127.0.0.1:9000`, `[::1]:9000`, `media.internal:443`. A name is allowed wherever
    /// it resolves to, so name only hosts that you answer for.
    pub fn allow_private(mut self, host_and_port: &str) -> Self {
        let result = self.guard.allow_host(host_and_port);
        self.note(result)
    }

    /// Allows a private network, on every port: `10.0.0.0/8`.
    pub fn allow_private_net(mut self, net: &str) -> Self {
        let result = self.guard.allow_net(net);
        self.note(result)
    }

    /// Time for a whole exchange of [`post`](GuardedClient::post). Default 15 s.
    pub fn timeout(mut self, time: Duration) -> Self {
        self.settings.timeout = time;
        self
    }

    /// Time for resolving, connecting and the TLS handshake. Default 5 s.
    pub fn connect_timeout(mut self, time: Duration) -> Self {
        self.settings.connect_timeout = time;
        self
    }

    /// Time for a whole [`fetch`](GuardedClient::fetch). Default 1 hour.
    pub fn fetch_timeout(mut self, time: Duration) -> Self {
        self.settings.fetch_timeout = time;
        self
    }

    /// Time without a byte, after which a [`fetch`](GuardedClient::fetch) gives up. Default 30 s.
    pub fn stall_timeout(mut self, time: Duration) -> Self {
        self.settings.stall_timeout = time;
        self
    }

    /// How many redirects a [`fetch`](GuardedClient::fetch) follows, each checked like the first URL. Default 0.
    /// [`post`](GuardedClient::post) never follows any.
    pub fn redirects(mut self, hops: u8) -> Self {
        self.settings.redirects = hops;
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// `http.allow` for an entry that is no `host:port` or network, `http.client` if the TLS library does not start.
    pub fn build(self) -> Result<GuardedClient> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let connect_timeout = self.settings.connect_timeout.min(self.settings.timeout);
        let base = || {
            reqwest::Client::builder()
                .user_agent(concat!("mediaflow/", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                // Said, because another crate in the program may switch on HTTP/2 in reqwest.
                .http1_only()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .connect_timeout(connect_timeout)
        };
        let failed = |e: reqwest::Error| {
            Error::backend("http.client", "the HTTP client could not be set up")
                .help("check that the machine has root certificates (`ca-certificates`)")
                .because(e)
        };
        let guarded = base().dns_resolver(self.guard.clone()).build().map_err(failed)?;
        let open =
            if self.guard.allows_hosts() { Some(base().build().map_err(failed)?) } else { None };
        Ok(GuardedClient { guard: self.guard, guarded, open, settings: self.settings })
    }

    fn note(mut self, result: Result<()>) -> Self {
        if let Err(mistake) = result {
            self.mistake.get_or_insert(mistake);
        }
        self
    }
}

fn parse(url: &str) -> Result<Url> {
    Url::parse(url).map_err(|e| {
        Error::input("http.url", format!("this is no URL: {e}")).help("write `https://host/path`")
    })
}

/// The URL of a source as errors may show it: without credentials, query and fragment.
fn shown(url: &Url) -> Source {
    Source::Url(url.as_str().to_owned())
}

/// The error of an exchange that broke, from the point of view of whoever asked. It says nothing of the URL.
fn broken(error: reqwest::Error) -> Error {
    let error = error.without_url();
    let mut root: &(dyn StdError + 'static) = &error;
    loop {
        // What our own resolver said is the answer; it is wrapped several times on its way here.
        if let Some(own) = root.downcast_ref::<Error>() {
            return Failure::from(own).into();
        }
        match root.source() {
            Some(next) => root = next,
            None => break,
        }
    }
    let cause = root.to_string();
    let failed = if error.is_connect() {
        Error::transient("http.connect", "the server could not be reached")
    } else {
        Error::transient("http.broken", "the connection broke")
    };
    failed.with("cause", cause).because(error)
}
