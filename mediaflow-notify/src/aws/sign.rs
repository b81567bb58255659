//! Signature Version 4, for a POST without a query.

use mediaflow_core::Timestamp;
use mediaflow_sign::hex;
use sha2::{Digest as _, Sha256};

use super::credentials::Keys;
use crate::digest::mac;

pub(super) struct Request<'a> {
    pub(super) url: &'a str,
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) content_type: &'a str,
    pub(super) body: &'a [u8],
}

/// The headers that go with the request.
pub(super) struct Signed {
    pub(super) authorization: String,
    pub(super) date: String,
    pub(super) hash: String,
    pub(super) token: Option<String>,
}

pub(super) fn sign(request: &Request<'_>, keys: &Keys, now: Timestamp) -> Signed {
    let date = basic(now);
    let hash = hex(&Sha256::digest(request.body));
    let (host, path) = parts(request.url);
    let mut headers = vec![
        ("content-type", request.content_type),
        ("host", host),
        ("x-amz-content-sha256", &hash),
        ("x-amz-date", &date),
    ];
    headers.extend(keys.session.as_deref().map(|token| ("x-amz-security-token", token)));
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!("POST\n{path}\n\n{lines}\n{names}\n{hash}");
    let scope = format!("{}/{}/{}/aws4_request", &date[..8], request.region, request.service);
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let key = [&date[..8], request.region, request.service, "aws4_request"]
        .iter()
        .fold(format!("AWS4{}", keys.secret).into_bytes(), |key, part| mac(&key, part));
    let signature = hex(&mac(&key, &text));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
        keys.id
    );
    Signed { authorization, date, hash, token: keys.session.clone() }
}

/// Host and path of a URL, as they are sent: a standard port is left out.
fn parts(url: &str) -> (&str, &str) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let standard = if scheme == "http" { ":80" } else { ":443" };
    (host.strip_suffix(standard).unwrap_or(host), if path.is_empty() { "/" } else { path })
}

/// `20150830T123600Z`.
fn basic(now: Timestamp) -> String {
    let text = now.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    format!("{}Z", seconds.replace(['-', ':'], ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPECTED: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/sns/aws4_request, \
                            SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date, \
                            Signature=b3a019bbd36dadc5f7e1496e66296cdec72d02daf7fed5193390f349f9d9526b";
    const WITH_TOKEN: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/sns/aws4_request, \
                              SignedHeaders=content-type;host;x-amz-content-sha256;x-amz-date;x-amz-security-token, \
                              Signature=6d2df6363d7290cc1cca5a226ee095d30990a1a8bddd7e747f1c9a8d5b51403c";

    /// Computed with botocore 1.44.8 (`botocore.auth.SigV4Auth`), which is not ours.
    #[test]
    fn a_signature_is_that_of_the_vendors_sdk() {
        let request = Request {
            url: "https://sns.us-east-1.amazonaws.com/",
            service: "sns",
            region: "us-east-1",
            content_type: "application/x-www-form-urlencoded",
            body: b"Action=Publish&Message=hello",
        };
        let keys = Keys {
            id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session: None,
        };
        let signed = sign(&request, &keys, Timestamp::from_millis(1_440_938_160_000));
        assert_eq!(signed.date, "20150830T123600Z");
        assert_eq!(signed.authorization, EXPECTED);
        let keys = Keys { session: Some("token".to_owned()), ..keys };
        let signed = sign(&request, &keys, Timestamp::from_millis(1_440_938_160_000));
        assert_eq!(signed.authorization, WITH_TOKEN);
    }

    #[test]
    fn what_is_sent_as_host_is_signed() {
        assert_eq!(parts("http://127.0.0.1:4566"), ("127.0.0.1:4566", "/"));
        assert_eq!(parts("https://a.example:443/v2/x"), ("a.example", "/v2/x"));
    }
}
