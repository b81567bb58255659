use std::borrow::Cow;

use bytes::Bytes;
use mediaflow_core::media::{Blob, Format};
use mediaflow_core::{Error, Result, codes};

use super::directory::{Directories, Entry, Order};
use super::layout::{Colours, Packing};
use super::outline::{self, Outline};
use super::samples::{Painter, spread, undo_differences};
use super::{fax, metadata, packed};
use crate::codec::{self, Codec, Reading, Rows, Walk, block};
use crate::error::{corrupt, truncated};
use crate::pixels::{Deep, Shape, fits};

/// Hands on the picture row by row: of strips that lie side by side, one for each sample, and of tiles, as many at a time as
/// its rows need.
pub(super) fn rows(
    bytes: &Bytes,
    inner: &dyn Codec,
    to: &mut dyn Rows,
    reading: &Reading<'_>,
) -> Result<()> {
    let mut walk = Walk::new(&Blob::bytes(bytes.clone()), Format::TIFF)?;
    let outline = outline::read(&mut walk, reading.cx.limits())?;
    if let Some(damage) = outline.damage {
        reading.warn(damage);
    }
    walk.go(0)?;
    let (mut file, _) = Directories::open(&mut walk)?;
    let mut metadata = metadata::read(&mut file, &outline.directory, bytes, reading);
    let layout = &outline.layout;
    if layout.colours == Colours::Inks {
        // The profile speaks of inks, and these are gone.
        metadata.icc = None;
    }
    let channels = layout.channels();
    let deep = (layout.bits > 8).then(|| {
        let profile = metadata.icc.take_if(|profile| fits(profile, channels).is_ok());
        Deep::new(profile.as_deref(), channels)
    });
    let shape = Shape { width: layout.width, height: layout.height, channels };
    to.begin(shape, metadata)?;
    let painter = Painter::new(layout, &outline.palette, deep);
    Bands { bytes, inner, outline: &outline, reading, painter }.hand_on(shape, to)
}

/// The parts that lie side by side, from the top.
struct Bands<'a> {
    bytes: &'a Bytes,
    inner: &'a dyn Codec,
    outline: &'a Outline,
    reading: &'a Reading<'a>,
    painter: Painter<'a>,
}

