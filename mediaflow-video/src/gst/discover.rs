//! What a file says of itself: length, streams, sizes, rotation.
//!
//! GStreamer's discoverer does the reading, on a thread of its own: on a damaged file it hangs until its time-out, which
//! has whole seconds only, so the deadline is kept here. What the boxes and chunks of a file can tell without it is
//! looked at first.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_pbutils as pbutils;
use gstreamer_pbutils::prelude::*;
use mediaflow_core::media::{StreamInfo, StreamKind};
use mediaflow_core::{Error, Result, codes};

use super::missing;
use super::pipeline::Watch;
use super::source::{Origin, Sound, Source};
use super::upright::{Upright, orientation, square};
use crate::error;
use crate::isobmff::about::iso6709;
use crate::tags::{Tag, Tags};

/// What is known of a file before it is decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) duration: Option<Duration>,
    /// As it is to be shown, with square pixels, before rotation; zero without video.
    pub(crate) width: u32,
    /// See `width`.
    pub(crate) height: u32,
    /// As in EXIF, 1 to 8.
    pub(crate) orientation: u8,
    /// Bits of one channel; zero if that is not known.
    pub(crate) depth: u8,
    pub(crate) streams: Vec<StreamInfo>,
    /// Width and height as they are stored.
    stored: (u32, u32),
}

/// Reads the headers of the file at `path`.
///
/// # Errors
/// `video.probe_time`, `video.missing_plugin`, `video.not_decodable`, `video.no_stream`.
pub(crate) fn discover(origin: &Origin, limit: Duration) -> Result<Facts> {
    let until = Instant::now() + limit;
    ask(origin, limit, move |origin, found| match found {
        Ok(info) => read(&info).map(|facts| facts.of_first_frame(origin, until)),
        Err(cause) => Err(explain(&cause, origin, until)),
    })
}

/// Reads what a file says of itself.
///
/// # Errors
/// `video.probe_time`, `video.not_decodable`.
pub(crate) fn read_tags(origin: &Origin, limit: Duration) -> Result<Tags> {
    ask(origin, limit, |_, found| {
        let info = found.map_err(|cause| error::not_decodable(cause.message()))?;
        let mut tags = Tags::default();
        let container = info.stream_info().and_downcast::<pbutils::DiscovererContainerInfo>();
        if let Some(found) = container.and_then(|container| container.tags()) {
            add_tags(&mut tags, &found);
        }
        if tags.is_empty() {
            // Ogg has what is said in its streams.
            let streams = info.stream_list().into_iter().filter_map(|stream| stream.tags());
            streams.for_each(|found| add_tags(&mut tags, &found));
        }
        Ok(tags)
    })
}

fn add_tags(tags: &mut Tags, found: &gst::TagListRef) {
    use gst::tags as of;
    let mut add = |tag: Tag, text: Option<String>| {
        if let Some(text) = text {
            tags.add(tag, &text);
        }
    };
    add(Tag::Title, found.get::<of::Title>().map(|v| v.get().to_owned()));
    add(Tag::Artist, found.get::<of::Artist>().map(|v| v.get().to_owned()));
    add(Tag::Copyright, found.get::<of::Copyright>().map(|v| v.get().to_owned()));
    add(Tag::Comment, found.get::<of::Comment>().map(|v| v.get().to_owned()));
    add(Tag::Description, found.get::<of::Description>().map(|v| v.get().to_owned()));
    add(Tag::Album, found.get::<of::Album>().map(|v| v.get().to_owned()));
    add(Tag::Genre, found.get::<of::Genre>().map(|v| v.get().to_owned()));
    let date = found.get::<of::DateTime>().and_then(|v| v.get().to_iso8601_string().ok());
    add(Tag::Date, date.map(|date| date.to_string()));
    let latitude = found.get::<of::GeoLocationLatitude>().map(|v| v.get());
    let longitude = found.get::<of::GeoLocationLongitude>().map(|v| v.get());
    let place = latitude.zip(longitude);
    add(Tag::Place, place.map(|(north, east)| iso6709(north, east)));
    add(Tag::Maker, found.get::<of::DeviceManufacturer>().map(|v| v.get().to_owned()));
    add(Tag::Model, found.get::<of::DeviceModel>().map(|v| v.get().to_owned()));
}

