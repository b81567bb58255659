use mediaflow_core::Result;
use mediaflow_core::media::Format;

use super::segment::{DHT, DQT, DRI, Segment};
use crate::codec::Header;
use crate::error::{corrupt, unsupported};

/// What a decoder gives: width, height, channels (4 are inks, 255 is none) and pixels.
pub(super) type Read = (u32, u32, u8, Vec<u8>);

/// What is said of the picture before its scans.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    /// Which kind of coding it is.
    marker: u8,
    depth: u8,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) components: Vec<Component>,
}

/// One plane of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Component {
    pub(super) id: u8,
    /// Blocks in a unit, across and down.
    pub(super) across: u32,
    pub(super) down: u32,
    table: u8,
}

/// The header of a scan.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    /// Which components, and the tables that each takes: of DC and of AC.
    pub(super) parts: Vec<(Component, u8, u8)>,
    /// The first and the last coefficient.
    pub(super) first: u8,
    pub(super) last: u8,
    /// The bit before, and the bit that it gives: 0 is the lowest.
    pub(super) high: u8,
    pub(super) low: u8,
}

impl Frame {
    pub(super) fn is(marker: u8) -> bool {
        matches!(marker, 0xC0..=0xCF) && !matches!(marker, DHT | 0xC8 | 0xCC)
    }

    pub(super) fn read(marker: u8, data: &[u8]) -> Result<Self> {
        let broken = || corrupt(&Format::JPEG, "the header of the picture is damaged");
        let (head, components) = data.split_at_checked(6).ok_or_else(broken)?;
        let &[depth, h1, h0, w1, w0, count] = head else { return Err(broken()) };
        let components = components.get(..3 * usize::from(count)).ok_or_else(broken)?;
        let component = |part: &[u8; 3]| {
            let [id, factors, table] = *part;
            let (across, down) = (u32::from(factors >> 4), u32::from(factors & 15));
            Component { id, across, down, table }
        };
        let (parts, _) = components.as_chunks::<3>();
        let components: Vec<_> = parts.iter().map(component).collect();
        let within = |factor| (1..=4).contains(&factor);
        if !components.iter().all(|part| within(part.across) && within(part.down)) {
            return Err(corrupt(&Format::JPEG, "a sampling factor is out of range"));
        }
        let side = |high, low| u32::from(u16::from_be_bytes([high, low]));
        Ok(Self { marker, depth, width: side(w1, w0), height: side(h1, h0), components })
    }

    pub(super) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    pub(super) fn is_progressive(&self) -> bool {
        self.marker == 0xC2
    }

    /// What the planner is to know of it.
    ///
    /// # Errors
    /// `image.unsupported`.
    pub(super) fn header(&self) -> Result<Header> {
        let mut header = Header::new(Format::JPEG);
        (header.depth, header.width, header.height) = (self.depth, self.width, self.height);
        let refused = |what| Err(unsupported(&Format::JPEG, what));
        match self.marker {
            0xC0..=0xC2 => {}
            0xC9 | 0xCA => return refused("arithmetic coding is not decoded"),
            _ => return refused("lossless and hierarchical JPEG are not decoded"),
        }
        if self.depth != 8 {
            return Err(unsupported(&Format::JPEG, "only 8 bits per sample are decoded")
                .with("depth", self.depth));
        }
        header.channels = match self.components.len() {
            1 => 1,
            3 | 4 => 3,
            _ => return refused("only 1, 3 and 4 components are decoded"),
        };
        header.unit = self.unit();
        if self.is_progressive() {
            (header.decoder_bytes, header.progressive) = (self.coefficients(), true);
        }
        Ok(header)
    }

    /// Width and height of its units in pixels, if their coefficients can be read without decoding them.
    fn unit(&self) -> Option<(u32, u32)> {
        let (across, down) = match &*self.components {
            [_] => (1, 1),
            [_, _, _] => self.largest(),
            _ => return None,
        };
        let divides =
            |part: &Component| across.is_multiple_of(part.across) && down.is_multiple_of(part.down);
        let blocks: u64 = self.components.iter().map(Component::blocks).sum();
        let alone = self.components.len() == 1;
        (alone || blocks <= 10 && self.components.iter().all(divides))
            .then_some((8 * across, 8 * down))
    }

    /// Two bytes for each sample of each component, in whole blocks: 3 bytes per pixel at 4:2:0.
    fn coefficients(&self) -> u64 {
        let (across, down) = self.units();
        let blocks: u64 = self.components.iter().map(Component::blocks).sum();
        across * down * blocks * 64 * 2
    }

    /// How many units of all components there are, across and down.
    pub(super) fn units(&self) -> (u64, u64) {
        let (widest, tallest) = self.largest();
        let count = |side: u32, factor: u32| u64::from(side.div_ceil(8 * factor));
        (count(self.width, widest), count(self.height, tallest))
    }

