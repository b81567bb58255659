//! From a decoded stream to a picture as it is to be seen: its colours known, in a range that every screen shows, without what
//! is transparent, whole instead of in fields, and upright.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as video;
use mediaflow_core::Result;

use super::colour::{Colours, complete_caps};
use super::scale::scaler;
use super::source::Stream;
use super::tone::{self, Coding, Gamut};
use super::upright::Upright;
use super::{caps_filter, make, set};

/// The elements, the first of which takes the stream.
///
/// A stream may change its shape on the way: another size, other pixels, fields. What comes out has the shape of its begin, in
/// which everything else lies whole.
///
/// # Errors
/// `video.missing_plugin`, `video.not_decodable`.
pub(super) fn upright(stream: &Stream, upright: Upright) -> Result<Vec<gst::Element>> {
    let colours = Colours::of(stream)?;
    let caps = stream.caps()?;
    let info = video::VideoInfo::from_caps(&caps).ok();
    let mut elements = Vec::new();
    let is_transparent = info.as_ref().is_some_and(video::VideoInfo::has_alpha);
    if is_transparent {
        elements.extend(opaque(colours.is_stretched())?);
    }
    if colours.is_hdr() {
        let is_hlg = colours.source.transfer() == video::VideoTransferFunction::AribStdB67;
        if upright != Upright::of(stream)? {
            // Light is mapped pixel by pixel: of a smaller picture there are fewer.
            elements.extend([scaler("true")?, caps_filter(&shape(&caps, upright, None))?]);
        }
        elements.extend(tone::map(if is_hlg { Coding::Hlg } else { Coding::Pq }, gamut(&colours))?);
    }
    let planar = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("colorimetry", colours.result().to_string());
    let planar = caps_filter(&planar.build())?;
    let convert = make("videoconvert")?;
    if colours.is_wide() {
        set(&convert, "primaries-mode", "fast")?;
        set(&convert, "gamma-mode", "remap")?;
    }
    elements.extend([convert, planar.clone()]);
    if let Some(pad) = elements.first().and_then(|first| first.static_pad("sink")) {
        narrow(&planar, complete_caps(&pad, stream.colour));
    }
    elements.extend(deinterlace(&caps, stream.is_bottom_first()?)?);
    elements.extend([scaler("true")?, caps_filter(&shape(&caps, upright, Some("I420")))?]);
    let flip = make("videoflip")?;
    set(&flip, "video-direction", upright.direction())?;
    elements.push(flip);
    Ok(elements)
}

/// Where fields are made frames; a stream without any passes as it is.
fn deinterlace(caps: &gst::CapsRef, is_bottom_first: bool) -> Result<Option<gst::Element>> {
    let mode = caps.structure(0).and_then(|fields| fields.get::<&str>("interlace-mode").ok());
    let deinterlace = match make("deinterlace") {
        Err(error) if mode.is_some_and(|mode| mode != "progressive") => return Err(error),
        Err(_) => return Ok(None),
        Ok(deinterlace) => deinterlace,
    };
    // One frame per frame, of the field that is seen first: both would double the rate.
    set(&deinterlace, "fields", if is_bottom_first { "bottom" } else { "top" })?;
    Ok(Some(deinterlace))
}

fn gamut(colours: &Colours) -> Gamut {
    match colours.source.primaries() {
        video::VideoColorPrimaries::Smpterp431 | video::VideoColorPrimaries::Smpteeg432 => {
            Gamut::P3
        }
        video::VideoColorPrimaries::Bt709 => Gamut::Bt709,
        _ => Gamut::Bt2020,
    }
}

