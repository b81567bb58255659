use crate::codes::Codes;
use crate::failure::{Damage, Failure, Unsupported};

pub(crate) const SOI: u8 = 0xD8;
pub(crate) const EOI: u8 = 0xD9;
pub(crate) const SOS: u8 = 0xDA;

/// The most blocks that a unit may have.
const BLOCKS: u32 = 10;

/// How coefficients are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Coding {
    /// One after the other, with up to two tables of each kind.
    Baseline,
    /// The same with up to four.
    Extended,
    /// In several scans, each with some of them or some of their bits.
    Progressive,
}

/// A file whose header was read, and is one that can be decoded here.
#[derive(Clone, Debug)]
pub struct Jpeg<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) frame: Frame,
    /// Those of the segments before the first scan.
    pub(crate) tables: Tables,
    pub(crate) scan: Scan,
    /// Where the data of the first scan begins.
    pub(crate) data: usize,
}

/// What is said of the picture before its scans.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    pub(crate) coding: Coding,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) components: Vec<Component>,
    /// The largest sampling factors.
    pub(crate) most: (u32, u32),
    /// Whether three components are red, green and blue.
    pub(crate) rgb: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Component {
    id: u8,
    /// Blocks in a unit.
    pub(crate) across: u32,
    pub(crate) down: u32,
    pub(crate) quant: usize,
}

/// The header of a scan.
#[derive(Clone, Debug)]
pub(crate) struct Scan {
    /// Indices of components, each with its tables of DC and AC.
    pub(crate) parts: Vec<(usize, usize, usize)>,
    pub(crate) first: u8,
    pub(crate) last: u8,
    pub(crate) high: u8,
    pub(crate) low: u8,
}

/// What segments define for the scans behind them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    /// The steps of coefficients, in the order in which they are coded.
    pub(crate) quant: [Option<[u16; 64]>; 4],
    pub(crate) dc: [Option<Codes>; 4],
    pub(crate) ac: [Option<Codes>; 4],
    /// Units between two restarts; 0 for none.
    pub(crate) restart: u32,
}

impl<'a> Jpeg<'a> {
    /// Reads the header, up to the first scan.
    ///
    /// # Errors
    /// [`Unsupported`] if the file is one for another decoder.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Unsupported> {
        if !bytes.starts_with(&[0xFF, SOI]) {
            return Err(Unsupported::Structure);
        }
        let (mut at, mut tables) = (2, Tables::default());
        let (mut frame, mut jfif, mut adobe) = (None::<Frame>, false, None);
        loop {
            let (marker, content, end) = segment(bytes, at)?;
            at = end;
            match marker {
                SOS => {
                    let mut frame = frame.ok_or(Unsupported::Structure)?;
                    frame.rgb = is_rgb(&frame, jfif, adobe);
                    let scan = Scan::read(content, &frame)?;
                    if frame.coding != Coding::Progressive && !scan.is_whole() {
                        return Err(Unsupported::Scans);
                    }
                    return Ok(Self { bytes, frame, tables, scan, data: end });
                }
                0xC0..=0xC2 if frame.is_some() => return Err(Unsupported::Structure),
                0xC0..=0xC2 => frame = Some(Frame::read(marker, content)?),
                0xE0 => jfif |= content.starts_with(b"JFIF\0"),
                0xEE if content.starts_with(b"Adobe") => adobe = content.get(11).copied(),
                _ => tables.take(marker, content)?,
            }
        }
    }

    /// In pixels, as stored.
    #[must_use]
    pub fn width(&self) -> u32 {
        self.frame.width
    }

    /// In pixels, as stored.
    #[must_use]
    pub fn height(&self) -> u32 {
        self.frame.height
    }

    /// 1 or 3.
    #[must_use]
    pub fn components(&self) -> usize {
        self.frame.components.len()
    }

    /// How coefficients are coded.
    #[must_use]
    pub fn coding(&self) -> Coding {
        self.frame.coding
    }

    /// How many samples of each component there are across and down for as many pixels: `(2, 2), (1, 1), (1, 1)` of 4:2:0.
    #[must_use]
    pub fn sampling(&self) -> Vec<(u32, u32)> {
        self.frame.components.iter().map(|part| (part.across, part.down)).collect()
    }

    /// Width and height in pixels of a unit: as much as one block of the component that is sampled most coarsely shows.
    #[must_use]
    pub fn unit(&self) -> (u32, u32) {
        (8 * self.frame.most.0, 8 * self.frame.most.1)
    }

    /// Bytes that a decode takes beside the file at most, with its planes: 28 for each block, sixteen for each interval
    /// between restarts, and its tables.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let (across, down) = self.frame.units();
        let blocks: u32 = self.frame.components.iter().map(|part| part.across * part.down).sum();
        let in_all = u64::from(across) * u64::from(down) * u64::from(blocks);
        let intervals = in_all.checked_div(u64::from(self.tables.restart)).unwrap_or(0);
        in_all * 28 + intervals * 16 + (1 << 20)
    }

    /// The next scan behind the data that ends here, and where its own data begins; none at the end.
    pub(crate) fn next(
        &self,
        mut at: usize,
        tables: &mut Tables,
    ) -> Result<Option<(Scan, usize)>, Failure> {
        loop {
            if is_end(self.bytes, at)? {
                return Ok(None);
            }
            let (marker, content, end) = segment(self.bytes, at)?;
            match marker {
                SOS => return Ok(Some((Scan::read(content, &self.frame)?, end))),
                0xC0..=0xC2 => return Err(Unsupported::Structure.into()),
                _ => tables.take(marker, content)?,
            }
            at = end;
        }
    }
}

