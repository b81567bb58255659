use mediaflow_core::{Error, Limits, Result, codes};

use crate::codec::lzw::{Lie, unpack};
use crate::codec::{Header, Walk};

/// Data of a frame that is so short may hold no pixel at all.
const SHORT: u64 = 8;

/// How many bytes between blocks are passed over.
const STRAY: u64 = 1 << 20;

/// What stands behind a packet of XMP: a one, all numbers downwards, and the end.
const TRAILER: u64 = 258;

/// The fewest bytes that a frame takes.
const FRAME: u64 = 13;

/// What a file has, told from block to block: frames can be counted in no other way.
#[derive(Debug)]
pub(super) struct Outline {
    pub(super) header: Header,
    /// The colours for frames without their own.
    pub(super) palette: Option<Table>,
    /// The first frame that shows anything.
    pub(super) first: Option<Frame>,
    /// The frame in whose data the file ends, if it is no larger than the canvas.
    pub(super) open: Option<Frame>,
    pub(super) end: End,
    /// Bytes between blocks that belong to none.
    pub(super) stray: u64,
    /// Frames without a size, or without a pixel.
    pub(super) empty: u64,
    /// Where the packet of XMP begins and ends.
    pub(super) xmp: Option<(u64, u64)>,
}

/// Where colours stand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Table {
    pub(super) at: u64,
    pub(super) bytes: u64,
}

/// One frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) left: u16,
    pub(super) top: u16,
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) interlaced: bool,
    /// The number of the colour that is none.
    pub(super) transparent: Option<u8>,
    pub(super) palette: Option<Table>,
    /// Where its data begins: the size of a number, then blocks.
    pub(super) data: u64,
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// As it should.
    Whole,
    /// All frames are whole, and the end is missing.
    Missing,
    /// In a frame.
    Cut,
    /// With something that is no block.
    Unknown,
}

/// Seeks from block to block to the end.
///
/// # Errors
/// `image.truncated` or `image.corrupt` if it does not come to a frame that shows anything; `limit.*`.
pub(super) fn read(walk: &mut Walk, limits: &Limits) -> Result<Outline> {
    if !matches!(&walk.array::<6>()?, b"GIF87a" | b"GIF89a") {
        return Err(walk.corrupt("the signature is damaged"));
    }
    let mut header = Header::new(walk.format().clone());
    (header.width, header.height) = (u32::from(walk.u16_le()?), u32::from(walk.u16_le()?));
    header.frames = 0;
    let [flags, _, _] = walk.array::<3>()?;
    let palette = palette(walk, flags)?;
    let mut outline = Outline {
        header,
        palette,
        first: None,
        open: None,
        end: End::Whole,
        stray: 0,
        empty: 0,
        xmp: None,
    };
    outline.end = match outline.blocks(walk, limits) {
        Ok(end) => end,
        // Where it ends is known: the frames before are there.
        Err(error) if error.code() == codes::IMAGE_TRUNCATED && outline.first.is_some() => End::Cut,
        Err(error) => return Err(error),
    };
    if outline.first.is_none() {
        return Err(walk.corrupt("there is no frame that shows anything"));
    }
    Ok(outline)
}

impl Outline {
    fn blocks(&mut self, walk: &mut Walk, limits: &Limits) -> Result<End> {
        // What is said of the frame that comes next.
        let mut control = None;
        loop {
            let ended = if control.is_some() { End::Cut } else { End::Missing };
            if walk.left() == 0 && self.first.is_some() {
                return Ok(ended);
            }
            match walk.u8()? {
                0x3B => return Ok(End::Whole),
                0 if self.stray < STRAY => self.stray += 1,
                0x21 => {
                    if let Err(error) = self.extension(walk, &mut control) {
                        // Words behind the last frame are none of the picture.
                        return if self.is_only_cut(&error) { Ok(ended) } else { Err(error) };
                    }
                }
                0x2C => {
                    let transparent = control.take().flatten();
                    self.frame(walk, transparent, limits)?;
                }
                // No frame fits into what is left.
                _ if self.first.is_some() && walk.left() < FRAME => {
                    self.stray += 1;
                    return Ok(End::Missing);
                }
                _ if self.first.is_some() => return Ok(End::Unknown),
                _ => return Err(walk.corrupt("a block of no known kind")),
            }
        }
    }

