use std::fmt;
use std::ops::{RangeFrom, RangeInclusive, RangeToInclusive};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::codes;
use crate::media::{Format, MediaInfo, Medium};
use crate::{Error, Result};

/// What a source has to be for a job to take it. What is not said may be anything.
///
/// It is looked at when the headers of the source are read, before anything is decoded. A source that breaks rules is refused with
/// one error, `source.refused`, which names each rule that it breaks, with what was found and what is allowed. What is not known of a
/// source, such as the length of an animation, breaks a rule on it.
///
/// ```
/// use mediaflow_core::media::{Format, MediaInfo};
/// use mediaflow_core::spec::{Accept, Pipeline};
///
/// let portrait = Accept::new()
///     .formats([Format::JPEG, Format::PNG])
///     .bytes(..=20_000_000)
///     .width(400..)
///     .aspect(0.5..=1.0);
/// let wide = MediaInfo::still(Format::JPEG, 300, 200).with_bytes(9_000);
/// let error = portrait.check(&wide).unwrap_err();
/// assert_eq!(error.code(), "source.refused");
/// assert_eq!(error.fact("width"), Some("300, not at least 400"));
/// assert_eq!(error.fact("aspect"), Some("1.5, not from 0.5 to 1"));
///
/// let avatar = Pipeline::from("uploads/me.jpg").accept(portrait).output("public/me.jpg", |photo| photo).build()?;
/// assert_eq!(serde_json::to_value(&avatar).unwrap()["accept"]["source"]["width"], serde_json::json!({ "min": 400 }));
/// # Ok::<(), mediaflow_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Accept {
    /// One of these formats, by the content, whatever the name says. Default: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub formats: Vec<Format>,
    /// One of these media: `still`, `animation`, `video`, `audio`, `document`. Default: any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Medium>,
    /// The size of the file in bytes.
    #[serde(skip_serializing_if = "Within::is_open")]
    pub bytes: Within<u64>,
    /// The width in pixels, upright; 0 without a picture.
    #[serde(skip_serializing_if = "Within::is_open")]
    pub width: Within<u64>,
    /// The height in pixels, upright; 0 without a picture.
    #[serde(skip_serializing_if = "Within::is_open")]
    pub height: Within<u64>,
    /// Width times height, of one frame.
    #[serde(skip_serializing_if = "Within::is_open")]
    pub pixels: Within<u64>,
    /// Width divided by height: 1.5 of 3:2. Not known without a picture.
    #[serde(skip_serializing_if = "Within::is_open")]
    pub aspect: Within<f64>,
    /// Pages: 1 of what has none.
    #[serde(skip_serializing_if = "Within::is_open")]
    pub pages: Within<u64>,
    /// Frames: 1 of a still.
    #[serde(skip_serializing_if = "Within::is_open")]
    pub frames: Within<u64>,
    /// The length in seconds: 0 of a still.
    #[serde(skip_serializing_if = "Within::is_open")]
    pub duration: Within<f64>,
}

/// A number from `min` to `max`, both of them allowed. Made from `2..=5`, `2..` and `..=5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Within<T> {
    /// The least. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<T>,
    /// The most. Default: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<T>,
}

macro_rules! within {
    ($($(#[$doc:meta])* $name:ident: $number:ty),+ $(,)?) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $name(mut self, within: impl Into<Within<$number>>) -> Self {
                self.$name = within.into();
                self
            }
        )+
    };
}

impl Accept {
    /// Anything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One of these formats, by the content.
    #[must_use]
    pub fn formats(mut self, formats: impl IntoIterator<Item = Format>) -> Self {
        self.formats = formats.into_iter().collect();
        self
    }

    /// One of these media.
    #[must_use]
    pub fn media(mut self, media: impl IntoIterator<Item = Medium>) -> Self {
        self.media = media.into_iter().collect();
        self
    }

    within! {
        /// A file of so many bytes.
        bytes: u64,
        /// So many pixels wide, upright.
        width: u64,
        /// So many pixels high, upright.
        height: u64,
        /// So many pixels in a frame.
        pixels: u64,
        /// So many times as wide as high.
        aspect: f64,
        /// So many pages.
        pages: u64,
        /// So many frames.
        frames: u64,
        /// So many seconds long.
        duration: f64,
    }

