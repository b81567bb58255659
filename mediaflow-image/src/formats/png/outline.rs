use std::io::Read as _;

use flate2::Crc;
use mediaflow_core::{Error, Limits, Result};

use super::animation::Animation;
use super::text::Texts;
use crate::codec::{Header, Walk, exif};
use crate::error::truncated;

const SIGNATURE: &[u8; 8] = b"\x89PNG\r\n\x1a\n";

/// What is looked for where the next chunk should be and is not.
const LANDMARKS: [&[u8; 4]; 4] = [b"IDAT", b"PLTE", b"tRNS", b"IEND"];

/// How often it is looked for, and how many places are looked at each time.
const SEARCHES: u32 = 16;
const PLACES: usize = 64;

/// How much damage is told of.
const NOTES: usize = 8;

/// The longest chunk of a known length.
const SMALL: u64 = 768;

/// What a file has, told from chunk to chunk.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) header: Header,
    pub(super) profile: Option<Vec<u8>>,
    /// The TIFF block.
    pub(super) exif: Option<Vec<u8>>,
    pub(super) texts: Texts,
    /// The chunks that make the picture, each from where to where.
    pub(super) picture: Vec<(u64, u64)>,
    /// Whether its decoder can not be given the file as it is.
    pub(super) mend: bool,
    /// Whether there are chunks beside the picture.
    pub(super) beside: bool,
    /// What is wrong beside the picture, for people.
    pub(super) damage: Vec<String>,
    /// Whether the closing chunk is there.
    pub(super) closed: bool,
    animation: Animation,
    colours: u64,
    metadata: u64,
    /// Whether pixels have come, and came last.
    pixels: (bool, bool),
}

/// A chunk whose length and name were read.
struct Chunk {
    kind: [u8; 4],
    /// Where its content begins.
    at: u64,
    len: u64,
}

/// Reads all chunks up to the pixels; of an animation, or if `all` are wanted, to the end.
///
/// # Errors
/// `image.truncated` or `image.corrupt` if it does not come to pixels; `limit.*`.
pub(super) fn read(walk: &mut Walk, limits: &Limits, all: bool) -> Result<Outline> {
    if &walk.array::<8>()? != SIGNATURE {
        return Err(walk.corrupt("the signature is damaged"));
    }
    let mut outline = Outline::new(Header::new(walk.format().clone()));
    let (mut doubtful, mut searches) = (None, 0);
    while !outline.closed && (all || !outline.pixels.0 || !outline.animation.is_none()) {
        let Some(chunk) = next(walk)? else {
            let expected = walk.at();
            searches += 1;
            let found = searches <= SEARCHES && outline.header.width > 0;
            if found && search(walk, doubtful.take().unwrap_or(expected), limits)? {
                let passed = walk.at().saturating_sub(expected);
                outline.mend = true;
                outline.note(format!("{passed} bytes between its chunks were passed over"));
                continue;
            }
            if outline.pixels.0 {
                break;
            }
            return Err(lost(walk, expected, limits));
        };
        if outline.header.width == 0 && &chunk.kind != b"IHDR" {
            return Err(walk.corrupt("the size does not come first"));
        }
        outline.chunk(walk, &chunk, limits, all)?;
        outline.pixels.1 = &chunk.kind == b"IDAT";
        // The length of a chunk that can be done without may be wrong.
        doubtful = is_ancillary(chunk.kind).then_some(chunk.at);
        let end = chunk.at + chunk.len + 4;
        walk.go(end.min(walk.at() + walk.left()))?;
    }
    outline.end();
    Ok(outline)
}

impl Outline {
    fn new(header: Header) -> Self {
        Self {
            header,
            profile: None,
            exif: None,
            texts: Texts::new(),
            picture: Vec::new(),
            mend: false,
            beside: false,
            damage: Vec::new(),
            closed: false,
            animation: Animation::default(),
            colours: 0,
            metadata: 0,
            pixels: (false, false),
        }
    }

    fn note(&mut self, damage: impl Into<String>) {
        if self.damage.len() < NOTES {
            self.damage.push(damage.into());
        }
    }

