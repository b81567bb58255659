/// The boxes that follow one another in a part of a file: type and content. Ends before one that is not whole.
pub(super) fn boxes(mut rest: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    std::iter::from_fn(move || {
        let mut fields = Fields(rest);
        let short = fields.u32()?;
        let kind = fields.array::<4>()?;
        let (head, len) = match short {
            0 => (8, rest.len() as u64),
            1 => (16, fields.sized(8)?),
            len => (8, u64::from(len)),
        };
        let (this, after) = rest.split_at_checked(usize::try_from(len).ok()?)?;
        rest = after;
        Some((kind, this.get(head..)?))
    })
}

/// What stands in a box, one after the other; nothing past its end.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*array)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    /// A number of so many bytes, of which there may be none.
    pub(super) fn sized(&mut self, bytes: u8) -> Option<u64> {
        let (number, rest) = self.0.split_at_checked(usize::from(bytes))?;
        self.0 = rest;
        Some(number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    }

    /// A number of two bytes, or of four.
    pub(super) fn either(&mut self, long: bool) -> Option<u32> {
        self.sized(if long { 4 } else { 2 }).and_then(|number| u32::try_from(number).ok())
    }

    /// Version and flags, with which most boxes begin.
    pub(super) fn version(&mut self) -> Option<(u8, u8)> {
        let [version, _, _, flags] = self.array()?;
        Some((version, flags))
    }

    /// A text with a zero behind it.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| *byte == 0)?;
        let (text, rest) = self.0.split_at(end);
        self.0 = rest.get(1..)?;
        Some(text)
    }
}
