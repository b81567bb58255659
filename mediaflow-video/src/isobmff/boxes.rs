//! Boxes: a size, a kind, a content (ISO/IEC 14496-12, 4.2).

use std::io::Read;

/// The name of a `uuid` that holds a packet of XMP.
pub(super) const XMP: [u8; 16] =
    *b"\xbe\x7a\xcf\xcb\x97\xa9\x42\xe8\x9c\x71\x99\x94\x91\xe3\xaf\xac";

/// What stands before the content of a box.
pub(super) struct BoxHeader {
    pub(super) kind: [u8; 4],
    /// Bytes of the header itself.
    pub(super) header: u64,
    /// Bytes of the box with its header.
    pub(super) size: u64,
}

impl BoxHeader {
    /// `None` if the size is smaller than the header that states it; `rest` bytes are left.
    pub(super) fn read(
        reader: &mut (impl Read + ?Sized),
        rest: u64,
    ) -> std::io::Result<Option<Self>> {
        let mut head = [0; 8];
        reader.read_exact(&mut head)?;
        let (size, kind) = head.split_at(4);
        let kind = [kind[0], kind[1], kind[2], kind[3]];
        let (header, size) = match be32(size, 0) {
            Some(1) if rest >= 16 => {
                let mut large = [0; 8];
                reader.read_exact(&mut large)?;
                (16, u64::from_be_bytes(large))
            }
            Some(0) => (8, rest),
            Some(size) => (8, u64::from(size)),
            None => return Ok(None),
        };
        Ok((size >= header).then_some(Self { kind, header, size }))
    }
}

/// A box inside another.
#[derive(Clone, Copy)]
pub(super) struct Inner<'a> {
    pub(super) kind: [u8; 4],
    /// Where it begins, in the content of the box around it.
    pub(super) at: usize,
    /// Bytes of its header.
    pub(super) header: usize,
    pub(super) body: &'a [u8],
}

/// The boxes inside a box, as far as they are whole.
pub(super) fn boxes(data: &[u8]) -> impl Iterator<Item = Inner<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = data.get(at..)?;
        let mut head = rest;
        let found = BoxHeader::read(&mut head, rest.len() as u64).ok()??;
        let size = usize::try_from(found.size).ok()?;
        let header = usize::try_from(found.header).ok()?;
        let inner = Inner { kind: found.kind, at, header, body: rest.get(header..size)? };
        at += size;
        Some(inner)
    })
}

/// The content of the first box of a kind.
pub(super) fn find(data: &[u8], kind: [u8; 4]) -> Option<&[u8]> {
    boxes(data).find(|found| found.kind == kind).map(|found| found.body)
}

/// The content of a box that lies this deep.
pub(super) fn find_in<'a>(data: &'a [u8], path: &[[u8; 4]]) -> Option<&'a [u8]> {
    path.iter().try_fold(data, |data, kind| find(data, *kind))
}

pub(super) fn be16(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(data.get(at..at.checked_add(2)?)?.try_into().ok()?))
}

pub(super) fn be32(data: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(data.get(at..at.checked_add(4)?)?.try_into().ok()?))
}

pub(super) fn be64(data: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(data.get(at..at.checked_add(8)?)?.try_into().ok()?))
}
