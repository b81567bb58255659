use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::json;

use crate::codes;
use crate::id::JobId;
use crate::spec::digest::digest;
use crate::{Error, Result};

/// A place in a list: where the next page begins. Printed, it is a short text without blanks, fit for a URL or the header
/// `Last-Event-ID`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, JsonSchema)]
#[schemars(with = "String")]
pub struct Cursor {
    list: List,
    store: String,
    position: String,
}

/// Which list a cursor is a place in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum List {
    /// Jobs.
    Jobs,
    /// Events.
    Events,
    /// Messages.
    Messages,
}

impl Cursor {
    /// The longest text that can be one.
    const LONGEST: usize = 200;

    /// The place behind the row of this position, for engines. `store` names one store among all that there are; neither
    /// has a dot.
    #[must_use]
    pub fn new(list: List, store: impl Into<String>, position: impl fmt::Display) -> Self {
        Self { list, store: store.into(), position: position.to_string() }
    }

    /// A name for a new store, for engines.
    #[must_use]
    pub fn new_store() -> String {
        let id = JobId::new().to_string();
        id.rsplit('-').next().unwrap_or_default().to_owned()
    }

    /// The position, for engines.
    ///
    /// # Errors
    /// `inspect.cursor`: it is a place in another list or store, or no position of this one.
    pub fn position<T: FromStr>(&self, list: List, store: &str) -> Result<T> {
        let wrong =
            |why: &str| Error::input(codes::INSPECT_CURSOR, why).with("cursor", self).help(HELP);
        if self.list != list {
            return Err(wrong("the cursor is a place in another list"));
        }
        if self.store != store {
            return Err(wrong("the cursor belongs to another store"));
        }
        self.position.parse().map_err(|_| wrong("the cursor is damaged"))
    }

    fn check(&self) -> String {
        let mut check = digest(&json!([self.list.letter(), self.store, self.position]));
        check.truncate(8);
        check
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { list, store, position } = self;
        write!(f, "{}.{store}.{position}.{}", list.letter(), self.check())
    }
}

impl FromStr for Cursor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let read = || {
            let mut parts = text.split('.').map(str::to_owned);
            let list = List::of(&parts.next()?)?;
            let cursor = Self { list, store: parts.next()?, position: parts.next()? };
            (parts.next()? == cursor.check() && parts.next().is_none()).then_some(cursor)
        };
        let read = if text.len() > Self::LONGEST { None } else { read() };
        read.ok_or_else(|| {
            let shown: String = text.chars().take(Self::LONGEST).collect();
            Error::input(codes::INSPECT_CURSOR, "the cursor is damaged")
                .with("cursor", shown.escape_debug())
                .help(HELP)
        })
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl List {
    fn letter(self) -> &'static str {
        match self {
            Self::Jobs => "j",
            Self::Events => "e",
            Self::Messages => "m",
        }
    }

    fn of(letter: &str) -> Option<Self> {
        [Self::Jobs, Self::Events, Self::Messages].into_iter().find(|list| list.letter() == letter)
    }
}

const HELP: &str = "send back what the page before gave, unchanged; or begin without a cursor";

/// Which page.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
#[non_exhaustive]
pub struct Paging {
    /// Where it begins.
    pub after: Option<Cursor>,
    /// How many items it may hold.
    pub size: usize,
}

impl Paging {
    /// The most items that a page may hold.
    pub const LARGEST: usize = 1000;

    /// The first page, of so many items at most: 1 to [`Paging::LARGEST`].
    pub fn first(size: usize) -> Self {
        Self { after: None, size }
    }

    /// The page that begins there.
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.after = cursor.into();
        self
    }

    /// How many items, and behind which position, for engines.
    ///
    /// # Errors
    /// `inspect.page_size`, `inspect.cursor`.
    pub fn check<T: FromStr>(&self, list: List, store: &str) -> Result<(usize, Option<T>)> {
        if self.size == 0 || self.size > Self::LARGEST {
            return Err(Error::input(
                codes::INSPECT_PAGE_SIZE,
                "a page can not hold so many items",
            )
            .with("size", self.size)
            .with("limit", Self::LARGEST)
            .help("ask for 1 to 1000, and for the next page with the cursor of this one"));
        }
        let after = self.after.as_ref().map(|cursor| cursor.position(list, store)).transpose()?;
        Ok((self.size, after))
    }
}

/// Some items of a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// In the order of the list.
    pub items: Vec<T>,
    /// Where the next page begins. A list of events always has one, others as long as there is more.
    pub next: Option<Cursor>,
    /// Whether to go on at once: there may be more, even if this page is short.
    pub more: bool,
}

impl<T> Page<T> {
    /// These items; the list may go on there.
    #[must_use]
    pub fn new(items: Vec<T>, next: Option<Cursor>, more: bool) -> Self {
        Self { items, next, more }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_being_printed() {
        let cursor = Cursor::new(List::Events, "018f6b2c", 4711);
        let text = cursor.to_string();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.'), "{text}");
        let back: Cursor = text.parse().unwrap();
        assert_eq!(back, cursor);
        assert_eq!(back.position::<i64>(List::Events, "018f6b2c").unwrap(), 4711);
    }

    #[test]
    fn what_is_no_place_here_is_refused() {
        let cursor = Cursor::new(List::Events, "here", 1);
        for (list, store) in [(List::Jobs, "here"), (List::Events, "there")] {
            let error = cursor.position::<i64>(list, store).unwrap_err();
            assert_eq!(error.code(), "inspect.cursor");
        }
        let other = cursor.to_string().replace(".1.", ".2.");
        for text in ["", "e.here.1", "x.here.1.00000000", &other, &"9".repeat(5000)] {
            let error = text.parse::<Cursor>().unwrap_err();
            assert_eq!(error.code(), "inspect.cursor", "{text}");
            assert!(error.to_string().len() < 1000);
        }
    }
}
