//! What an MP4 or QuickTime file says of itself: read from every place where it is said, written where players look.
//!
//! Places: user data (`moov/udta`) of QuickTime and of 3GPP (TS 26.244), the list of iTunes (`moov/udta/meta/ilst`), and the
//! keys of QuickTime (`moov/meta` with `keys`). XMP is a packet of its own, of which nothing but the packet is read.

use super::boxes::{XMP, be16, be32, boxes, find};
use crate::tags::{Tag, Tags};

/// Names of what is said: in user data and the list of iTunes, and as keys.
const NAMES: [(&[u8; 4], &str, Tag); 21] = [
    (b"\xa9nam", "title", Tag::Title),
    (b"titl", "displayname", Tag::Title),
    (b"\xa9ART", "artist", Tag::Artist),
    (b"\xa9aut", "author", Tag::Artist),
    (b"auth", "album_artist", Tag::Artist),
    (b"cprt", "copyright", Tag::Copyright),
    (b"\xa9cpy", "copyright", Tag::Copyright),
    (b"\xa9cmt", "comment", Tag::Comment),
    (b"desc", "description", Tag::Description),
    (b"dscp", "synopsis", Tag::Description),
    (b"\xa9alb", "album", Tag::Album),
    (b"\xa9gen", "genre", Tag::Genre),
    (b"\xa9day", "creationdate", Tag::Date),
    (b"\xa9xyz", "location.ISO6709", Tag::Place),
    (b"\xa9mak", "make", Tag::Maker),
    (b"\xa9mod", "model", Tag::Model),
    (b"\xa9des", "description", Tag::Description),
    (b"\xa9day", "date", Tag::Date),
    (b"perf", "performer", Tag::Artist),
    (b"albm", "album", Tag::Album),
    (b"gnre", "genre", Tag::Genre),
];

/// Keys begin with this, or do not.
const APPLE: &str = "com.apple.quicktime.";

/// Reads what the content of a `moov` says.
pub(crate) fn read(moov: &[u8]) -> Tags {
    let mut tags = Tags::default();
    if let Some(meta) = find(moov, *b"meta") {
        read_meta(meta, &mut tags);
    }
    for inner in boxes(find(moov, *b"udta").unwrap_or_default()) {
        if inner.kind == *b"meta" {
            read_meta(inner.body, &mut tags);
        } else if inner.kind == *b"XMP_" {
            tags.packet = Some(inner.body.to_vec());
        } else if let (b"loci", Some(place)) = (&inner.kind, place(inner.body)) {
            tags.add(Tag::Place, &place);
        } else if let (b"yrrc", Some(year)) = (&inner.kind, be16(inner.body, 4)) {
            tags.add(Tag::Date, &year.to_string());
        } else if let Some(tag) = named(inner.kind)
            && let Some(text) = user_text(inner.kind, inner.body)
        {
            tags.add(tag, &text);
        }
    }
    tags
}

fn named(kind: [u8; 4]) -> Option<Tag> {
    NAMES.iter().find(|(name, ..)| **name == kind).map(|(.., tag)| *tag)
}

/// Of QuickTime a length, a language and a text; of 3GPP a version, a language and a text.
fn user_text(kind: [u8; 4], body: &[u8]) -> Option<String> {
    if kind[0] == 0xa9 {
        let length = usize::from(be16(body, 0)?);
        return text(body.get(4..4 + length)?);
    }
    let said = text(body.get(6..)?)?;
    // A number may follow.
    Some(said.split('\0').next()?.to_owned())
}

/// A place of 3GPP: a version, a language, a name, a role, and the two angles in parts of 65,536.
fn place(body: &[u8]) -> Option<String> {
    let rest = body.get(6..)?;
    let name = rest.iter().position(|byte| *byte == 0)?;
    let angle = |at: usize| Some(f64::from(be32(rest, name + 2 + at)?.cast_signed()) / 65_536.0);
    let (east, north) = (angle(0)?, angle(4)?);
    Some(iso6709(north, east))
}

/// Degrees north and east, as ISO 6709 writes them.
pub(crate) fn iso6709(north: f64, east: f64) -> String {
    format!("{north:+08.4}{east:+09.4}/")
}

