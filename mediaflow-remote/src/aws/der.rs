//! As much of DER as a certificate needs: elements, one inside another.

/// What is left to read.
#[derive(Clone, Copy)]
pub(super) struct Der<'a>(&'a [u8]);

/// An element: its tag, its content, and all of it.
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
}

pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

impl<'a> Der<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element, if there is a whole one.
    pub(super) fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            // Up to 64 KiB, of which a certificate has none.
            let count = usize::from(first & 0x7f);
            if !(1..=2).contains(&count) {
                return None;
            }
            let (bytes, rest) = rest.split_at_checked(count)?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag, content })
    }

    /// The content of the next element, which has to be of this kind.
    pub(super) fn enter(&mut self, tag: u8) -> Option<Self> {
        self.next().filter(|element| element.tag == tag).map(|element| Self(element.content))
    }

    /// The bytes that are left.
    pub(super) fn bytes(self) -> &'a [u8] {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    #[test]
    fn elements_are_read_one_after_another() {
        let mut der = Der::new(&[0x30, 3, 2, 1, 7, 4, 0]);
        let mut inner = der.enter(SEQUENCE).unwrap();
        assert_eq!(inner.next().unwrap().content, [7]);
        assert!(inner.is_empty());
        assert!(der.next().unwrap().content.is_empty());
        assert!(der.next().is_none());
        for broken in
            [&[0x30][..], &[0x30, 1], &[0x30, 0x80], &[0x30, 0x83, 0, 0, 1, 0], &[0x30, 0x82, 1]]
        {
            assert!(Der::new(broken).next().is_none(), "{broken:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_ends(bytes in any::<Vec<u8>>()) {
            let mut der = Der::new(&bytes);
            let mut elements = 0;
            while der.next().is_some() {
                elements += 1;
            }
            prop_assert!(elements <= bytes.len());
        }
    }
}
