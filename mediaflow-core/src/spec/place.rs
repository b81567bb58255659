use std::str::FromStr;

use super::{Key, Location};
use crate::codes;
use crate::{Error, Result};

/// Where an output is kept: `storage/key`, or, for a step that gives several files, a pattern of keys. In a pattern stand
/// `{name}`, the name that the file has from its step, and `{page}`, its number from 1, or `{page:03}` with so many digits.
///
/// ```
/// use mediaflow_core::spec::Place;
///
/// let pages: Place = "public/manual/page-{page:03}.png".parse()?;
/// assert_eq!(pages.file("cover.png", 7)?.to_string(), "public/manual/page-007.png");
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The name of the storage.
    pub storage: String,
    key: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name,
    /// With at least so many digits.
    Page(usize),
}

/// A number can have no more leading zeros than this gives.
const DIGITS: usize = 9;

impl Place {
    /// Whether it is one for several files.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        self.key.iter().any(|piece| !matches!(piece, Piece::Text(_)))
    }

    /// Where a file is kept that has this name from its step, and this number among its files, from 1.
    ///
    /// # Errors
    /// `storage.key` if the name makes no key.
    pub fn file(&self, name: &str, number: usize) -> Result<Location> {
        let mut key = String::new();
        for piece in &self.key {
            match piece {
                Piece::Text(text) => key.push_str(text),
                Piece::Name => key.push_str(name),
                Piece::Page(digits) => key.push_str(&format!("{number:0digits$}")),
            }
        }
        Ok(Location { storage: self.storage.clone(), key: key.parse::<Key>()? })
    }

    /// The place of an output that is one file.
    ///
    /// # Errors
    /// `output.pattern` if it is for several.
    pub fn one(&self) -> Result<Location> {
        if self.is_pattern() {
            return Err(Error::input(
                codes::OUTPUT_PATTERN,
                "the place is a pattern, and there is one file",
            )
            .help("name a place without `{...}`"));
        }
        self.file("", 1)
    }
}

impl FromStr for Place {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = |what: String| {
            Err(Error::input(codes::OUTPUT_PATTERN, what)
                .with("place", text.escape_debug())
                .help("in a pattern stand `{name}`, `{page}` and `{page:03}`"))
        };
        // What is no place at all is told as of any other.
        let Some((storage, mut rest)) = text.split_once('/').filter(|_| text.contains('{')) else {
            let Location { storage, key } = text.parse()?;
            return Ok(Self { storage, key: vec![Piece::Text(key.as_str().to_owned())] });
        };
        let mut key = Vec::new();
        while let Some((before, after)) = rest.split_once('{') {
            let Some((inside, after)) = after.split_once('}') else {
                return wrong("a `{` is not closed".to_owned());
            };
            if !before.is_empty() {
                key.push(Piece::Text(before.to_owned()));
            }
            let digits =
                |text: &str| text.parse().ok().filter(|digits| (1..=DIGITS).contains(digits));
            key.push(match inside.split_once(':') {
                None if inside == "name" => Piece::Name,
                None if inside == "page" => Piece::Page(1),
                Some(("page", width)) if digits(width).is_some() => {
                    Piece::Page(digits(width).unwrap_or(1))
                }
                _ => return wrong(format!("there is no `{{{inside}}}`")),
            });
            rest = after;
        }
        if !rest.is_empty() {
            key.push(Piece::Text(rest.to_owned()));
        }
        let place = Self { storage: storage.to_owned(), key };
        // Its storage and the rest of its key are checked as those of any file.
        place.file("name", 1)?.to_string().parse::<Location>()?;
        Ok(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read_and_filled_in() {
        let fill = |place: &str| place.parse::<Place>().unwrap().file("a/b.ts", 12).unwrap();
        assert_eq!(fill("public/hls/{name}").to_string(), "public/hls/a/b.ts");
        assert_eq!(fill("public/p{page}-{page:03}.png").to_string(), "public/p12-012.png");
        assert_eq!(fill("public/one.png").to_string(), "public/one.png");
        for wrong in
            ["public/{other}", "public/{page:x}", "public/{page:99}", "public/{name", "public/{}"]
        {
            assert_eq!(wrong.parse::<Place>().unwrap_err().code(), "output.pattern", "{wrong}");
        }
        for wrong in ["one.png", "pub lic/{name}", "public/../{name}", "public//{page}"] {
            assert_eq!(wrong.parse::<Place>().unwrap_err().code(), "storage.key", "{wrong}");
        }
    }

    #[test]
    fn a_name_can_not_leave_its_place() {
        let place: Place = "public/hls/{name}".parse().unwrap();
        for name in ["", "../x", "/etc/passwd", "a\\b", "c:d"] {
            assert_eq!(place.file(name, 1).unwrap_err().code(), "storage.key", "{name:?}");
        }
        let error = place.one().unwrap_err();
        assert_eq!(error.code(), "output.pattern");
    }
}