impl Bands<'_> {
    fn hand_on(mut self, shape: Shape, to: &mut dyn Rows) -> Result<()> {
        let layout = &self.outline.layout;
        let (_, down) = layout.parts();
        let mut band = vec![0; usize::try_from(layout.band()).map_err(|_| absurd())?];
        let (mut missing, mut first) = (0, None);
        for number in 0..down {
            self.reading.cx.check()?;
            let rows = u64::from(layout.height) - number * u64::from(layout.part.1);
            let rows = rows.min(u64::from(layout.part.1));
            let (have, error) = self.unpack(number, rows, &mut band)?;
            if let Some(error) = error {
                if !self.reading.accepts_damage() {
                    return Err(error);
                }
                missing += rows - have;
                first.get_or_insert(error);
            }
            self.paint(rows, &band, shape, to)?;
        }
        match first {
            Some(error) if missing == u64::from(layout.height) => Err(error),
            Some(_) => {
                self.reading.missing(missing, u64::from(layout.height), "row");
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Unpacks the parts of a band, and says how many of its rows are there from side to side, and what is wrong with others.
    fn unpack(&self, number: u64, rows: u64, band: &mut [u8]) -> Result<(u64, Option<Error>)> {
        let layout = &self.outline.layout;
        let (across, down) = layout.parts();
        let row = usize::try_from(layout.row()).map_err(|_| absurd())?;
        let part = row * layout.part.1 as usize;
        // Of a strip no more rows are there than of the picture.
        let wanted = if layout.tiled { u64::from(layout.part.1) } else { rows };
        let wanted = row * usize::try_from(wanted).map_err(|_| absurd())?;
        let (mut have, mut wrong) = (rows, None);
        let places = layout.planes().into_iter().flat_map(|plane| {
            (0..across).map(move |column| (plane as u64 * down + number) * across + column)
        });
        for (index, to) in places.zip(band.chunks_exact_mut(part)) {
            let to = &mut to[..wanted];
            let (made, cut) = self.part(index, to)?;
            if made < wanted {
                to[made..].fill(0);
                let error = if cut {
                    truncated(&Format::TIFF)
                } else {
                    corrupt(
                        &Format::TIFF,
                        "a strip or a tile of the picture ends before it is full",
                    )
                };
                wrong.get_or_insert(error);
            }
            have = have.min((made / row) as u64);
            if layout.differences {
                let order = self.outline.order;
                let rows = to.chunks_exact_mut(row);
                rows.for_each(|row| undo_differences(row, layout.bits, layout.together(), order));
            }
        }
        Ok((have, wrong))
    }

    /// Unpacks one part, and says how many bytes of it there are, and whether the file ends before it.
    fn part(&self, index: u64, to: &mut [u8]) -> Result<(usize, bool)> {
        let (layout, cx) = (&self.outline.layout, self.reading.cx);
        let order = self.outline.order;
        let of = |entry: &Entry| nth(self.bytes, entry, order, index);
        let Some(at) = of(&layout.offsets) else { return Ok((0, true)) };
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        // Old writers do not say how long parts are, or say that they have no bytes.
        let len = layout.lengths.as_ref().and_then(of).filter(|len| *len > 0);
        let len = len.and_then(|len| usize::try_from(len).ok());
        let end = len.map_or(self.bytes.len(), |len| at.saturating_add(len));
        let cut = at >= self.bytes.len() || end > self.bytes.len();
        let there = self.bytes.get(at..end.min(self.bytes.len())).unwrap_or_default();
        let packed = if layout.reversed {
            Cow::Owned(there.iter().map(|byte| byte.reverse_bits()).collect())
        } else {
            Cow::Borrowed(there)
        };
        let made = match layout.packing {
            Packing::None => packed::plain(&packed, to),
            Packing::Lzw => packed::lzw(&packed, to, || cx.check())?,
            Packing::Deflate => packed::deflate(&packed, to, || cx.check())?,
            Packing::PackBits => packed::pack_bits(&packed, to),
            Packing::Fax(how) => {
                fax::unpack(&packed, how, layout.part.0 as usize, to, || cx.check())?
            }
            Packing::Inner { tables } => self.inner(&packed, tables, to)?,
        };
        Ok((made, cut))
    }

    /// Decodes a part that is a file of another format.
    fn inner(&self, packed: &[u8], tables: Option<Entry>, to: &mut [u8]) -> Result<usize> {
        const START: [u8; 2] = [0xFF, 0xD8];
        const END: [u8; 2] = [0xFF, 0xD9];
        let (layout, reading) = (&self.outline.layout, self.reading.strict());
        let tables = tables.and_then(|entry| {
            let at = usize::try_from(entry.at).ok()?;
            let len = usize::try_from(entry.bytes()).ok()?;
            self.bytes.get(at..at.checked_add(len)?)
        });
        let tables = tables.unwrap_or_default();
        let tables = tables.strip_prefix(&START).unwrap_or(tables);
        let tables = tables.strip_suffix(&END).unwrap_or(tables);
        let Some(rest) = packed.strip_prefix(&START) else { return Ok(0) };
        // The directory says what the colours are; without this its decoder would guess.
        let adobe = [
            &b"\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0"[..],
            &[u8::from(layout.colours == Colours::Luma)],
        ];
        let whole = [&START[..], &adobe.concat(), tables, rest].concat();
        let whole = Bytes::from(whole);
        let blob = Blob::bytes(whole.clone());
        let decoded = codec::probe(self.inner, &blob, reading.cx.limits())
            .and_then(|header| self.inner.decode(&whole, &header, 8, &reading));
        let image = match decoded {
            Ok(image) => image,
            Err(error) if is_damage(&error) && reading.cx.check().is_ok() => return Ok(0),
            Err(error) => return Err(error),
        };
        let fits = usize::from(image.channels()) == layout.together();
        if !fits || image.width() < layout.part.0 {
            return Ok(0);
        }
        let row = usize::try_from(layout.row()).unwrap_or(usize::MAX).max(1);
        let mut made = 0;
        for (from, to) in image.rows().zip(to.chunks_exact_mut(row)) {
            to.copy_from_slice(&from[..row]);
            made += row;
        }
        Ok(made)
    }

    /// Hands on so many rows of the picture that the parts of a band have.
    fn paint(&mut self, rows: u64, band: &[u8], shape: Shape, to: &mut dyn Rows) -> Result<()> {
        let layout = &self.outline.layout;
        let order = self.outline.order;
        let row = usize::try_from(layout.row()).map_err(|_| absurd())?;
        let (part, stride) = (row * layout.part.1 as usize, shape.row_bytes());
        let (width, samples) = (layout.width as usize, layout.samples);
        let across = usize::try_from(layout.parts().0).map_err(|_| absurd())?;
        let mut numbers = vec![0; width * samples];
        let together = block(stride).min(layout.part.1 as usize).max(1);
        let mut pixels = vec![0; stride * together];
        let rows = usize::try_from(rows).map_err(|_| absurd())?;
        for top in (0..rows).step_by(together) {
            self.reading.cx.check()?;
            let count = together.min(rows - top);
            for (y, pixels) in (top..).zip(pixels.chunks_exact_mut(stride).take(count)) {
                for (index, part) in band.chunks_exact(part).enumerate() {
                    let (plane, left) = (index / across, index % across * layout.part.0 as usize);
                    let from = &part[y * row..][..row];
                    let columns = (width - left).min(layout.part.0 as usize);
                    if self.painter.is_direct() {
                        let len = columns * samples;
                        pixels[left * samples..][..len].copy_from_slice(&from[..len]);
                        continue;
                    }
                    let Some(plane) = layout.planes().get(plane).copied() else { continue };
                    let to = &mut numbers[left * samples..][..columns * samples];
                    let step = if layout.planar { samples } else { 1 };
                    spread(from, layout.bits, order, &mut to[plane..], step);
                }
                if !self.painter.is_direct() {
                    self.painter.paint(&numbers, pixels)?;
                }
            }
            to.rows(&pixels[..count * stride])?;
        }
        Ok(())
    }
}

/// One number of an entry that has many.
fn nth(bytes: &[u8], entry: &Entry, order: Order, index: u64) -> Option<u64> {
    let at = entry.at.checked_add(index.checked_mul(entry.size())?)?;
    let bytes = bytes.get(usize::try_from(at).ok().filter(|_| index < entry.count)?..)?;
    Some(match entry.size() {
        1 => u64::from(*bytes.first()?),
        2 => order.number(*bytes.first_chunk::<2>()?),
        4 => order.number(*bytes.first_chunk::<4>()?),
        _ => order.number(*bytes.first_chunk::<8>()?),
    })
}

fn is_damage(error: &Error) -> bool {
    matches!(error.code(), codes::IMAGE_CORRUPT | codes::IMAGE_TRUNCATED)
}

fn absurd() -> Error {
    corrupt(&Format::TIFF, "the size is absurd")
}