    /// Whether a source of which this is known is accepted.
    ///
    /// # Errors
    /// `source.refused`, with a fact for each rule that it breaks.
    pub fn check(&self, info: &MediaInfo) -> Result<()> {
        let is_still = matches!(info.medium, Medium::Still);
        let known = |value: u64| (value > 0).then_some(value);
        let has_pages = info.medium == Medium::Document;
        let pages = if has_pages { known(info.pages) } else { Some(info.pages.max(1)) };
        let ratio = f64::from(info.width) / f64::from(info.height);
        let seconds = info.duration.map(|duration| duration.as_secs_f64());
        let broken = [
            ("formats", one_of(&self.formats, &info.format)),
            ("media", one_of(&self.media, &info.medium)),
            ("bytes", self.bytes.breaks(Some(info.bytes))),
            ("width", self.width.breaks(Some(info.width.into()))),
            ("height", self.height.breaks(Some(info.height.into()))),
            ("pixels", self.pixels.breaks(Some(info.pixels()))),
            ("aspect", self.aspect.breaks((info.pixels() > 0).then_some(ratio))),
            ("pages", self.pages.breaks(pages)),
            ("frames", self.frames.breaks(known(info.frames))),
            ("duration", self.duration.breaks(seconds.or(is_still.then_some(0.0)))),
        ];
        let broken = broken.into_iter().filter_map(|(rule, how)| Some((rule, how?)));
        let broken: Vec<_> = broken.collect();
        if broken.is_empty() {
            return Ok(());
        }
        let rules: Vec<_> = broken.iter().map(|(rule, _)| format!("`{rule}`")).collect();
        let what = format!("the source is not accepted: it breaks {}", rules.join(", "));
        let error = Error::input(codes::SOURCE_REFUSED, what);
        Err(broken.into_iter().fold(error, |error, (rule, how)| error.with(rule, how)))
    }

    /// Refuses rules that nothing can keep.
    ///
    /// # Errors
    /// `spec.accept`.
    pub fn validate(&self) -> Result<()> {
        self.bytes.validate("bytes")?;
        self.width.validate("width")?;
        self.height.validate("height")?;
        self.pixels.validate("pixels")?;
        self.aspect.validate("aspect")?;
        self.pages.validate("pages")?;
        self.frames.validate("frames")?;
        self.duration.validate("duration")
    }
}

fn one_of<T: PartialEq + fmt::Display>(allowed: &[T], found: &T) -> Option<String> {
    if allowed.is_empty() || allowed.contains(found) {
        return None;
    }
    let allowed: Vec<_> = allowed.iter().map(T::to_string).collect();
    Some(format!("{found}, not {}", allowed.join(" or ")))
}

impl<T> Within<T> {
    fn is_open(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }
}

impl<T: Copy + PartialOrd + fmt::Display> Within<T> {
    /// What is wrong with a number; with one that is not known, if there is a rule for it.
    fn breaks(self, found: Option<T>) -> Option<String> {
        let fits = |found: T| {
            self.min.is_none_or(|min| found >= min) && self.max.is_none_or(|max| found <= max)
        };
        if self.is_open() || found.is_some_and(fits) {
            return None;
        }
        let found = found.map_or_else(|| "not known".to_owned(), |found| found.to_string());
        Some(format!("{found}, not {self}"))
    }

    fn validate(self, rule: &'static str) -> Result<()> {
        let is_number =
            |bound: Option<T>| bound.is_none_or(|bound| bound.partial_cmp(&bound).is_some());
        let empty = self.min.zip(self.max).is_some_and(|(min, max)| min > max);
        if !empty && is_number(self.min) && is_number(self.max) {
            return Ok(());
        }
        Err(Error::input(codes::SPEC_ACCEPT, format!("no source can keep the rule `{rule}`"))
            .with(rule, self))
    }
}

