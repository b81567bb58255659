//! From one size to another: sharply, with even sides, surrounded where a box wants it.

use gstreamer as gst;
use gstreamer_video::VideoColorimetry;
use mediaflow_core::Result;

use super::upright::Layout;
use super::{caps_filter, make, set};

/// Cut, scale, surround: each only where it does something.
pub(super) fn scale(layout: &Layout, colours: VideoColorimetry) -> Result<Vec<gst::Element>> {
    let mut elements = Vec::new();
    if layout.cut != [0; 4] {
        let crop = make("videocrop")?;
        for (side, pixels) in ["left", "right", "top", "bottom"].into_iter().zip(layout.cut) {
            set(&crop, side, &pixels.to_string())?;
        }
        elements.push(crop);
    }
    let scale = scaler("false")?;
    elements.extend([scale, planar(layout.size, colours)?]);
    if layout.canvas != layout.size {
        let surround = make("videobox")?;
        let (left, top) = layout.offset;
        let right = layout.canvas.0 - layout.size.0 - left;
        let bottom = layout.canvas.1 - layout.size.1 - top;
        for (side, pixels) in [("left", left), ("right", right), ("top", top), ("bottom", bottom)] {
            set(&surround, side, &format!("-{pixels}"))?;
        }
        elements.extend([surround, planar(layout.canvas, colours)?]);
    }
    Ok(elements)
}

/// Scales sharply; adds borders or stretches what has another shape.
pub(super) fn scaler(add_borders: &str) -> Result<gst::Element> {
    let scale = make("videoconvertscale")?;
    set(&scale, "add-borders", add_borders)?;
    set(&scale, "method", "lanczos")?;
    // Three lobes: its two by default are softer than what others scale with.
    set(&scale, "envelope", "3")?;
    Ok(scale)
}

fn planar((width, height): (u32, u32), colours: VideoColorimetry) -> Result<gst::Element> {
    let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
    caps_filter(
        &gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", side(width))
            .field("height", side(height))
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .field("colorimetry", colours.to_string())
            .build(),
    )
}
