use std::borrow::Cow;
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

    /// A text without the parts of this address: receivers repeat what they were asked (`Cannot POST /hooks/T0/secret`).
    /// What they have written in another way is not found: a reason should hold no words of a receiver at all.
    #[must_use]
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut parts = self.parts();
        parts.retain(|part| part.len() >= TELLING && text.contains(part));
        // What holds another one goes first.
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts
            .into_iter()
            .fold(Cow::Borrowed(text), |text, part| text.replace(part, "[REDACTED]").into())
    }

    /// What of it is more than its origin.
    fn parts(&self) -> Vec<&str> {
        let Some((_, rest)) = self.text.split_once("://") else {
            let between = |c: char| !(c.is_alphanumeric() || c == '-' || c == '_');
            let words = self.text.split(between).filter(|word| word.len() >= TOKEN);
            return std::iter::once(&*self.text).chain(words).collect();
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let credentials = authority.rsplit_once('@').map_or("", |(credentials, _)| credentials);
        let words = path.split('/').filter(|word| word.len() >= TOKEN);
        let values =
            query.split('&').filter_map(|pair| pair.split_once('=')).map(|(_, value)| value);
        let whole = [credentials, path, query];
        whole.into_iter().chain(credentials.split(':')).chain(words).chain(values).collect()
    }
}

/// Whatever is shorter tells nothing, and may be part of any text.
const TELLING: usize = 6;

/// A part of a path that is as long is no word, but a token.
const TOKEN: usize = 16;

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

    #[test]
    fn what_a_receiver_repeats_of_it_is_taken_out() {
        let text = "https://user:passw0rd@hooks.example/T0/B0123456789abcdef?key=s3cret-1&x=1#top";
        let hook = Address::at("https://hooks.example:443", text);
        for (said, kept) in [
            ("Cannot POST /T0/B0123456789abcdef", "Cannot POST [REDACTED]"),
            ("no hook B0123456789abcdef, key s3cret-1", "no hook [REDACTED], key [REDACTED]"),
            (
                "passw0rd? x=1 at https://hooks.example:443",
                "[REDACTED]? x=1 at https://hooks.example:443",
            ),
            ("Not Found", "Not Found"),
        ] {
            assert_eq!(hook.redact(said), kept);
        }
        assert_eq!(hook.redact(text), "https://[REDACTED]@hooks.example[REDACTED]?[REDACTED]#top");
        assert_eq!(Address::opaque("chat-123:ABC").redact("no chat-123:ABC"), "no [REDACTED]");
        let bot = Address::opaque("bot/0123456789abcdef@chat");
        assert_eq!(bot.redact("0123456789abcdef of bot"), "[REDACTED] of bot");
        assert_eq!(Address::at("o", "http://h/").redact("a/b http://h/"), "a/b http://h/");
    }
}
