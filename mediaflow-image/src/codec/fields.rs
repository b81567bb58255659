//! A block of EXIF, which is a TIFF without a picture: what its directories say, read and written.

use std::collections::BTreeMap;

/// One directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fields {
    /// Whether the lowest byte of a number comes first.
    pub(crate) little: bool,
    list: BTreeMap<u16, Field>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    /// Values of a kind, so many, as they stand in the file.
    Values(u16, u32, Vec<u8>),
    Within(Fields),
}

/// The directories within a directory: of the photo, of its place, of how it can be exchanged.
const WITHIN: [u16; 3] = [0x8769, 0x8825, 0xA005];

/// Directories within directories within a directory are the most there is.
const DEPTH: u8 = 2;

#[cfg(feature = "tiff")]
const SHORT: u16 = 3;
const LONG: u16 = 4;

impl Fields {
    pub(crate) fn new() -> Self {
        Self { little: true, list: BTreeMap::new() }
    }

    /// What a block says, as far as it can be read: a value that lies outside is left out.
    pub(crate) fn of_block(block: &[u8], wanted: impl Fn(u16) -> bool) -> Option<Self> {
        let little = is_little(block)?;
        let at = u32::from_le_bytes(ordered(block.get(4..8)?.try_into().ok()?, little));
        Self::read(block, little, usize::try_from(at).ok()?, wanted)
    }

    /// What the directory at this place says, of those tags that are wanted, with all that is within.
    pub(crate) fn read(
        bytes: &[u8],
        little: bool,
        at: usize,
        wanted: impl Fn(u16) -> bool,
    ) -> Option<Self> {
        directory(bytes, little, at, &wanted, DEPTH)
    }

    /// Adds whole numbers.
    #[cfg(feature = "tiff")]
    pub(crate) fn numbers(&mut self, tag: u16, numbers: &[u32]) {
        let short = numbers.iter().all(|number| *number <= u32::from(u16::MAX));
        let (kind, size) = if short { (SHORT, 2) } else { (LONG, 4) };
        let mut bytes = Vec::new();
        for number in numbers {
            let start = bytes.len();
            bytes.extend_from_slice(&number.to_le_bytes()[..size]);
            if !self.little {
                bytes[start..].reverse();
            }
        }
        self.put(tag, kind, numbers.len(), bytes);
    }

    /// Adds bytes that are no numbers.
    #[cfg(feature = "tiff")]
    pub(crate) fn bytes(&mut self, tag: u16, bytes: &[u8]) {
        self.put(tag, 7, bytes.len(), bytes.to_vec());
    }

    /// What a text says, up to its end.
    pub(crate) fn said(&self, tag: u16) -> Option<&[u8]> {
        match self.list.get(&tag)? {
            Field::Values(2, _, text) => text.split(|byte| *byte == 0).next(),
            _ => None,
        }
    }

    /// The directory within.
    pub(crate) fn within(&self, tag: u16) -> Option<&Self> {
        match self.list.get(&tag)? {
            Field::Within(fields) => Some(fields),
            Field::Values(..) => None,
        }
    }

    /// Numbers, of whatever kind; those that make no sense are left out.
    pub(crate) fn values(&self, tag: u16) -> Vec<f64> {
        let Some(Field::Values(kind, _, bytes)) = self.list.get(&tag) else { return Vec::new() };
        let size = match kind {
            1 => 1,
            3 => 2,
            4 | 9 => 4,
            5 | 10 => 8,
            _ => return Vec::new(),
        };
        let whole = |bytes: &[u8]| {
            let mut ordered = [0; 4];
            ordered[..bytes.len()].copy_from_slice(bytes);
            if !self.little {
                ordered[..bytes.len()].reverse();
            }
            let value = u32::from_le_bytes(ordered);
            let is_signed = matches!(kind, 9 | 10);
            if is_signed { f64::from(value.cast_signed()) } else { f64::from(value) }
        };
        let number = |bytes: &[u8]| match bytes.split_at_checked(4) {
            Some((over, under)) if !under.is_empty() => whole(over) / whole(under),
            _ => whole(bytes),
        };
        bytes.chunks_exact(size).map(number).filter(|value| value.is_finite()).collect()
    }

    /// Adds a text.
    pub(crate) fn text(&mut self, tag: u16, text: &[u8]) {
        self.put(tag, 2, text.len() + 1, [text, b"\0"].concat());
    }

