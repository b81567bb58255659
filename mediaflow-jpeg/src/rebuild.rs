use crate::Control;
use crate::bits::{Bits, Writer};
use crate::codes::{Codes, Shorts};
use crate::differences::Differences;
use crate::failure::Failure;

/// What a scan of whole blocks, or of the first bits of their means, is made of, for [`Layout::rebuilt`].
#[derive(Debug)]
pub struct Layout {
    /// Those of a unit.
    blocks: Vec<Block>,
    across: u64,
    units: u64,
    every: u64,
}

/// The data of a scan with all of its units: those that can not be read go on as flat.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Rebuilt {
    /// As it stands in a file, behind the header of the scan.
    pub data: Vec<u8>,
    /// How many units are not there.
    pub lost: u64,
}

/// How a block is coded; of AC only where a scan has all coefficients.
#[derive(Debug)]
struct Block {
    dc: Differences,
    ac: Option<Shorts>,
    /// The codes of a block that is like the one before.
    flat: Vec<(u16, u8)>,
}

impl Layout {
    /// Of so many units across and down, with a restart after so many, or with none after 0. It has no blocks yet.
    #[must_use]
    pub fn new((across, down): (u64, u64), restart: u64) -> Self {
        let units = across * down;
        let every = if restart == 0 { units } else { restart };
        Self { blocks: Vec::new(), across: across.max(1), units, every }
    }

    /// With so many blocks more in each unit, of these codes. `None` if they have none for nothing, which flat blocks take.
    #[must_use]
    pub fn blocks(mut self, count: u32, dc: &Codes, ac: Option<&Codes>) -> Option<Self> {
        for _ in 0..count {
            let flat = std::iter::once(dc).chain(ac).map(|codes| codes.code(0));
            let flat = flat.collect::<Option<_>>()?;
            let block = Block { dc: Differences::new(dc), ac: ac.map(Shorts::new), flat };
            self.blocks.push(block);
        }
        Some(self)
    }

    /// Reads the codes of a scan as far as they go, and writes it anew with all that is missing. After a restart it goes on.
    ///
    /// # Errors
    /// [`Failure::Stopped`].
    pub fn rebuilt(&self, data: &[u8], control: &Control<'_>) -> Result<Rebuilt, Failure> {
        let &Self { units, every, .. } = self;
        let (mut from, mut done, mut lost, mut to) = (data, 0, 0, Writer::default());
        let mut restarts = 0_u8;
        while done < units {
            let count = every.min(units - done);
            let interval = Interval::next(&mut from);
            let read = self.read(&interval.plain, count, control)?;
            if read.units == count {
                to.bytes.extend_from_slice(interval.raw);
            } else {
                to.copy(&interval.plain, 0..read.bits);
                self.flat(&mut to, count - read.units);
                lost += count - read.units;
            }
            done += count;
            // Whole intervals may be lost: their numbers tell, of up to seven.
            let skipped = interval.restart.map_or(0, |found| found.wrapping_sub(restarts) & 7);
            for _ in 0..skipped {
                if done < units {
                    restart(&mut to, &mut restarts);
                    let count = every.min(units - done);
                    self.flat(&mut to, count);
                    (done, lost) = (done + count, lost + count);
                }
            }
            if done < units {
                restart(&mut to, &mut restarts);
            }
        }
        Ok(Rebuilt { data: to.bytes, lost })
    }

    fn read(&self, plain: &[u8], count: u64, control: &Control<'_>) -> Result<Legible, Failure> {
        let mut bits = Bits::new(plain, 0);
        let mut legible = Legible { units: 0, bits: 0 };
        while legible.units < count {
            if legible.units.is_multiple_of(self.across) {
                control.check()?;
            }
            if self.blocks.iter().any(|block| block.pass(&mut bits).is_none()) {
                break;
            }
            legible = Legible { units: legible.units + 1, bits: bits.at() };
        }
        Ok(legible)
    }

    /// So many units that are like the one before, to the end of a byte.
    fn flat(&self, to: &mut Writer, count: u64) {
        for _ in 0..count {
            let codes = self.blocks.iter().flat_map(|block| &block.flat);
            codes.for_each(|(code, length)| to.put(*code, *length));
        }
        to.pad();
    }
}

impl Block {
    /// Goes over a block; nothing if it is none, or ends too early.
    fn pass(&self, bits: &mut Bits<'_>) -> Option<()> {
        bits.difference(&self.dc)?;
        self.ac.as_ref().map_or(Some(()), |codes| bits.rest(codes))
    }
}

fn restart(to: &mut Writer, number: &mut u8) {
    to.bytes.extend([0xFF, 0xD0 + *number]);
    *number = (*number + 1) & 7;
}

/// Data up to a restart, or to the end.
struct Interval<'a> {
    raw: &'a [u8],
    /// Without the zeros that keep it apart from markers.
    plain: Vec<u8>,
    /// The number of the restart behind it.
    restart: Option<u8>,
}

/// How much of an interval can be read: whole units, and their bits.
struct Legible {
    units: u64,
    bits: usize,
}

impl<'a> Interval<'a> {
    fn next(from: &mut &'a [u8]) -> Self {
        let (all, mut plain, mut at) = (*from, Vec::new(), 0);
        loop {
            let rest = all.get(at..).unwrap_or_default();
            let Some(next) = memchr::memchr(0xFF, rest) else {
                plain.extend_from_slice(rest);
                *from = &[];
                return Self { raw: all, plain, restart: None };
            };
            plain.extend_from_slice(&rest[..next]);
            match rest.get(next + 1) {
                Some(0) => {
                    plain.push(0xFF);
                    at += next + 2;
                }
                Some(0xFF) => at += next + 1,
                Some(name) => {
                    *from = &rest[next + 2..];
                    let restart = matches!(name, 0xD0..=0xD7).then_some(name & 7);
                    return Self { raw: &all[..at + next], plain, restart };
                }
                None => {
                    *from = &[];
                    return Self { raw: &all[..at + next], plain, restart: None };
                }
            }
        }
    }
}