fn text(bytes: &[u8]) -> Option<String> {
    let units = |bytes: &[u8], from: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| from([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok()
    };
    match bytes {
        [0xfe, 0xff, rest @ ..] => units(rest, u16::from_be_bytes),
        [0xff, 0xfe, rest @ ..] => units(rest, u16::from_le_bytes),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

/// A `meta` of QuickTime is a plain box; that of ISO has a version first.
fn read_meta(meta: &[u8], tags: &mut Tags) {
    let meta =
        if meta.get(4..8) == Some(b"hdlr") { meta } else { meta.get(4..).unwrap_or_default() };
    let keys = find(meta, *b"keys").map(keys).unwrap_or_default();
    for entry in boxes(find(meta, *b"ilst").unwrap_or_default()) {
        let key = || {
            let number = usize::try_from(u32::from_be_bytes(entry.kind)).ok()?;
            let key = keys.get(number.checked_sub(1)?)?;
            let key = key.strip_prefix(APPLE).unwrap_or(key);
            NAMES.iter().find(|(_, name, _)| *name == key).map(|(.., tag)| *tag)
        };
        let said = find(entry.body, *b"data").and_then(|data| {
            const UTF8: u32 = 1;
            (be32(data, 0)? == UTF8).then_some(text(data.get(8..)?)?)
        });
        if let (Some(tag), Some(said)) = (named(entry.kind).or_else(key), said) {
            tags.add(tag, &said);
        }
    }
}

/// The names of keys, counted from one.
fn keys(table: &[u8]) -> Vec<String> {
    let entries = boxes(table.get(8..).unwrap_or_default());
    entries.map(|entry| String::from_utf8_lossy(entry.body).into_owned()).collect()
}

/// The content of a `udta` that says this.
pub(super) fn write(tags: &Tags) -> Vec<u8> {
    let mut list = Vec::new();
    let mut user = Vec::new();
    for (tag, said) in tags.iter() {
        let Some((name, ..)) = NAMES.iter().find(|(.., known)| *known == tag) else { continue };
        if matches!(tag, Tag::Place | Tag::Maker | Tag::Model) {
            // The list of iTunes knows nothing of these.
            const UNDEFINED: [u8; 2] = [0x55, 0xc4];
            let length = u16::try_from(said.len()).unwrap_or(0).to_be_bytes();
            user.extend(wrap(**name, &[&length[..], &UNDEFINED, said.as_bytes()].concat()));
        } else {
            let data = [&[0, 0, 0, 1, 0, 0, 0, 0][..], said.as_bytes()].concat();
            list.extend(wrap(**name, &wrap(*b"data", &data)));
        }
    }
    if !list.is_empty() {
        let handler = [&[0; 8][..], b"mdirappl", &[0; 9]].concat();
        let meta = [&[0; 4][..], &wrap(*b"hdlr", &handler), &wrap(*b"ilst", &list)].concat();
        user.extend(wrap(*b"meta", &meta));
    }
    user
}

/// A box beside the index that holds a packet of XMP.
pub(super) fn write_packet(packet: &[u8]) -> Vec<u8> {
    wrap(*b"uuid", &[&XMP, packet].concat())
}

fn wrap(kind: [u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap_or(u32::MAX);
    [&size.to_be_bytes()[..], &kind, body].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(tags: &Tags) -> Vec<(Tag, String)> {
        tags.iter().map(|(tag, text)| (tag, text.to_owned())).collect()
    }

    #[test]
    fn what_is_written_is_read() {
        let mut tags = Tags::default();
        for (tag, text) in [
            (Tag::Place, "+48.8577+002.2950/"),
            (Tag::Model, "Phone 13"),
            (Tag::Title, "At home"),
            (Tag::Copyright, "© Jane"),
        ] {
            tags.add(tag, text);
        }
        let read = read(&wrap(*b"udta", &write(&tags)));
        assert_eq!(said(&read), said(&tags));
        assert!(write(&Tags::default()).is_empty());
    }

    #[test]
    fn a_place_has_two_angles() {
        let body = b"\0\0\0\0\0\0home\0\0\0\x02\x4b\x85\0\x30\xdb\x92\0\0\0\0earth\0\0";
        let tags = read(&wrap(*b"udta", &wrap(*b"loci", body)));
        assert_eq!(said(&tags), [(Tag::Place, "+48.8577+002.2950/".to_owned())]);
        assert_eq!(iso6709(-3.5, -120.25), "-03.5000-120.2500/");
    }

    #[test]
    fn keys_and_boxes_of_telephones_are_read() {
        let key = |name: &str| wrap(*b"mdta", name.as_bytes());
        let keys = [&[0, 0, 0, 0, 0, 0, 0, 2][..], &key("com.apple.quicktime.make"), &key("title")];
        let data = |text: &[u8]| wrap(*b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0][..], text].concat());
        let list = [wrap([0, 0, 0, 1], &data(b"Phones")), wrap([0, 0, 0, 2], &data(b"T"))];
        let meta = [
            wrap(*b"hdlr", &[0; 24]),
            wrap(*b"keys", &keys.concat()),
            wrap(*b"ilst", &list.concat()),
        ];
        let titl = wrap(*b"titl", b"\0\0\0\0\x15\xc7Other\0");
        let cprt = wrap(*b"cprt", b"\0\0\0\0\x15\xc7\xfe\xff\0J\0o");
        let rest = [
            wrap(*b"perf", b"\0\0\0\0\x15\xc7Joe\0"),
            wrap(*b"albm", b"\0\0\0\0\x15\xc7Songs\0\x07"),
            wrap(*b"gnre", b"\0\0\0\0\x15\xc7Folk\0"),
            wrap(*b"yrrc", b"\0\0\0\0\x07\xe5"),
        ];
        let user = [titl, cprt, rest.concat()].concat();
        let moov = [wrap(*b"meta", &meta.concat()), wrap(*b"udta", &user)].concat();
        let right = [
            (Tag::Maker, "Phones"),
            (Tag::Title, "T"),
            (Tag::Copyright, "Jo"),
            (Tag::Artist, "Joe"),
            (Tag::Album, "Songs"),
            (Tag::Genre, "Folk"),
            (Tag::Date, "2021"),
        ];
        assert_eq!(said(&read(&moov)), right.map(|(tag, text)| (tag, text.to_owned())));
    }

    /// Every byte in turn takes hostile values.
    #[test]
    fn damage_is_survived() {
        let mut tags = Tags::default();
        tags.add(Tag::Place, "+1+2/");
        tags.add(Tag::Title, "title");
        let whole = wrap(*b"udta", &write(&tags));
        for at in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _survived = read(&bytes);
            }
        }
    }
}
