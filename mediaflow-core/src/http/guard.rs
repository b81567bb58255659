//! Where the client may go: decided on the URL before a request, and on every resolved address when it connects.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

use super::address;
use crate::codes;
use crate::{Error, Result};

#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    hosts: Arc<Vec<(Host, u16)>>,
    nets: Arc<Vec<IpNet>>,
}

/// How a URL may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Road {
    /// If its addresses pass the guard, too.
    Guarded,
    /// Wherever it resolves to: its host and port are allowed.
    Open,
}

impl Guard {
    pub(super) fn allow_host(&mut self, text: &str) -> Result<()> {
        let entry = text.rsplit_once(':').and_then(|(host, port)| {
            let host = Host::parse(host).ok()?;
            Some((host_key(host), port.parse().ok()?))
        });
        let Some(entry) = entry else {
            return Err(Error::input(codes::HTTP_ALLOW, "this is no host and port")
                .with("entry", text.escape_debug())
                .help("write `127.0.0.1:9000`, `[::1]:9000` or `media.internal:443`"));
        };
        Arc::make_mut(&mut self.hosts).push(entry);
        Ok(())
    }

    pub(super) fn allow_net(&mut self, text: &str) -> Result<()> {
        let net = text.parse().map_err(|e: ipnet::AddrParseError| {
            Error::input(codes::HTTP_ALLOW, "this is no network")
                .with("entry", text.escape_debug())
                .help("write `10.0.0.0/8` or `fd00::/8`")
                .because(e)
        })?;
        Arc::make_mut(&mut self.nets).push(net);
        Ok(())
    }

    pub(super) fn allows_hosts(&self) -> bool {
        !self.hosts.is_empty()
    }

