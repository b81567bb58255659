use mediaflow_core::{Error, Limits, Result};

use super::directory::{Directories, Directory, Entry};
use super::fax::Fax;
use crate::error::{corrupt, unsupported};

/// The numbers of what a directory says of pixels.
pub(super) mod tag {
    pub(crate) const WIDTH: u16 = 256;
    pub(crate) const HEIGHT: u16 = 257;
    pub(crate) const BITS: u16 = 258;
    pub(crate) const COMPRESSION: u16 = 259;
    pub(crate) const COLOURS: u16 = 262;
    pub(crate) const FILL_ORDER: u16 = 266;
    pub(crate) const STRIP_OFFSETS: u16 = 273;
    pub(crate) const ORIENTATION: u16 = 274;
    pub(crate) const SAMPLES: u16 = 277;
    pub(crate) const STRIP_ROWS: u16 = 278;
    pub(crate) const STRIP_BYTES: u16 = 279;
    pub(crate) const PLANES: u16 = 284;
    pub(crate) const FAX: u16 = 292;
    pub(crate) const PREDICTOR: u16 = 317;
    pub(crate) const PALETTE: u16 = 320;
    pub(crate) const TILE_WIDTH: u16 = 322;
    pub(crate) const TILE_HEIGHT: u16 = 323;
    pub(crate) const TILE_OFFSETS: u16 = 324;
    pub(crate) const TILE_BYTES: u16 = 325;
    pub(crate) const INKS: u16 = 332;
    pub(crate) const EXTRA: u16 = 338;
    pub(crate) const SAMPLE_FORMAT: u16 = 339;
    pub(crate) const TABLES: u16 = 347;
}

/// What the samples of a pixel stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    /// Grey, of which the lowest number may be white.
    Grey {
        inverted: bool,
    },
    Indexed,
    Rgb,
    Inks,
    /// Luma and chroma, which whoever unpacks them turns into RGB.
    Luma,
}

impl Colours {
    /// Samples of a pixel, without others beside them.
    pub(super) fn samples(self) -> usize {
        match self {
            Self::Grey { .. } | Self::Indexed => 1,
            Self::Rgb | Self::Luma => 3,
            Self::Inks => 4,
        }
    }

    /// Channels of a decoded pixel.
    pub(super) fn channels(self) -> u8 {
        if matches!(self, Self::Grey { .. }) { 1 } else { 3 }
    }
}

/// The alpha of a pixel: which sample it is, and whether the colours were multiplied by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alpha {
    pub(super) sample: usize,
    pub(super) multiplied: bool,
}

/// How strips and tiles are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    None,
    Lzw,
    Deflate,
    PackBits,
    /// Black and white, as fax machines send it.
    Fax(Fax),
    /// Each is a file of the other format, some of whose tables may stand in the directory.
    Inner {
        tables: Option<Entry>,
    },
}

/// How the pixels of a picture lie in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) orientation: u8,
    pub(super) colours: Colours,
    pub(super) palette: Option<Entry>,
    pub(super) alpha: Option<Alpha>,
    /// Bits of a sample, 1 to 16.
    pub(super) bits: u8,
    /// Samples of a pixel.
    pub(super) samples: usize,
    /// Whether each sample has strips or tiles of its own.
    pub(super) planar: bool,
    pub(super) packing: Packing,
    /// Whether a sample is the difference to the one before.
    pub(super) differences: bool,
    /// Whether the first pixel is in the lowest bit of a byte.
    pub(super) reversed: bool,
    /// Width and height of a tile; a strip is as wide as the picture.
    pub(super) part: (u32, u32),
    pub(super) tiled: bool,
    pub(super) offsets: Entry,
    pub(super) lengths: Option<Entry>,
}

/// Samples of a pixel that are looked at: more are no picture, but measurements.
const MOST_SAMPLES: u64 = 32;