/// The shape of these caps, or of fewer pixels.
fn shape(caps: &gst::CapsRef, upright: Upright, format: Option<&str>) -> gst::Caps {
    let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
    let (width, height) = upright.unturned_stored();
    let fields = caps.structure(0);
    let told = |name: &str| fields.and_then(|fields| fields.get::<i32>(name).ok());
    let pixels = if (told("width"), told("height")) == (Some(side(width)), Some(side(height))) {
        let pixels = fields.and_then(|f| f.get::<gst::Fraction>("pixel-aspect-ratio").ok());
        pixels.unwrap_or(gst::Fraction::new(1, 1))
    } else {
        let (shown, high) = upright.unturned();
        let product = |a: u32, b: u32| f64::from(a) * f64::from(b);
        let ratio = product(shown, height) / product(high, width).max(1.0);
        gst::Fraction::approximate_f64(ratio).unwrap_or(gst::Fraction::new(1, 1))
    };
    let shape = gst::Caps::builder("video/x-raw")
        .field("width", side(width))
        .field("height", side(height))
        .field("pixel-aspect-ratio", pixels);
    match format {
        Some(format) => shape.field("format", format).build(),
        None => shape.build(),
    }
}

/// Puts what is transparent on black.
fn opaque(is_stretched: bool) -> Result<Vec<gst::Element>> {
    let caps = gst::Caps::builder("video/x-raw").field("format", "AYUV").build();
    let filter = caps_filter(&caps)?;
    if let Some(pad) = filter.static_pad("src") {
        pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
            if let Some(buffer) = info.buffer_mut()
                && let Ok(mut pixels) = buffer.make_mut().map_writable()
            {
                darken(pixels.as_mut_slice(), if is_stretched { 0 } else { 16 });
            }
            gst::PadProbeReturn::Ok
        });
    }
    Ok(vec![make("videoconvert")?, filter])
}

/// Brings I420 from the range of stills, 0 to 255, to that of films, as long as it is stretched.
fn narrow(planar: &gst::Element, stretched: Arc<AtomicBool>) {
    let scale = |value: u8, from: i32, steps: i32, to: i32| {
        let scaled = (i32::from(value) - from) * steps;
        u8::try_from(to + (scaled + 127 * scaled.signum()) / 255).unwrap_or(value)
    };
    let (mut luma, mut chroma) = ([0; 256], [0; 256]);
    for value in 0..=u8::MAX {
        luma[usize::from(value)] = scale(value, 0, 219, 16);
        chroma[usize::from(value)] = scale(value, 128, 224, 128);
    }
    let Some(pad) = planar.static_pad("src") else { return };
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        if !stretched.load(Ordering::Relaxed) {
            return gst::PadProbeReturn::Ok;
        }
        let format = pad.current_caps().and_then(|c| video::VideoInfo::from_caps(&c).ok());
        if let (Some(buffer), Some(format)) = (info.buffer_mut(), format)
            && let Ok(mut frame) =
                video::VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), &format)
        {
            for (plane, table) in (0..).zip([&luma, &chroma, &chroma]) {
                for value in frame.plane_data_mut(plane).unwrap_or_default() {
                    *value = table[usize::from(*value)];
                }
            }
        }
        gst::PadProbeReturn::Ok
    });
}

/// Blends A, Y, U, V with black.
fn darken(pixels: &mut [u8], black: u8) {
    for pixel in pixels.chunks_exact_mut(4) {
        let alpha = i32::from(pixel[0]);
        let grounds = [black, 128, 128];
        for (value, ground) in pixel[1..].iter_mut().zip(grounds) {
            let over = (i32::from(*value) - i32::from(ground)) * alpha;
            let blended = i32::from(ground) + (over + 127 * over.signum()) / 255;
            *value = u8::try_from(blended).unwrap_or(ground);
        }
        pixel[0] = u8::MAX;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transparent_is_black_and_opaque_stays() {
        let mut pixels = [0, 150, 40, 20, 255, 150, 40, 20, 128, 116, 128, 228];
        darken(&mut pixels, 16);
        assert_eq!(pixels, [255, 16, 128, 128, 255, 150, 40, 20, 255, 66, 128, 178]);
    }
}