impl<T: fmt::Display> fmt::Display for Within<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.min, &self.max) {
            (Some(min), Some(max)) => write!(f, "from {min} to {max}"),
            (Some(min), None) => write!(f, "at least {min}"),
            (None, Some(max)) => write!(f, "at most {max}"),
            (None, None) => f.write_str("any"),
        }
    }
}

impl<T> Default for Within<T> {
    fn default() -> Self {
        Self { min: None, max: None }
    }
}

impl<T> From<RangeInclusive<T>> for Within<T> {
    fn from(range: RangeInclusive<T>) -> Self {
        let (min, max) = range.into_inner();
        Self { min: Some(min), max: Some(max) }
    }
}

impl<T> From<RangeFrom<T>> for Within<T> {
    fn from(range: RangeFrom<T>) -> Self {
        Self { min: Some(range.start), max: None }
    }
}

impl<T> From<RangeToInclusive<T>> for Within<T> {
    fn from(range: RangeToInclusive<T>) -> Self {
        Self { min: None, max: Some(range.end) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_rule_that_is_broken_is_named_and_no_other() {
        let rules = Accept::new()
            .formats([Format::JPEG, Format::WEBP])
            .media([Medium::Still])
            .bytes(..=1000)
            .width(200..)
            .height(200..)
            .pixels(..=100)
            .aspect(0.9..=1.1)
            .pages(..=1)
            .frames(..=1)
            .duration(..=1.5);
        let film = MediaInfo { pages: 2, ..MediaInfo::still(Format::MP4, 150, 100) }
            .with_medium(Medium::Video)
            .with_bytes(2000)
            .with_frames(50)
            .with_duration(Duration::from_secs(2));
        let error = rules.check(&film).unwrap_err();
        for (rule, told) in [
            ("formats", "mp4, not jpeg or webp"),
            ("media", "video, not still"),
            ("bytes", "2000, not at most 1000"),
            ("width", "150, not at least 200"),
            ("height", "100, not at least 200"),
            ("pixels", "15000, not at most 100"),
            ("aspect", "1.5, not from 0.9 to 1.1"),
            ("pages", "2, not at most 1"),
            ("frames", "50, not at most 1"),
            ("duration", "2, not at most 1.5"),
        ] {
            assert_eq!(error.fact(rule), Some(told));
        }
        let photo = MediaInfo::still(Format::JPEG, 250, 250).with_bytes(1000);
        let error = rules.check(&photo).unwrap_err();
        assert_eq!(error.to_string().matches('`').count(), 2, "{error}");
        assert_eq!(error.fact("pixels"), Some("62500, not at most 100"));
        rules.pixels(..=62_500).check(&photo).unwrap();
    }

    #[test]
    fn what_is_not_known_breaks_a_rule_on_it() {
        let film = MediaInfo::new(Format::MP4).with_medium(Medium::Video).with_frames(0);
        let error = Accept::new().frames(..=9).duration(..=9.0).aspect(..=2.0).check(&film);
        let error = error.unwrap_err();
        for rule in ["frames", "duration", "aspect"] {
            assert!(error.fact(rule).unwrap().starts_with("not known, not at most"), "{error:?}");
        }
        Accept::new().width(..=10).bytes(..=0).check(&film).unwrap();
    }

    #[test]
    fn rules_that_nothing_can_keep_are_refused() {
        for rules in [
            Accept::new().width(Within { min: Some(9), max: Some(8) }),
            Accept::new().aspect(f64::NAN..),
        ] {
            assert_eq!(rules.validate().unwrap_err().code(), "spec.accept");
        }
        let json = r#"{ "formats": ["jpeg"], "width": { "min": 3 }, "duration": { "max": 60 } }"#;
        let rules: Accept = serde_json::from_str(json).unwrap();
        assert_eq!(rules, Accept::new().formats([Format::JPEG]).width(3..).duration(..=60.0));
        assert!(serde_json::from_str::<Accept>(r#"{ "breadth": { "min": 3 } }"#).is_err());
        assert!(serde_json::from_str::<Accept>(r#"{ "width": { "least": 3 } }"#).is_err());
    }
}
