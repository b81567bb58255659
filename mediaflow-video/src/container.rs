//! What the first bytes of a file say of its container, and whether the file reaches as far as its container claims.

use std::io::{Read, Seek, SeekFrom};

use mediaflow_core::media::Format;
use mediaflow_core::reader::FormatSpec;

/// What is read here, by its name, with the bytes that it begins with where these are not known everywhere.
pub(crate) fn formats() -> Vec<FormatSpec> {
    let named = |name| FormatSpec::new(Format::named(name));
    vec![
        named("mp4").sniffed(is_mp4),
        named("mov").sniffed(is_mov),
        named("webm"),
        named("mkv").sniffed(is_matroska),
        named("avi"),
        named("flv").mime("video/x-flv"),
        named("wmv").mime("video/x-ms-wmv"),
        named("mpg").mime("video/mpeg").sniffed(is_program_stream),
        named("ts").mime("video/mp2t").sniffed(is_transport_stream),
        named("ogg").sniffed(|head| head.starts_with(b"OggS")),
        named("mp3").sniffed(is_mp3),
        named("aac").mime("audio/aac"),
        named("flac"),
        named("wav"),
    ]
}

/// The kind of the first box, and of a file type box the brand.
fn first_box(head: &[u8]) -> Option<([u8; 4], [u8; 4])> {
    let word = |at: usize| head.get(at..at + 4)?.try_into().ok();
    Some((word(4)?, word(8)?))
}

