use std::collections::BTreeMap;
use std::ops::Range;

use bytes::Bytes;
use mediaflow_core::Result;

use super::boxes::{Fields, boxes};
use crate::codec::Walk;

/// A file has no more items than this, nor more that is said of them: the largest grid has as many parts.
const MOST: usize = 1 << 16;

/// What the box `meta` says: which items a file has, where they lie, and what belongs to which.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) primary: u32,
    list: BTreeMap<u32, Item>,
    references: Vec<Reference>,
    properties: Vec<Property>,
    /// What lies in the box itself.
    inside: Bytes,
}

/// A picture, or something that is said of one.
#[derive(Debug, Default)]
pub(super) struct Item {
    pub(super) kind: [u8; 4],
    /// Its media type, of one of the kind `mime`.
    pub(super) mime: Vec<u8>,
    parts: Vec<(u64, u64)>,
    is_inside: bool,
    /// Places in the list of properties, from 1 on, each with whether none may be shown who does not know it.
    properties: Vec<(u16, bool)>,
}

#[derive(Debug)]
struct Reference {
    kind: [u8; 4],
    from: u32,
    to: Vec<u32>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Property {
    /// Width and height.
    Size(u32, u32),
    Stream(Stream),
    Profile(Bytes),
    Colours(Colours),
    /// Quarters against the clock.
    Turn(u8),
    /// Whether left and right change places, else top and bottom.
    Mirror(bool),
    /// A picture that stands beside another: whether it is its alpha.
    Beside(bool),
    /// The most light there is in it, in candelas per square metre.
    Light(u16),
    /// It says nothing that matters here.
    Idle,
    Unknown([u8; 4]),
}

/// What is said of a stream ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stream {
    pub(super) bits: u8,
    pub(super) grey: bool,
    /// The beginning of its box.
    pub(super) head: [u8; 4],
}

/// What numbers stand for, by the code points of H.273.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Colours {
    pub(super) primaries: u16,
    pub(super) transfer: u16,
    pub(super) matrix: u16,
    pub(super) full: bool,
}

/// Where the bytes of an item are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Parts of the file.
    File(Vec<Range<u64>>),
    Here(Bytes),
}

impl Place {
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::File(parts) => parts.iter().map(|part| part.end - part.start).sum(),
            Self::Here(bytes) => bytes.len() as u64,
        }
    }

    /// The first bytes of a few.
    pub(super) fn begin(&self, walk: &mut Walk) -> Result<Bytes> {
        const FEW: u64 = 16;
        match self {
            Self::Here(bytes) => Ok(bytes.clone()),
            Self::File(parts) => {
                let Some(part) = parts.first() else { return Ok(Bytes::new()) };
                walk.go(part.start)?;
                let len = (part.end - part.start).min(FEW);
                walk.bytes(usize::try_from(len).unwrap_or_default()).map(Bytes::from)
            }
        }
    }

    /// The bytes, out of those of the file.
    pub(super) fn read(&self, file: &Bytes) -> Option<Bytes> {
        let part = |part: &Range<u64>| {
            let (start, end) = (usize::try_from(part.start).ok()?, usize::try_from(part.end).ok()?);
            (start <= end && end <= file.len()).then(|| file.slice(start..end))
        };
        match self {
            Self::Here(bytes) => Some(bytes.clone()),
            Self::File(parts) => match parts.as_slice() {
                [one] => part(one),
                parts => {
                    let parts: Option<Vec<_>> = parts.iter().map(part).collect();
                    Some(parts?.concat().into())
                }
            },
        }
    }
}

impl Items {
    /// Reads the content of a box `meta`.
    pub(super) fn read(meta: &Bytes) -> Option<Self> {
        let mut items = Self::default();
        let mut fields = Fields(meta);
        fields.version()?;
        // A box that names items may come before the one that lists them.
        for (kind, content) in boxes(fields.0) {
            let mut fields = Fields(content);
            match &kind {
                b"pitm" => {
                    let (version, _) = fields.version()?;
                    items.primary = fields.either(version > 0)?;
                }
                b"iinf" => items.infos(fields)?,
                b"iloc" => items.places(fields)?,
                b"iref" => items.references(fields)?,
                b"iprp" => items.properties(content, meta)?,
                b"idat" => items.inside = meta.slice_ref(content),
                _ => {}
            }
        }
        Some(items)
    }

    fn entry(&mut self, id: u32) -> Option<&mut Item> {
        (self.list.len() < MOST).then(|| self.list.entry(id).or_default())
    }

    fn infos(&mut self, mut fields: Fields<'_>) -> Option<()> {
        let (version, _) = fields.version()?;
        fields.either(version > 0)?;
        for (kind, content) in boxes(fields.0) {
            let mut fields = Fields(content);
            let (version, _) = fields.version()?;
            if &kind != b"infe" || version < 2 {
                continue;
            }
            let id = fields.either(version > 2)?;
            fields.u16()?;
            let item = self.entry(id)?;
            item.kind = fields.array()?;
            if &item.kind == b"mime" {
                fields.text()?;
                item.mime = fields.text()?.to_vec();
            }
        }
        Some(())
    }

