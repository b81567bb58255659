use bytes::Bytes;
use mediaflow_core::media::{Image, Metadata};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exif::{essential, upright};

/// What of a photo's metadata goes into the result. The orientation in it is always upright, as the pixels are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MetadataPolicy {
    /// Artist, copyright, and a colour profile if the pixels are still in it. No place, no time, no serial numbers.
    /// The default.
    #[default]
    Private,
    /// Nothing.
    Strip,
    /// EXIF, XMP and the colour profile as they are.
    Keep,
}

/// What is written beside the pixels. The orientation in it is upright: the pixels were turned.
pub(crate) fn kept(image: &Image, policy: MetadataPolicy) -> Metadata {
    let metadata = image.metadata();
    let mut kept = Metadata::default();
    match policy {
        MetadataPolicy::Strip => {}
        MetadataPolicy::Private => {
            kept.exif = metadata.exif.as_ref().and_then(|tiff| essential(tiff)).map(Bytes::from);
            kept.icc.clone_from(&metadata.icc);
        }
        MetadataPolicy::Keep => {
            kept.exif = metadata.exif.as_ref().map(|tiff| upright(tiff).into());
            kept.xmp.clone_from(&metadata.xmp);
            kept.icc.clone_from(&metadata.icc);
        }
    }
    kept
}
