use mediaflow_core::Result;
use mediaflow_core::media::{Format, Image};
use turbojpeg::{Compressor, PixelFormat, Subsamp};

use super::{Chroma, Jpeg};
use crate::error;

pub(super) fn pixels(image: &Image, how: &Jpeg, quality: u8) -> Result<Vec<u8>> {
    let failed = |cause| error::encode(&Format::JPEG, cause);
    let grey = image.channels() == 1;
    let mut encoder = Compressor::new().map_err(failed)?;
    encoder.set_quality(i32::from(quality)).map_err(failed)?;
    encoder.set_optimize(true).map_err(failed)?;
    encoder.set_progressive(how.progressive).map_err(failed)?;
    let subsampling = match how.chroma {
        _ if grey => Subsamp::Gray,
        Chroma::Quarter => Subsamp::Sub2x2,
        Chroma::Half => Subsamp::Sub2x1,
        Chroma::Full => Subsamp::None,
    };
    encoder.set_subsamp(subsampling).map_err(failed)?;
    let (width, height) = (image.width() as usize, image.height() as usize);
    let picture = turbojpeg::Image {
        pixels: image.pixels(),
        width,
        pitch: width * usize::from(image.channels()),
        height,
        format: if grey { PixelFormat::GRAY } else { PixelFormat::RGB },
    };
    encoder.compress_to_vec(picture).map_err(failed)
}
