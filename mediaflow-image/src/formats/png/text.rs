//! What text says that matters here: the packet of XMP, who made a picture, and what older programs write as text: EXIF, XMP and
//! the records of the press, in hexadecimal.

use std::io::Read as _;

use mediaflow_core::Limits;

use crate::codec::exif::Credit;
use crate::codec::iptc;

/// Bytes of a keyword.
const KEYWORD: usize = 79;

/// Bytes of a text that is for people.
const WORDS: usize = 4096;

/// What texts say.
#[derive(Debug)]
pub(super) struct Texts {
    /// The TIFF block.
    pub(super) exif: Option<Vec<u8>>,
    pub(super) xmp: Option<Vec<u8>>,
    pub(super) credit: Credit,
    /// Bytes that may still be unpacked: a few kilobytes can hold a gigabyte.
    room: Option<u64>,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self { exif: None, xmp: None, credit: Credit::default(), room: None }
    }

    /// Reads a chunk of text. What is damaged, or too long, says nothing.
    pub(super) fn add(&mut self, kind: [u8; 4], data: &[u8], limits: &Limits) {
        let Some(end) = data.iter().take(KEYWORD + 1).position(|byte| *byte == 0) else { return };
        let (keyword, rest) = (&data[..end], &data[end + 1..]);
        let profile = keyword.strip_prefix(b"Raw profile type ");
        let is_wanted = match (keyword, profile) {
            (b"XML:com.adobe.xmp", _) | (_, Some(b"xmp")) => self.xmp.is_none(),
            (b"Author", _) => self.credit.artist.is_none(),
            (b"Copyright", _) => self.credit.copyright.is_none(),
            (_, Some(b"exif" | b"APP1")) => self.exif.is_none() || self.xmp.is_none(),
            (_, Some(b"iptc")) => !self.credit.is_whole(),
            _ => false,
        };
        if !is_wanted {
            return;
        }
        let Some(text) = self.unpacked(kind, rest, limits) else { return };
        let words = || Some(iptc::text(text.get(..WORDS).unwrap_or(&text)));
        let other = match (keyword, profile) {
            (b"Author", _) => Credit::of(words(), None),
            (b"Copyright", _) => Credit::of(None, words()),
            (_, Some(b"iptc")) => match bytes(&text).unwrap_or_default() {
                resources if resources.starts_with(b"8BIM") => iptc::in_resources(&resources),
                records => iptc::credit(&records),
            },
            (_, Some(_)) => {
                self.add_profile(bytes(&text).unwrap_or_default());
                return;
            }
            _ => {
                self.xmp = Some(text);
                return;
            }
        };
        let known = std::mem::take(&mut self.credit);
        self.credit = known.or(other);
    }

    /// What stands in a segment of application data in another format.
    fn add_profile(&mut self, profile: Vec<u8>) {
        if let Some(tiff) = profile.strip_prefix(b"Exif\0\0") {
            self.exif.get_or_insert(tiff.to_vec());
        } else if let Some(packet) = profile.strip_prefix(b"http://ns.adobe.com/xap/1.0/\0") {
            self.xmp.get_or_insert(packet.to_vec());
        } else if profile.starts_with(b"II") || profile.starts_with(b"MM") {
            self.exif.get_or_insert(profile);
        } else if profile.starts_with(b"<") {
            self.xmp.get_or_insert(profile);
        }
    }

    /// The text itself, of what stands behind the keyword.
    fn unpacked(&mut self, kind: [u8; 4], rest: &[u8], limits: &Limits) -> Option<Vec<u8>> {
        match (&kind, rest) {
            (b"tEXt", text) => Some(text.to_vec()),
            (b"zTXt", [0, packed @ ..]) => self.inflated(packed, limits),
            (b"iTXt", [is_packed, 0, rest @ ..]) => {
                // A language and a translated keyword.
                let mut parts = rest.splitn(3, |byte| *byte == 0).skip(2);
                let text = parts.next()?;
                if *is_packed == 0 { Some(text.to_vec()) } else { self.inflated(text, limits) }
            }
            _ => None,
        }
    }

    fn inflated(&mut self, packed: &[u8], limits: &Limits) -> Option<Vec<u8>> {
        let room = self.room.unwrap_or(limits.metadata_bytes);
        let mut text = Vec::new();
        let read = flate2::read::ZlibDecoder::new(packed).take(room + 1).read_to_end(&mut text);
        let left = room.checked_sub(text.len() as u64);
        self.room = Some(left.unwrap_or(0));
        left.filter(|_| read.is_ok()).map(|_| text)
    }
}

/// The bytes of a profile: its name, its length, and hexadecimal digits, each behind an end of line.
fn bytes(text: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(text).ok()?.trim_start();
    let (_, rest) = text.split_once('\n')?;
    let (length, digits) = rest.trim_start().split_once('\n')?;
    let digits: Vec<u8> = digits
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect::<Option<_>>()?;
    let (pairs, _) = digits.as_chunks::<2>();
    let bytes: Vec<u8> = pairs.iter().map(|[high, low]| high << 4 | low).collect();
    (bytes.len() == length.trim().parse::<usize>().ok()?).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_however_they_are_packed() {
        let pack = |text: &[u8]| {
            let level = flate2::Compression::fast();
            let mut packed = Vec::new();
            flate2::read::ZlibEncoder::new(text, level).read_to_end(&mut packed).unwrap();
            packed
        };
        let raw = b"\nexif\n      10\n4578696600004d4d\n002a\n";
        let chunks: [(&[u8; 4], Vec<u8>); 6] = [
            (b"tEXt", b"Author\0J\xF6rg".to_vec()),
            (b"zTXt", [b"Copyright\0\0".to_vec(), pack(b"Jane")].concat()),
            (b"iTXt", [b"XML:com.adobe.xmp\0\x01\0en\0\0".to_vec(), pack(b"<x/>")].concat()),
            (b"zTXt", [b"Raw profile type exif\0\0".to_vec(), pack(raw)].concat()),
            (b"tEXt", b"Comment\0nothing".to_vec()),
            (b"zTXt", b"Author\0\0damaged".to_vec()),
        ];
        let (mut texts, limits) = (Texts::new(), Limits::default());
        for (kind, data) in &chunks {
            texts.add(**kind, data, &limits);
        }
        let right = Credit::of(Some("Jörg".to_owned()), Some("Jane".to_owned()));
        assert_eq!(texts.credit, right);
        assert_eq!(texts.xmp.as_deref(), Some(&b"<x/>"[..]));
        assert_eq!(texts.exif.as_deref(), Some(&b"MM\0\x2A"[..]));
        for (kind, data) in &chunks {
            (0..data.len()).for_each(|cut| Texts::new().add(**kind, &data[..cut], &limits));
        }
    }

    #[test]
    fn what_is_too_long_when_it_is_unpacked_says_nothing() {
        let mut packed = b"XML:com.adobe.xmp\0\0".to_vec();
        let zeros = vec![0; 1 << 20];
        let level = flate2::Compression::fast();
        flate2::read::ZlibEncoder::new(&zeros[..], level).read_to_end(&mut packed).unwrap();
        let limits = Limits { metadata_bytes: 1 << 19, ..Limits::default() };
        let mut texts = Texts::new();
        texts.add(*b"zTXt", &packed, &limits);
        assert_eq!((texts.xmp, texts.room), (None, Some(0)));
    }
}
