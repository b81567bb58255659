use std::fmt;

use crate::notify::{Address, Scope};

/// What is slow, fails, or asks for patience together: a channel and, as its terms say, an origin or an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct DestinationKey {
    /// The notifier.
    pub channel: String,
    /// The origin (`https://host:443`), without any secret; empty for a notifier that tells no address of its own.
    pub name: String,
}

impl DestinationKey {
    /// This channel, at this origin.
    #[must_use]
    pub fn new(channel: impl Into<String>, name: impl Into<String>) -> Self {
        Self { channel: channel.into(), name: name.into() }
    }

    /// Where an address belongs, under a channel's terms.
    #[must_use]
    pub fn of(channel: &str, address: Option<&Address>, scope: Scope) -> Self {
        let name = match (address, scope) {
            (None, _) | (_, Scope::Channel) => String::new(),
            (Some(address), Scope::Origin) => address.origin().to_owned(),
            (Some(address), Scope::Address) => {
                format!("{} {}", address.origin(), &address.digest()[..12])
            }
        };
        Self::new(channel, name)
    }
}

impl fmt::Display for DestinationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.is_empty() { "-" } else { &self.name };
        write!(f, "{} {name}", self.channel)
    }
}
