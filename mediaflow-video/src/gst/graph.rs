//! The elements between the gates of a source and the files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as audio;
use mediaflow_core::Result;

use super::observe::{self, Seen};
use super::pipeline::Pulse;
use super::settings::{Aac, H264, Rendition};
use super::source::Stream;
use super::upright::{Layout, Upright};
use super::{caps_filter, chain, link, link_elements, make, make_first, queue, set};
use crate::error;

/// Builds behind the gates.
pub(super) struct Graph {
    pub(super) pipeline: gst::Pipeline,
    pub(super) pulse: Pulse,
}

impl Graph {
    /// A muxer and a file for each rendition.
    pub(super) fn muxers(&self, renditions: &[Rendition]) -> Result<Vec<gst::Element>> {
        let make_one = |rendition: &Rendition| {
            let muxer = make("mp4mux")?;
            set(&muxer, "faststart", "true")?;
            muxer.set_property("faststart-file", faststart_file(&rendition.path));
            let file = make("filesink")?;
            file.set_property("location", &rendition.path);
            // It sees nothing before the end, so it must not hold up the start.
            set(&file, "async", "false")?;
            chain(&self.pipeline, &[&muxer, &file])?;
            if let Some(pad) = file.static_pad("sink") {
                self.pulse.listen(&pad);
            }
            Ok(muxer)
        };
        renditions.iter().map(make_one).collect()
    }

    /// The picture: upright once, then a branch per rendition. Gives the count of frames of each.
    pub(super) fn video(
        &self,
        stream: &Stream,
        renditions: &[Rendition],
        muxers: &[gst::Element],
    ) -> Result<Vec<Seen>> {
        let upright = Upright::of(stream)?;
        let entry = queue(4)?;
        let convert = make("videoconvert")?;
        let planar =
            caps_filter(&gst::Caps::builder("video/x-raw").field("format", "I420").build())?;
        let flip = make("videoflip")?;
        set(&flip, "video-direction", upright.direction())?;
        let tee = make("tee")?;
        if is_interlaced(stream)? {
            let deinterlace = make("deinterlace")?;
            // One frame per frame: both fields would double the rate.
            set(&deinterlace, "fields", "top")?;
            chain(&self.pipeline, &[&entry, &convert, &planar, &deinterlace, &flip, &tee])?;
        } else {
            chain(&self.pipeline, &[&entry, &convert, &planar, &flip, &tee])?;
        }
        link(&stream.pad, &entry, "sink")?;
        renditions
            .iter()
            .zip(muxers)
            .map(|(rendition, muxer)| self.branch(&tee, upright, rendition, muxer))
            .collect()
    }

    fn branch(
        &self,
        tee: &gst::Element,
        upright: Upright,
        rendition: &Rendition,
        muxer: &gst::Element,
    ) -> Result<Seen> {
        let layouts = upright.layouts(&rendition.boxes);
        let mut elements = vec![queue(4)?];
        if let Some(fps) = rendition.fps {
            let rate = make("videorate")?;
            // The segment begins before the cut; nothing is to be repeated there.
            set(&rate, "skip-to-first", "true")?;
            elements.push(rate);
            elements.push(caps_filter(
                &gst::Caps::builder("video/x-raw").field("framerate", fraction(fps)).build(),
            )?);
        }
        for layout in &layouts {
            elements.extend(scale(layout)?);
        }
        let encoder = h264(&rendition.video)?;
        let caps =
            gst::Caps::builder("video/x-h264").field("profile", rendition.video.profile).build();
        let counted = encoder
            .static_pad("sink")
            .ok_or_else(|| error::pipeline("an encoder without a sink"))?;
        elements.extend([encoder, caps_filter(&caps)?, make("h264parse")?, queue(0)?]);
        let elements: Vec<&gst::Element> = elements.iter().collect();
        chain(&self.pipeline, &elements)?;
        if let (Some(first), Some(last)) = (elements.first(), elements.last()) {
            link_elements(tee, "src_%u", first, "sink")?;
            link_elements(last, "src", muxer, "video_%u")?;
        }
        Ok(observe::count(&counted, &self.pulse))
    }