    fn chunk(&mut self, walk: &mut Walk, chunk: &Chunk, limits: &Limits, all: bool) -> Result<()> {
        let kept = match &chunk.kind {
            b"IHDR" => size(walk, &mut self.header).map(|()| true)?,
            b"PLTE" => {
                self.colours = chunk.len / 3;
                true
            }
            b"IDAT" => {
                // Its decoder takes what follows other chunks for something else.
                self.mend |= self.pixels == (true, false);
                self.pixels.0 = true;
                true
            }
            b"IEND" => {
                self.closed = true;
                true
            }
            b"tRNS" => self.transparency(walk, chunk)?,
            _ if !is_ancillary(chunk.kind) => true,
            _ => {
                self.ancillary(walk, chunk, limits, all)?;
                false
            }
        };
        let (start, end) = (chunk.at - 8, chunk.at + chunk.len + 4);
        match self.picture.last_mut() {
            Some((_, before)) if kept && *before == start => *before = end,
            _ if kept => self.picture.push((start, end)),
            _ => {}
        }
        Ok(())
    }

    /// Whether the colours that are none can be used: a chunk that is damaged is passed over by every reader.
    fn transparency(&mut self, walk: &mut Walk, chunk: &Chunk) -> Result<bool> {
        let fits = match (self.header.channels, self.colours) {
            (1, _) => chunk.len == 2,
            (3, 0) => chunk.len == 6,
            // A palette, or colours that one was suggested for.
            (3, colours) => chunk.len == 6 || (1..=colours).contains(&chunk.len),
            _ => false,
        };
        let fine = fits && !self.pixels.0 && content(walk, chunk)?.is_some();
        if fine {
            self.header.channels += 1;
        } else {
            self.mend = true;
            self.note("its chunk of transparency is damaged, and was ignored");
        }
        Ok(fine)
    }

