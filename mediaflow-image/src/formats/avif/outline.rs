use bytes::Bytes;
use mediaflow_core::media::Format;
use mediaflow_core::{Limits, Result};

use super::boxes::{Fields, boxes};
use super::items::{Colours, Item, Items, Place, Property, Stream};
use crate::codec::{Header, Walk};
use crate::error::{corrupt, truncated, unsupported};

/// What a file says ahead of its pixels.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) header: Header,
    pub(super) picture: Picture,
    pub(super) alpha: Option<Picture>,
    /// Whether the colours have been multiplied by alpha.
    pub(super) multiplied: bool,
    pub(super) profile: Option<Bytes>,
    /// What the numbers stand for, if it is not left to the stream.
    pub(super) colours: Option<Colours>,
    /// The most light in it, in candelas per square metre.
    pub(super) light: Option<u16>,
    pub(super) exif: Option<Place>,
    pub(super) xmp: Option<Place>,
}

/// A picture, of one stream or of several that lie side by side.
#[derive(Debug)]
pub(super) struct Picture {
    pub(super) size: (u32, u32),
    /// Of one of its streams.
    pub(super) tile: (u32, u32),
    pub(super) across: u32,
    pub(super) tiles: Vec<Place>,
    stream: Stream,
}

/// A box that has the whole of a still before it need not be looked into.
const SEQUENCE: &[u8; 4] = b"moov";

/// Reads all that is said ahead of the pixels, and whether they are there.
///
/// # Errors
/// `image.truncated`, `image.corrupt`, `image.unsupported`, `limit.*`.
pub(super) fn read(walk: &mut Walk, limits: &Limits) -> Result<Outline> {
    let file = walk.left();
    let (mut meta, mut frames) = (None, 1);
    while walk.left() >= 8 {
        let start = walk.at();
        let short = walk.u32_be()?;
        let kind = walk.array::<4>()?;
        let end = match short {
            0 => file,
            1 => start.saturating_add(u64::from_be_bytes(walk.array()?)),
            len => start + u64::from(len),
        };
        if end < walk.at() {
            return Err(walk.corrupt("a box is shorter than its head"));
        }
        let wanted = &kind == b"meta" && meta.is_none() || &kind == SEQUENCE;
        if wanted && (meta.is_none() || end <= file) {
            let len = end - walk.at();
            limits.check_metadata(len)?;
            let content = walk.bytes(usize::try_from(len).unwrap_or(usize::MAX))?;
            if &kind == SEQUENCE {
                frames = samples(&content).unwrap_or(1).max(1);
            } else {
                meta = Some(Bytes::from(content));
            }
        }
        // What comes behind is looked for where the items are.
        if end > file {
            break;
        }
        walk.skip_to(end)?;
    }
    let Some(meta) = meta else { return Err(truncated(&Format::AVIF)) };
    let items = Items::read(&meta).ok_or_else(damaged)?;
    let primary = items.item(items.primary).ok_or_else(damaged)?;
    let picture = Picture::read(&items, items.primary, walk)?;
    let alpha = items.onto(items.primary, *b"auxl").find(|(_, item)| {
        items.said(item).any(|(property, _)| *property == Property::Beside(true))
    });
    let multiplied = alpha
        .is_some_and(|(alpha, _)| items.from(items.primary, *b"prem").any(|item| item == alpha));
    let alpha = alpha.map(|(id, _)| Picture::read(&items, id, walk)).transpose()?;
    let about = |kind: &[u8; 4], mime: &[u8]| {
        let mut about = items.onto(items.primary, *b"cdsc");
        let found = about.find(|(_, item)| item.kind == *kind && item.mime == mime);
        found.and_then(|(_, item)| items.place(item, file))
    };
    let (exif, xmp) = (about(b"Exif", b""), about(b"mime", b"application/rdf+xml"));
    let (mut turn, mut mirror, mut profile, mut colours, mut light) = (0, None, None, None, None);
    for (property, must) in items.said(primary) {
        match property {
            Property::Turn(quarters) => turn = *quarters,
            Property::Mirror(across) => mirror = Some(*across),
            Property::Profile(found) => profile = Some(found.clone()),
            Property::Colours(found) => colours = Some(*found),
            Property::Light(found) => light = Some(*found).filter(|light| *light > 0),
            Property::Unknown(kind) if must => {
                let name = String::from_utf8_lossy(kind);
                let what = format!("it says by `{name}` how it is shown, which is not done here");
                return Err(unsupported(&Format::AVIF, what));
            }
            _ => {}
        }
    }
    let beside = [&exif, &xmp].into_iter().flatten().map(Place::len).sum::<u64>();
    limits.check_metadata(beside + profile.as_ref().map_or(0, Bytes::len) as u64)?;
    let mut header = Header::new(Format::AVIF);
    (header.width, header.height) = picture.size;
    let grey = picture.stream.grey;
    header.channels = if grey { 1 } else { 3 } + u8::from(alpha.is_some());
    header.depth = picture.stream.bits;
    header.orientation = orientation(turn, mirror);
    header.icc = profile.is_some();
    header.frames = frames;
    Ok(Outline { header, picture, alpha, multiplied, profile, colours, light, exif, xmp })
}