    /// The sound of the source: stereo or mono, at a rate that AAC has.
    pub(super) fn sound(&self, stream: &Stream) -> Result<gst::Element> {
        let caps = stream.caps()?;
        let fields = caps.structure(0);
        let number = |name: &str| fields.and_then(|f| f.get::<i32>(name).ok()).unwrap_or(0);
        let mask = fields.and_then(|fields| fields.get::<gst::Bitmask>("channel-mask").ok());
        let (channels, rate) = (number("channels"), aac_rate(number("rate")));
        let mut elements = vec![queue(0)?];
        if channels > 2 && mask.is_none_or(|mask| mask.0 == 0) {
            elements.push(usual_speakers(channels.unsigned_abs())?);
        }
        let mixed = samples(channels.clamp(1, 2), rate)?;
        let tee = make("tee")?;
        elements.extend([make("audioconvert")?, make("audioresample")?, mixed, tee.clone()]);
        let elements: Vec<&gst::Element> = elements.iter().collect();
        chain(&self.pipeline, &elements)?;
        if let Some(first) = elements.first() {
            link(&stream.pad, first, "sink")?;
        }
        Ok(tee)
    }

    /// So much silence.
    pub(super) fn silence(&self, length: Duration) -> Result<gst::Element> {
        const BUFFERS_PER_SECOND: u128 = 50;
        let source = make("audiotestsrc")?;
        set(&source, "wave", "silence")?;
        set(&source, "samplesperbuffer", "960")?;
        let buffers = (length.as_nanos() * BUFFERS_PER_SECOND / 1_000_000_000).max(1);
        set(&source, "num-buffers", &buffers.to_string())?;
        let tee = make("tee")?;
        chain(&self.pipeline, &[&source, &samples(2, 48_000)?, &tee])?;
        Ok(tee)
    }

    /// Sound to every muxer that wants it, encoded once per distinct setting.
    pub(super) fn audio(
        &self,
        sound: &gst::Element,
        renditions: &[Rendition],
        muxers: &[gst::Element],
    ) -> Result<()> {
        let mut encoded: Vec<(Aac, gst::Element)> = Vec::new();
        for (rendition, muxer) in renditions.iter().zip(muxers) {
            let Some(aac) = rendition.audio else { continue };
            let known = encoded.iter().find(|(known, _)| *known == aac).map(|(_, tee)| tee.clone());
            let shared = match known {
                Some(shared) => shared,
                None => {
                    let shared = self.encode_audio(sound, aac)?;
                    encoded.push((aac, shared.clone()));
                    shared
                }
            };
            let exit = queue(0)?;
            self.pipeline
                .add(&exit)
                .map_err(|e| error::pipeline("a queue could not be added").because(e))?;
            link_elements(&shared, "src_%u", &exit, "sink")?;
            link_elements(&exit, "src", muxer, "audio_%u")?;
        }
        Ok(())
    }

    fn encode_audio(&self, raw: &gst::Element, aac: Aac) -> Result<gst::Element> {
        let (entry, convert) = (queue(0)?, make("audioconvert")?);
        let encoder = make_first(&["avenc_aac", "voaacenc"])?;
        set(&encoder, "bitrate", &aac.bitrate.to_string())?;
        let tee = make("tee")?;
        chain(&self.pipeline, &[&entry, &convert, &encoder, &make("aacparse")?, &tee])?;
        link_elements(raw, "src_%u", &entry, "sink")?;
        Ok(tee)
    }
}

/// Where the muxer keeps the media data until it knows the index: beside the result, not in the system's folder.
pub(crate) fn faststart_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".mdat");
    name.into()
}

fn is_interlaced(stream: &Stream) -> Result<bool> {
    let caps = stream.caps()?;
    let mode = caps.structure(0).and_then(|fields| fields.get::<&str>("interlace-mode").ok());
    Ok(mode.is_some_and(|mode| mode != "progressive"))
}

