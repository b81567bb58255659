//! From a decoded stream to a picture as it is to be seen: its colours known, in a range that every screen shows, without what
//! is transparent, whole instead of in fields, and upright.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as video;
use mediaflow_core::Result;

use super::colour::Colours;
use super::source::Stream;
use super::tone::{self, Coding};
use super::upright::Upright;
use super::{caps_filter, make, set};

/// The elements, the first of which takes the stream.
///
/// # Errors
/// `video.missing_plugin`, `video.not_decodable`.
pub(super) fn upright(stream: &Stream) -> Result<Vec<gst::Element>> {
    let colours = Colours::of(stream)?;
    let mut elements = Vec::new();
    if let Some(caps) = colours.correction() {
        let setter = make("capssetter")?;
        setter.set_property("caps", caps);
        elements.push(setter);
    }
    let caps = stream.caps()?;
    let info = video::VideoInfo::from_caps(&caps).ok();
    if info.as_ref().is_some_and(video::VideoInfo::has_alpha) {
        elements.extend(opaque(colours.is_stretched())?);
    }
    if colours.is_hdr() {
        let is_hlg = colours.source.transfer() == video::VideoTransferFunction::AribStdB67;
        elements.extend(tone::map(if is_hlg { Coding::Hlg } else { Coding::Pq })?);
    }
    let planar = gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("colorimetry", colours.result().to_string());
    let planar = caps_filter(&planar.build())?;
    if colours.is_stretched() {
        narrow(&planar);
    }
    elements.extend([make("videoconvert")?, planar]);
    if is_interlaced(stream)? {
        let deinterlace = make("deinterlace")?;
        // One frame per frame: both fields would double the rate.
        set(&deinterlace, "fields", "top")?;
        elements.push(deinterlace);
    }
    let flip = make("videoflip")?;
    set(&flip, "video-direction", Upright::of(stream)?.direction())?;
    elements.push(flip);
    Ok(elements)
}

fn is_interlaced(stream: &Stream) -> Result<bool> {
    let caps = stream.caps()?;
    let mode = caps.structure(0).and_then(|fields| fields.get::<&str>("interlace-mode").ok());
    Ok(mode.is_some_and(|mode| mode != "progressive"))
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

/// Brings I420 from the range of stills, 0 to 255, to that of films.
fn narrow(planar: &gst::Element) {
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