impl Frame {
    /// Of a picture that is written here, whose components have these samplings.
    pub(crate) fn of(
        width: u32,
        height: u32,
        rgb: bool,
        progressive: bool,
        samplings: &[(u32, u32)],
    ) -> Self {
        let part = |(id, (across, down)): (u8, &(u32, u32))| Component {
            id,
            across: *across,
            down: *down,
            quant: 0,
        };
        let components: Vec<_> = (1..).zip(samplings).map(part).collect();
        let coding = if progressive { Coding::Progressive } else { Coding::Baseline };
        let most = most(&components);
        Self { coding, width, height, components, most, rgb }
    }

    fn read(marker: u8, content: &[u8]) -> Result<Self, Unsupported> {
        let coding = match marker {
            0xC0 => Coding::Baseline,
            0xC1 => Coding::Extended,
            _ => Coding::Progressive,
        };
        let Some((&[depth, h1, h0, w1, w0, count], parts)) = content.split_first_chunk::<6>()
        else {
            return Err(Unsupported::Structure);
        };
        if depth != 8 {
            return Err(Unsupported::Depth);
        }
        let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
        let (width, height) = (side(w1, w0), side(h1, h0));
        if width == 0 || height == 0 {
            return Err(Unsupported::Size);
        }
        let (parts, rest) = parts.as_chunks::<3>();
        if usize::from(count) != parts.len() || !rest.is_empty() {
            return Err(Unsupported::Structure);
        }
        if !matches!(count, 1 | 3) {
            return Err(Unsupported::Components);
        }
        let component = |[id, factors, quant]: [u8; 3]| {
            let (across, down) = (u32::from(factors >> 4), u32::from(factors & 15));
            Component { id, across, down, quant: usize::from(quant) }
        };
        let mut components: Vec<_> = parts.iter().copied().map(component).collect();
        let within = |factor| (1..=4).contains(&factor);
        if !components.iter().all(|part| within(part.across) && within(part.down)) {
            return Err(Unsupported::Sampling);
        }
        // Alone in its scans a component has one block in a unit, whatever is said.
        if let [alone] = &mut *components {
            (alone.across, alone.down) = (1, 1);
        }
        let most = most(&components);
        let divides = |part: &Component| {
            most.0.is_multiple_of(part.across) && most.1.is_multiple_of(part.down)
        };
        let blocks: u32 = components.iter().map(|part| part.across * part.down).sum();
        if blocks > BLOCKS || !components.iter().all(divides) {
            return Err(Unsupported::Sampling);
        }
        let ids: Vec<_> = components.iter().map(|part| part.id).collect();
        let twice = ids.iter().enumerate().any(|(index, id)| ids[..index].contains(id));
        if twice || components.iter().any(|part| part.quant > 3) {
            return Err(Unsupported::Structure);
        }
        Ok(Self { coding, width, height, components, most, rgb: false })
    }

