use std::borrow::Cow;

use mediaflow_core::{Result, RunContext};
use moxcms::ColorProfile;

use super::Shape;
use super::icc::{Converter, converter, failed, reason};

/// Brings rows to sRGB, as [`srgb`](super::srgb) does with a whole picture.
pub(crate) struct RowsToSrgb {
    shape: Shape,
    convert: Option<Converter>,
    profile: bool,
}

impl RowsToSrgb {
    /// For rows of this width and these channels. A profile that can not be applied is a warning.
    pub(crate) fn new(profile: Option<&[u8]>, shape: Shape, cx: &RunContext) -> Self {
        let found = profile.map(|profile| {
            let source = ColorProfile::new_from_slice(profile);
            source.and_then(|source| converter(&source, shape.channels))
        });
        let convert = match found {
            Some(Ok(convert)) => convert,
            Some(Err(error)) => {
                cx.warn(format!("a colour profile was ignored: {}", reason(&error)));
                None
            }
            None => None,
        };
        Self { shape, convert, profile: profile.is_some() }
    }

    /// Whether there was a profile, which has had its effect.
    pub(crate) fn has_profile(&self) -> bool {
        self.profile
    }

    /// The same rows in sRGB.
    ///
    /// # Errors
    /// `image.icc`.
    pub(crate) fn rows<'a>(&self, rows: &'a [u8]) -> Result<Cow<'a, [u8]>> {
        let Some(convert) = &self.convert else { return Ok(rows.into()) };
        let mut converted = vec![0; rows.len()];
        let stride = self.shape.row_bytes();
        for (from, to) in rows.chunks_exact(stride).zip(converted.chunks_exact_mut(stride)) {
            convert.transform(from, to).map_err(failed)?;
        }
        Ok(converted.into())
    }
}