    /// Looks at all that the URL itself tells. Its errors show no more of it than scheme and host.
    pub(super) fn check(&self, url: &Url) -> Result<Road> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Error::input(
                codes::HTTP_SCHEME,
                format!("`{}` is not HTTP", url.scheme()),
            )
            .help("give an `https:` or `http:` URL"));
        }
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(Error::input(codes::HTTP_URL, "the URL names no host"));
        };
        let key = (host_key(host.to_owned()), port);
        if self.hosts.contains(&key) {
            return Ok(Road::Open);
        }
        let address = match host {
            Host::Domain(_) => return Ok(Road::Guarded),
            Host::Ipv4(ip) => IpAddr::V4(ip),
            Host::Ipv6(ip) => IpAddr::V6(ip),
        };
        match self.refusal(address) {
            None => Ok(Road::Guarded),
            Some(class) => Err(forbidden(&host.to_string(), address, class)),
        }
    }

    /// Looks at all addresses that a name resolved to; one that is bad refuses all.
    fn check_all(&self, host: &str, addresses: &[SocketAddr]) -> Result<()> {
        let bad =
            addresses.iter().find_map(|address| Some((address.ip(), self.refusal(address.ip())?)));
        match bad {
            None => Ok(()),
            Some((ip, class)) => Err(forbidden(host, ip, class)),
        }
    }

    fn refusal(&self, ip: IpAddr) -> Option<&'static str> {
        address::special(ip).filter(|_| !self.nets.iter().any(|net| net.contains(&ip)))
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.clone();
        Box::pin(async move {
            let host = name.as_str();
            // The port is the connector's business: it replaces the zero.
            let found = tokio::net::lookup_host((host, 0)).await.map_err(|e| {
                Error::transient(codes::HTTP_DNS, "the name of the host could not be resolved")
                    .with("host", host)
                    .because(e)
            })?;
            let addresses: Vec<SocketAddr> = found.collect();
            guard.check_all(host, &addresses)?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

/// The error goes to whoever gave the URL, who is not to learn from it how the network looks inside: what a name stands for is
/// for the log.
fn forbidden(host: &str, ip: IpAddr, class: &str) -> Error {
    tracing::warn!(host, %ip, class, "a URL was refused that leads to an address which is not public");
    Error::input(codes::HTTP_FORBIDDEN_ADDRESS, format!("`{host}` is no public address"))
        .help("give a public URL; the host can allow one of its own, and its log says more")
}

/// What URLs share that lead to one server: `https://host:443`, with the port in any case.
pub(super) fn origin(url: &Url) -> String {
    let host = url.host().map(|host| host_key(host).to_string()).unwrap_or_default();
    let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{host}{port}", url.scheme())
}

/// `example.com.` and `example.com` are one host.
fn host_key(host: Host<impl AsRef<str>>) -> Host {
    match host {
        Host::Domain(name) => {
            Host::Domain(name.as_ref().trim_end_matches('.').to_ascii_lowercase())
        }
        Host::Ipv4(ip) => Host::Ipv4(ip),
        Host::Ipv6(ip) => Host::Ipv6(ip),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard() -> Guard {
        let mut guard = Guard::default();
        guard.allow_host("127.0.0.1:9000").unwrap();
        guard.allow_host("Media.internal.:443").unwrap();
        guard.allow_net("10.1.0.0/16").unwrap();
        guard
    }

    fn code(url: &str) -> String {
        Url::parse(url).map_or_else(
            |_| "no URL".to_owned(),
            |url| {
                guard().check(&url).map_or_else(|e| e.code().to_owned(), |road| format!("{road:?}"))
            },
        )
    }

    #[test]
    fn an_address_is_seen_through_every_spelling() {
        for url in [
            "http://127.0.0.1/",
            "http://127.1/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://2130706433/",
            "http://0x7f000001/",
            "http://127.0.0.1./",
            "http://%31%32%37.0.0.1/",
            "http://①②⑦.⓪.⓪.①/",
            "http://127。0。0。1/",
            "http:\\\\127.0.0.1\\",
            "http://user:pass@127.0.0.1/",
            "http://example.com@127.0.0.1/",
            "http://127.0.0.1\t/",
            "http://0/",
            "http://169.254.169.254/latest/meta-data/",
            "http://2852039166/",
            "http://168.63.129.16/?comp=versions",
            "http://2822734096/",
            "http://10.0.0.1/",
            "http://[::1]/",
            "http://[::]/",
            "http://[::ffff:127.0.0.1]/",
            "http://[::ffff:7f00:1]/",
            "http://[::127.0.0.1]/",
            "http://[64:ff9b::7f00:1]/",
            "http://[2002:7f00:1::]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
            "https://127.0.0.1:9000@10.0.0.1/",
            "http://127.0.0.1:9001/",
        ] {
            assert_eq!(code(url), "http.forbidden_address", "{url}");
        }
    }

    #[test]
    fn what_is_no_http_url_is_refused() {
        for url in [
            "file:///etc/passwd",
            "gopher://example.com/",
            "ftp://example.com/",
            "unix:/run/docker.sock",
        ] {
            assert_eq!(code(url), "http.scheme", "{url}");
        }
        for url in [
            "http://",
            "http://[fe80::1%25eth0]/",
            "http://256.256.256.256/",
            "//example.com/",
            "cat.jpg",
        ] {
            assert_eq!(code(url), "no URL", "{url}");
        }
    }

    #[test]
    fn what_is_public_or_allowed_passes() {
        for url in [
            "https://example.com/cat.jpg",
            "http://1.1.1.1/",
            "http://[2606:4700::1111]/",
            "http://10.1.2.3:7/",
        ] {
            assert_eq!(code(url), "Guarded", "{url}");
        }
        for url in [
            "http://127.0.0.1:9000/x",
            "http://2130706433:9000/",
            "https://media.internal/",
            "https://MEDIA.internal./",
        ] {
            assert_eq!(code(url), "Open", "{url}");
        }
        assert_eq!(code("http://media.internal/"), "Guarded", "another port");
    }

    #[test]
    fn one_bad_address_refuses_the_whole_answer() {
        let answer: Vec<SocketAddr> =
            vec!["1.1.1.1:0".parse().unwrap(), "192.168.0.7:0".parse().unwrap()];
        let error = guard().check_all("rebind.example", &answer).unwrap_err();
        assert_eq!(error.code(), "http.forbidden_address");
        let told = format!("{error:?}");
        assert!(!told.contains("192.168") && !told.contains("private"), "{told}");
        assert!(
            guard().check_all("good.example", &["10.1.0.9:0".parse().unwrap()]).is_ok(),
            "an allowed network"
        );
    }

    #[test]
    fn entries_that_allow_nothing_are_mistakes() {
        for entry in ["", "127.0.0.1", "host:", ":80", "host:http", "[::1]", "http://host:80"] {
            assert_eq!(
                Guard::default().allow_host(entry).unwrap_err().code(),
                "http.allow",
                "{entry}"
            );
        }
        for entry in ["", "10.0.0.0", "10.0.0.0/33", "host/8"] {
            assert_eq!(
                Guard::default().allow_net(entry).unwrap_err().code(),
                "http.allow",
                "{entry}"
            );
        }
    }
}