    /// How many units of all components there are, across and down.
    pub(crate) fn units(&self) -> (u32, u32) {
        let count = |side: u32, factor: u32| side.div_ceil(8 * factor);
        (count(self.width, self.most.0), count(self.height, self.most.1))
    }

    /// How many blocks of a component have pixels of the picture, across and down.
    pub(crate) fn blocks(&self, part: &Component) -> (u32, u32) {
        self.samples(part, 1)
    }

    /// How many samples of a component have pixels of the picture, across and down, of which each block has so many of both.
    pub(crate) fn samples(&self, part: &Component, of_block: u32) -> (u32, u32) {
        let count =
            |side: u32, factor: u32, most: u32| (side * factor * of_block).div_ceil(most * 8);
        let (across, down) = self.most;
        (count(self.width, part.across, across), count(self.height, part.down, down))
    }
}

/// The largest sampling factors.
fn most(components: &[Component]) -> (u32, u32) {
    components
        .iter()
        .fold((1, 1), |most: (u32, u32), part| (most.0.max(part.across), most.1.max(part.down)))
}

impl Scan {
    /// Which components it has.
    pub(crate) fn indices(&self) -> Vec<usize> {
        self.parts.iter().map(|(index, ..)| *index).collect()
    }

    pub(crate) fn read(content: &[u8], frame: &Frame) -> Result<Self, Unsupported> {
        let broken = Unsupported::Structure;
        let (count, content) = content.split_first().ok_or(broken)?;
        let (parts, rest) = content.split_at_checked(2 * usize::from(*count)).ok_or(broken)?;
        let &[first, last, bits] = rest else { return Err(broken) };
        let (parts, _) = parts.as_chunks::<2>();
        let mut found: Vec<(usize, usize, usize)> = Vec::with_capacity(parts.len());
        for [id, tables] in parts {
            let known = frame.components.iter().position(|part| part.id == *id).ok_or(broken)?;
            let (dc, ac) = (usize::from(tables >> 4), usize::from(tables & 15));
            if dc > 3 || ac > 3 || found.iter().any(|(other, ..)| *other >= known) {
                return Err(broken);
            }
            found.push((known, dc, ac));
        }
        if found.is_empty() {
            return Err(broken);
        }
        Ok(Self { parts: found, first, last, high: bits >> 4, low: bits & 15 })
    }

    /// Whether it gives all coefficients, and all of each.
    fn is_whole(&self) -> bool {
        (self.first, self.last, self.high, self.low) == (0, 63, 0, 0)
    }

    /// Notes which components a scan gives of a file that is not progressive: all of each at once, and none twice.
    pub(crate) fn whole(&self, given: &mut [bool]) -> Result<(), Unsupported> {
        let twice =
            self.parts.iter().any(|(index, ..)| std::mem::replace(&mut given[*index], true));
        if twice || !self.is_whole() { Err(Unsupported::Scans) } else { Ok(()) }
    }
}

