use bytes::Bytes;
use mediaflow_core::media::{Metadata, MetadataPolicy, upright_xmp};

use super::exif::{Credit, essential, upright};
use super::{exif, xmp};

/// What is written beside the pixels. The orientation in it is upright: the pixels were turned.
pub(crate) fn kept(metadata: &Metadata, policy: MetadataPolicy) -> Metadata {
    let mut kept = Metadata::default();
    match policy {
        MetadataPolicy::Private | MetadataPolicy::Copyright => {
            kept.exif = essential(&credit(metadata)).map(Bytes::from);
            kept.icc.clone_from(&metadata.icc);
        }
        MetadataPolicy::Keep => {
            kept.exif = metadata.exif.as_ref().map(|tiff| upright(tiff).into());
            kept.xmp = metadata.xmp.as_ref().map(|packet| upright_xmp(packet).into());
            kept.icc.clone_from(&metadata.icc);
        }
        // One that is not known here keeps nothing.
        _ => {}
    }
    kept
}

/// Who made a picture, as EXIF has it, or else XMP.
fn credit(metadata: &Metadata) -> Credit {
    let in_exif = metadata.exif.as_ref().map(|tiff| exif::credit(tiff)).unwrap_or_default();
    let in_xmp = metadata.xmp.as_ref().map(|packet| xmp::credit(packet)).unwrap_or_default();
    in_exif.or(in_xmp)
}

/// Puts what a format says in a place of its own, of who made a picture and what it shows, into a packet of XMP, if there is none.
pub(crate) fn credited(metadata: &mut Metadata, other: impl FnOnce() -> Credit) {
    if metadata.xmp.is_none() {
        metadata.xmp = xmp::packet(&other()).map(Bytes::from);
    }
}
