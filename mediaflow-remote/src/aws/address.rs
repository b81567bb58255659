//! Which URLs are Amazon SNS's own. They are looked at as they are written, before anything parses them: what only looks like
//! Amazon's in one reading is no address in any.

use mediaflow_core::{Error, Result, codes};

/// Checks the URL of a certificate: `https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-<32 digits>.pem`.
pub(super) fn certificate(url: &str) -> Result<()> {
    let name = path(url).and_then(|path| path.strip_prefix("/SimpleNotificationService-"));
    let digits = name.and_then(|name| name.strip_suffix(".pem"));
    let is_digit = |c: u8| matches!(c, b'0'..=b'9' | b'a'..=b'f');
    match digits {
        Some(digits) if digits.len() == 32 && digits.bytes().all(is_digit) => Ok(()),
        _ => Err(refused("the certificate of the message is not at one of Amazon's addresses")),
    }
}

/// Checks the URL that confirms a subscription: it confirms one, of this topic, with this token.
pub(super) fn subscription(url: &str, topic: &str, token: &str) -> Result<()> {
    let refused = || refused("the URL that would confirm the subscription is not one of Amazon's");
    let query = path(url).and_then(|path| path.strip_prefix("/?")).ok_or_else(refused)?;
    let given: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let once = |name: &str, value: &str| {
        let mut found = given.iter().filter(|(key, _)| key == name);
        found.next().is_some_and(|(_, it)| it == value) && found.next().is_none()
    };
    let confirms = once("Action", "ConfirmSubscription");
    if confirms && once("TopicArn", topic) && once("Token", token) {
        return Ok(());
    }
    Err(refused())
}

/// Whether this could be the name of a host of SNS: `sns.eu-central-1.amazonaws.com`, in China with `.cn`.
pub(super) fn is_host(host: &str) -> bool {
    let region = host.strip_prefix("sns.").and_then(|rest| {
        rest.strip_suffix(".amazonaws.com").or_else(|| rest.strip_suffix(".amazonaws.com.cn"))
    });
    region.is_some_and(|region| {
        region.len() >= 3 && region.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-')
    })
}

/// What stands behind the host of a URL of SNS, from its `/` on.
fn path(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://")?;
    let (host, path) = rest.split_at(rest.find('/')?);
    // No spaces, no backslash, no fragment, nothing that a parser would drop.
    let plain = path.bytes().all(|c| c.is_ascii_graphic() && !matches!(c, b'\\' | b'#' | b'@'));
    (is_host(host) && plain).then_some(path)
}