    fn places(&mut self, mut fields: Fields<'_>) -> Option<()> {
        let (version, _) = fields.version()?;
        let [sizes, more] = fields.array()?;
        let (offset, length) = (sizes >> 4, sizes & 15);
        let (base, index) = (more >> 4, if version > 0 { more & 15 } else { 0 });
        for _ in 0..fields.either(version > 1)? {
            let id = fields.either(version > 1)?;
            let way = if version > 0 { fields.u16()? & 15 } else { 0 };
            let elsewhere = fields.u16()? != 0;
            let from = fields.sized(base)?;
            let item = self.entry(id)?;
            item.is_inside = way == 1;
            let parts = fields.u16()?;
            // Parts without a place of their own are all the same one.
            if parts > 1 && offset == 0 {
                return None;
            }
            for _ in 0..parts {
                fields.sized(index)?;
                let at = from.checked_add(fields.sized(offset)?)?;
                item.parts.push((at, fields.sized(length)?));
            }
            // In another file, or in another item.
            if elsewhere || way > 1 {
                item.parts.clear();
            }
        }
        Some(())
    }

    fn references(&mut self, mut fields: Fields<'_>) -> Option<()> {
        let (version, _) = fields.version()?;
        for (kind, content) in boxes(fields.0) {
            let mut fields = Fields(content);
            let from = fields.either(version > 0)?;
            let to =
                (0..fields.u16()?).map(|_| fields.either(version > 0)).collect::<Option<_>>()?;
            self.references.push(Reference { kind, from, to });
        }
        Some(())
    }

    fn properties(&mut self, content: &[u8], meta: &Bytes) -> Option<()> {
        for (kind, content) in boxes(content) {
            if &kind == b"ipco" {
                self.properties = boxes(content)
                    .take(MOST)
                    .map(|(kind, content)| Property::read(kind, content, meta))
                    .collect::<Option<_>>()?;
            } else if &kind == b"ipma" {
                let mut fields = Fields(content);
                let (version, flags) = fields.version()?;
                for _ in 0..fields.u32()? {
                    let id = fields.either(version > 0)?;
                    let item = self.entry(id)?;
                    for _ in 0..fields.u8()? {
                        let number = if flags & 1 == 1 {
                            let number = fields.u16()?;
                            (number & 0x7FFF, number >> 15 == 1)
                        } else {
                            let number = fields.u8()?;
                            (u16::from(number & 0x7F), number >> 7 == 1)
                        };
                        item.properties.push(number);
                    }
                }
            }
        }
        Some(())
    }

    pub(super) fn item(&self, id: u32) -> Option<&Item> {
        self.list.get(&id)
    }

    /// What is said of an item, each with whether it must be known.
    pub(super) fn said(&self, item: &Item) -> impl Iterator<Item = (&Property, bool)> {
        let numbers = item.properties.iter();
        numbers.filter_map(|(number, must)| {
            let at = usize::from(*number).checked_sub(1)?;
            Some((self.properties.get(at)?, *must))
        })
    }

    /// Which items an item refers to.
    pub(super) fn from(&self, from: u32, kind: [u8; 4]) -> impl Iterator<Item = u32> {
        let found = self.references.iter();
        found
            .filter(move |reference| reference.from == from && reference.kind == kind)
            .flat_map(|reference| reference.to.iter().copied())
    }

    /// Which items refer to an item, with what they are.
    pub(super) fn onto(&self, to: u32, kind: [u8; 4]) -> impl Iterator<Item = (u32, &Item)> {
        let found = self.references.iter();
        found
            .filter(move |reference| reference.kind == kind && reference.to.contains(&to))
            .filter_map(|reference| Some((reference.from, self.list.get(&reference.from)?)))
    }

    /// Where an item lies in a file of so many bytes; nothing if it does not.
    pub(super) fn place(&self, item: &Item, file: u64) -> Option<Place> {
        let end = if item.is_inside { self.inside.len() as u64 } else { file };
        let parts: Option<Vec<_>> = item
            .parts
            .iter()
            .map(|(at, len)| {
                // No length is all that follows.
                let len = if *len == 0 { end.checked_sub(*at)? } else { *len };
                let to = at.checked_add(len).filter(|to| *to <= end)?;
                Some(*at..to)
            })
            .collect();
        let place = Place::File(parts.filter(|parts| !parts.is_empty())?);
        if item.is_inside { place.read(&self.inside).map(Place::Here) } else { Some(place) }
    }
}

impl Property {
    fn read(kind: [u8; 4], content: &[u8], meta: &Bytes) -> Option<Self> {
        const ALPHA: [&[u8]; 2] =
            [b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha", b"urn:mpeg:hevc:2015:auxid:1"];
        let mut fields = Fields(content);
        Some(match &kind {
            b"ispe" => {
                fields.version()?;
                Self::Size(fields.u32()?, fields.u32()?)
            }
            b"av1C" => {
                let head: [u8; 4] = fields.array()?;
                let flags = head[2];
                let bits = match flags >> 5 & 3 {
                    0 | 1 => 8,
                    2 => 10,
                    _ => 12,
                };
                Self::Stream(Stream { bits, grey: flags & 0x10 != 0, head })
            }
            b"colr" => match &fields.array::<4>()? {
                b"nclx" => Self::Colours(Colours {
                    primaries: fields.u16()?,
                    transfer: fields.u16()?,
                    matrix: fields.u16()?,
                    full: fields.u8()? >> 7 == 1,
                }),
                b"prof" | b"rICC" => Self::Profile(meta.slice_ref(fields.0)),
                _ => Self::Idle,
            },
            b"irot" => Self::Turn(fields.u8()? & 3),
            b"imir" => Self::Mirror(fields.u8()? & 1 == 1),
            b"auxC" => {
                fields.version()?;
                Self::Beside(ALPHA.contains(&fields.text()?))
            }
            b"clli" => Self::Light(fields.u16()?),
            b"pixi" | b"pasp" | b"mdcv" | b"a1lx" | b"amve" => Self::Idle,
            _ => Self::Unknown(kind),
        })
    }
}