/// Asks the discoverer on a thread of its own; what it says is read there.
fn ask<T: Send + 'static>(
    origin: &Origin,
    limit: Duration,
    answer: impl FnOnce(&Origin, Found) -> Result<T> + Send + 'static,
) -> Result<T> {
    super::init()?;
    let until = Instant::now() + limit;
    let path = std::path::absolute(&origin.path).map_err(error::io)?;
    let uri = gst::glib::filename_to_uri(&path, None).map_err(|e| {
        Error::input(codes::VIDEO_IO, "the path can not be written as a URI").because(e)
    })?;
    let seconds = limit.as_secs().saturating_add(1).clamp(1, 3600);
    let (sender, receiver) = mpsc::channel();
    let (overlay, origin) = (origin.described(), origin.clone());
    // Whatever happens the thread ends at the discoverer's own time-out, at most a second after the limit.
    std::thread::Builder::new()
        .name("mediaflow-probe".to_owned())
        .spawn(move || {
            let look = || {
                let discoverer = pbutils::Discoverer::new(gst::ClockTime::from_seconds(seconds))?;
                discoverer.connect_source_setup(move |_, source| {
                    if let Some(pad) = source.static_pad("src") {
                        overlay.clone().put_over(&pad);
                    }
                });
                discoverer.discover_uri(&uri)
            };
            // Nobody listens any more when the limit has passed.
            let _too_late = sender.send(answer(&origin, look()));
        })
        .map_err(error::io)?;
    match receiver.recv_timeout(until.saturating_duration_since(Instant::now())) {
        Ok(found) => found,
        Err(RecvTimeoutError::Timeout) => Err(error::probe_time(limit)),
        Err(RecvTimeoutError::Disconnected) => {
            Err(error::pipeline("the probe ended without an answer"))
        }
    }
}

/// What the discoverer gives.
type Found = Result<pbutils::DiscovererInfo, gst::glib::Error>;

/// The discoverer does not say which plugin it missed, but opening the source does.
fn explain(cause: &gst::glib::Error, origin: &Origin, until: Instant) -> Error {
    let unknown = error::not_decodable(cause.message());
    if !cause.matches(gst::CoreError::MissingPlugin)
        && !cause.matches(gst::StreamError::CodecNotFound)
    {
        return unknown;
    }
    let check = || {
        if Instant::now() < until {
            Ok(())
        } else {
            Err(error::not_decodable("its headers lead nowhere"))
        }
    };
    let watch = Watch {
        check: &check,
        stall: until.saturating_duration_since(Instant::now()),
        progress: &|_| {},
    };
    Source::open(origin, Sound::Wanted, &watch).err().unwrap_or(unknown)
}

fn read(info: &pbutils::DiscovererInfo) -> Result<Facts> {
    if info.result() == pbutils::DiscovererResult::Timeout {
        return Err(error::not_decodable("its headers lead nowhere"));
    }
    let mut facts =
        Facts { duration: info.duration().map(Duration::from), orientation: 1, ..Facts::default() };
    // A stream with a next one is the same before parsing.
    for stream in info.stream_list().into_iter().filter(|stream| stream.next().is_none()) {
        if let Some(video) = stream.downcast_ref::<pbutils::DiscovererVideoInfo>() {
            facts.add_video(video);
        } else if let Some(audio) = stream.downcast_ref::<pbutils::DiscovererAudioInfo>() {
            let mut found = StreamInfo::new(StreamKind::Audio, codec(&stream));
            found.sample_rate = positive(audio.sample_rate());
            found.channels = positive(audio.channels());
            found.bitrate = positive(audio.bitrate());
            found.language = audio.language().map(|language| language.to_string());
            facts.streams.push(found);
        } else if let Some(text) = stream.downcast_ref::<pbutils::DiscovererSubtitleInfo>() {
            let mut found = StreamInfo::new(StreamKind::Subtitle, codec(&stream));
            found.language = text.language().map(|language| language.to_string());
            facts.streams.push(found);
        }
    }
    if let Some(missing) = lacking(info, &facts) {
        return Err(missing);
    }
    for stream in &mut facts.streams {
        stream.codec = stream.codec.trim_start_matches(UNKNOWN).to_owned();
    }
    if facts.streams.is_empty() {
        return Err(error::no_stream("video or audio"));
    }
    Ok(facts)
}