/// Any brand but those of stills and of QuickTime.
fn is_mp4(head: &[u8]) -> bool {
    const STILLS: [&[u8; 4]; 9] =
        [b"avif", b"avis", b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1", b"crx "];
    match first_box(head) {
        Some((kind, brand)) if &kind == b"ftyp" || &kind == b"styp" => {
            !STILLS.contains(&&brand) && &brand != b"qt  "
        }
        _ => false,
    }
}

/// A QuickTime brand, or none: older files begin with any box.
fn is_mov(head: &[u8]) -> bool {
    let size = head.get(..4).map(|size| u32::from_be_bytes(size.try_into().unwrap_or_default()));
    match first_box(head) {
        Some((kind, brand)) if &kind == b"ftyp" => &brand == b"qt  ",
        Some((kind, _)) => {
            matches!(&kind, b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot")
                && size.is_some_and(|size| size >= 8 || size == 1 || size == 0)
        }
        None => false,
    }
}

/// EBML with the name of Matroska anywhere in its header.
fn is_matroska(head: &[u8]) -> bool {
    head.starts_with(b"\x1a\x45\xdf\xa3")
        && head
            .get(..256.min(head.len()))
            .is_some_and(|head| head.windows(8).any(|window| window == b"matroska"))
}

/// A pack header.
fn is_program_stream(head: &[u8]) -> bool {
    head.starts_with(&[0, 0, 1, 0xba]) || head.starts_with(&[0, 0, 1, 0xb3])
}

/// Packets of 188 bytes, or of 192 with a time before each as cameras and discs have them.
fn is_transport_stream(head: &[u8]) -> bool {
    const PACKETS: usize = 4;
    let packets = |length: usize, first: usize| {
        (0..PACKETS).all(|number| head.get(first + number * length) == Some(&0x47))
    };
    packets(188, 0) || packets(192, 4)
}

/// A tag, or frames of layer III one after the other.
fn is_mp3(head: &[u8]) -> bool {
    head.starts_with(b"ID3")
        || matches!(head, [0xff, second, third, ..]
            if second & 0xe6 == 0xe2 && third & 0xf0 != 0xf0 && third & 0x0c != 0x0c)
}

/// Bytes that a container claims beyond the end of the file, where it says so in its first bytes: RIFF (AVI, WAV), Matroska.
pub(crate) fn missing_bytes(reader: &mut (impl Read + Seek + ?Sized)) -> std::io::Result<u64> {
    let len = reader.seek(SeekFrom::End(0))?;
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    reader.take(1024).read_to_end(&mut head)?;
    let claimed = match head.get(..12) {
        Some([b'R', b'I', b'F', b'F', a, b, c, d, kind @ ..])
            if kind == b"AVI " || kind == b"WAVE" =>
        {
            match u32::from_le_bytes([*a, *b, *c, *d]) {
                // Written by who did not know the length yet.
                0 | 0x7fff_f000.. => 0,
                // Some count the header twice.
                size => u64::from(size),
            }
        }
        _ => matroska_end(&head).unwrap_or(0),
    };
    Ok(claimed.saturating_sub(len))
}

/// Where the segment of a Matroska file ends; nothing if it does not know.
fn matroska_end(head: &[u8]) -> Option<u64> {
    const EBML: u64 = 0x1a45_dfa3;
    const SEGMENT: u64 = 0x1853_8067;
    let mut at = 0_usize;
    loop {
        let (id, id_length) = number(head.get(at..)?, true)?;
        let (size, size_length) = number(head.get(at + id_length..)?, false)?;
        let body = at + id_length + size_length;
        let unknown = size == (1 << (7 * size_length)) - 1;
        match id {
            SEGMENT if unknown => return None,
            SEGMENT => return (body as u64).checked_add(size),
            EBML => at = body.checked_add(usize::try_from(size).ok()?)?,
            _ => return None,
        }
    }
}

/// What the first bytes of a Matroska file say of its length.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Told {
    /// Seconds; nothing of a recording that was never finished.
    pub(crate) length: Option<f64>,
    /// Where its first packets begin, in seconds, if that is before all that can be told.
    begin: Option<f64>,
    /// Its segment says how large it is.
    is_sized: bool,
}

impl Told {
    /// The length, if nothing but a look at all packets could tell more: it is known, the file can not be cut without notice, and
    /// its packets begin when time begins. Some writers count the length from there, and others from the first packet.
    pub(crate) fn sure(&self) -> Option<f64> {
        const NEAR: f64 = 0.05;
        self.length.filter(|_| self.is_sized && self.begin.is_some_and(|begin| begin < NEAR))
    }
}

/// What a Matroska file says of its length; nothing of any other.
pub(crate) fn matroska_length(reader: &mut (impl Read + Seek + ?Sized)) -> std::io::Result<Told> {
    const HEAD: u64 = 256 << 10;
    reader.seek(SeekFrom::Start(0))?;
    let mut head = Vec::new();
    reader.take(4).read_to_end(&mut head)?;
    if head != b"\x1a\x45\xdf\xa3" {
        return Ok(Told::default());
    }
    reader.take(HEAD).read_to_end(&mut head)?;
    let mut told = Told { is_sized: matroska_end(&head).is_some(), ..Told::default() };
    // What is not whole has told what it could.
    let _cut = read_told(&head, &mut told);
    Ok(told)
}

fn read_told(head: &[u8], told: &mut Told) -> Option<()> {
    const SEGMENT: u64 = 0x1853_8067;
    const INFO: u64 = 0x1549_a966;
    const CLUSTER: u64 = 0x1f43_b675;
    const SCALE: u64 = 0x002a_d7b1;
    const DURATION: u64 = 0x4489;
    const TIME: u64 = 0xe7;
    let (mut scale, mut length, mut at) = (1_000_000.0, None, 0_usize);
    loop {
        let (id, id_length) = number(head.get(at..)?, true)?;
        let (size, size_length) = number(head.get(at + id_length..)?, false)?;
        let body = at + id_length + size_length;
        let end = body.checked_add(usize::try_from(size).ok()?);
        let content = || head.get(body..end?);
        let integer =
            |bytes: &[u8]| bytes.iter().fold(0.0, |value, byte| value * 256.0 + f64::from(*byte));
        match id {
            // What is in these follows at once.
            SEGMENT | INFO | CLUSTER => {
                at = body;
                continue;
            }
            TIME => {
                told.begin = Some(integer(content()?) * scale / 1e9);
                return Some(());
            }
            SCALE => scale = integer(content()?),
            DURATION => {
                length = match *content()? {
                    [a, b, c, d] => Some(f32::from_be_bytes([a, b, c, d]).into()),
                    [a, b, c, d, e, f, g, h] => Some(f64::from_be_bytes([a, b, c, d, e, f, g, h])),
                    _ => None,
                };
            }
            _ => {}
        }
        let seconds = length.map(|length: f64| length * scale / 1e9);
        told.length = seconds.filter(|seconds| seconds.is_finite() && *seconds > 0.0);
        at = end?;
    }
}

/// A number of EBML (RFC 8794, 4), with its length; an id keeps the marker of its length.
fn number(bytes: &[u8], is_id: bool) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let length = first.leading_zeros() as usize + 1;
    if length > 8 {
        return None;
    }
    let marker = if is_id { 0 } else { 0x80_u8 >> (length - 1) };
    let rest = bytes.get(1..length)?;
    let value =
        rest.iter().fold(u64::from(first & !marker), |value, byte| value << 8 | u64::from(*byte));
    Some((value, length))
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    fn name(head: &[u8]) -> Option<String> {
        let known = formats().into_iter().find(|spec| spec.sniff.is_some_and(|sniff| sniff(head)));
        known.map(|spec| spec.format.to_string())
    }

    #[test]
    fn brands_and_first_boxes() {
        for brand in
            ["isom", "3gp4", "3gp6", "3g2a", "XAVC", "CAEP", "hvc1", "iso8", "cmfc", "M4A "]
        {
            let head = [&[0, 0, 0, 24][..], b"ftyp", brand.as_bytes(), &[0; 12]].concat();
            assert_eq!(name(&head).as_deref(), Some("mp4"), "{brand}");
        }
        for first in ["wide", "free", "skip", "mdat", "moov"] {
            let head = [&[0, 0, 0, 8][..], first.as_bytes(), &[0; 12]].concat();
            assert_eq!(name(&head).as_deref(), Some("mov"), "{first}");
        }
        for brand in ["avif", "heic", "mif1"] {
            let head = [&[0, 0, 0, 24][..], b"ftyp", brand.as_bytes(), &[0; 12]].concat();
            assert_eq!(name(&head), None, "{brand}");
        }
    }

    #[test]
    fn packets_and_frames() {
        let mut ts = vec![0; 1000];
        (0..5).for_each(|packet| ts[packet * 188] = 0x47);
        assert_eq!(name(&ts).as_deref(), Some("ts"));
        let mut m2ts = vec![0; 1000];
        (0..5).for_each(|packet| m2ts[4 + packet * 192] = 0x47);
        assert_eq!(name(&m2ts).as_deref(), Some("ts"));
        assert_eq!(name(&[0xff, 0xfb, 0x90, 0x64, 0]).as_deref(), Some("mp3"));
        assert_eq!(name(&[0xff, 0xd8, 0xff, 0xe0, 0]), None);
        assert_eq!(name(&[0xff, 0xf1, 0x50, 0x80, 0]), None);
    }

    #[test]
    fn matroska_says_how_long_it_is() {
        let told = |bytes: &[u8]| matroska_length(&mut Cursor::new(bytes)).unwrap();
        let head = b"\x1a\x45\xdf\xa3\x82\x01\x02\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff";
        let info = b"\x15\x49\xa9\x66\x8e\x2a\xd7\xb1\x83\x0f\x42\x40\x44\x89\x84\x45\xbb\x80\0";
        let cluster = b"\x1f\x43\xb6\x75\xff\xe7\x81";
        let live = [&head[..], info, cluster, &[10]].concat();
        assert_eq!(told(&live), Told { length: Some(6.0), begin: Some(0.01), is_sized: false });
        assert_eq!(told(&live).sure(), None);
        assert_eq!(told(&[&head[..], cluster, &[0]].concat()).length, None);
        let sized = |begin: u8| {
            let mut bytes = [&live[..], &[0; 9]].concat();
            (bytes[live.len() - 1], bytes[12], bytes[18]) = (begin, 0, 60);
            bytes[13..18].fill(0);
            told(&bytes).sure()
        };
        assert_eq!((sized(10), sized(200)), (Some(6.0), None));
        for at in 0..live.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = live.clone();
                bytes[at] = value;
                let _survived = told(&bytes);
            }
        }
    }

    #[test]
    fn a_segment_that_knows_its_size_says_what_is_missing() {
        let head = b"\x1a\x45\xdf\xa3\x82\x01\x02\x18\x53\x80\x67\x01\0\0\0\0\0\x10\0";
        let missing = missing_bytes(&mut Cursor::new(&head[..])).unwrap();
        assert_eq!(missing, 0x1000);
        let live = b"\x1a\x45\xdf\xa3\x82\x01\x02\x18\x53\x80\x67\x01\xff\xff\xff\xff\xff\xff\xff";
        assert_eq!(missing_bytes(&mut Cursor::new(&live[..])).unwrap(), 0);
    }
}
