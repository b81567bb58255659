//! The colours of a decoded stream: what the decoder says, completed by what the container says.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as video;
use gstreamer_video::{
    VideoColorMatrix as Matrix, VideoColorPrimaries as Primaries, VideoColorRange as Range,
    VideoColorimetry, VideoTransferFunction as Transfer,
};
use mediaflow_core::Result;

use super::source::Stream;
use crate::isobmff::Colour;

/// From this many rows on, pictures that do not say so are in BT.709, and below in BT.601: as players take them.
const HIGH_DEFINITION: u32 = 720;

/// What the colours of a stream are, and what is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Colours {
    /// All parts are known.
    pub(crate) source: VideoColorimetry,
    /// As the caps say.
    said: Option<VideoColorimetry>,
}

impl Colours {
    pub(crate) fn of(stream: &Stream) -> Result<Self> {
        let caps = stream.caps()?;
        Ok(Self::read(&caps, stream.colour))
    }

    fn read(caps: &gst::CapsRef, container: Option<Colour>) -> Self {
        let fields = caps.structure(0);
        let said = fields
            .and_then(|fields| fields.get::<&str>("colorimetry").ok())
            .and_then(|name| name.parse::<VideoColorimetry>().ok());
        let height = fields.and_then(|fields| fields.get::<i32>("height").ok()).unwrap_or(0);
        let is_rgb = planes_of_rgb(caps, said).is_some()
            || fields
                .and_then(|fields| fields.get::<&str>("format").ok())
                .and_then(|name| name.parse::<video::VideoFormat>().ok())
                .is_some_and(|format| video::VideoFormatInfo::from_format(format).is_rgb());
        Self { source: complete(said, container, height.unsigned_abs(), is_rgb), said }
    }

    /// More light than a result shows.
    pub(crate) fn is_hdr(&self) -> bool {
        matches!(self.source.transfer(), Transfer::Smpte2084 | Transfer::AribStdB67)
    }

    /// Colours that few screens show, which would be pale if they were taken for usual ones.
    pub(crate) fn is_wide(&self) -> bool {
        let primaries = self.source.primaries();
        !self.is_hdr()
            && matches!(
                primaries,
                Primaries::Bt2020 | Primaries::Smpterp431 | Primaries::Smpteeg432
            )
    }

    /// These caps with what a decoder left open, for whoever converts; nothing if that is nothing.
    fn completed(&self, caps: &gst::CapsRef) -> Option<gst::Caps> {
        let Self { source, .. } = self;
        // Converters take one Y, Cb, Cr for another whatever their range: that is converted here.
        let range = if self.is_stretched() { Range::Range16_235 } else { source.range() };
        let told =
            VideoColorimetry::new(range, source.matrix(), source.transfer(), source.primaries());
        let mut completed = caps.to_owned();
        let planes = planes_of_rgb(caps, self.said);
        let fields = completed.make_mut().structure_mut(0)?;
        fields.set("colorimetry", told.to_string());
        if let Some(planes) = planes {
            fields.set("format", planes);
        }
        (self.said != Some(told) || planes.is_some()).then_some(completed)
    }

    /// Y, Cb, Cr with the range of stills.
    pub(crate) fn is_stretched(&self) -> bool {
        let is_full = self.source.range() == Range::Range0_255;
        is_full && self.source.matrix() != Matrix::Rgb && !self.is_hdr()
    }

    /// Those of a result in Y, Cb, Cr: with the range of films.
    pub(crate) fn result(&self) -> VideoColorimetry {
        if self.is_hdr() || self.is_wide() || self.source.matrix() == Matrix::Rgb {
            return VideoColorimetry::new(
                Range::Range16_235,
                Matrix::Bt709,
                Transfer::Bt709,
                Primaries::Bt709,
            );
        }
        let Self { source, .. } = self;
        VideoColorimetry::new(
            Range::Range16_235,
            source.matrix(),
            source.transfer(),
            source.primaries(),
        )
    }
}

/// Some decoders call planes of green, blue and red Y, Cb and Cr, and say of their matrix that there is none: how the planes
/// are called then.
fn planes_of_rgb(caps: &gst::CapsRef, said: Option<VideoColorimetry>) -> Option<&'static str> {
    said.filter(|said| said.matrix() == Matrix::Rgb)?;
    match caps.structure(0)?.get::<&str>("format").ok()? {
        "Y444" => Some("GBR"),
        "Y444_10LE" => Some("GBR_10LE"),
        "Y444_12LE" => Some("GBR_12LE"),
        _ => None,
    }
}