    fn extension(&mut self, walk: &mut Walk, control: &mut Option<Option<u8>>) -> Result<()> {
        match walk.u8()? {
            0xF9 => {
                let [len, flags] = walk.array::<2>()?;
                // It belongs to a frame, also if it breaks off.
                *control = Some(None);
                if len == 4 {
                    let [_, _, number] = walk.array::<3>()?;
                    *control = Some((flags & 1 == 1).then_some(number));
                } else {
                    walk.skip(u64::from(len.saturating_sub(1)))?;
                }
                blocks(walk)
            }
            0xFF => {
                let len = walk.u8()?;
                if len == 0 {
                    return Ok(());
                }
                let is_xmp = walk.bytes(usize::from(len))? == b"XMP DataXMP";
                let start = walk.at();
                blocks(walk)?;
                // It is text, whose letters count as lengths, up to bytes that lead to the end from wherever one comes to them.
                let end = walk.at().saturating_sub(TRAILER);
                self.xmp = self.xmp.or((is_xmp && start < end).then_some((start, end)));
                Ok(())
            }
            _ => blocks(walk),
        }
    }

    fn is_only_cut(&self, error: &Error) -> bool {
        error.code() == codes::IMAGE_TRUNCATED && self.first.is_some()
    }

    fn frame(&mut self, walk: &mut Walk, transparent: Option<u8>, limits: &Limits) -> Result<()> {
        let (left, top) = (walk.u16_le()?, walk.u16_le()?);
        let (width, height) = (walk.u16_le()?, walk.u16_le()?);
        let flags = walk.u8()?;
        let palette = palette(walk, flags)?;
        let interlaced = flags & 0x40 != 0;
        let data = walk.at();
        let mut frame = Frame { left, top, width, height, interlaced, transparent, palette, data };
        let shows = width > 0 && height > 0;
        // The first frame counts as soon as it begins: how much of it is there is told by its data.
        let started = shows && self.first.is_none();
        let packed = packed(walk);
        let is_empty = packed.as_ref().is_ok_and(|packed| {
            packed.as_ref().is_some_and(|(bits, bytes)| has_no_pixel(*bits, bytes))
        });
        if !shows || is_empty {
            self.empty += 1;
        } else {
            if started {
                if !self.fits(&frame) {
                    // Every reader takes its size, then: some programs write none, or any, for the canvas.
                    (self.header.width, self.header.height) = (width.into(), height.into());
                    (frame.left, frame.top) = (0, 0);
                }
                let size = (u32::from(width), u32::from(height));
                let whole = (frame.left, frame.top) == (0, 0)
                    && size == (self.header.width, self.header.height);
                if transparent.is_some() || !whole {
                    self.header.channels = 4;
                }
                self.first = Some(frame);
            }
            self.open = (packed.is_err() && self.fits(&frame)).then_some(frame);
            self.header.frames += 1;
        }
        limits.check_pixels(
            self.header.width,
            self.header.height,
            self.header.frames + self.empty,
        )?;
        packed.map(drop)
    }

    /// Whether a frame is no larger than the canvas.
    fn fits(&self, frame: &Frame) -> bool {
        u32::from(frame.width) <= self.header.width && u32::from(frame.height) <= self.header.height
    }
}

fn palette(walk: &mut Walk, flags: u8) -> Result<Option<Table>> {
    if flags & 0x80 == 0 {
        return Ok(None);
    }
    let (at, bytes) = (walk.at(), 3 << ((flags & 7) + 1));
    walk.skip(bytes)?;
    Ok(Some(Table { at, bytes }))
}

fn blocks(walk: &mut Walk) -> Result<()> {
    loop {
        match walk.u8()? {
            0 => return Ok(()),
            len => walk.skip(u64::from(len))?,
        }
    }
}

/// Goes over the data of a frame; gives it if there is next to none: the size of a number, and the bytes.
fn packed(walk: &mut Walk) -> Result<Option<(u8, Vec<u8>)>> {
    let bits = walk.u8()?;
    let (mut bytes, mut count) = (Vec::new(), 0);
    loop {
        match walk.u8()? {
            0 => return Ok((count <= SHORT).then_some((bits, bytes))),
            len => {
                count += u64::from(len);
                if count <= SHORT {
                    bytes.extend(walk.bytes(usize::from(len))?);
                } else {
                    walk.skip(u64::from(len))?;
                }
            }
        }
    }
}

/// Whether so little data holds no pixel: codes that only clear and end.
fn has_no_pixel(bits: u8, packed: &[u8]) -> bool {
    unpack(packed, bits, Lie::Low, &mut [0], || Ok(())).is_ok_and(|made| made == 0)
}
