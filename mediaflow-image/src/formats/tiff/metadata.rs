use bytes::Bytes;
use mediaflow_core::media::Metadata;
use mediaflow_core::{Limits, Result};

use super::directory::{Directories, Directory, Order};
use crate::codec::fields::Fields;
use crate::codec::{Reading, credited, iptc};

pub(super) const XMP: u16 = 700;
const IPTC: u16 = 33_723;
const PHOTOSHOP: u16 = 34_377;
pub(super) const PROFILE: u16 = 34_675;

/// What is said of a photo beside its pixels: description, maker, model, resolution, program, time, artist, host, copyright, and
/// the directories of EXIF and of its place.
const EXIF: [u16; 13] = [270, 271, 272, 282, 283, 296, 305, 306, 315, 316, 0x8298, 0x8769, 0x8825];

/// Whether an entry says something of a photo beside its pixels.
pub(super) fn is_kept(tag: u16) -> bool {
    EXIF.contains(&tag)
}

/// Counts what is beside the picture against the limits.
pub(super) fn check(directory: &Directory, limits: &Limits) -> Result<()> {
    let all = [XMP, IPTC, PHOTOSHOP, PROFILE].into_iter().chain(EXIF);
    let found = all.filter_map(|tag| directory.find(tag));
    limits.check_metadata(found.map(|entry| entry.bytes()).fold(0, u64::saturating_add))
}

pub(super) fn has_profile(directory: &Directory) -> bool {
    directory.find(PROFILE).is_some_and(|entry| entry.bytes() > 0)
}

/// What is said beside the picture, as far as it can be read.
pub(super) fn read(
    file: &mut Directories<'_>,
    directory: &Directory,
    bytes: &Bytes,
    reading: &Reading<'_>,
) -> Metadata {
    let limits = reading.cx.limits();
    let mut of = |tag: u16| {
        let entry = directory.find(tag).filter(|entry| entry.bytes() > 0)?;
        let found = file.bytes(&entry, limits);
        if found.is_err() {
            reading.warn(format_args!("what its entry {tag} says is missing, and was ignored"));
        }
        found.ok()
    };
    let mut metadata = Metadata::default();
    metadata.icc = of(PROFILE).map(Bytes::from);
    metadata.xmp = of(XMP).map(Bytes::from);
    let (press, resources) = (of(IPTC), of(PHOTOSHOP));
    metadata.exif = (!file.big).then(|| exif(bytes, file, directory)).flatten();
    let within = metadata.exif.as_ref().map_or(0, Bytes::len);
    if limits.check_metadata(within as u64).is_err() {
        reading.warn("its EXIF is larger than is allowed, and was ignored");
        metadata.exif = None;
    }
    credited(&mut metadata, || {
        let records = press.map(|records| iptc::credit(&records)).unwrap_or_default();
        records.or(iptc::in_resources(&resources.unwrap_or_default()))
    });
    metadata
}

/// The directory without what is of the pixels.
fn exif(bytes: &[u8], file: &Directories<'_>, directory: &Directory) -> Option<Bytes> {
    let at = usize::try_from(directory.at).ok()?;
    let little = file.order == Order::Little;
    let fields = Fields::read(bytes, little, at, is_kept)?;
    (!fields.is_empty()).then(|| fields.block().into())
}
