//! The boxes of a file: a picture, its alpha, and what is said beside them.

use bytes::Bytes;
use mediaflow_core::media::Metadata;

/// An AV1 stream, and what is said of it ahead.
#[derive(Debug)]
pub(super) struct Coded {
    /// The first four bytes of `av1C`.
    pub(super) head: [u8; 4],
    pub(super) stream: Bytes,
}

const PICTURE: u16 = 1;

/// Something that a file holds.
struct Item<'a> {
    kind: [u8; 4],
    /// Behind its name, with the zeros that end both.
    mime: &'static [u8],
    /// In which way it belongs to the picture.
    to: Option<[u8; 4]>,
    parts: [&'a [u8]; 2],
    /// Numbers of its properties.
    properties: Vec<u8>,
}

/// None may show an item who does not know this property.
const MUST: u8 = 0x80;

pub(super) fn file(
    (width, height): (u32, u32),
    grey: bool,
    colours: &Coded,
    alpha: Option<&Coded>,
    kept: &Metadata,
) -> Vec<u8> {
    let mut properties = Vec::new();
    let mut property = |property: Vec<u8>| {
        properties.push(property);
        u8::try_from(properties.len()).unwrap_or(u8::MAX)
    };
    let size = property(whole(*b"ispe", &[&width.to_be_bytes(), &height.to_be_bytes()]));
    let depths = if grey { &[1, 8][..] } else { &[3, 8, 8, 8] };
    let mut said = vec![size, property(whole(*b"pixi", &[depths]))];
    said.push(MUST | property(bare(*b"av1C", &[&colours.head])));
    // Primaries and curve of sRGB, the matrix of BT.601, all numbers used.
    said.push(property(bare(*b"colr", &[b"nclx\0\x01\0\x0D\0\x06\x80"])));
    if let Some(profile) = &kept.icc {
        said.push(property(bare(*b"colr", &[b"prof", profile])));
    }
    let mut items = vec![Item {
        kind: *b"av01",
        mime: b"",
        to: None,
        parts: [&colours.stream, b""],
        properties: said,
    }];
    if let Some(alpha) = alpha {
        let what = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha\0";
        let said = vec![
            size,
            property(whole(*b"pixi", &[&[1, 8]])),
            MUST | property(bare(*b"av1C", &[&alpha.head])),
            property(whole(*b"auxC", &[what])),
        ];
        items.push(Item {
            kind: *b"av01",
            mime: b"",
            to: Some(*b"auxl"),
            parts: [&alpha.stream, b""],
            properties: said,
        });
    }
    let mut beside = |kind, mime, parts| {
        items.push(Item { kind, mime, to: Some(*b"cdsc"), parts, properties: Vec::new() });
    };
    if let Some(tiff) = &kept.exif {
        // The block begins right behind its place.
        beside(*b"Exif", b"", [&[0; 4], tiff]);
    }
    if let Some(packet) = &kept.xmp {
        beside(*b"mime", b"application/rdf+xml\0", [packet, b""]);
    }
    let brands = brands(colours.head);
    let kind = bare(*b"ftyp", &[b"avif\0\0\0\0avifmif1miaf", brands]);
    let ahead = kind.len() + meta(&items, &properties, 0).len() + 8;
    let mut file = kind;
    file.extend(meta(&items, &properties, number(ahead)));
    let parts: Vec<&[u8]> = items.iter().flat_map(|item| item.parts).collect();
    file.extend(bare(*b"mdat", &parts));
    file
}

/// Profiles of AVIF that the stream is within.
fn brands([_, head, ..]: [u8; 4]) -> &'static [u8] {
    // Up to level 5.1, and up to 6.0.
    match (head >> 5, head & 31) {
        (0, 0..=13) => b"MA1B",
        (0 | 1, 0..=16) => b"MA1A",
        _ => b"",
    }
}

/// The box that says what is in the file, with the first of its items at this place.
fn meta(items: &[Item<'_>], properties: &[Vec<u8>], start: u32) -> Vec<u8> {
    let count = u16::try_from(items.len()).unwrap_or(u16::MAX).to_be_bytes();
    let (mut infos, mut places, mut onto, mut said) = (vec![], vec![], vec![], vec![]);
    let mut at = start;
    for (id, item) in (PICTURE..).zip(items) {
        let id = id.to_be_bytes();
        // Version 2, and hidden if it is no picture of its own.
        let flags = [2, 0, 0, u8::from(item.to.is_some())];
        infos.extend(bare(*b"infe", &[&flags, &id, &[0; 2], &item.kind, b"\0", item.mime]));
        let len = number(item.parts.iter().map(|part| part.len()).sum());
        places.extend([&id[..], &[0, 0, 0, 1], &at.to_be_bytes(), &len.to_be_bytes()].concat());
        at = at.saturating_add(len);
        if let Some(kind) = item.to {
            onto.extend(bare(kind, &[&id, &1_u16.to_be_bytes(), &PICTURE.to_be_bytes()]));
        }
        if !item.properties.is_empty() {
            said.push(id.to_vec());
            said.push(vec![u8::try_from(item.properties.len()).unwrap_or(u8::MAX)]);
            said.push(item.properties.clone());
        }
    }
    let with = items.iter().filter(|item| !item.properties.is_empty()).count();
    let owners = whole(*b"ipma", &[&number(with).to_be_bytes(), &said.concat()]);
    let onto = if onto.is_empty() { onto } else { whole(*b"iref", &[&onto]) };
    whole(
        *b"meta",
        &[
            &whole(*b"hdlr", &[&[0; 4], b"pict", &[0; 13]]),
            &whole(*b"pitm", &[&PICTURE.to_be_bytes()]),
            // Places and lengths of four bytes.
            &whole(*b"iloc", &[&[0x44, 0], &count, &places]),
            &whole(*b"iinf", &[&count, &infos]),
            &onto,
            &bare(*b"iprp", &[&bare(*b"ipco", &[&properties.concat()]), &owners]),
        ],
    )
}

/// A box.
fn bare(kind: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [&number(content.len() + 8).to_be_bytes()[..], &kind, &content].concat()
}

/// A box that begins with version and flags, all zero.
fn whole(kind: [u8; 4], parts: &[&[u8]]) -> Vec<u8> {
    bare(kind, &[&[0; 4], &parts.concat()])
}

/// Encoded pictures are far smaller than this.
fn number(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
