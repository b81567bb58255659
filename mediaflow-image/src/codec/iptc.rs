//! Who made a picture, as the press writes it: IPTC-NAA records (IIM 4), which Photoshop puts among its resources.

use super::exif::{About, Credit};

const TITLE: (u8, u8) = (2, 5);
const KEYWORD: (u8, u8) = (2, 25);
const BY_LINE: (u8, u8) = (2, 80);
const COPYRIGHT: (u8, u8) = (2, 116);
const CAPTION: (u8, u8) = (2, 120);

/// What the records among Photoshop's resources say, which begin behind their name.
pub(crate) fn in_resources(resources: &[u8]) -> Credit {
    const RECORDS: [u8; 2] = [0x04, 0x04];
    let mut rest = resources;
    while let Some((head, after)) =
        rest.strip_prefix(b"8BIM").and_then(|rest| rest.split_at_checked(2))
    {
        // The name, and all else, has an even length.
        let name = after.first().map_or(0, |length| (usize::from(*length) + 2) & !1);
        let Some((size, body)) = after.get(name..).and_then(<[u8]>::split_first_chunk::<4>) else {
            break;
        };
        let size = usize::try_from(u32::from_be_bytes(*size)).unwrap_or(usize::MAX);
        let Some(content) = body.get(..size) else { break };
        if head == RECORDS {
            return credit(content);
        }
        rest = body.get(size + (size & 1)..).unwrap_or_default();
    }
    Credit::default()
}

/// What records say.
pub(crate) fn credit(records: &[u8]) -> Credit {
    let (mut artists, mut copyright, mut about) = (Vec::new(), None, About::default());
    let mut rest = records;
    while let [0x1C, record, number, high, low, after @ ..] = rest {
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        let Some((content, next)) = after.split_at_checked(size) else { break };
        match (*record, *number) {
            BY_LINE => artists.push(text(content)),
            COPYRIGHT => copyright = copyright.or(Some(text(content))),
            TITLE => about.title = about.title.or(Some(text(content))),
            CAPTION => about.description = about.description.or(Some(text(content))),
            KEYWORD => about.keywords.push(text(content)),
            _ => {}
        }
        rest = next;
    }
    let artist = Some(artists.join("; ")).filter(|artist| !artist.is_empty());
    Credit { about, ..Credit::of(artist, copyright) }
}

/// Most say in which letters they are written, and some of these are right.
pub(crate) fn text(bytes: &[u8]) -> String {
    let latin = || bytes.iter().map(|byte| char::from(*byte)).collect();
    String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| latin())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_among_resources_are_read() {
        let record = |number: u8, text: &[u8]| {
            let size = u16::try_from(text.len()).unwrap().to_be_bytes();
            [&[0x1C, 2, number][..], &size, text].concat()
        };
        let records = [
            record(80, b"Jane"),
            record(5, b"Title"),
            record(116, b"\xA9 Press"),
            record(80, "Jörg".as_bytes()),
        ]
        .concat();
        let resource = |kind: [u8; 2], content: &[u8]| {
            let size = u32::try_from(content.len()).unwrap().to_be_bytes();
            [&b"8BIM"[..], &kind, &[0, 0], &size, content, &[0][..content.len() & 1]].concat()
        };
        let resources = [resource([3, 0xED], b"abc"), resource([4, 4], &records)].concat();
        let about = About { title: Some("Title".to_owned()), ..About::default() };
        let right = Credit::of(Some("Jane; Jörg".to_owned()), Some("© Press".to_owned()));
        let right = Credit { about, ..right };
        assert_eq!(in_resources(&resources), right);
        for cut in 0..resources.len() {
            let _survived = in_resources(&resources[..cut]);
        }
    }
}