impl Tables {
    /// Takes what a segment defines.
    ///
    /// # Errors
    /// [`Unsupported`] for segments that are none of a picture that is read here.
    pub(crate) fn take(&mut self, marker: u8, content: &[u8]) -> Result<(), Unsupported> {
        match marker {
            0xDB => self.take_steps(content),
            0xC4 => self.take_codes(content),
            0xDD => match content {
                &[high, low] => {
                    self.restart = u32::from(u16::from_be_bytes([high, low]));
                    Ok(())
                }
                _ => Err(Unsupported::Structure),
            },
            0xE0..=0xEF | 0xFE => Ok(()),
            0xC3 | 0xC5..=0xCF => Err(Unsupported::Coding),
            0xDC => Err(Unsupported::Size),
            _ => Err(Unsupported::Structure),
        }
    }

    fn take_steps(&mut self, mut content: &[u8]) -> Result<(), Unsupported> {
        while let Some((kind, rest)) = content.split_first() {
            let wide = kind >> 4 == 1;
            let (steps, rest) =
                rest.split_at_checked(if wide { 128 } else { 64 }).ok_or(Unsupported::Tables)?;
            let mut table = [0; 64];
            for (step, bytes) in table.iter_mut().zip(steps.chunks_exact(steps.len() / 64)) {
                *step = bytes.iter().fold(0, |step, byte| step << 8 | u16::from(*byte));
            }
            let place = self.quant.get_mut(usize::from(kind & 15));
            *place.filter(|_| *kind < 0x20).ok_or(Unsupported::Tables)? = Some(table);
            content = rest;
        }
        Ok(())
    }

    fn take_codes(&mut self, mut content: &[u8]) -> Result<(), Unsupported> {
        while let Some((kind, rest)) = content.split_first() {
            let (codes, rest) = Codes::read(rest)?;
            let class = match kind >> 4 {
                0 if codes.are_sizes() => &mut self.dc,
                1 => &mut self.ac,
                _ => return Err(Unsupported::Tables),
            };
            *class.get_mut(usize::from(kind & 15)).ok_or(Unsupported::Tables)? = Some(codes);
            content = rest;
        }
        Ok(())
    }
}

/// What a file begins with that is written here: a JFIF header without a density, or Adobe's of red, green and blue.
pub(crate) fn opening(rgb: bool) -> Vec<u8> {
    let head: &[u8] = match rgb {
        true => b"\xFF\xD8\xFF\xEE\0\x0EAdobe\0\x64\0\0\0\0\0",
        false => b"\xFF\xD8\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0",
    };
    head.to_vec()
}

/// Whether the end marker is here.
pub(crate) fn is_end(bytes: &[u8], at: usize) -> Result<bool, Damage> {
    let rest = bytes.get(at..).unwrap_or_default();
    let fill = rest.iter().take_while(|byte| **byte == 0xFF).count();
    rest.get(fill).map(|marker| *marker == EOI && fill > 0).ok_or(Damage::Cut)
}

/// A segment: its name, its content, and where it ends.
pub(crate) fn segment(bytes: &[u8], at: usize) -> Result<(u8, &[u8], usize), Unsupported> {
    let broken = Unsupported::Structure;
    let rest = bytes.get(at..).ok_or(broken)?;
    let fill = rest.iter().take_while(|byte| **byte == 0xFF).count();
    let &[marker, high, low, ..] = rest.get(fill..).ok_or(broken)? else { return Err(broken) };
    let len = usize::from(u16::from_be_bytes([high, low]));
    if fill == 0 || matches!(marker, 0 | 1 | 0xD0..=EOI) || len < 2 {
        return Err(broken);
    }
    let begin = at + fill + 3;
    let end = begin + len - 2;
    Ok((marker, bytes.get(begin..end).ok_or(broken)?, end))
}

/// As libjpeg guesses.
fn is_rgb(frame: &Frame, jfif: bool, adobe: Option<u8>) -> bool {
    let ids = || frame.components.iter().map(|part| part.id).eq(*b"RGB");
    match (jfif, adobe) {
        (true, _) => false,
        (false, Some(transform)) => transform == 0,
        (false, None) => ids(),
    }
}
