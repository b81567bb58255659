use std::sync::Arc;

use mediaflow_core::media::{ColorSpace, Image};
use mediaflow_core::{Error, Result, RunContext, codes};
use moxcms::{CmsError, ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::{eight_bits, try_bands};

/// In sRGB. A profile that can not be applied is dropped with a warning, and the pixels are taken as they are: in a result it
/// would be as wrong as it is here.
pub(crate) fn srgb(image: Image, cx: &RunContext) -> Result<Image> {
    let source = match (image.color_space(), &image.metadata().icc) {
        (ColorSpace::DisplayP3, _) => Ok(ColorProfile::new_display_p3()),
        (ColorSpace::LinearSrgb, _) => {
            return Err(Error::unsupported(
                codes::IMAGE_UNSUPPORTED,
                "pixels in proportion to light are not taken",
            )
            .help("let their reader give sRGB"));
        }
        (_, Some(profile)) => ColorProfile::new_from_slice(profile),
        (_, None) => return Ok(image),
    };
    let convert = match source.and_then(|source| converter(&source, image.channels())) {
        Ok(Some(convert)) => convert,
        Ok(None) => return Ok(without_profile(image)),
        Err(error) => {
            cx.warn(format!("a colour profile was ignored: {}", reason(&error)));
            return Ok(without_profile(image));
        }
    };
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let mut pixels = vec![0; image.pixels().len()];
    let row = width as usize * usize::from(channels);
    let source = image.pixels();
    // A pixel takes about as long as eight that are only copied.
    try_bands(height as usize, 8 * row, cx, |rows| {
        let part = rows.start * row..rows.end * row;
        let (from, to) = (&source[part.clone()], &mut pixels[part]);
        for (from, to) in from.chunks_exact(row).zip(to.chunks_exact_mut(row)) {
            convert.transform(from, to).map_err(failed)?;
        }
        Ok(())
    })?;
    let mut metadata = image.metadata().clone();
    metadata.icc = None;
    Ok(Image::new(width, height, channels, pixels)?.with_metadata(metadata))
}

/// Whether a profile can be applied to pixels of so many channels.
///
/// # Errors
/// Why not, for people.
pub(crate) fn fits(profile: &[u8], channels: u8) -> Result<(), String> {
    let source = ColorProfile::new_from_slice(profile);
    let found = source.and_then(|source| converter(&source, channels));
    found.map(drop).map_err(|error| reason(&error))
}

/// Whether a profile changes pixels of so many channels on their way to sRGB.
pub(crate) fn converts(profile: &[u8], channels: u8) -> bool {
    let source = ColorProfile::new_from_slice(profile);
    source.and_then(|source| converter(&source, channels)).is_ok_and(|convert| convert.is_some())
}

/// The picture without its profile.
fn without_profile(image: Image) -> Image {
    let mut metadata = image.metadata().clone();
    metadata.icc = None;
    image.with_metadata(metadata)
}

/// Brings rows of 16 bits to 8, rounded, and to sRGB before that: cut to 8 bits first, dark colours of a profile would fall
/// together.
pub(crate) struct Deep {
    convert: Option<Arc<moxcms::Transform16BitExecutor>>,
    row: Vec<u16>,
    converted: Vec<u16>,
}

impl Deep {
    /// For pixels of so many channels with this profile, if they have one that fits.
    pub(crate) fn new(profile: Option<&[u8]>, channels: u8) -> Self {
        let convert = profile.and_then(|profile| {
            let source = ColorProfile::new_from_slice(profile).ok()?;
            // One that is sRGB under another name changes nothing here, either.
            converter(&source, channels).ok()??;
            let (layout, target) = target(channels, source.color_space).ok()?;
            let options = TransformOptions::default();
            source.create_transform_16bit(layout, &target, layout, options).ok()
        });
        Self { convert, row: Vec::new(), converted: Vec::new() }
    }

    /// One row, whose samples have their high byte first.
    ///
    /// # Errors
    /// `image.icc`.
    pub(crate) fn convert(&mut self, from: &[u8], to: &mut [u8]) -> Result<()> {
        let (samples, _) = from.as_chunks::<2>();
        self.row.clear();
        self.row.extend(samples.iter().map(|sample| u16::from_be_bytes(*sample)));
        let row = match &self.convert {
            Some(convert) => {
                self.converted.resize(self.row.len(), 0);
                convert.transform(&self.row, &mut self.converted).map_err(failed)?;
                &self.converted
            }
            None => &self.row,
        };
        for (to, sample) in to.iter_mut().zip(row) {
            *to = eight_bits(*sample);
        }
        Ok(())
    }
}

pub(super) type Converter = Arc<moxcms::Transform8BitExecutor>;

/// `None` if the profile is sRGB under whatever name: nobody can see one level of difference.
pub(super) fn converter(
    source: &ColorProfile,
    channels: u8,
) -> Result<Option<Converter>, CmsError> {
    let (layout, target) = target(channels, source.color_space)?;
    let convert =
        source.create_transform_8bit(layout, &target, layout, TransformOptions::default())?;
    let samples = samples(usize::from(channels));
    let mut converted = vec![0; samples.len()];
    convert.transform(&samples, &mut converted)?;
    let same = samples.iter().zip(&converted).all(|(a, b)| a.abs_diff(*b) <= 1);
    Ok((!same).then_some(convert))
}

/// How the pixels lie, and the profile that they get.
fn target(channels: u8, space: DataColorSpace) -> Result<(Layout, ColorProfile), CmsError> {
    let layout = match (channels, space) {
        (1, DataColorSpace::Gray) => Layout::Gray,
        (2, DataColorSpace::Gray) => Layout::GrayAlpha,
        (3, DataColorSpace::Rgb) => return Ok((Layout::Rgb, ColorProfile::new_srgb())),
        (4, DataColorSpace::Rgb) => return Ok((Layout::Rgba, ColorProfile::new_srgb())),
        _ => return Err(CmsError::InvalidProfile),
    };
    // Grey as sRGB shows it: a plain gamma of 2.2 is up to nine levels off in the shadows.
    let mut grey = ColorProfile::new_gray_with_gamma(2.2);
    grey.gray_trc = ColorProfile::new_srgb().red_trc;
    Ok((layout, grey))
}

/// Colours from all over the cube, opaque.
fn samples(channels: usize) -> Vec<u8> {
    const LEVELS: [u8; 6] = [0, 51, 102, 153, 204, 255];
    if channels <= 2 {
        // Curves can differ in the shadows alone.
        return (0..=u8::MAX).flat_map(|v| [v, u8::MAX].into_iter().take(channels)).collect();
    }
    let mut samples = Vec::new();
    for r in LEVELS {
        for g in LEVELS {
            for b in LEVELS {
                samples.extend([r, g, b, 255].into_iter().take(channels));
            }
        }
    }
    samples
}

pub(super) fn reason(error: &CmsError) -> String {
    match error {
        CmsError::InvalidProfile => "it is damaged, or for other colours than these".to_owned(),
        error => format!("it can not be applied ({error})"),
    }
}

pub(super) fn failed(cause: CmsError) -> Error {
    Error::internal(codes::IMAGE_ICC, "the colours can not be converted").because(cause)
}
