//! The image backend of mediaflow: JPEG, PNG, WebP and GIF in, and as a choice AVIF, TIFF, BMP,
//! icons, PNM and QOI; JPEG, PNG, WebP and GIF out, and as a choice AVIF, TIFF and QOI.
//!
//! The time of an image job goes into decoding: for a thumbnail of a 12-megapixel JPEG four fifths of it. So everything
//! that is asked of one photo becomes one plan with one decode, in the JPEG's own transform at the smallest of the
//! scales 1/8, 1/4, 1/2 and 1 that the largest result needs, and smaller results are made from larger ones. A PNG has no such
//! scales, but its rows come one by one: what is made of it is fed with them, and the picture is never in memory. A thumbnail
//! of 16,000 x 16,000 pixels takes a few megabytes.
//!
//! ```
//! use mediaflow_core::geometry::Fit;
//! use mediaflow_core::spec::Pipeline;
//! use mediaflow_core::Registry;
//! use mediaflow_image::ImageEncoders;
//!
//! let mut registry = Registry::new();
//! mediaflow_image::operations(&mut registry);
//!
//! let sizes = Pipeline::from("uploads/photo.jpg")
//!     .output("public/1600.jpg", |photo| photo.resize((1600, 1600, Fit::Inside)).jpeg(80))
//!     .output("public/400.webp", |photo| photo.resize((400, 400, Fit::Cover)).webp(80))
//!     .build()?;
//! # let _ = sizes;
//! # Ok::<(), mediaflow_core::Error>(())
//! ```
//!
//! A JPEG that stays one, and of which nothing is asked that needs pixels, is not decoded: it is turned, cut and given other metadata
//! without a loss. See [`Jpeg`].
//!
//! What holds everywhere:
//!
//! * Pictures are upright: the EXIF orientation is applied on the way, where it costs least, and every size, box and
//!   gravity is that of the upright picture.
//! * Pixels are sRGB, 8 bits, alpha not premultiplied. Other profiles are converted after the resize, or before one in light; those
//!   that do not fit are ignored with a warning, and none is written.
//! * A file that is cut off is an error (`image.truncated`), whatever its decoder thinks of it, unless
//!   [`OnDamage::Accept`](mediaflow_core::media::OnDamage::Accept) takes what is there of it. Damage beside the picture is a warning.
//! * Limits are checked on the header, before a decoder runs.
//!
//! The feature `turbo` decodes and encodes JPEG with libjpeg-turbo, twice as fast; without it all decoders are Rust. At 1/8, for
//! thumbnails, both builds decode with [`mediaflow_jpeg`], which is faster than either. The feature `text` writes on pictures, and
//! `tiff` reads and writes TIFF, whose strips and tiles come row by row like those of PNG; `bitmaps` reads BMP, icons, PNM and QOI, and writes QOI.
//!
//! The feature `avif` reads and writes AVIF with libaom. At the default effort it takes 0.6 of the time that sharp takes at its effort
//! of 2 for a picture that is as good by SSIMULACRA2, and less than a tenth of that at its effort of 4; the file is a fifth larger,
//! for sharp has a newer libaom. rav1e, in Rust, takes as long at its fastest for less, and seven times as long with care.

mod backend;
mod codec;
mod error;
mod formats;
mod found;
mod ops;
mod pixels;
mod plan;
mod reader;
mod word;

pub use backend::ImageBackend;
pub use codec::MetadataPolicy;
#[cfg(feature = "avif")]
pub use formats::Avif;
#[cfg(feature = "bitmaps")]
pub use formats::Qoi;
pub use formats::{Chroma, Gif, ImageEncoders, Jpeg, Png, Webp};
#[cfg(feature = "tiff")]
pub use formats::{Tiff, TiffCompression};
pub use reader::ImageReader;

use mediaflow_core::Registry;

/// The name of reader and backend in explanations and errors.
const NAME: &str = "image";

/// Makes the image encoders, reader and backend known to an engine: `.with(mediaflow_image::operations)`.
pub fn operations(registry: &mut Registry) {
    for word in formats::words() {
        word.enter(registry);
    }
    registry.reader(ImageReader::new()).backend(ImageBackend::new());
}
