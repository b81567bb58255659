//! What a picture says of itself, in types.

use mediaflow_core::media::Metadata;
use serde::Serialize;

use super::exif::{About, Credit, orientation};
use super::fields::Fields;
use super::{exif, iptc, xmp};

const DESCRIPTION: u16 = 0x010E;
const MAKE: u16 = 0x010F;
const MODEL: u16 = 0x0110;
const SOFTWARE: u16 = 0x0131;
const PHOTO: u16 = 0x8769;
const PLACE: u16 = 0x8825;

/// Bytes of a text.
const MAX_TEXT: usize = 4096;

#[derive(Debug, Default, PartialEq, Serialize)]
pub(crate) struct Said {
    #[serde(skip_serializing_if = "Option::is_none")]
    camera: Option<Camera>,
    #[serde(skip_serializing_if = "Option::is_none")]
    taken: Option<String>,
    orientation: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    exposure: Option<Exposure>,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Place>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    creator: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    copyright: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keywords: Vec<String>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Camera {
    #[serde(skip_serializing_if = "Option::is_none")]
    make: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lens: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    software: Option<String>,
}

#[derive(Debug, Default, PartialEq, Serialize)]
struct Exposure {
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    f_number: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iso: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    focal_length: Option<f64>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Place {
    latitude: f64,
    longitude: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    altitude: Option<f64>,
}

impl Said {
    /// What stands beside a picture, and, if that is wanted, where it was taken.
    pub(crate) fn by(metadata: &Metadata, with_place: bool) -> Self {
        let (block, packet) = (metadata.exif.as_deref(), metadata.xmp.as_deref());
        let fields = block.and_then(|block| Fields::of_block(block, |_| true));
        let in_exif = block.map(exif::credit).unwrap_or_default();
        let in_xmp = packet.map(xmp::credit).unwrap_or_default();
        let described = fields.as_ref().and_then(|fields| text(fields, DESCRIPTION));
        let Credit { artist, copyright, about } = in_xmp.or(in_exif);
        let About { title, description, keywords } = about;
        let mut creator = packet.map(xmp::artists).unwrap_or_default();
        if creator.is_empty() {
            creator.extend(artist.as_deref().and_then(plain));
        }
        let photo = fields.as_ref().and_then(|fields| fields.within(PHOTO));
        let place = fields.as_ref().filter(|_| with_place).and_then(|fields| fields.within(PLACE));
        Self {
            camera: fields.as_ref().and_then(|fields| Camera::by(fields, photo)),
            taken: photo.and_then(taken).or_else(|| packet.and_then(taken_by_xmp)),
            orientation: block.map_or(1, orientation),
            exposure: photo.and_then(Exposure::by),
            place: place.and_then(Place::by),
            title,
            description: description.or(described),
            creator,
            copyright: copyright.as_deref().and_then(plain),
            keywords,
        }
    }
}

impl Camera {
    fn by(fields: &Fields, photo: Option<&Fields>) -> Option<Self> {
        const LENS: u16 = 0xA434;
        let lens = photo.and_then(|photo| text(photo, LENS));
        let of = |tag| text(fields, tag);
        let camera = Self { make: of(MAKE), model: of(MODEL), lens, software: of(SOFTWARE) };
        (camera != Self::default()).then_some(camera)
    }
}

impl Exposure {
    fn by(photo: &Fields) -> Option<Self> {
        let first = |tag| photo.values(tag).first().copied();
        let exposure = Self {
            seconds: first(0x829A),
            f_number: first(0x829D),
            iso: first(0x8827),
            focal_length: first(0x920A),
        };
        (exposure != Self::default()).then_some(exposure)
    }
}

impl Place {
    fn by(place: &Fields) -> Option<Self> {
        let degrees = |tag: u16, back: u8, most: f64| {
            let parts = place.values(tag);
            let sizes = [1.0, 60.0, 3600.0];
            let sum: f64 = parts.iter().zip(sizes).map(|(part, size)| part / size).sum();
            let is_back = place.said(tag - 1).is_some_and(|way| way.eq_ignore_ascii_case(&[back]));
            let degrees = if is_back { -sum } else { sum };
            (!parts.is_empty() && sum <= most).then_some(degrees)
        };
        let below = place.values(5).first().is_some_and(|below| *below == 1.0);
        let altitude = place.values(6).first().map(|high| if below { -high } else { *high });
        let (latitude, longitude) = (degrees(2, b'S', 90.0)?, degrees(4, b'W', 180.0)?);
        Some(Self { latitude, longitude, altitude })
    }
}

/// When a photo was taken, as ISO 8601 has it.
fn taken(photo: &Fields) -> Option<String> {
    let of = |tag| photo.said(tag).and_then(plain);
    let mut time = of(0x9003)?;
    // `2019:07:04 12:33:10`
    let is_right = time.len() == 19
        && time.bytes().zip(*b"0000:00:00 00:00:00").all(|(is, wanted)| match wanted {
            b'0' => is.is_ascii_digit(),
            mark => is == mark,
        });
    if !is_right || time.starts_with("0000") {
        return None;
    }
    time = format!("{}-{}-{}T{}", &time[..4], &time[5..7], &time[8..10], &time[11..]);
    if let Some(part) = of(0x9291).filter(|part| part.bytes().all(|digit| digit.is_ascii_digit())) {
        time = format!("{time}.{part}");
    }
    if let Some(zone) = of(0x9011).filter(|zone| zone.len() == 6 || zone == "Z") {
        time.push_str(&zone);
    }
    Some(time)
}

fn taken_by_xmp(packet: &[u8]) -> Option<String> {
    let names = ["exif:DateTimeOriginal", "photoshop:DateCreated", "xmp:CreateDate"];
    let time = xmp::said(packet, &names)?;
    let year = time.get(..4)?;
    year.bytes().all(|digit| digit.is_ascii_digit()).then_some(time)
}

fn text(fields: &Fields, tag: u16) -> Option<String> {
    fields.said(tag).and_then(plain)
}

/// A text without blanks around it, if it says something.
fn plain(bytes: &[u8]) -> Option<String> {
    let text = iptc::text(bytes.get(..MAX_TEXT).unwrap_or(bytes));
    let text = text.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    (!text.is_empty()).then(|| text.to_owned())
}
