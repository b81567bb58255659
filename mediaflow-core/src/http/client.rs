use std::time::Duration;

use url::Url;

use super::guard::{self, Guard, Road};
use super::shown::parse;
use crate::codes;
use crate::{Error, Limits, Result};

/// An HTTP client that goes to public addresses and to those that the host has allowed. Clones share connections.
#[derive(Clone, Debug)]
pub struct GuardedClient {
    guard: Guard,
    guarded: reqwest::Client,
    /// For hosts that are allowed by name and port: the resolver sees no port, so they have a client without a guard.
    open: Option<reqwest::Client>,
    pub(super) settings: Settings,
}

#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) timeout: Duration,
    pub(super) connect_timeout: Duration,
    pub(super) fetch_timeout: Duration,
    pub(super) stall_timeout: Duration,
    pub(super) source_rate: u64,
    pub(super) redirects: u8,
    http2: bool,
}

/// See [`GuardedClient::builder`].
#[derive(Debug)]
#[must_use]
pub struct GuardedClientBuilder {
    guard: Guard,
    pub(super) settings: Settings,
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
            source_rate: Limits::default().source_rate,
            redirects: 0,
            http2: false,
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

    pub(super) fn client_for(&self, url: &Url) -> Result<&reqwest::Client> {
        Ok(match (self.guard.check(url)?, &self.open) {
            (Road::Open, Some(open)) => open,
            (Road::Open | Road::Guarded, _) => &self.guarded,
        })
    }
}

impl GuardedClientBuilder {
    /// Allows one private `host:port`, without which it is refused: `127.0.0.1:9000`, `[::1]:9000`, `media.internal:443`. A name is allowed wherever
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

    /// Time for a whole exchange of [`post`](GuardedClient::post) or [`get`](GuardedClient::get). Default 15 s.
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

    /// Bytes per second that a [`fetch`](GuardedClient::fetch) has to bring on average, over each [stall
    /// timeout](GuardedClientBuilder::stall_timeout); 0 for any. Default: that of
    /// [`Limits::source_rate`].
    pub fn source_rate(mut self, bytes_per_second: u64) -> Self {
        self.settings.source_rate = bytes_per_second;
        self
    }

    /// How many redirects a [`fetch`](GuardedClient::fetch) follows, each checked like the first URL. Default 0.
    /// [`post`](GuardedClient::post) and [`get`](GuardedClient::get) never follow any.
    pub fn redirects(mut self, hops: u8) -> Self {
        self.settings.redirects = hops;
        self
    }

    /// Speaks HTTP/2 and nothing else, with servers that know nothing else. Connections that have become silent are found
    /// out within ten seconds of a request.
    #[cfg(feature = "http2")]
    pub fn http2(mut self) -> Self {
        self.settings.http2 = true;
        self
    }

    /// Makes the client.
    ///
    /// # Errors
    /// `http.allow` for an entry that is no `host:port` or network, `http.client` for a time that is zero, or if the TLS library does
    /// not start.
    pub fn build(self) -> Result<GuardedClient> {
        if let Some(mistake) = self.mistake {
            return Err(mistake);
        }
        let Settings { timeout, connect_timeout, fetch_timeout, stall_timeout, .. } = self.settings;
        if [timeout, connect_timeout, fetch_timeout, stall_timeout].iter().any(Duration::is_zero) {
            return Err(Error::input(
                codes::HTTP_CLIENT,
                "the HTTP client has no time for something",
            )
            .help("choose times longer than zero"));
        }
        let connect_timeout = self.settings.connect_timeout.min(self.settings.timeout);
        let base = || {
            version(reqwest::Client::builder(), self.settings.http2)
                .user_agent(concat!("mediaflow/", env!("CARGO_PKG_VERSION")))
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .connect_timeout(connect_timeout)
        };
        let failed = |e: reqwest::Error| {
            Error::backend(codes::HTTP_CLIENT, "the HTTP client could not be set up")
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

/// HTTP/1.1, unless the host has said HTTP/2. Always said: another crate in the program may have switched that on in reqwest.
fn version(client: reqwest::ClientBuilder, http2: bool) -> reqwest::ClientBuilder {
    #[cfg(feature = "http2")]
    if http2 {
        // All requests share a connection: one that nobody answers any more is not to take them all along.
        let soon = Duration::from_secs(5);
        return client
            .http2_prior_knowledge()
            .http2_keep_alive_interval(soon)
            .http2_keep_alive_timeout(soon);
    }
    debug_assert!(!http2, "nobody can ask for it without the feature");
    client.http1_only()
}
