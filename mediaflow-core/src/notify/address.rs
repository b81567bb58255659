use std::fmt;

use sha2::Digest as _;

/// Where a message goes, read by its channel. Most addresses are secrets (a webhook's path, a chat's token): it is shown
/// as its origin only, and [`Address::reveal`] is for whoever sends.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address {
    text: String,
    origin: String,
}

impl Address {
    /// An address of which nothing is known: an origin of its own, which says nothing about it.
    #[must_use]
    pub fn opaque(text: impl Into<String>) -> Self {
        let text = text.into();
        let digest = sha2::Sha256::digest(&text);
        let origin =
            digest[..6].iter().fold("#".to_owned(), |origin, byte| format!("{origin}{byte:02x}"));
        Self { text, origin }
    }

    /// An address at an origin: what fails, is slow or asks for patience together, such as `https://host:443`. It must
    /// hold no secret.
    #[must_use]
    pub fn at(origin: impl Into<String>, text: impl Into<String>) -> Self {
        Self { text: text.into(), origin: origin.into() }
    }

    /// The whole address, secrets included: for sending, and for nothing that is shown or logged.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.text
    }

    /// What it shares with others that fail together: `https://host:443`. Holds no secret.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// A name for it that tells nothing: equal for equal addresses.
    #[must_use]
    pub fn digest(&self) -> String {
        let digest = sha2::Sha256::digest(&self.text);
        digest[..16]
            .iter()
            .fold(String::with_capacity(32), |text, byte| format!("{text}{byte:02x}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_the_origin_is_shown() {
        let hook =
            Address::at("https://hooks.example:443", "https://hooks.example/T0/secret?job=1");
        assert_eq!(
            format!("{hook} {hook:?}"),
            "https://hooks.example:443 Address(https://hooks.example:443)"
        );
        let opaque = Address::opaque("token-123");
        assert!(!format!("{opaque} {opaque:?} {}", opaque.digest()).contains("token"));
        assert_ne!(opaque.origin(), Address::opaque("token-124").origin());
    }
}