/// Completes what a decoder says of its pictures, now and whenever it says something else, for the element behind this pad.
/// Tells whether those that come are stretched.
pub(super) fn complete_caps(pad: &gst::Pad, container: Option<Colour>) -> Arc<AtomicBool> {
    let stretched = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stretched);
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        let completed = info.event().and_then(|event| match event.view() {
            gst::EventView::Caps(event) => {
                let colours = Colours::read(event.caps(), container);
                told.store(colours.is_stretched(), Ordering::Relaxed);
                let caps = colours.completed(event.caps())?;
                Some(gst::event::Caps::builder(&caps).seqnum(event.seqnum()).build())
            }
            _ => None,
        });
        if let Some(event) = completed {
            info.data = Some(gst::PadProbeData::Event(event));
        }
        gst::PadProbeReturn::Ok
    });
    stretched
}

/// Unknown parts are taken from the container, then from what is usual for pictures of this height.
fn complete(
    said: Option<VideoColorimetry>,
    container: Option<Colour>,
    height: u32,
    is_rgb: bool,
) -> VideoColorimetry {
    let unknown = || {
        VideoColorimetry::new(
            Range::Unknown,
            Matrix::Unknown,
            Transfer::Unknown,
            Primaries::Unknown,
        )
    };
    let said = said.unwrap_or_else(unknown);
    let container = container.map_or_else(unknown, of_container);
    let high = height >= HIGH_DEFINITION;
    let range = match (said.range(), container.range()) {
        // A decoder that was told nothing says 16 to 235.
        (Range::Range0_255, _) | (_, Range::Range0_255) => Range::Range0_255,
        _ if is_rgb => Range::Range0_255,
        _ => Range::Range16_235,
    };
    let matrix = match (said.matrix(), container.matrix()) {
        _ if is_rgb => Matrix::Rgb,
        (Matrix::Unknown, Matrix::Unknown | Matrix::Rgb) if high => Matrix::Bt709,
        (Matrix::Unknown, Matrix::Unknown | Matrix::Rgb) => Matrix::Bt601,
        (Matrix::Unknown, matrix) | (matrix, _) => matrix,
    };
    let transfer = match (said.transfer(), container.transfer()) {
        (Transfer::Unknown, Transfer::Unknown) if is_rgb => Transfer::Srgb,
        (Transfer::Unknown, Transfer::Unknown) if high => Transfer::Bt709,
        (Transfer::Unknown, Transfer::Unknown) => Transfer::Bt601,
        (Transfer::Unknown, transfer) | (transfer, _) => transfer,
    };
    let primaries = match (said.primaries(), container.primaries()) {
        (Primaries::Unknown, Primaries::Unknown) if high || is_rgb => Primaries::Bt709,
        (Primaries::Unknown, Primaries::Unknown) => Primaries::Smpte170m,
        (Primaries::Unknown, primaries) | (primaries, _) => primaries,
    };
    VideoColorimetry::new(range, matrix, transfer, primaries)
}

fn of_container(colour: Colour) -> VideoColorimetry {
    let code = |code: u16| u32::from(code);
    VideoColorimetry::new(
        match colour.full_range {
            Some(true) => Range::Range0_255,
            Some(false) => Range::Range16_235,
            None => Range::Unknown,
        },
        Matrix::from_iso(code(colour.matrix)),
        Transfer::from_iso(code(colour.transfer)),
        Primaries::from_iso(code(colour.primaries)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> VideoColorimetry {
        text.parse().unwrap()
    }

    #[test]
    fn the_container_completes_what_a_decoder_leaves_open() {
        gst::init().unwrap();
        let full = Colour { primaries: 1, transfer: 1, matrix: 1, full_range: Some(true) };
        assert_eq!(complete(Some(parse("bt709")), Some(full), 96, false), parse("1:3:5:1"));
        assert_eq!(complete(None, None, 1080, false), parse("bt709"));
        assert_eq!(complete(None, None, 480, false), parse("bt601"));
        assert_eq!(complete(Some(parse("1:0:0:0")), None, 1080, false), parse("1:3:5:1"));
        assert_eq!(complete(None, None, 480, true), parse("sRGB"));
    }
}