fn refused(what: &str) -> Error {
    Error::input(codes::REMOTE_ADDRESS, what).help("it is not fetched; the message may be forged")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

    use super::*;

    const TOPIC: &str = "arn:aws:sns:eu-central-1:123456789012:media";

    #[test]
    fn what_is_amazons_passes() {
        for url in [
            "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
            "https://sns.us-gov-west-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
        ] {
            certificate(url).unwrap();
        }
        for url in [
            "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:123456789012:media&Token=2336",
            "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A123456789012%3Amedia&Token=2336",
        ] {
            subscription(url, TOPIC, "2336").unwrap();
        }
    }

    #[test]
    fn what_only_looks_like_amazons_does_not() {
        const PEM: &str = "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem";
        let hosts = [
            "http://sns.eu-central-1.amazonaws.com",
            "HTTPS://sns.eu-central-1.amazonaws.com",
            "https://sns.eu-central-1.amazonaws.com:443",
            "https://sns.eu-central-1.amazonaws.com:8443",
            "https://sns.eu-central-1.amazonaws.com.",
            "https://sns.eu-central-1.amazonaws.com.evil.example",
            "https://sns.eu-central-1.amazonaws.comevil.example",
            "https://sns.eu-central-1.amazonaws.com.cn.evil.example",
            "https://sns.evil.example",
            "https://sns.eu-central-1.amazonaws.co",
            "https://evil.example",
            "https://evil.example/sns.eu-central-1.amazonaws.com",
            "https://evil.example#sns.eu-central-1.amazonaws.com",
            "https://evil.example?sns.eu-central-1.amazonaws.com",
            "https://evil.example\\sns.eu-central-1.amazonaws.com",
            "https://sns.eu-central-1.amazonaws.com@evil.example",
            "https://user@sns.eu-central-1.amazonaws.com",
            "https://user:pass@sns.eu-central-1.amazonaws.com",
            "https://xsns.eu-central-1.amazonaws.com",
            "https://s3.eu-central-1.amazonaws.com",
            "https://sns.eu-central-1.s3.amazonaws.com",
            "https://sns.a.b.amazonaws.com",
            "https://sns..amazonaws.com",
            "https://sns.x.amazonaws.com",
            "https://sns.amazonaws.com",
            "https://bucket.s3.amazonaws.com/sns.eu-central-1.amazonaws.com",
            "https://sns.eu_central_1.amazonaws.com",
            "https://sns.eu-central-1.amazonaws.com\u{2f}.evil.example",
            "https://sns.eu\u{2024}central.amazonaws.com",
            "https://sns.\u{435}u-central-1.amazonaws.com",
            "https://sns.eu-central-1.amaz\u{43e}naws.com",
            "https://sns.eu-central-1.amazonaws\u{3002}com",
            "https://sns.eu-central-1%2eamazonaws.com",
            "https://sns.eu-central-1.amazonaws.com\t",
            "https:\\\\sns.eu-central-1.amazonaws.com",
            "https:/sns.eu-central-1.amazonaws.com",
            "//sns.eu-central-1.amazonaws.com",
            " https://sns.eu-central-1.amazonaws.com",
            "file://sns.eu-central-1.amazonaws.com",
            "https://169.254.169.254/sns.eu-central-1.amazonaws.com",
            "https://[::1]/sns.eu-central-1.amazonaws.com",
            "",
        ];
        assert!(hosts.len() > 40);
        let query = format!("/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336");
        for host in hosts {
            let error = certificate(&format!("{host}{PEM}")).unwrap_err();
            assert_eq!(error.code(), "remote.address", "{host}");
            let error = subscription(&format!("{host}{query}"), TOPIC, "2336").unwrap_err();
            assert_eq!(error.code(), "remote.address", "{host}");
        }
        let amazon = "https://sns.eu-central-1.amazonaws.com";
        for path in [
            "",
            "/",
            "/x.pem",
            "/x/../SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
            "//SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
            "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec113.pem",
            "/SimpleNotificationService-9C6465FA7F48F5CACD23014631EC1136.pem",
            "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem?x",
            "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem#x",
            "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem\n",
            "/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.exe",
            "/?Action=ConfirmSubscription#.pem",
        ] {
            assert!(certificate(&format!("{amazon}{path}")).is_err(), "{path}");
        }
        for query in [
            "/",
            "/?",
            "/x?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:123456789012:media&Token=2336",
            "/?Action=DeleteTopic&TopicArn=arn:aws:sns:eu-central-1:123456789012:media&Token=2336",
            "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:123456789012:other&Token=2336",
            "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:123456789012:media&Token=1",
            "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:123456789012:media",
            "/?Action=ConfirmSubscription&Action=DeleteTopic&TopicArn=arn:aws:sns:eu-central-1:123456789012:media&Token=2336",
            "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:123456789012:media&Token=2336#x",
            "/?Action=ConfirmSubscription&TopicArn=arn:aws:sns:eu-central-1:123456789012:media&Token=2336&Token=1",
        ] {
            assert!(subscription(&format!("{amazon}{query}"), TOPIC, "2336").is_err(), "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_passes_leads_to_amazon_in_the_clients_reading(before in any::<String>(), host in "[a-z0-9.:@/\\\\#?-]{0,30}") {
            for url in [
                format!("{before}/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"),
                format!("https://{host}.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"),
                format!("https://sns.{host}.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"),
            ] {
                if certificate(&url).is_ok() {
                    let parsed = url::Url::parse(&url).unwrap();
                    prop_assert!(parsed.host_str().is_some_and(|host| is_host(&host.to_ascii_lowercase())));
                    prop_assert!(parsed.port().is_none() && parsed.username().is_empty());
                    prop_assert_eq!(parsed.scheme(), "https");
                }
            }
        }
    }
}