impl Layout {
    pub(super) fn read(file: &mut Directories<'_>, from: &Directory) -> Result<Self> {
        let mut one = |tag: u16| from.find(tag).map(|entry| file.first(&entry)).transpose();
        let (width, height) = (one(tag::WIDTH)?, one(tag::HEIGHT)?);
        let samples = one(tag::SAMPLES)?.unwrap_or(1);
        let compression = one(tag::COMPRESSION)?.unwrap_or(1);
        let colours = one(tag::COLOURS)?;
        let planar = one(tag::PLANES)?.unwrap_or(1) == 2 && samples > 1;
        let predictor = one(tag::PREDICTOR)?.unwrap_or(1);
        let reversed = one(tag::FILL_ORDER)?.unwrap_or(1) == 2;
        let inks = one(tag::INKS)?.unwrap_or(1);
        let orientation = one(tag::ORIENTATION)?.and_then(|value| u8::try_from(value).ok());
        let tile = (one(tag::TILE_WIDTH)?, one(tag::TILE_HEIGHT)?);
        let strip = one(tag::STRIP_ROWS)?.filter(|rows| *rows > 0);
        let (Some(width), Some(height)) = (side(width), side(height)) else {
            return Err(file.walk.corrupt("the picture has no size"));
        };
        if samples == 0 || samples > MOST_SAMPLES {
            return Err(refused(file, format!("{samples} samples per pixel are not decoded")));
        }
        let samples = usize::try_from(samples).unwrap_or_default();
        let bits = bits(file, from)?;
        let packing = packing(file, from, compression)?;
        if matches!(packing, Packing::Fax(_)) && (bits, samples) != (1, 1) {
            return Err(file.walk.corrupt("what is packed as a fax is not black and white"));
        }
        let is_inner = matches!(packing, Packing::Inner { .. });
        let colours = match colours.unwrap_or(if samples < 3 { 1 } else { 2 }) {
            0 => Colours::Grey { inverted: true },
            1 => Colours::Grey { inverted: false },
            2 => Colours::Rgb,
            3 => Colours::Indexed,
            5 if inks == 1 && !is_inner => Colours::Inks,
            6 if is_inner => Colours::Luma,
            other => return Err(refused(file, format!("colours of kind {other} are not decoded"))),
        };
        if samples < colours.samples() {
            return Err(file.walk.corrupt("a pixel has too few samples for its colours"));
        }
        if is_inner && (bits != 8 || !planar && samples != colours.samples()) {
            return Err(refused(
                file,
                "samples beside the colours, packed as photos, are not decoded",
            ));
        }
        let differences = match predictor {
            _ if !matches!(packing, Packing::Lzw | Packing::Deflate) => false,
            1 => false,
            2 if bits == 8 || bits == 16 => true,
            _ => return Err(refused(file, "differences of this kind are not decoded")),
        };
        let palette = from.find(tag::PALETTE).filter(|_| colours == Colours::Indexed);
        if colours == Colours::Indexed && (palette.is_none() || bits > 8) {
            return Err(file.walk.corrupt("there is no palette, or it is too short"));
        }
        let (tiled, part) = match (side(tile.0), side(tile.1)) {
            (Some(across), Some(down)) => (true, (across, down)),
            _ => (false, (width, side(strip).unwrap_or(height).min(height))),
        };
        let [offsets, lengths] = if tiled {
            [tag::TILE_OFFSETS, tag::TILE_BYTES]
        } else {
            [tag::STRIP_OFFSETS, tag::STRIP_BYTES]
        };
        let offsets = from.find(offsets).filter(Entry::is_whole);
        let offsets =
            offsets.ok_or_else(|| file.walk.corrupt("it is not said where its pixels are"))?;
        Ok(Self {
            width,
            height,
            orientation: orientation.filter(|value| (1..=8).contains(value)).unwrap_or(1),
            colours,
            palette,
            alpha: alpha(file, from, colours, samples)?,
            bits,
            samples,
            planar,
            packing,
            differences,
            reversed: reversed && !is_inner,
            part,
            tiled,
            offsets,
            lengths: from.find(lengths).filter(Entry::is_whole),
        })
    }

    /// Channels of a decoded pixel.
    pub(super) fn channels(&self) -> u8 {
        self.colours.channels() + u8::from(self.alpha.is_some())
    }

    /// How many parts there are from side to side, and from top to bottom.
    pub(super) fn parts(&self) -> (u64, u64) {
        let across = self.width.div_ceil(self.part.0);
        (u64::from(across), u64::from(self.height.div_ceil(self.part.1)))
    }

    /// Samples that lie together.
    pub(super) fn together(&self) -> usize {
        if self.planar { 1 } else { self.samples }
    }

    /// The samples that are wanted of those which have parts of their own; one is all if none has.
    pub(super) fn planes(&self) -> Vec<usize> {
        if !self.planar {
            return vec![0];
        }
        (0..self.colours.samples()).chain(self.alpha.map(|alpha| alpha.sample)).collect()
    }

    /// Bytes of a row of a part.
    pub(super) fn row(&self) -> u64 {
        let samples = u64::from(self.part.0) * self.together() as u64;
        (samples * u64::from(self.bits)).div_ceil(8)
    }

    /// Bytes of the parts that lie side by side, as they are unpacked together.
    pub(super) fn band(&self) -> u64 {
        let part = self.row().saturating_mul(u64::from(self.part.1));
        part.saturating_mul(self.parts().0).saturating_mul(self.planes().len() as u64)
    }
}

