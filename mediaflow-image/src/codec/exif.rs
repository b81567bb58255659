//! The little of EXIF that matters here: the orientation, and what the `private` policy keeps.

use super::fields::{Fields, is_little};

/// Who made a picture, and whose it is: in whatever letters EXIF has it, else in UTF-8.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Credit {
    pub(crate) artist: Option<Vec<u8>>,
    pub(crate) copyright: Option<Vec<u8>>,
    pub(crate) about: About,
}

/// What a picture shows, in words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) keywords: Vec<String>,
}

impl Credit {
    /// As texts, without those that say nothing.
    pub(crate) fn of(artist: Option<String>, copyright: Option<String>) -> Self {
        let bytes = |text: Option<String>| {
            let text = text?;
            let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\0');
            (!text.is_empty()).then(|| text.as_bytes().to_vec())
        };
        Self { artist: bytes(artist), copyright: bytes(copyright), about: About::default() }
    }

    /// What is missing here is taken from there.
    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            artist: self.artist.or(other.artist),
            copyright: self.copyright.or(other.copyright),
            about: self.about.or(other.about),
        }
    }

    pub(crate) fn is_whole(&self) -> bool {
        self.artist.is_some() && self.copyright.is_some()
    }
}

impl About {
    /// What is missing here is taken from there.
    pub(crate) fn or(self, other: Self) -> Self {
        let keywords = if self.keywords.is_empty() { other.keywords } else { self.keywords };
        let (title, description) =
            (self.title.or(other.title), self.description.or(other.description));
        Self { title, description, keywords }
    }
}

const ORIENTATION: u16 = 0x0112;
const ARTIST: u16 = 0x013B;
const COPYRIGHT: u16 = 0x8298;

/// The orientation in a TIFF block, 1 to 8; 1 if there is none or it makes no sense.
pub(crate) fn orientation(tiff: &[u8]) -> u8 {
    let value =
        Tiff::new(tiff).and_then(|tiff| tiff.entry(ORIENTATION).and_then(|at| tiff.u16(at + 8)));
    value
        .and_then(|value| u8::try_from(value).ok())
        .filter(|value| (1..=8).contains(value))
        .unwrap_or(1)
}

/// The block with its orientation set to upright, for pixels that were turned.
pub(crate) fn upright(tiff: &[u8]) -> Vec<u8> {
    let mut block = tiff.to_vec();
    if let Some(parsed) = Tiff::new(tiff)
        && let Some(at) = parsed.entry(ORIENTATION)
        && let Some(value) = block.get_mut(at + 8..at + 10)
    {
        value.copy_from_slice(&if parsed.little {
            1_u16.to_le_bytes()
        } else {
            1_u16.to_be_bytes()
        });
    }
    block
}

/// What a block says of who made the picture.
pub(crate) fn credit(tiff: &[u8]) -> Credit {
    let fields = Fields::of_block(tiff, |tag| matches!(tag, ARTIST | COPYRIGHT));
    let text = |tag: u16| {
        let text = fields.as_ref()?.said(tag).filter(|text| !text.trim_ascii().is_empty())?;
        Some(text.to_vec())
    };
    Credit { artist: text(ARTIST), copyright: text(COPYRIGHT), about: About::default() }
}

/// A new block with only artist and copyright; `None` if nothing is known of either.
pub(crate) fn essential(credit: &Credit) -> Option<Vec<u8>> {
    let mut kept = Fields::new();
    for (tag, text) in [(ARTIST, &credit.artist), (COPYRIGHT, &credit.copyright)] {
        if let Some(text) = text {
            kept.text(tag, text);
        }
    }
    (!kept.is_empty()).then(|| kept.block())
}

struct Tiff<'a> {
    bytes: &'a [u8],
    little: bool,
}

impl<'a> Tiff<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        Some(Self { bytes, little: is_little(bytes)? })
    }

    fn u16(&self, at: usize) -> Option<u16> {
        let bytes = self.bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }

    fn u32(&self, at: usize) -> Option<usize> {
        let bytes = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        usize::try_from(if self.little {
            u32::from_le_bytes(bytes)
        } else {
            u32::from_be_bytes(bytes)
        })
        .ok()
    }

    /// Where the entry of a tag stands in the first directory.
    fn entry(&self, tag: u16) -> Option<usize> {
        let directory = self.u32(4)?;
        let count = usize::from(self.u16(directory)?);
        (0..count).map(|i| directory + 2 + 12 * i).find(|at| self.u16(*at) == Some(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A block with orientation 6, a serial number and a copyright.
    fn block() -> Vec<u8> {
        let mut tiff = b"MM\0\x2A\0\0\0\x08\0\x03".to_vec();
        tiff.extend(b"\x01\x12\0\x03\0\0\0\x01\0\x06\0\0");
        tiff.extend(b"\x82\x98\0\x02\0\0\0\x09\0\0\0\x32");
        tiff.extend(b"\xA4\x31\0\x02\0\0\0\x04SN1\0");
        tiff.extend([0; 4]);
        tiff.extend(b"(c) Jane\0");
        tiff
    }

    #[test]
    fn the_orientation_is_read_and_reset() {
        assert_eq!(orientation(&block()), 6);
        assert_eq!(orientation(&upright(&block())), 1);
        assert_eq!(orientation(b"II\x2A\0\xFF\xFF\xFF\xFF"), 1);
        assert_eq!(orientation(b""), 1);
    }

    #[test]
    fn the_private_policy_keeps_the_copyright_and_nothing_else() {
        let kept = essential(&credit(&block())).unwrap();
        assert_eq!(credit(&kept).copyright.as_deref(), Some(&b"(c) Jane"[..]));
        assert!(!kept.windows(3).any(|w| w == b"SN1"));
        assert_eq!(orientation(&kept), 1);
    }
}