/// A decoder that is not installed, if it is the only way to the picture, or of what has no picture to the sound: sound, data
/// or a time code that nothing here knows keep nobody from what can be seen. Whoever wants the sound is told.
fn lacking(info: &pbutils::DiscovererInfo, facts: &Facts) -> Option<Error> {
    if info.result() != pbutils::DiscovererResult::MissingPlugins {
        return None;
    }
    let has = |kind: StreamKind| {
        let known =
            |stream: &&StreamInfo| stream.kind == kind && !stream.codec.starts_with(UNKNOWN);
        facts.streams.iter().any(|stream| known(&stream))
    };
    let details = info.missing_elements_installer_details();
    let needed = details.iter().find(|detail| {
        let of = |prefix: &str| detail.contains(&format!("decoder-{prefix}/"));
        (of("audio") && !has(StreamKind::Audio) && !has(StreamKind::Video))
            || ((of("video") || of("image")) && !has(StreamKind::Video))
            || (of("application") && facts.streams.is_empty())
            || detail.contains("|element-")
    });
    needed.map(|detail| missing::from_installer_detail(detail))
}

/// How the demuxer of MP4 calls what it does not know.
const UNKNOWN: &str = "gst-fourcc-";

impl Facts {
    /// The discoverer tells the shape that a picture has at some time. Where nobody says that it has another one at its begin,
    /// its first frame is looked at.
    fn of_first_frame(mut self, origin: &Origin, until: Instant) -> Self {
        let track = origin.structure.as_ref().and_then(|structure| structure.track(*b"vide"));
        let (width, height) = track.map_or((0, 0), |track| track.size);
        if self.width == 0 || self.stored == (width.into(), height.into()) {
            return self;
        }
        let check = || {
            if Instant::now() < until { Ok(()) } else { Err(error::probe_time(Duration::ZERO)) }
        };
        let stall = until.saturating_duration_since(Instant::now());
        let watch = Watch { check: &check, stall, progress: &|_| {} };
        let opened = Source::open(origin, Sound::Ignored, &watch);
        let upright = opened.and_then(|source| Upright::of(source.video()?));
        if let Ok(upright) = upright {
            (self.width, self.height) = upright.unturned();
        }
        self
    }

    /// The first video stream gives the size; an attached picture is none.
    fn add_video(&mut self, video: &pbutils::DiscovererVideoInfo) {
        if video.is_image() {
            return;
        }
        let mut found = StreamInfo::new(StreamKind::Video, codec(video.upcast_ref()));
        let rate = video.framerate();
        found.fps =
            (rate.numer() > 0).then(|| f64::from(rate.numer()) / f64::from(rate.denom().max(1)));
        found.bitrate = positive(video.bitrate());
        if self.width == 0 {
            let par = video.par();
            let par = f64::from(par.numer()) / f64::from(par.denom().max(1));
            self.stored = (video.width(), video.height());
            (self.width, self.height) = square(video.width(), video.height(), par);
            let tag = video.tags().and_then(|tags| {
                tags.get::<gst::tags::ImageOrientation>()
                    .map(|orientation| orientation.get().to_owned())
            });
            self.orientation = tag.as_deref().map_or(1, orientation);
            self.depth = depth(video.upcast_ref());
        }
        self.streams.push(found);
    }
}

fn positive(value: u32) -> Option<u32> {
    (value > 0).then_some(value)
}

/// The bits of one channel, where the headers of the codec tell.
fn depth(stream: &pbutils::DiscovererStreamInfo) -> u8 {
    let caps = stream.caps();
    let fields = caps.as_ref().and_then(|caps| caps.structure(0));
    let told = fields.and_then(|fields| fields.get::<u32>("bit-depth-luma").ok());
    told.and_then(|bits| u8::try_from(bits).ok()).unwrap_or(0)
}

/// The codec's usual name, from the caps of the encoded stream.
fn codec(stream: &pbutils::DiscovererStreamInfo) -> String {
    let caps = stream.caps();
    let Some(structure) = caps.as_ref().and_then(|caps| caps.structure(0)) else {
        return "unknown".to_owned();
    };
    let number = |field: &str| structure.get::<i32>(field).unwrap_or(0);
    let name = structure.name().as_str();
    match (name, number("mpegversion"), number("layer")) {
        ("video/x-h265", ..) => "hevc".to_owned(),
        ("video/mpeg", version, _) => format!("mpeg{version}"),
        ("image/jpeg", ..) => "mjpeg".to_owned(),
        ("audio/mpeg", 1, layer) => format!("mp{layer}"),
        ("audio/mpeg", ..) => "aac".to_owned(),
        ("audio/x-raw" | "audio/x-wav", ..) => "pcm".to_owned(),
        ("video/x-flash-video", ..) => "flv1".to_owned(),
        _ => {
            let short = name.split_once('/').map_or(name, |(_, short)| short);
            short.strip_prefix("x-").unwrap_or(short).to_owned()
        }
    }
}
