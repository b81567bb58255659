//! Names that are stored and sent, and that a newer version may know more of.
//!
//! A process of today reads what one of tomorrow has written: rows, reports and events that name a state or a kind which
//! does not exist yet. It does not understand such a name, but it must not lose or refuse it either. So each enum that
//! is stored has a last variant `Other`, which keeps the name, and gives it back unchanged when it is written.
//!
//! Uses: nothing.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::Schema;
use serde::{Deserialize as _, Deserializer, Serializer, de};

/// A stored name that this version does not know: at most [`Name::LONGEST`] bytes, kept in place, so that enums with one
/// stay `Copy`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Zero behind the text.
    bytes: [u8; Self::LONGEST],
    length: u8,
}

/// A stored name is empty or longer than [`Name::LONGEST`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameError {
    /// Its length in bytes.
    pub length: usize,
}

impl Name {
    /// The most bytes that a stored name can have.
    pub const LONGEST: usize = 39;

    /// Keeps a name that no variant has. Enums call it with what they do not know.
    pub(crate) fn new(text: &str) -> Result<Self, NameError> {
        let length = text.len();
        let mut bytes = [0; Self::LONGEST];
        match (bytes.get_mut(..length), u8::try_from(length)) {
            (Some(place), Ok(short)) if short > 0 => {
                place.copy_from_slice(text.as_bytes());
                Ok(Self { bytes, length: short })
            }
            _ => Err(NameError { length }),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // It was made from text, so it is text.
        let text = self.bytes.get(..usize::from(self.length)).map(str::from_utf8);
        text.and_then(Result::ok).unwrap_or_default()
    }
}

impl FromStr for Name {
    type Err = NameError;

    /// For the enums of other crates, with what they do not know.
    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::new(text)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a stored name has 1 to {} bytes, not {}", Name::LONGEST, self.length)
    }
}

impl std::error::Error for NameError {}

/// An enum made by [`wire_enum!`].
pub(crate) trait WireEnum: Copy {
    /// The names that this version knows.
    const NAMES: &'static [&'static str];

    fn name(&self) -> &str;

    fn named(name: &str) -> Result<Self, NameError>;
}

pub(crate) fn serialize<T: WireEnum, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(value.name())
}

pub(crate) fn deserialize<'de, T: WireEnum, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let name = Cow::<'de, str>::deserialize(from)?;
    T::named(&name).map_err(de::Error::custom)
}

/// A string; the known names are told, but others are allowed.
pub(crate) fn schema<T: WireEnum>() -> Schema {
    schemars::json_schema!({
        "anyOf": [{ "enum": T::NAMES }, { "type": "string", "minLength": 1, "maxLength": Name::LONGEST }],
    })
}

/// Makes an enum whose variants are stored by name, and that keeps the names which it does not know.
///
/// ```text
/// wire_enum! {
///     /// Where it is.
///     #[derive(PartialOrd, Ord)]
///     pub enum Place {
///         /// At home.
///         Home = "home",
///         /// On the way.
///         Away = "away",
///     }
/// }
/// ```
///
/// It has the variant `Other(Name)` last, is `Copy`, and gets `as_str`, `FromStr` (which fails for names that are too
/// long), serde and a JSON Schema that lists the known names.
macro_rules! wire_enum {
    (
        $(#[$outer:meta])*
        $vis:vis enum $enum:ident {
            $($(#[$inner:meta])* $variant:ident = $name:literal,)+
        }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        $vis enum $enum {
            $($(#[$inner])* $variant,)+
            /// What only a newer version knows. It is given back as it was read.
            Other($crate::wire::Name),
        }

        impl $enum {
            /// The name under which it is stored and sent.
            #[must_use]
            $vis fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(name) => name.as_str(),
                }
            }
        }

        impl $crate::wire::WireEnum for $enum {
            const NAMES: &'static [&'static str] = &[$($name),+];

            fn name(&self) -> &str {
                self.as_str()
            }

            fn named(name: &str) -> ::std::result::Result<Self, $crate::wire::NameError> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    other => $crate::wire::Name::new(other).map(Self::Other),
                }
            }
        }

        impl ::std::str::FromStr for $enum {
            type Err = $crate::wire::NameError;

            fn from_str(name: &str) -> ::std::result::Result<Self, Self::Err> {
                $crate::wire::WireEnum::named(name)
            }
        }

        impl ::std::fmt::Display for $enum {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl ::serde::Serialize for $enum {
            fn serialize<S: ::serde::Serializer>(
                &self,
                serializer: S,
            ) -> ::std::result::Result<S::Ok, S::Error> {
                $crate::wire::serialize(self, serializer)
            }
        }

        impl<'de> ::serde::Deserialize<'de> for $enum {
            fn deserialize<D: ::serde::Deserializer<'de>>(
                deserializer: D,
            ) -> ::std::result::Result<Self, D::Error> {
                $crate::wire::deserialize(deserializer)
            }
        }

        impl ::schemars::JsonSchema for $enum {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($enum).into()
            }

            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                $crate::wire::schema::<Self>()
            }
        }
    };
}

pub(crate) use wire_enum;

#[cfg(test)]
mod tests {
    use super::*;

    wire_enum! {
        /// Where it is.
        #[derive(PartialOrd, Ord)]
        enum Place {
            /// At home.
            Home = "home",
            /// On the way.
            Away = "away",
        }
    }

    #[test]
    fn known_names_are_variants() {
        assert_eq!(
            serde_json::to_value([Place::Home, Place::Away]).unwrap(),
            serde_json::json!(["home", "away"])
        );
        assert_eq!(serde_json::from_str::<Place>("\"away\"").unwrap(), Place::Away);
        assert_eq!("home".parse(), Ok(Place::Home));
        assert!(Place::Home < Place::Away);
    }

    #[test]
    fn unknown_names_are_given_back_unchanged() {
        for name in ["at_sea", "größer", &"x".repeat(Name::LONGEST)] {
            let json = serde_json::to_string(name).unwrap();
            let place: Place = serde_json::from_str(&json).unwrap();
            assert_eq!((place.as_str(), place.to_string().as_str()), (name, name));
            assert_eq!(serde_json::to_string(&place).unwrap(), json);
            assert!(matches!(place, Place::Other(kept) if kept.as_str() == name));
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for name in [String::new(), "x".repeat(Name::LONGEST + 1)] {
            assert_eq!(name.parse::<Place>(), Err(NameError { length: name.len() }));
            let error = serde_json::from_value::<Place>(name.into()).unwrap_err();
            assert!(error.to_string().starts_with("a stored name has 1 to 39 bytes"), "{error}");
        }
        assert!(serde_json::from_str::<Place>("7").is_err());
    }

    #[test]
    fn the_schema_lists_the_known_names() {
        let schema = schemars::schema_for!(Place).to_value();
        assert_eq!(schema["anyOf"][0]["enum"], serde_json::json!(["home", "away"]));
    }
}