    fn largest(&self) -> (u32, u32) {
        let across = self.components.iter().map(|part| part.across).max();
        let down = self.components.iter().map(|part| part.down).max();
        (across.unwrap_or(1), down.unwrap_or(1))
    }

    /// The blocks of one component that has a scan of its own, across and down.
    pub(super) fn blocks(&self, part: Component) -> (u64, u64) {
        let (widest, tallest) = self.largest();
        let count = |side: u32, factor: u32, most: u32| {
            u64::from((side * factor).div_ceil(most).div_ceil(8))
        };
        (count(self.width, part.across, widest), count(self.height, part.down, tallest))
    }

    /// The header of a scan, if it is one of this frame.
    pub(super) fn scan(&self, data: &[u8]) -> Option<Scan> {
        let (count, data) = data.split_first()?;
        let (parts, rest) = data.split_at_checked(2 * usize::from(*count))?;
        let &[first, last, bits, ..] = rest else { return None };
        let (parts, _) = parts.as_chunks::<2>();
        let parts = parts.iter().map(|[id, tables]| {
            let part = self.components.iter().find(|part| part.id == *id)?;
            Some((*part, tables >> 4, tables & 15))
        });
        let parts = parts.collect::<Option<Vec<_>>>().filter(|parts| !parts.is_empty())?;
        Some(Scan { parts, first, last, high: bits >> 4, low: bits & 15 })
    }

    /// Whether a component is one of a scan.
    pub(super) fn index(&self, part: Component) -> Option<usize> {
        self.components.iter().position(|known| known.id == part.id)
    }
}

impl Component {
    fn blocks(&self) -> u64 {
        u64::from(self.across * self.down)
    }
}

/// What the segments before a scan define.
#[derive(Clone, Debug, Default)]
pub(super) struct Tables {
    quantization: u32,
    /// Lengths and symbols, by class and number: DC first.
    pub(super) huffman: Vec<(u8, [u8; 16], Vec<u8>)>,
    /// Units between two restarts; 0 for none.
    pub(super) restart: u64,
}

impl Tables {
    /// Those of all segments; `None` if one is damaged.
    pub(super) fn of(segments: &[Segment], bytes: &[u8]) -> Option<Self> {
        let mut tables = Self::default();
        for segment in segments {
            tables.take(segment, bytes)?;
        }
        Some(tables)
    }

    /// What one more segment defines.
    pub(super) fn take(&mut self, segment: &Segment, bytes: &[u8]) -> Option<()> {
        let mut data = bytes.get(segment.content.clone())?;
        match segment.marker {
            DQT => {
                while let Some((kind, rest)) = data.split_first() {
                    data = rest.get(if kind >> 4 == 0 { 64 } else { 128 }..)?;
                    self.quantization |= 1 << (kind & 15);
                }
            }
            DHT => {
                while let Some((kind, rest)) = data.split_first() {
                    let (lengths, rest) = rest.split_first_chunk::<16>()?;
                    let count = lengths.iter().map(|count| usize::from(*count)).sum();
                    let (symbols, rest) = rest.split_at_checked(count)?;
                    self.huffman.retain(|(known, ..)| known != kind);
                    self.huffman.push((*kind, *lengths, symbols.to_vec()));
                    data = rest;
                }
            }
            DRI => self.restart = u64::from(u16::from_be_bytes(data.get(..2)?.try_into().ok()?)),
            _ => {}
        }
        Some(())
    }

    /// Sees to it that each has a code for nothing, which flat blocks take: tables that were made for one picture may not. There is
    /// room for one more code where the longest is shorter than 16 bits, because ones alone are none.
    pub(super) fn complete(&mut self) {
        for (_, lengths, symbols) in &mut self.huffman {
            let longest = lengths.iter().rposition(|count| *count > 0);
            if let Some(longer) = longest.and_then(|longest| lengths.get_mut(longest + 1))
                && !symbols.contains(&0)
            {
                *longer += 1;
                symbols.push(0);
            }
        }
    }

    /// All of its codes, as a segment.
    pub(super) fn put_codes(&self, to: &mut Vec<u8>) {
        let len: usize = self.huffman.iter().map(|(.., symbols)| 17 + symbols.len()).sum();
        to.extend([0xFF, DHT]);
        to.extend(u16::try_from(len + 2).unwrap_or(u16::MAX).to_be_bytes());
        for (kind, lengths, symbols) in &self.huffman {
            to.push(*kind);
            to.extend_from_slice(lengths);
            to.extend_from_slice(symbols);
        }
    }

    /// Whether a scan has what it needs of them.
    pub(super) fn serve(&self, frame: &Frame, scan: &Scan) -> bool {
        let quantized = |part: &Component| self.quantization & (1 << (part.table & 15)) != 0;
        let has = |kind: u8| self.huffman.iter().any(|(known, ..)| *known == kind);
        let coded = |(_, dc, ac): &(Component, u8, u8)| {
            has(*dc) && (frame.is_progressive() || has(0x10 | *ac))
        };
        frame.components.iter().all(quantized) && scan.parts.iter().all(coded)
    }
}