    fn ancillary(
        &mut self,
        walk: &mut Walk,
        chunk: &Chunk,
        limits: &Limits,
        all: bool,
    ) -> Result<()> {
        self.beside = true;
        if let Some(bytes) = Animation::has(chunk.kind) {
            let data = match bytes {
                None if chunk.len <= SMALL => content(walk, chunk)?,
                Some(bytes) if chunk.len >= bytes => Some(walk.bytes(small(bytes))?),
                _ => None,
            };
            let size = (self.header.width, self.header.height);
            self.animation.chunk(chunk.kind, data.as_deref(), size, self.pixels.0);
            return Ok(());
        }
        // Before the content is looked at, and before anything is allocated for it.
        let metadata = self.metadata + chunk.len;
        if self.pixels.0 && limits.check_metadata(metadata).is_err() {
            return Ok(());
        }
        limits.check_metadata(metadata)?;
        self.metadata = metadata;
        let known = matches!(&chunk.kind, b"iCCP" | b"eXIf");
        if !known && !all {
            return Ok(());
        }
        let Some(data) = content(walk, chunk)? else {
            let name = String::from_utf8_lossy(&chunk.kind);
            self.note(format!("its chunk {name} is damaged, and was ignored"));
            return Ok(());
        };
        match &chunk.kind {
            b"iCCP" => match inflate(&data, limits)? {
                Some(profile) => {
                    self.metadata += profile.len() as u64;
                    limits.check_metadata(self.metadata)?;
                    self.header.icc = true;
                    self.profile = Some(profile);
                }
                None => self.note("its colour profile is damaged, and was ignored"),
            },
            b"eXIf" => {
                if !self.pixels.0 {
                    self.header.orientation = exif::orientation(&data);
                }
                self.exif = Some(data);
            }
            b"tEXt" | b"zTXt" | b"iTXt" => self.texts.add(chunk.kind, &data, limits),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        if self.animation.is_none() {
            return;
        }
        match self.animation.frames().filter(|_| self.closed) {
            Some(frames) => self.header.frames = u64::from(frames),
            None => {
                self.mend = true;
                self.note("its animation is damaged; the still picture was taken");
            }
        }
    }
}

/// What does not change how pixels are read begins with a small letter.
fn is_ancillary(kind: [u8; 4]) -> bool {
    kind[0].is_ascii_lowercase()
}

/// Begins the next chunk, if there is one here that fits into the file. Pixels may break off.
fn next(walk: &mut Walk) -> Result<Option<Chunk>> {
    let start = walk.at();
    if walk.left() >= 8 {
        let len = u64::from(walk.u32_be()?);
        let kind = walk.array::<4>()?;
        let fits = len + 4 <= walk.left() || &kind == b"IDAT";
        if fits && kind.iter().all(u8::is_ascii_alphabetic) {
            return Ok(Some(Chunk { kind, at: walk.at(), len }));
        }
        walk.go(start)?;
    }
    Ok(None)
}

/// Looks for the next chunk that makes a picture, and goes there if there is one.
fn search(walk: &mut Walk, from: u64, limits: &Limits) -> Result<bool> {
    let expected = walk.at();
    walk.go(from)?;
    let room = walk.left().min(limits.metadata_bytes);
    let cut = room == walk.left();
    let bytes = walk.bytes(small(room))?;
    let is_named = |at: &usize| LANDMARKS.iter().any(|kind| bytes[*at..].starts_with(*kind));
    let mut places = (4..bytes.len().saturating_sub(4)).filter(is_named).take(PLACES);
    let found = places.find(|at| begins_chunk(&bytes[at - 4..], cut));
    walk.go(found.map_or(expected, |at| from + at as u64 - 4))?;
    Ok(found.is_some())
}

/// Whether this is a chunk by its checksum. Pixels may break off with the file.
fn begins_chunk(bytes: &[u8], cut: bool) -> bool {
    let Some((len, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let len = small(u64::from(u32::from_be_bytes(*len)));
    match rest.get(..len.saturating_add(8)) {
        Some(chunk) => {
            let (named, sum) = chunk.split_at(len + 4);
            checksum(named).to_be_bytes() == sum
        }
        None => cut && rest.starts_with(b"IDAT"),
    }
}

/// The error for a file in which no chunk is where one should be.
fn lost(walk: &mut Walk, at: u64, limits: &Limits) -> Error {
    let claimed = walk.go(at).and_then(|()| Ok((u64::from(walk.u32_be()?), walk.array::<4>()?)));
    match claimed {
        Ok((len, kind)) if kind.iter().all(u8::is_ascii_alphabetic) => {
            limits.check_metadata(len).err().unwrap_or_else(|| truncated(walk.format()))
        }
        Ok(_) => walk.corrupt("there is no chunk where one should be"),
        Err(error) => error,
    }
}

fn size(walk: &mut Walk, header: &mut Header) -> Result<()> {
    (header.width, header.height) = (walk.u32_be()?, walk.u32_be()?);
    let [depth, colour, _, _, interlaced] = walk.array::<5>()?;
    (header.depth, header.progressive) = (depth, interlaced != 0);
    header.channels = match colour {
        0 => 1,
        2 | 3 => 3,
        4 => 2,
        6 => 4,
        _ => return Err(walk.corrupt("there is no such colour type").with("colour_type", colour)),
    };
    Ok(())
}

/// What is in a chunk, unless its checksum is wrong.
fn content(walk: &mut Walk, chunk: &Chunk) -> Result<Option<Vec<u8>>> {
    let data = walk.bytes(small(chunk.len))?;
    let mut sum = Crc::new();
    sum.update(&chunk.kind);
    sum.update(&data);
    Ok((walk.u32_be()? == sum.sum()).then_some(data))
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = Crc::new();
    sum.update(bytes);
    sum.sum()
}

/// The profile inside an iCCP chunk, if it is whole. Inflated piece by piece and given up at the limit: a few kilobytes can
/// hold a gigabyte of zeros.
fn inflate(chunk: &[u8], limits: &Limits) -> Result<Option<Vec<u8>>> {
    let name = chunk.iter().take(80).position(|byte| *byte == 0).filter(|end| *end > 0);
    // There is one way to pack.
    let Some([0, packed @ ..]) = name.and_then(|end| chunk.get(end + 1..)) else {
        return Ok(None);
    };
    let mut profile = Vec::new();
    let read = flate2::read::ZlibDecoder::new(packed)
        .take(limits.metadata_bytes + 1)
        .read_to_end(&mut profile);
    limits.check_metadata(profile.len() as u64)?;
    Ok(read.is_ok().then_some(profile))
}

fn small(len: u64) -> usize {
    usize::try_from(len).unwrap_or(usize::MAX)
}
