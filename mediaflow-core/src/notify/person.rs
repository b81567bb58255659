use std::collections::BTreeMap;
use std::fmt;

use crate::event::{Audience, Event};

/// Whom a [route](super::Route) tells: an audience, and of its owner's whose job it is. Who has the same is the same people.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Whom {
    /// Whoever asked for the job, or who answers for it.
    pub audience: Audience,
    /// Who asked for the job, for the audience `owner`.
    pub owner: Option<String>,
    /// Whose job it is, among those who share the host.
    pub tenant: Option<String>,
}

impl Whom {
    /// This audience of an event.
    #[must_use]
    pub fn of(event: &Event, audience: Audience) -> Self {
        let owner = event.owner.clone().filter(|_| audience == Audience::Owner);
        Self { audience, owner, tenant: event.tenant.clone() }
    }
}

/// Somebody who is told: where, in which words, and when.
///
/// ```
/// use mediaflow_core::notify::Person;
///
/// let owner = Person::new("u7")
///     .at("email", "ada@example.org")
///     .at("push", "u7")
///     .locale("de")
///     .zone("Europe/Berlin");
/// ```
#[derive(Clone, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Person {
    /// A name of the host's own, for logs.
    pub id: String,
    /// The address by channel. Where there is none, this person can not be told through the channel, and the next step of the
    /// route is taken.
    pub addresses: BTreeMap<String, String>,
    /// The locale of what is said: `de-AT`. Default: the channel's.
    pub locale: Option<String>,
    /// The time zone of quiet hours, as the IANA database has it. Default: the route's.
    pub zone: Option<String>,
    /// The only channels that this person wants to be told through. Default: all.
    pub only: Option<Vec<String>>,
    /// This person wants to be told nothing.
    pub muted: bool,
}

impl Person {
    /// Somebody without an address.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            addresses: BTreeMap::new(),
            locale: None,
            zone: None,
            only: None,
            muted: false,
        }
    }

    /// Can be told through this channel, at this address.
    pub fn at(mut self, channel: impl Into<String>, address: impl Into<String>) -> Self {
        self.addresses.insert(channel.into(), address.into());
        self
    }

    /// In this locale: `de-AT`.
    pub fn locale(mut self, locale: impl Into<String>) -> Self {
        self.locale = Some(locale.into());
        self
    }

    /// Quiet hours are those of this time zone: `Europe/Berlin`.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Only through these channels.
    pub fn only<S: Into<String>>(mut self, channels: impl IntoIterator<Item = S>) -> Self {
        self.only = Some(channels.into_iter().map(Into::into).collect());
        self
    }

    /// Wants to be told nothing.
    pub fn muted(mut self) -> Self {
        self.muted = true;
        self
    }

    /// The address at which this person is told through a channel, if there is one and it is wanted.
    #[must_use]
    pub fn address(&self, channel: &str) -> Option<&str> {
        let wanted = self.only.as_ref().is_none_or(|only| only.iter().any(|name| name == channel));
        let address = self.addresses.get(channel).filter(|_| wanted && !self.muted);
        address.map(String::as_str)
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Addresses may be secrets.
        let channels: Vec<_> = self.addresses.keys().collect();
        f.debug_struct("Person")
            .field("id", &self.id)
            .field("channels", &channels)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_told_where_they_want_to_be() {
        let ada = Person::new("u7").at("email", "a@b.example").at("push", "u7");
        assert_eq!(ada.address("email"), Some("a@b.example"));
        assert_eq!(ada.address("pager"), None);
        let quieter = ada.clone().only(["push"]);
        assert_eq!((quieter.address("email"), quieter.address("push")), (None, Some("u7")));
        assert_eq!(ada.clone().muted().address("push"), None);
        assert!(!format!("{ada:?}").contains("a@b.example"));
    }
}