    fn put(&mut self, tag: u16, kind: u16, count: usize, bytes: Vec<u8>) {
        if let Ok(count) = u32::try_from(count) {
            self.list.insert(tag, Field::Values(kind, count, bytes));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// A block of nothing else.
    pub(crate) fn block(&self) -> Vec<u8> {
        let mut block = self.head(8).to_vec();
        self.write(&mut block);
        block
    }

    /// The beginning of a file, or of a block, whose directory will stand at this place.
    pub(crate) fn head(&self, at: u32) -> [u8; 8] {
        let [a, b, c, d] = if self.little { *b"II\x2A\0" } else { *b"MM\0\x2A" };
        let [e, f, g, h] = ordered(at.to_le_bytes(), self.little);
        [a, b, c, d, e, f, g, h]
    }

    /// Writes the directory, and behind it what does not fit into it.
    pub(crate) fn write(&self, block: &mut Vec<u8>) {
        let ordered = |number: u32| ordered(number.to_le_bytes(), self.little);
        let short = |number: u16| {
            if self.little { number.to_le_bytes() } else { number.to_be_bytes() }
        };
        let place = |block: &Vec<u8>| u32::try_from(block.len()).unwrap_or(u32::MAX);
        block.extend(short(u16::try_from(self.list.len()).unwrap_or(u16::MAX)));
        let mut entry = block.len();
        block.resize(entry + 12 * self.list.len() + 4, 0);
        for (tag, field) in &self.list {
            let (kind, count, value) = match field {
                Field::Values(kind, count, bytes) if bytes.len() <= 4 => {
                    let mut value = [0; 4];
                    value[..bytes.len()].copy_from_slice(bytes);
                    (*kind, *count, value)
                }
                Field::Values(kind, count, bytes) => {
                    let at = place(block);
                    block.extend(bytes);
                    (*kind, *count, ordered(at))
                }
                Field::Within(fields) => {
                    let at = place(block);
                    fields.write(block);
                    (LONG, 1, ordered(at))
                }
            };
            // Values begin at even places.
            block.resize(block.len().next_multiple_of(2), 0);
            let bytes = [&short(*tag)[..], &short(kind), &ordered(count), &value].concat();
            block[entry..entry + 12].copy_from_slice(&bytes);
            entry += 12;
        }
    }
}

/// Whether the numbers of a block have their lowest byte first.
pub(crate) fn is_little(block: &[u8]) -> Option<bool> {
    match block.get(..4)? {
        b"II\x2A\0" => Some(true),
        b"MM\0\x2A" => Some(false),
        _ => None,
    }
}

/// A number whose lowest byte is the first, or the other way round.
fn ordered(mut bytes: [u8; 4], little: bool) -> [u8; 4] {
    if !little {
        bytes.reverse();
    }
    bytes
}

fn directory(
    bytes: &[u8],
    little: bool,
    at: usize,
    wanted: &dyn Fn(u16) -> bool,
    depth: u8,
) -> Option<Fields> {
    let short = |at: usize| {
        let number = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(number) } else { u16::from_be_bytes(number) })
    };
    let long = |at: usize| {
        let number = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(u32::from_le_bytes(ordered(number, little)))
    };
    let place = |at: usize| long(at).and_then(|place| usize::try_from(place).ok());
    let mut list = BTreeMap::new();
    for index in 0..usize::from(short(at)?) {
        let at = at + 2 + 12 * index;
        let (Some(tag), Some(kind), Some(count)) = (short(at), short(at + 2), long(at + 4)) else {
            break;
        };
        if !wanted(tag) {
            continue;
        }
        if WITHIN.contains(&tag) {
            let within = place(at + 8)
                .filter(|_| depth > 0)
                .and_then(|place| directory(bytes, little, place, &|_| true, depth - 1));
            list.extend(within.map(|within| (tag, Field::Within(within))));
            continue;
        }
        let size = match kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 => 4,
            5 | 10 | 12 => 8,
            _ => continue,
        };
        let Some(len) = usize::try_from(count).ok().and_then(|count| count.checked_mul(size))
        else {
            continue;
        };
        let start = if len <= 4 { Some(at + 8) } else { place(at + 8) };
        let values = start.and_then(|start| bytes.get(start..start.checked_add(len)?));
        if let Some(values) = values {
            // What is said twice holds as it was said first.
            list.entry(tag).or_insert_with(|| Field::Values(kind, count, values.to_vec()));
        }
    }
    Some(Fields { little, list })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for little in [true, false] {
            let mut within = Fields { little, ..Fields::new() };
            within.put(0x9000, 7, 5, b"02300".to_vec());
            let mut fields = Fields { little, ..Fields::new() };
            fields.text(315, b"Jane");
            fields.put(256, LONG, 1, vec![1, 2, 3, 4]);
            fields.list.insert(WITHIN[0], Field::Within(within));
            let block = fields.block();
            assert_eq!(Fields::of_block(&block, |_| true), Some(fields));
            assert!(block.len().is_multiple_of(2));
        }
    }

    #[test]
    fn a_value_outside_is_left_out_and_a_circle_ends() {
        let mut block = b"II\x2A\0\x08\0\0\0\x02\0".to_vec();
        block.extend(b"\x3B\x01\x02\0\xFF\0\0\0\x40\0\0\0");
        block.extend(b"\x69\x87\x04\0\x01\0\0\0\x08\0\0\0");
        let fields = Fields::of_block(&block, |_| true).unwrap();
        assert_eq!(fields.list.len(), 1);
        assert_eq!(Fields::of_block(b"II\x2A\0\xFF\xFF\xFF\xFF", |_| true), None);
    }
}
