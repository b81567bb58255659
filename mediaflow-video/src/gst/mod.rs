//! GStreamer behind plain Rust types. Nothing above this module names an element.
//!
//! Three rules hold everywhere here. Elements are made by name and their properties set by value: a pipeline is never
//! parsed from text, so no path can inject an element. Callbacks hold no code that can panic: a panic inside
//! one would abort the process. And every pipeline lives in a [`pipeline::Running`], whose drop takes it down.
//!
//! Uses: container, error, isobmff, mpegts, tags.

mod colour;
pub(crate) mod decode;
pub(crate) mod discover;
mod downmix;
pub(crate) mod encode;
pub(crate) mod frame;
pub(crate) mod graph;
pub(crate) mod measure;
pub(crate) mod missing;
pub(crate) mod observe;
mod picture;
pub(crate) mod pipeline;
mod scale;
pub(crate) mod settings;
pub(crate) mod source;
mod tone;
pub(crate) mod upright;

use std::sync::OnceLock;

use gstreamer as gst;
use gstreamer::prelude::*;
use mediaflow_core::{Error, Result, codes};

use crate::error;

/// Initialises GStreamer, once per process: the one thing here that is global.
///
/// # Errors
/// `video.gstreamer` if its registry or core library is unusable.
pub(crate) fn init() -> Result<()> {
    static DONE: OnceLock<Result<(), String>> = OnceLock::new();
    DONE.get_or_init(|| gst::init().map_err(|e| e.to_string())).clone().map_err(|cause| {
        Error::unsupported(codes::VIDEO_GSTREAMER, "GStreamer can not be used")
            .because(cause)
            .help("install libgstreamer1.0-0 and gstreamer1.0-plugins-base")
    })
}

/// An element by its factory's name.
///
/// # Errors
/// `video.missing_plugin`, naming the element and the package that brings it.
pub(crate) fn make(factory: &'static str) -> Result<gst::Element> {
    gst::ElementFactory::make(factory).build().map_err(|_| missing::element(factory))
}

/// The first of these that is installed.
///
/// # Errors
/// `video.missing_plugin`, naming the first.
pub(crate) fn make_first(factories: &[&'static str]) -> Result<gst::Element> {
    let installed = factories.iter().find(|name| gst::ElementFactory::find(name).is_some());
    make(installed.or(factories.first()).copied().unwrap_or("identity"))
}

/// Sets a property from its text, as `gst-launch` would: enums by nick, flags, numbers, booleans.
///
/// # Errors
/// `video.pipeline` if this version of the element has no such property, or not this value.
pub(crate) fn set(element: &gst::Element, property: &str, value: &str) -> Result<()> {
    let refused =
        || error::pipeline(format!("{} does not take {property}={value}", factory_name(element)));
    let spec = element.find_property(property).ok_or_else(refused)?;
    let value = gst::glib::Value::deserialize_with_pspec(value, &spec).map_err(|_| refused())?;
    element.set_property_from_value(property, &value);
    Ok(())
}

/// Adds the elements to the pipeline and links them one after another.
///
/// # Errors
/// `video.pipeline`.
pub(crate) fn chain(pipeline: &gst::Pipeline, elements: &[&gst::Element]) -> Result<()> {
    pipeline
        .add_many(elements)
        .map_err(|e| error::pipeline("an element could not be added").because(e))?;
    gst::Element::link_many(elements)
        .map_err(|e| error::pipeline("two elements do not fit together").because(e))
}

/// Links a pad to an element's `sink`, or to a newly requested pad of a muxer.
///
/// # Errors
/// `video.pipeline`.
pub(crate) fn link(from: &gst::Pad, to: &gst::Element, pad: &str) -> Result<()> {
    let sink = match to.static_pad(pad) {
        Some(sink) => sink,
        None => to
            .request_pad_simple(pad)
            .ok_or_else(|| error::pipeline(format!("{} has no pad {pad}", factory_name(to))))?,
    };
    from.link(&sink).map(drop).map_err(|e| {
        error::pipeline(format!("{} refused the stream", factory_name(to)))
            .because(e)
            .with("stream", from.query_caps(None))
    })
}

/// Links `from`'s `src` pad, requested if need be, to `to`.
///
/// # Errors
/// `video.pipeline`.
pub(crate) fn link_elements(
    from: &gst::Element,
    source: &str,
    to: &gst::Element,
    sink: &str,
) -> Result<()> {
    let pad = from
        .static_pad(source)
        .or_else(|| from.request_pad_simple(source))
        .ok_or_else(|| error::pipeline(format!("{} has no pad {source}", factory_name(from))))?;
    link(&pad, to, sink)
}

/// A `capsfilter` that lets only these through.
///
/// # Errors
/// `video.missing_plugin`.
pub(crate) fn caps_filter(caps: &gst::Caps) -> Result<gst::Element> {
    let filter = make("capsfilter")?;
    filter.set_property("caps", caps);
    Ok(filter)
}

/// A queue of so many buffers without any other bound; 0 is no bound at all.
///
/// # Errors
/// `video.missing_plugin`.
pub(crate) fn queue(buffers: u32) -> Result<gst::Element> {
    let queue = make("queue")?;
    queue.set_property("max-size-buffers", buffers);
    queue.set_property("max-size-bytes", 0_u32);
    queue.set_property("max-size-time", 0_u64);
    Ok(queue)
}

/// A queue that holds so much time without any other bound.
///
/// # Errors
/// `video.missing_plugin`.
pub(crate) fn queue_of(time: gst::ClockTime) -> Result<gst::Element> {
    let queue = queue(0)?;
    queue.set_property("max-size-time", time.nseconds());
    Ok(queue)
}

pub(crate) fn factory_name(element: &gst::Element) -> String {
    element
        .factory()
        .map_or_else(|| element.name().to_string(), |factory| factory.name().to_string())
}