impl Picture {
    fn read(items: &Items, id: u32, walk: &mut Walk) -> Result<Self> {
        let (format, file) = (Format::AVIF, walk.at() + walk.left());
        let item = items.item(id).ok_or_else(damaged)?;
        let (mut size, mut stream) = (None, None);
        for (property, _) in items.said(item) {
            match property {
                Property::Size(width, height) => size = Some((*width, *height)),
                Property::Stream(found) => stream = Some(*found),
                _ => {}
            }
        }
        let size = size.ok_or_else(|| corrupt(&format, "the picture has no size"))?;
        match &item.kind {
            b"av01" => {
                let stream = stream.ok_or_else(damaged)?;
                let place = items.place(item, file).ok_or_else(|| truncated(&format))?;
                Ok(Self { size, tile: size, across: 1, tiles: vec![place], stream })
            }
            b"grid" => Self::grid(items, id, item, walk),
            kind => {
                let name = String::from_utf8_lossy(kind);
                Err(unsupported(&format, format!("its picture is of the kind `{name}`")))
            }
        }
    }

    /// Pictures of one size in rows, of which the last ones may reach over the edge.
    fn grid(items: &Items, id: u32, item: &Item, walk: &mut Walk) -> Result<Self> {
        let place =
            items.place(item, walk.at() + walk.left()).ok_or_else(|| truncated(&Format::AVIF))?;
        let (down, across, size) = layout(&place.begin(walk)?).ok_or_else(damaged)?;
        let mut parts = Vec::new();
        for id in items.from(id, *b"dimg") {
            // No grid of grids.
            items.item(id).filter(|part| &part.kind == b"av01").ok_or_else(damaged)?;
            parts.push(Self::read(items, id, walk)?);
        }
        let first = parts.first().ok_or_else(damaged)?;
        let (tile, stream) = (first.size, first.stream);
        let covers = |tile: u32, count: u32, size: u32| {
            let all = u64::from(tile) * u64::from(count);
            all >= size.into() && all < u64::from(size) + u64::from(tile)
        };
        let fits = parts.iter().all(|part| {
            (part.size, part.stream.bits, part.stream.grey) == (tile, stream.bits, stream.grey)
        }) && parts.len() as u64 == u64::from(down) * u64::from(across)
            && covers(tile.0, across, size.0)
            && covers(tile.1, down, size.1);
        if !fits {
            return Err(corrupt(&Format::AVIF, "the parts of the picture do not fit together"));
        }
        let tiles = parts.into_iter().flat_map(|part| part.tiles).collect();
        Ok(Self { size, tile, across, tiles, stream })
    }
}

/// Rows, columns and size of a grid.
fn layout(content: &[u8]) -> Option<(u32, u32, (u32, u32))> {
    let mut fields = Fields(content);
    let [_, flags, down, across] = fields.array()?;
    let long = flags & 1 == 1;
    let size = (fields.either(long)?, fields.either(long)?);
    Some((u32::from(down) + 1, u32::from(across) + 1, size))
}

/// How EXIF says that a picture is turned against the clock, and mirrored after that.
fn orientation(quarters: u8, mirror: Option<bool>) -> u8 {
    let number = match mirror {
        None => [1, 8, 3, 6],
        Some(false) => [4, 5, 2, 7],
        Some(true) => [2, 7, 4, 5],
    };
    number[usize::from(quarters & 3)]
}

/// How many frames the first track of pictures has.
fn samples(movie: &[u8]) -> Option<u64> {
    let inner = |content, kind: [u8; 4]| {
        boxes(content).find(|(found, _)| *found == kind).map(|(_, content)| content)
    };
    boxes(movie).filter(|(kind, _)| kind == b"trak").find_map(|(_, track)| {
        let media = inner(track, *b"mdia")?;
        let mut kind = Fields(inner(media, *b"hdlr")?);
        let [_, _, kind] = [kind.u32()?, kind.u32()?, kind.u32()?];
        let table = inner(inner(media, *b"minf")?, *b"stbl")?;
        let mut sizes = Fields(inner(table, *b"stsz")?);
        sizes.u32()?;
        sizes.u32()?;
        (kind.to_be_bytes() == *b"pict").then(|| sizes.u32()).flatten().map(u64::from)
    })
}

fn damaged() -> mediaflow_core::Error {
    corrupt(&Format::AVIF, "what the file says of its pictures is damaged")
}
