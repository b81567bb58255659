use mediaflow_core::{Error, Limits, Result};

use crate::codec::Walk;
use crate::error::unsupported;

/// In which order the bytes of a number stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Little,
    Big,
}

impl Order {
    pub(super) fn number<const N: usize>(self, bytes: [u8; N]) -> u64 {
        let add = |number: u64, byte: u8| number << 8 | u64::from(byte);
        match self {
            Self::Little => bytes.into_iter().rev().fold(0, add),
            Self::Big => bytes.into_iter().fold(0, add),
        }
    }
}

/// What a directory says of one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    tag: u16,
    kind: u16,
    pub(super) count: u64,
    /// Where the values stand in the file.
    pub(super) at: u64,
}

impl Entry {
    /// Bytes of one value; none of a kind that is not known.
    pub(super) fn size(&self) -> u64 {
        match self.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => 0,
        }
    }

    /// Bytes of all values.
    pub(super) fn bytes(&self) -> u64 {
        self.count.saturating_mul(self.size())
    }

    /// Whether the values are numbers without sign or fraction.
    pub(super) fn is_whole(&self) -> bool {
        matches!(self.kind, 1 | 3 | 4 | 13 | 16 | 18)
    }
}

/// What a directory says of one picture.
#[derive(Debug)]
pub(super) struct Directory {
    /// Where it stands.
    pub(super) at: u64,
    entries: Vec<Entry>,
    /// Where the next one stands; nowhere if zero.
    pub(super) next: u64,
}

impl Directory {
    pub(super) fn find(&self, tag: u16) -> Option<Entry> {
        self.entries.iter().find(|entry| entry.tag == tag).copied()
    }
}

/// A file that is read from place to place.
pub(super) struct Directories<'a> {
    pub(super) walk: &'a mut Walk,
    pub(super) order: Order,
    /// Whether places have 8 bytes: a `BigTIFF`.
    pub(super) big: bool,
}

/// The most entries of a directory: what the smaller of both forms can count.
const ENTRIES: u64 = u16::MAX as u64;

impl<'a> Directories<'a> {
    /// Reads the head of a file; gives where its first directory stands.
    pub(super) fn open(walk: &'a mut Walk) -> Result<(Self, u64)> {
        let order = match &walk.array::<2>()? {
            b"II" => Order::Little,
            b"MM" => Order::Big,
            _ => return Err(walk.corrupt("the signature is damaged")),
        };
        let big = match order.number(walk.array::<2>()?) {
            42 => false,
            43 => true,
            _ => return Err(walk.corrupt("the signature is damaged")),
        };
        let mut file = Self { walk, order, big };
        if big && (file.number::<2>()?, file.number::<2>()?) != (8, 0) {
            return Err(unsupported(file.walk.format(), "places of another size than 8 bytes"));
        }
        let first = file.place()?;
        Ok((file, first))
    }

    fn number<const N: usize>(&mut self) -> Result<u64> {
        Ok(self.order.number(self.walk.array::<N>()?))
    }

    fn place(&mut self) -> Result<u64> {
        if self.big { self.number::<8>() } else { self.number::<4>() }
    }

    /// Reads the directory at this place.
    pub(super) fn directory(&mut self, at: u64) -> Result<Directory> {
        self.walk.go(at)?;
        let count = if self.big { self.number::<8>()? } else { self.number::<2>()? };
        if count > ENTRIES {
            return Err(self.walk.corrupt("a directory has too many entries"));
        }
        let inline = if self.big { 8 } else { 4 };
        let mut entries = Vec::new();
        for _ in 0..count {
            let tag = u16::from_be_bytes(self.short()?);
            let kind = u16::from_be_bytes(self.short()?);
            let count = self.place()?;
            let mut entry = Entry { tag, kind, count, at: self.walk.at() };
            let value = self.place()?;
            if entry.bytes() > inline {
                entry.at = value;
            }
            entries.push(entry);
        }
        let next = self.place()?;
        Ok(Directory { at, entries, next })
    }

    fn short(&mut self) -> Result<[u8; 2]> {
        let mut bytes = self.walk.array::<2>()?;
        if self.order == Order::Little {
            bytes.reverse();
        }
        Ok(bytes)
    }

    /// The numbers of an entry, which are not more than `most`.
    pub(super) fn numbers(&mut self, entry: &Entry, most: u64) -> Result<Vec<u64>> {
        if !entry.is_whole() || entry.count > most {
            return Err(self.wrong(entry));
        }
        self.walk.go(entry.at)?;
        let one = |file: &mut Self| match entry.size() {
            1 => file.number::<1>(),
            2 => file.number::<2>(),
            4 => file.number::<4>(),
            _ => file.number::<8>(),
        };
        (0..entry.count).map(|_| one(self)).collect()
    }

    /// The only number of an entry, or the first.
    pub(super) fn first(&mut self, entry: &Entry) -> Result<u64> {
        let one = Entry { count: entry.count.min(1), ..*entry };
        self.numbers(&one, 1)?.first().copied().ok_or_else(|| self.wrong(entry))
    }

    /// The bytes of an entry.
    pub(super) fn bytes(&mut self, entry: &Entry, limits: &Limits) -> Result<Vec<u8>> {
        limits.check_metadata(entry.bytes())?;
        self.walk.go(entry.at)?;
        self.walk.bytes(usize::try_from(entry.bytes()).unwrap_or(usize::MAX))
    }

    pub(super) fn wrong(&self, entry: &Entry) -> Error {
        self.walk.corrupt("an entry of a directory makes no sense").with("tag", entry.tag)
    }
}
