use crate::Control;
use crate::area::Area;
use crate::baseline::machine;
use crate::bits::{Bits, Writer};
use crate::blind::{self, Known, finish};
use crate::codes::Shorts;
use crate::failure::{Damage, Failure, Unsupported};
use crate::feed::Data;
use crate::header::{Coding, EOI, Jpeg, segment};
use crate::lanes::{Lane, Machine};

/// In so many rows of units a place is looked for: one in eight is one, for each needs another count of bits.
const TRIES: usize = 48;

/// A picture as two files of their own, one above the other, for who decodes both at the same time.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Halves {
    /// With all that came before the data.
    pub upper: Vec<u8>,
    /// The same.
    pub lower: Vec<u8>,
    /// So many rows of pixels are in the upper one.
    pub rows: u32,
}

impl Jpeg<'_> {
    /// Cuts it in two, behind this share of its data (0 to 1) at least, and between two rows of units. That takes a fraction of the
    /// time that it takes to decode what is above: it is passed over. Coefficients are what they were: the first mean below the
    /// cut is written anew, and all that follows is copied, which it can be where no bit moves to another place in its byte.
    /// `None` if there is no such row soon.
    ///
    /// # Errors
    /// [`Failure::Unsupported`] for files that are progressive, or in several scans, or have restarts, where there is no need;
    /// [`Failure::Damaged`] for damage in the upper part; [`Failure::Stopped`].
    pub fn halves(&self, share: f64, control: &Control<'_>) -> Result<Option<Halves>, Failure> {
        let several = self.scan.parts.len() < self.components();
        if several || self.coding() == Coding::Progressive || self.tables.restart > 0 {
            return Err(Unsupported::Scans.into());
        }
        let data = Data::find(self.bytes, self.data, 1)?;
        if data.count > 1 || data.marker != EOI {
            return Err(Unsupported::Stray.into());
        }
        let (across, down) = self.frame.units();
        let area = Area::new(&self.frame, &self.scan.indices());
        let scan = (&self.scan, &self.tables);
        let codes = &self.bytes[self.data..data.end];
        let mut machine = machine(&area, scan, |_| false, codes.len())?;
        let in_row = across as usize * machine.unit();
        let of = in_row * down as usize;
        let above = share_of(codes.len(), share);
        let known = blind::read_to(above, &mut machine, (codes, of), control, &mut |_, _, _| {})?;
        let Known { mut lane, first, from, lack } = known;
        let read = (first + lane.found.means.len()).saturating_sub(from);
        for row in (read.div_ceil(in_row).max(1)..down as usize).take(TRIES) {
            lane.most = (row * in_row + from).saturating_sub(first);
            while machine.round(&mut [&mut lane]) {
                control.check()?;
            }
            if !lane.is_done() {
                // It is damage, and of which kind is told there.
                finish(&mut machine, &mut lane, control, (first, from, of))?;
                return Err(Damage::Cut.into());
            }
            if let Some(begin) = self.begin(&machine, &lane, lack) {
                let (at, bit) = lane.place(&machine, 0);
                let rows = 8 * self.frame.most.1 * u32::try_from(row).unwrap_or(down);
                return Ok(self.cut(rows, ((self.data + at, bit), begin)));
            }
        }
        Ok(None)
    }

    /// The codes of the unit that comes next as the first of a picture: means are differences from the one before, and there is
    /// none. `None` if there are no such codes, or what follows would have to be moved by bits.
    fn begin(&self, machine: &Machine, lane: &Lane<'_>, lack: [i16; 3]) -> Option<Begin> {
        let (window, at) = lane.window(machine);
        let (mut bits, mut codes, mut last) = (Bits::new(window, at), Writer::default(), None);
        for part in &machine.parts {
            let &(_, dc, ac) =
                self.scan.parts.iter().find(|(index, ..)| *index == part.component)?;
            let (dc, ac) = (self.tables.dc[dc].as_ref()?, self.tables.ac[ac].as_ref()?);
            let mut begin = bits.at();
            let mut difference = i32::from(bits.difference(&machine.differences[part.pair])?);
            if last != Some(part.component) {
                last = Some(part.component);
                let before = lane.found.last[part.component].wrapping_add(lack[part.component]);
                difference += i32::from(before);
                begin = bits.at();
                let size = 32 - difference.unsigned_abs().leading_zeros();
                let (code, length) = dc.code(u8::try_from(size).ok()?)?;
                codes.put(code, length);
                let value = if difference < 0 { difference - 1 } else { difference };
                let value = value & ((1 << size) - 1);
                codes.put(u16::try_from(value).ok()?, u8::try_from(size).ok()?);
            }
            bits.rest(&Shorts::new(ac))?;
            codes.copy(window, begin..bits.at());
        }
        let (after, bit) = lane.place(machine, u32::try_from(bits.at() - at).ok()?);
        let after = (self.data + after, bit);
        (codes.phase() == u32::from(bit)).then_some(Begin { codes, after })
    }

    /// Both files, cut before this byte and bit, below so many rows.
    fn cut(&self, rows: u32, ((at, bit), begin): ((usize, u8), Begin)) -> Option<Halves> {
        let mut upper = self.head(rows)?;
        upper.extend_from_slice(self.bytes.get(self.data..at)?);
        if bit > 0 {
            let byte = *self.bytes.get(at)? | 0xFF >> bit;
            upper.push(byte);
            if byte == 0xFF {
                upper.push(0);
            }
        }
        upper.extend([0xFF, EOI]);
        let Begin { mut codes, after: (mut at, bit) } = begin;
        let mut lower = self.head(self.height().checked_sub(rows)?)?;
        if bit > 0 {
            let byte = *self.bytes.get(at)?;
            codes.put(u16::from(byte & 0xFF >> bit), 8 - bit);
            at += if byte == 0xFF { 2 } else { 1 };
        }
        let rest = self.bytes.get(at..)?;
        lower.reserve_exact(codes.bytes.len() + rest.len());
        lower.extend_from_slice(&codes.bytes);
        lower.extend_from_slice(rest);
        Some(Halves { upper, lower, rows })
    }

    /// All that comes before the data, with another height.
    fn head(&self, height: u32) -> Option<Vec<u8>> {
        let mut head = self.bytes.get(..self.data)?.to_vec();
        let height = u16::try_from(height).ok().filter(|height| *height > 0)?;
        let mut at = 2;
        loop {
            let (marker, content, end) = segment(self.bytes, at).ok()?;
            if matches!(marker, 0xC0..=0xC2) {
                let place = end - content.len() + 1;
                head.get_mut(place..place + 2)?.copy_from_slice(&height.to_be_bytes());
                return Some(head);
            }
            at = end;
        }
    }
}

/// Bytes that are this share of so many.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to all of them")]
fn share_of(bytes: usize, share: f64) -> usize {
    (bytes as f64 * share.clamp(0.0, 1.0)) as usize
}

/// How a lower part begins: the codes of its first unit, and where the rest follows, byte and bit.
struct Begin {
    codes: Writer,
    after: (usize, u8),
}
