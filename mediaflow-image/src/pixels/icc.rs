use mediaflow_core::media::Image;
use mediaflow_core::{Error, Result};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// Brings the pixels to sRGB if they come with a profile, and drops the profile. One that can not be used stays with
/// the picture, and the message says why.
pub(crate) fn to_srgb(image: Image) -> Result<(Image, Option<String>)> {
    let Some(profile) = image.metadata().icc.clone() else { return Ok((image, None)) };
    match converter(&profile, image.channels()) {
        Ok(None) => Ok((without_profile(image), None)),
        Ok(Some(convert)) => {
            let (width, height, channels) = (image.width(), image.height(), image.channels());
            let mut pixels = vec![0; image.pixels().len()];
            let row = width as usize * usize::from(channels);
            for (from, to) in image.pixels().chunks_exact(row).zip(pixels.chunks_exact_mut(row)) {
                convert.transform(from, to).map_err(failed)?;
            }
            let mut metadata = image.metadata().clone();
            metadata.icc = None;
            Ok((Image::new(width, height, channels, pixels)?.with_metadata(metadata), None))
        }
        Err(error) => Ok((
            image,
            Some(format!("the colour profile was kept, it can not be applied: {error}")),
        )),
    }
}

type Converter = std::sync::Arc<moxcms::Transform8BitExecutor>;

/// `None` if the profile is sRGB under whatever name: nobody can see one level of difference.
fn converter(
    profile: &[u8],
    channels: u8,
) -> std::result::Result<Option<Converter>, moxcms::CmsError> {
    let source = ColorProfile::new_from_slice(profile)?;
    let (layout, target) = match (channels, source.color_space) {
        (1, DataColorSpace::Gray) => (Layout::Gray, ColorProfile::new_gray_with_gamma(2.2)),
        (2, DataColorSpace::Gray) => (Layout::GrayAlpha, ColorProfile::new_gray_with_gamma(2.2)),
        (3, DataColorSpace::Rgb) => (Layout::Rgb, ColorProfile::new_srgb()),
        (4, DataColorSpace::Rgb) => (Layout::Rgba, ColorProfile::new_srgb()),
        _ => return Err(moxcms::CmsError::InvalidProfile),
    };
    let convert =
        source.create_transform_8bit(layout, &target, layout, TransformOptions::default())?;
    let samples = samples(usize::from(channels));
    let mut converted = vec![0; samples.len()];
    convert.transform(&samples, &mut converted)?;
    let same = samples.iter().zip(&converted).all(|(a, b)| a.abs_diff(*b) <= 1);
    Ok((!same).then_some(convert))
}

/// Colours from all over the cube, opaque.
fn samples(channels: usize) -> Vec<u8> {
    const LEVELS: [u8; 6] = [0, 51, 102, 153, 204, 255];
    let mut samples = Vec::new();
    for r in LEVELS {
        for g in LEVELS {
            for b in LEVELS {
                match channels {
                    1 => samples.push(r),
                    2 => samples.extend([r, 255]),
                    3 => samples.extend([r, g, b]),
                    _ => samples.extend([r, g, b, 255]),
                }
            }
        }
    }
    samples
}

fn without_profile(image: Image) -> Image {
    let mut metadata = image.metadata().clone();
    metadata.icc = None;
    image.with_metadata(metadata)
}

fn failed(cause: moxcms::CmsError) -> Error {
    Error::internal("image.icc", "the colours can not be converted").because(cause)
}