pub(super) fn has_high_range(stream: &Stream) -> Result<bool> {
    use gstreamer_video::{VideoColorimetry, VideoTransferFunction};
    let caps = stream.caps()?;
    let name = caps.structure(0).and_then(|fields| fields.get::<&str>("colorimetry").ok());
    let transfer = name
        .and_then(|name| name.parse::<VideoColorimetry>().ok())
        .map(|colours| colours.transfer());
    Ok(matches!(
        transfer,
        Some(VideoTransferFunction::Smpte2084 | VideoTransferFunction::AribStdB67)
    ))
}

/// Cut, scale, surround: each only where it does something.
pub(super) fn scale(layout: &Layout) -> Result<Vec<gst::Element>> {
    let mut elements = Vec::new();
    if layout.cut != [0; 4] {
        let crop = make("videocrop")?;
        for (side, pixels) in ["left", "right", "top", "bottom"].into_iter().zip(layout.cut) {
            set(&crop, side, &pixels.to_string())?;
        }
        elements.push(crop);
    }
    let scale = make("videoconvertscale")?;
    set(&scale, "add-borders", "false")?;
    set(&scale, "method", "lanczos")?;
    elements.extend([scale, picture(layout.size)?]);
    if layout.canvas != layout.size {
        let surround = make("videobox")?;
        let (left, top) = layout.offset;
        let right = layout.canvas.0 - layout.size.0 - left;
        let bottom = layout.canvas.1 - layout.size.1 - top;
        for (side, pixels) in [("left", left), ("right", right), ("top", top), ("bottom", bottom)] {
            set(&surround, side, &format!("-{pixels}"))?;
        }
        elements.extend([surround, picture(layout.canvas)?]);
    }
    Ok(elements)
}

fn samples(channels: i32, rate: i32) -> Result<gst::Element> {
    let caps = gst::Caps::builder("audio/x-raw");
    caps_filter(&caps.field("channels", channels).field("rate", rate).build())
}

fn picture((width, height): (u32, u32)) -> Result<gst::Element> {
    let side = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
    caps_filter(
        &gst::Caps::builder("video/x-raw")
            .field("format", "I420")
            .field("width", side(width))
            .field("height", side(height))
            .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
            .build(),
    )
}

fn h264(settings: &H264) -> Result<gst::Element> {
    let encoder = make("x264enc")?;
    set(&encoder, "pass", "qual")?;
    set(&encoder, "quantizer", &settings.crf.to_string())?;
    // Its default buffer of 600 ms caps the rate, which constant quality must not have.
    set(&encoder, "vbv-buf-capacity", "0")?;
    set(&encoder, "speed-preset", settings.preset)?;
    if let Some(gop) = settings.gop {
        set(&encoder, "key-int-max", &gop.to_string())?;
    }
    Ok(encoder)
}

/// Some demuxers leave the order of channels open, and then nothing can be mixed down.
fn usual_speakers(channels: u32) -> Result<gst::Element> {
    let setter = make("capssetter")?;
    let mask = gst::Bitmask::new(audio::AudioChannelPosition::fallback_mask(channels));
    setter.set_property(
        "caps",
        gst::Caps::builder("audio/x-raw").field("channel-mask", mask).build(),
    );
    Ok(setter)
}

fn aac_rate(rate: i32) -> i32 {
    const RATES: [i32; 9] = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000];
    if RATES.contains(&rate) { rate } else { 48000 }
}

/// 29.97 is 30000/1001.
fn fraction(fps: f64) -> gst::Fraction {
    for numerator in [24_000, 30_000, 60_000, 120_000] {
        if (fps - f64::from(numerator) / 1001.0).abs() < 0.005 {
            return gst::Fraction::new(numerator, 1001);
        }
    }
    gst::Fraction::approximate_f64(fps).unwrap_or(gst::Fraction::new(25, 1))
}
