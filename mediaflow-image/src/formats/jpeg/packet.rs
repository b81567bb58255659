//! XMP that is longer than a segment: a packet that names the rest, and the rest in parts (XMP, part 3, 1.1.3.1).

use std::fmt::Write as _;

use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::segment::LONGEST;
use crate::codec::xmp;

/// How a packet begins, and a part of the rest.
const PACKET: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
const REST: &[u8] = b"http://ns.adobe.com/xmp/extension/\0";

/// A part of the rest has the name of the whole, its length, and where this part lies in it.
const NAME: usize = 32;
const PLACE: usize = NAME + 8;

/// What was read of XMP so far.
#[derive(Debug, Default)]
pub(super) struct Packets<'a> {
    packet: Option<&'a [u8]>,
    parts: Vec<Part<'a>>,
}

#[derive(Debug)]
struct Part<'a> {
    name: &'a [u8],
    whole: usize,
    at: usize,
    bytes: &'a [u8],
}

impl<'a> Packets<'a> {
    /// Takes the content of a segment, if it is XMP.
    pub(super) fn take(&mut self, content: &'a [u8]) {
        if let Some(packet) = content.strip_prefix(PACKET) {
            self.packet = Some(packet);
        } else if let Some(part) = content.strip_prefix(REST).and_then(Part::read) {
            self.parts.push(part);
        }
    }

    /// The packet, with its rest if it has one, and whether that is all.
    pub(super) fn whole(mut self, file: &Bytes) -> (Option<Bytes>, bool) {
        let Some(packet) = self.packet else { return (None, true) };
        let Some(name) = xmp::rest_of(packet) else { return (Some(file.slice_ref(packet)), true) };
        self.parts.retain(|part| part.name.eq_ignore_ascii_case(name.as_bytes()));
        self.parts.sort_by_key(|part| part.at);
        let mut rest = Vec::new();
        for part in &self.parts {
            // One that is there twice adds nothing.
            if part.at == rest.len() {
                rest.extend_from_slice(part.bytes);
            }
        }
        let is_all = self.parts.first().is_some_and(|part| part.whole == rest.len());
        match xmp::with_rest(packet, &rest).filter(|_| is_all) {
            Some(whole) => (Some(whole.into()), true),
            None => (Some(file.slice_ref(packet)), false),
        }
    }
}

impl<'a> Part<'a> {
    fn read(content: &'a [u8]) -> Option<Self> {
        let (place, bytes) = content.split_at_checked(PLACE)?;
        let (name, numbers) = place.split_at_checked(NAME)?;
        let number = |at: usize| {
            let bytes: [u8; 4] = numbers.get(at..at + 4)?.try_into().ok()?;
            usize::try_from(u32::from_be_bytes(bytes)).ok()
        };
        Some(Self { name, whole: number(0)?, at: number(4)?, bytes })
    }
}

/// The contents of the segments of a packet.
pub(super) fn segments(packet: &[u8]) -> Vec<Vec<u8>> {
    if PACKET.len() + packet.len() <= LONGEST {
        return vec![[PACKET, packet].concat()];
    }
    let rest = xmp::bare(packet);
    let name = Md5::digest(rest).iter().fold(String::new(), |mut name, byte| {
        // Writing to a text does not fail.
        let _written = write!(name, "{byte:02X}");
        name
    });
    // A length of 32 bits is more than any limit lets through.
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes();
    let size = LONGEST - REST.len() - PLACE;
    let parts = rest
        .chunks(size)
        .zip((0..).step_by(size))
        .map(|(part, at)| [REST, name.as_bytes(), &number(rest.len()), &number(at), part].concat());
    std::iter::once([PACKET, &xmp::naming(&name)].concat()).chain(parts).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(segments: &[Vec<u8>]) -> (Option<Bytes>, bool) {
        let file = Bytes::from(segments.concat());
        let mut packets = Packets::default();
        let mut at = 0;
        for segment in segments {
            packets.take(&file[at..at + segment.len()]);
            at += segment.len();
        }
        packets.whole(&file)
    }

    fn packet(words: usize) -> Vec<u8> {
        let words = "Planted words ".repeat(words);
        let body = format!(
            "<rdf:Description rdf:about='' xmlns:a='b'><a:c>{words}</a:c></rdf:Description>"
        );
        let head = "<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>\
            <rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>";
        format!("{head}{body}</rdf:RDF></x:xmpmeta>  <?xpacket end='w'?>").into_bytes()
    }

    #[test]
    fn what_is_long_is_written_in_parts_and_read_as_one() {
        let short = packet(3);
        assert_eq!(segments(&short).len(), 1);
        assert_eq!(read(&segments(&short)), (Some(short.into()), true));
        let long = packet(12_000);
        let mut parts = segments(&long);
        assert!(parts.len() == 4 && parts.iter().all(|part| part.len() <= LONGEST));
        let (whole, is_all) = read(&parts);
        let text = String::from_utf8(whole.unwrap().to_vec()).unwrap();
        assert!(is_all && text.matches("Planted words").count() == 12_000);
        assert!(text.matches("<rdf:RDF").count() == 1 && !text.contains("HasExtendedXMP"));
        // In any order, and twice.
        parts[1..].reverse();
        parts.push(parts[2].clone());
        assert_eq!(read(&parts).0.unwrap(), text);
        // Not without each of them, nor under another name.
        assert!(!read(&parts[..3]).1);
        let other = parts.iter().map(|part| [&part[..40], b"0", &part[41..]].concat());
        assert!(!read(&[&parts[..1], &other.skip(1).collect::<Vec<_>>()].concat()).1);
    }

    #[test]
    fn damage_is_survived() {
        let parts = segments(&packet(5_000));
        for at in 0..PACKET.len() + 400 {
            for value in [0, b'<', b'>', 0xff] {
                let mut parts = parts.clone();
                parts.iter_mut().filter_map(|part| part.get_mut(at)).for_each(|byte| *byte = value);
                let _survived = read(&parts);
            }
        }
    }
}
