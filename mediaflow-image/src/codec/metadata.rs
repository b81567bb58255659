use bytes::Bytes;
use mediaflow_core::media::{Image, Metadata, MetadataPolicy};

use super::exif::{essential, upright};

/// What is written beside the pixels. The orientation in it is upright: the pixels were turned.
pub(crate) fn kept(image: &Image, policy: MetadataPolicy) -> Metadata {
    let metadata = image.metadata();
    let mut kept = Metadata::default();
    match policy {
        MetadataPolicy::Private | MetadataPolicy::Copyright => {
            kept.exif = metadata.exif.as_ref().and_then(|tiff| essential(tiff)).map(Bytes::from);
            kept.icc.clone_from(&metadata.icc);
        }
        MetadataPolicy::Keep => {
            kept.exif = metadata.exif.as_ref().map(|tiff| upright(tiff).into());
            kept.xmp.clone_from(&metadata.xmp);
            kept.icc.clone_from(&metadata.icc);
        }
        // One that is not known here keeps nothing.
        _ => {}
    }
    kept
}
