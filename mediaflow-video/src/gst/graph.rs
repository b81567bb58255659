//! The elements between the gates of a source and the files.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video::VideoColorimetry;
use mediaflow_core::Result;

use super::colour::Colours;
use super::observe::{self, Seen, Sounded};
use super::picture;
use super::pipeline::Pulse;
use super::scale::scale;
use super::settings::{Aac, H264, Rendition};
use super::source::Stream;
use super::upright::Upright;
use super::{
    caps_filter, chain, downmix, factory_name, link, link_elements, make, make_first, queue,
    queue_of, set,
};
use crate::error;

/// Sound that waits, decoded and encoded.
const RAW_SOUND: gst::ClockTime = gst::ClockTime::from_seconds(1);
const ENCODED_SOUND: gst::ClockTime = gst::ClockTime::from_seconds(20);

/// How far the times of sound may be from its samples: containers round them, to a millisecond and more.
const JITTER: gst::ClockTime = gst::ClockTime::from_mseconds(4);

/// Samples that an encoder puts before the first one.
const FFMPEG_PRIMING: u32 = 1024;
const VOAAC_PRIMING: u32 = 1600;

/// Builds behind the gates.
pub(super) struct Graph {
    pub(super) pipeline: gst::Pipeline,
    pub(super) pulse: Pulse,
    /// Until when the last frame is seen, in the time of the results, if that is not for the decoder to say.
    pub(super) until: Option<gst::ClockTime>,
}

impl Graph {
    /// A muxer and a file for each rendition.
    pub(super) fn muxers(&self, renditions: &[Rendition]) -> Result<Vec<gst::Element>> {
        let make_one = |rendition: &Rendition| {
            let muxer = make("mp4mux")?;
            // Edit lists are told in these: as exact as the sound.
            set(&muxer, "movie-timescale", "48000")?;
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
        let colours = Colours::of(stream)?;
        let mut upright = Upright::of(stream)?;
        if colours.is_hdr() && !stream.is_interlaced()? {
            upright = upright.reduced(renditions.iter().map(|rendition| &rendition.boxes[..]));
        }
        let colours = colours.result();
        let (entry, tee) = (queue(4)?, make("tee")?);
        let mut elements = vec![entry.clone()];
        elements.extend(picture::upright(stream, upright)?);
        elements.push(tee.clone());
        chain(&self.pipeline, &elements.iter().collect::<Vec<_>>())?;
        link(&stream.pad, &entry, "sink")?;
        renditions
            .iter()
            .zip(muxers)
            .map(|(rendition, muxer)| self.branch(&tee, upright, colours, rendition, muxer))
            .collect()
    }

    fn branch(
        &self,
        tee: &gst::Element,
        upright: Upright,
        colours: VideoColorimetry,
        rendition: &Rendition,
        muxer: &gst::Element,
    ) -> Result<Seen> {
        let layouts = upright.layouts(&rendition.boxes);
        let mut elements = vec![queue(4)?];
        if let Some(fps) = rendition.fps {
            let rate = make("videorate")?;
            if let (Some(pad), Some(until)) = (rate.static_pad("sink"), self.until) {
                hold_last(&pad, until);
            }
            elements.push(rate);
            elements.push(caps_filter(
                &gst::Caps::builder("video/x-raw").field("framerate", fraction(fps)).build(),
            )?);
        }
        for layout in &layouts {
            elements.extend(scale(layout, colours)?);
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
        let (channels, rate) = (number("channels"), aac_rate(number("rate")));
        let even = make("audiorate")?;
        // An encoder of sound counts samples: what is missing between two becomes silence, and what is there twice is dropped.
        set(&even, "tolerance", &JITTER.nseconds().to_string())?;
        set(&even, "skip-to-first", "true")?;
        let mut elements = vec![queue_of(RAW_SOUND)?, even];
        let convert = make("audioconvert")?;
        downmix::mix_down(&convert, channels.clamp(1, 2));
        let mixed = samples(channels.clamp(1, 2), rate)?;
        let tee = make("tee")?;
        elements.extend([convert, make("audioresample")?, mixed, tee.clone()]);
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
    ) -> Result<Vec<Option<Sounded>>> {
        let mut encoded: Vec<(Aac, gst::Element, Sounded)> = Vec::new();
        let mut sounds = Vec::new();
        for (rendition, muxer) in renditions.iter().zip(muxers) {
            let Some(aac) = rendition.audio else {
                sounds.push(None);
                continue;
            };
            let known = encoded.iter().find(|(known, ..)| *known == aac);
            let (shared, sounded) = match known {
                Some((_, shared, sounded)) => (shared.clone(), sounded.clone()),
                None => {
                    let (shared, sounded) = self.encode_audio(sound, aac)?;
                    encoded.push((aac, shared.clone(), sounded.clone()));
                    (shared, sounded)
                }
            };
            sounds.push(Some(sounded));
            // The sound is ahead of the picture, which takes longer, by no more than this.
            let exit = queue_of(ENCODED_SOUND)?;
            self.pipeline
                .add(&exit)
                .map_err(|e| error::pipeline("a queue could not be added").because(e))?;
            link_elements(&shared, "src_%u", &exit, "sink")?;
            link_elements(&exit, "src", muxer, "audio_%u")?;
        }
        Ok(sounds)
    }

    fn encode_audio(&self, raw: &gst::Element, aac: Aac) -> Result<(gst::Element, Sounded)> {
        let (entry, convert) = (queue_of(RAW_SOUND)?, make("audioconvert")?);
        let encoder = make_first(&["avenc_aac", "voaacenc"])?;
        set(&encoder, "bitrate", &aac.bitrate.to_string())?;
        let mut priming = VOAAC_PRIMING;
        if factory_name(&encoder) == "avenc_aac" {
            priming = FFMPEG_PRIMING;
            // Coding the sum and the difference brings what is on one side only to the other.
            set(&encoder, "aac-ms", "false")?;
        }
        let given = encoder
            .static_pad("sink")
            .ok_or_else(|| error::pipeline("an encoder without a sink"))?;
        let tee = make("tee")?;
        chain(&self.pipeline, &[&entry, &convert, &encoder, &make("aacparse")?, &tee])?;
        link_elements(raw, "src_%u", &entry, "sink")?;
        Ok((tee, Sounded::watch(&given, priming)))
    }
}

/// Shows the last frame to the end to whoever repeats frames, but only a few of the last.
fn hold_last(pad: &gst::Pad, until: gst::ClockTime) {
    let last = Mutex::new(None::<gst::Buffer>);
    let mask = gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM;
    pad.add_probe(mask, move |pad, info| {
        let mut held = last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(buffer) = info.buffer() {
            *held = Some(buffer.clone());
        }
        let is_over = info.event().is_some_and(|event| event.type_() == gst::EventType::Eos);
        let taken = held.take_if(|last| is_over && last.pts().is_some_and(|pts| pts < until));
        drop(held);
        if let Some(mut buffer) = taken {
            let times = buffer.make_mut();
            times.set_pts(until);
            times.set_duration(gst::ClockTime::ZERO);
            // A refusal is a flush or the end of the pipeline, which tells itself.
            let _told = pad.chain(buffer);
        }
        gst::PadProbeReturn::Ok
    });
}

fn samples(channels: i32, rate: i32) -> Result<gst::Element> {
    let caps = gst::Caps::builder("audio/x-raw").field("format", "F32LE");
    caps_filter(&caps.field("channels", channels).field("rate", rate).build())
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
