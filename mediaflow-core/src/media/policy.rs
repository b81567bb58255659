use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What of what a source says of itself goes into a result. The orientation in it is always upright, as the pixels are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum MetadataPolicy {
    /// What can be published unasked. Of a photo: artist and copyright, written as EXIF, whether EXIF, XMP, the records of the
    /// press (IPTC) or the words of a PNG say them; and a colour profile if the pixels are still in it. No place, no time, no
    /// serial numbers. Of a film or of sound, and of a frame of a film: nothing. The default.
    #[default]
    Private,
    /// Nothing.
    Strip,
    /// Artist and copyright, and of a photo a colour profile if the pixels are still in it. Of a frame of a film nothing.
    Copyright,
    /// Of a photo: EXIF, XMP and the colour profile as they are. Of a film or of sound: title, artist, copyright, comment,
    /// description, album, genre, date, place, and the maker and model of the device, as far as its container says them; of MP4
    /// and QuickTime also a packet of XMP, upright.
    Keep,
}

impl MetadataPolicy {
    /// Whether it is the default, which stored steps may leave out.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
