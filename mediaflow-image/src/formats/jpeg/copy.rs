//! A JPEG that becomes a JPEG without being decoded: coefficients are laid down elsewhere, or scans copied as they stand.

use mediaflow_core::media::{MediaFile, MediaInfo};
use mediaflow_core::{Result, RunContext};
use mediaflow_jpeg::{Coding, Control, Failure, Jpeg as Parsed, View};

use super::decode::{check_scans, metadata};
use super::encode::{segments, with_segments};
use super::outline;
use super::params::{Chroma, Jpeg};
use crate::codec::{Reading, kept};
use crate::pixels::converts;
use crate::word::Part;

/// How it is done, if nothing is asked for that needs pixels: a quality, other colours, a size of the file, or a part that does
/// not begin on a unit.
pub(super) fn how(asked: &Jpeg, of: &MediaInfo, part: &Part) -> Option<&'static str> {
    let is_free =
        asked.quality.is_none() && asked.max_bytes.is_none() && asked.chroma == Chroma::default();
    let view = view(part);
    if !is_free || !view.is_on_units(of.unit?) {
        return None;
    }
    let (width, height) = of.stored_size();
    Some(match stays(&view, (width, height), asked.progressive, of.progressive) {
        true => "its data as it stands",
        false => "its coefficients, laid down anew",
    })
}

/// Makes the file. `None` if it is one that has to be decoded after all.
///
/// # Errors
/// `limit.scans`, and what [`RunContext::check`] gives.
pub(super) fn copy(
    asked: &Jpeg,
    file: &MediaFile,
    part: &Part,
    cx: &RunContext,
) -> Result<Option<Vec<u8>>> {
    let (reading, limits) = (Reading::new(file, cx), cx.limits());
    let bytes = file.blob().read(limits.image_bytes)?;
    let Ok(outline) = outline::read(&bytes) else { return Ok(None) };
    let Ok(parsed) = Parsed::parse(&bytes) else { return Ok(None) };
    if outline.damage.is_some() {
        return Ok(None);
    }
    if outline.frame.is_progressive() {
        check_scans(&bytes, &outline, cx)?;
    }
    let mut metadata = metadata(&bytes, &outline, &reading);
    let channels = if parsed.components() == 1 { 1 } else { 3 };
    reading.fit_profile(&mut metadata, channels);
    if metadata.icc.take().is_some_and(|profile| converts(&profile, channels)) {
        return Ok(None);
    }
    let stop = || cx.check().is_err();
    let control = Control::new(limits.image_bytes).stopped_by(&stop);
    match made(&parsed, asked, &view(part), &control) {
        Ok(bytes) => {
            let segments = segments(&kept(&metadata, asked.metadata), cx);
            Ok(Some(with_segments(bytes, &segments)))
        }
        Err(_) => cx.check().map(|()| None),
    }
}

fn made(
    parsed: &Parsed<'_>,
    asked: &Jpeg,
    view: &View,
    control: &Control<'_>,
) -> std::result::Result<Vec<u8>, Failure> {
    let is_progressive = parsed.coding() == Coding::Progressive;
    let size = (parsed.width(), parsed.height());
    if stays(view, size, asked.progressive, is_progressive) {
        // What is damaged does not go on. For an eighth of the size all codes of a baseline file are read, and not all scans of
        // another one.
        match is_progressive {
            true => parsed.coefficients(control).map(drop)?,
            false => parsed.eighth(control).map(drop)?,
        }
        return parsed.bare();
    }
    let progressive = asked.progressive || is_progressive;
    parsed.coefficients(control)?.view(view, control)?.write(progressive, control)
}

/// Whether the scans of a picture are what is asked for.
fn stays(view: &View, (width, height): (u32, u32), asked: bool, progressive: bool) -> bool {
    *view == View::whole(width, height) && (progressive || !asked)
}

fn view(part: &Part) -> View {
    let Part { crop, turn } = *part;
    View {
        left: crop.left,
        top: crop.top,
        width: crop.width,
        height: crop.height,
        transpose: turn.transpose,
        mirror_x: turn.mirror_x,
        mirror_y: turn.mirror_y,
    }
}