fn side(value: Option<u64>) -> Option<u32> {
    let value = value.filter(|value| *value > 0)?;
    // More than can be said is as many as there are.
    Some(u32::try_from(value).unwrap_or(u32::MAX))
}

fn refused(file: &Directories<'_>, what: impl Into<String>) -> Error {
    unsupported(file.walk.format(), what)
        .help("save the file with 1 to 16 bits per sample, in grey, a palette, RGB or CMYK")
}

/// Bits of a sample, which are the same for all.
fn bits(file: &mut Directories<'_>, from: &Directory) -> Result<u8> {
    let mut all = |tag: u16, default: u64| match from.find(tag) {
        Some(entry) => file.numbers(&entry, MOST_SAMPLES),
        None => Ok(vec![default]),
    };
    let (bits, formats) = (all(tag::BITS, 1)?, all(tag::SAMPLE_FORMAT, 1)?);
    let first = bits.first().copied().unwrap_or(1);
    if !(1..=16).contains(&first) || bits.iter().any(|bits| *bits != first) {
        return Err(refused(file, format!("samples of {first} bits are not decoded")));
    }
    // 4 is nothing in particular.
    if formats.iter().any(|format| !matches!(format, 1 | 4)) {
        return Err(refused(file, "samples with a sign or a fraction are not decoded"));
    }
    Ok(u8::try_from(first).unwrap_or(u8::MAX))
}

fn packing(file: &mut Directories<'_>, from: &Directory, compression: u64) -> Result<Packing> {
    Ok(match compression {
        1 => Packing::None,
        2 => Packing::Fax(Fax::Runs),
        3 => {
            let options = from.find(tag::FAX).map(|entry| file.first(&entry)).transpose()?;
            Packing::Fax(Fax::Three { both: options.is_some_and(|options| options & 1 != 0) })
        }
        4 => Packing::Fax(Fax::Four),
        5 => Packing::Lzw,
        7 => Packing::Inner { tables: from.find(tag::TABLES) },
        8 | 32_946 => Packing::Deflate,
        32_773 => Packing::PackBits,
        other => {
            return Err(unsupported(
                file.walk.format(),
                format!("compression {other} is not decoded"),
            )
            .help("save the file with LZW or Deflate, or without compression"));
        }
    })
}

/// What is said of the samples beside the colours. Of four samples of which nothing is said the last is alpha, as most take it.
fn alpha(
    file: &mut Directories<'_>,
    from: &Directory,
    colours: Colours,
    samples: usize,
) -> Result<Option<Alpha>> {
    let first = colours.samples();
    if samples <= first || !matches!(colours, Colours::Grey { .. } | Colours::Rgb) {
        return Ok(None);
    }
    let Some(extra) = from.find(tag::EXTRA) else {
        return Ok((samples == first + 1).then_some(Alpha { sample: first, multiplied: false }));
    };
    let extra = file.numbers(&extra, MOST_SAMPLES)?;
    let found = extra.iter().position(|kind| matches!(kind, 1 | 2));
    let found = found.filter(|at| first + at < samples);
    Ok(found.map(|at| Alpha { sample: first + at, multiplied: extra[at] == 1 }))
}

/// Whether a directory is of a smaller version of another picture, or of its mask.
pub(super) fn is_beside(file: &mut Directories<'_>, directory: &Directory) -> Result<bool> {
    let first = |file: &mut Directories<'_>, tag: u16| {
        directory.find(tag).map(|entry| file.first(&entry)).transpose()
    };
    Ok(first(file, 254)?.is_some_and(|kind| kind & 5 != 0) || first(file, 255)? == Some(2))
}

/// The colours of a palette, of 8 bits: red, green and blue of each.
pub(super) fn palette(
    file: &mut Directories<'_>,
    layout: &Layout,
    limits: &Limits,
) -> Result<Vec<[u8; 3]>> {
    let Some(entry) = layout.palette else { return Ok(Vec::new()) };
    let count = 1_usize << layout.bits.min(8);
    limits.check_metadata(entry.bytes())?;
    let numbers = file.numbers(&entry, 3 << 16)?;
    let (red, green, blue) = (numbers.get(..count), numbers.get(count..), numbers.get(2 * count..));
    let (Some(red), Some(green), Some(blue)) = (red, green, blue) else {
        return Err(corrupt(file.walk.format(), "there is no palette, or it is too short"));
    };
    // Some writers give bytes in the place of numbers of 16 bits.
    let shift = if numbers.iter().all(|number| *number < 256) { 0 } else { 8 };
    let byte = |number: u64| u8::try_from(number >> shift).unwrap_or(u8::MAX);
    let colours = red.iter().zip(green).zip(blue);
    Ok(colours.map(|((r, g), b)| [byte(*r), byte(*g), byte(*b)]).collect())
}
