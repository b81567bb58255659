//! A secret in a header: whoever has asked for a notification says what header it comes with, and compares. It shows to
//! whoever sees a request, so receive by `https` only.

use std::fmt;

use mediaflow_core::{Error, Result, codes};
use sha2::{Digest as _, Sha256};

use crate::compare::equal;

/// The header with the secret of a notification of Zencoder, by custom.
pub const SECRET: &str = "x-zencoder-notification-secret";

/// Headers that a request has anyway.
const OURS: [&str; 6] = [
    "connection",
    "content-length",
    "content-type",
    "host",
    "idempotency-key",
    "transfer-encoding",
];

/// What a receiver knows a notification by.
#[derive(Clone)]
pub struct Secret {
    header: String,
    value: String,
}

impl Secret {
    /// This text, in this header.
    ///
    /// # Errors
    /// `webhook.secret`: the text is empty or has characters that no header has, or the header is none that can be chosen.
    pub fn new(header: &str, value: &str) -> Result<Self> {
        let header = header.to_ascii_lowercase();
        let is_name = |c: u8| c.is_ascii_alphanumeric() || b"-_".contains(&c);
        if header.is_empty() || !header.bytes().all(is_name) || OURS.contains(&&*header) {
            return Err(Error::input(codes::WEBHOOK_SECRET, "no secret can be in this header")
                .with("header", header.escape_debug())
                .help(format!("`{SECRET}` is the usual one")));
        }
        if value.is_empty()
            || value.trim() != value
            || !value.bytes().all(|c| (b' '..=b'~').contains(&c))
        {
            return Err(Error::input(
                codes::WEBHOOK_SECRET,
                "the secret of a header is visible ASCII",
            ));
        }
        Ok(Self { header, value: value.to_owned() })
    }

    /// Whether this is the value, compared in a time that tells nothing of it, nor of its length.
    #[must_use]
    pub fn fits(&self, given: &str) -> bool {
        equal(&Sha256::digest(given), &Sha256::digest(&self.value))
    }

    /// The name of the header, in lower case, and its value.
    #[must_use]
    pub fn header(&self) -> (&str, &str) {
        (&self.header, &self.value)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret")
            .field("header", &self.header)
            .field("value", &"[REDACTED]")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_what_a_header_can_have() {
        let secret = Secret::new("X-Zencoder-Notification-Secret", "koro 7").unwrap();
        assert_eq!(secret.header(), (SECRET, "koro 7"));
        assert!(!format!("{secret:?}").contains("koro"));
        for (header, value) in [
            (SECRET, ""),
            (SECRET, " koro"),
            (SECRET, "koro\r\nhost: evil"),
            (SECRET, "k\u{f6}ro"),
            ("", "koro"),
            ("a b", "koro"),
            ("Content-Type", "koro"),
        ] {
            let error = Secret::new(header, value).unwrap_err();
            assert_eq!(error.code(), "webhook.secret", "{header} {value}");
            assert!(!format!("{error:?}").contains("koro"));
        }
    }
}
