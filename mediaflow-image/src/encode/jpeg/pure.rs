use jpeg_encoder::{ChromaSubsamplingMethod, ColorType, Encoder, SamplingFactor};
use mediaflow_core::Result;
use mediaflow_core::media::{Format, Image};

use super::{Chroma, Jpeg};
use crate::error;

pub(super) fn pixels(image: &Image, how: &Jpeg, quality: u8) -> Result<Vec<u8>> {
    let failed = |cause| error::encode(&Format::JPEG, cause);
    let side = |side: u32| u16::try_from(side).map_err(|e| error::encode(&Format::JPEG, e));
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_optimized_huffman_tables(true);
    // Its default drops three of four values, which costs colour at no gain.
    encoder.set_chroma_subsampling_method(ChromaSubsamplingMethod::Average);
    encoder.set_progressive(how.progressive);
    encoder.set_sampling_factor(match how.chroma {
        Chroma::Quarter => SamplingFactor::F_2_2,
        Chroma::Half => SamplingFactor::F_2_1,
        Chroma::Full => SamplingFactor::F_1_1,
    });
    let kind = if image.channels() == 1 { ColorType::Luma } else { ColorType::Rgb };
    encoder
        .encode(image.pixels(), side(image.width())?, side(image.height())?, kind)
        .map_err(failed)?;
    Ok(bytes)
}
