//! A missing plugin is told by its name *and* by the package that brings it: the one thing its reader wants to know.

use gstreamer as gst;
use gstreamer_pbutils as pbutils;
use mediaflow_core::{Error, codes};

const BASE: &str = "gstreamer1.0-plugins-base";
const GOOD: &str = "gstreamer1.0-plugins-good";
const BAD: &str = "gstreamer1.0-plugins-bad";
const UGLY: &str = "gstreamer1.0-plugins-ugly";
const LIBAV: &str = "gstreamer1.0-libav";
const CORE: &str = "libgstreamer1.0-0";

/// Element prefixes and the Debian package they come from; the first match counts.
const PACKAGES: &[(&str, &str)] = &[
    ("x264enc", UGLY),
    ("avenc_", LIBAV),
    ("avdec_", LIBAV),
    ("avdemux_", LIBAV),
    ("mp4mux", GOOD),
    ("qtdemux", GOOD),
    ("matroskademux", GOOD),
    ("avidemux", GOOD),
    ("flvdemux", GOOD),
    ("deinterlace", GOOD),
    ("videoflip", GOOD),
    ("videocrop", GOOD),
    ("videobox", GOOD),
    ("videobalance", GOOD),
    ("vp8dec", GOOD),
    ("vp9dec", GOOD),
    ("openh264enc", BAD),
    ("voaacenc", BAD),
    ("h264parse", BAD),
    ("aacparse", GOOD),
    ("av1dec", BAD),
    ("capssetter", GOOD),
    ("capsfilter", CORE),
    ("fakesink", CORE),
    ("filesrc", CORE),
    ("filesink", CORE),
    ("identity", CORE),
    ("queue", CORE),
    ("tee", CORE),
    ("decodebin", BASE),
    ("uridecodebin", BASE),
    ("app", BASE),
    ("audio", BASE),
    ("video", BASE),
];

/// Caps of media that base and good do not decode, and the package that does.
const DECODERS: &[(&str, &str)] = &[
    ("video/x-vp", GOOD),
    ("video/quicktime", GOOD),
    ("video/x-matroska", GOOD),
    ("video/webm", GOOD),
    ("video/x-msvideo", GOOD),
    ("video/x-flv", GOOD),
    ("video/x-av1", BAD),
    ("video/mpegts", BAD),
    ("video/x-theora", BASE),
    ("audio/x-vorbis", BASE),
    ("audio/x-opus", BASE),
    ("audio/x-flac", GOOD),
];

/// The Debian package that brings an element.
pub(crate) fn package(element: &str) -> &'static str {
    PACKAGES
        .iter()
        .find(|(prefix, _)| element.starts_with(prefix))
        .map_or(BAD, |(_, package)| package)
}

/// The Debian package that brings a decoder or demuxer for these caps.
fn package_for_caps(caps: &str) -> &'static str {
    DECODERS
        .iter()
        .find(|(prefix, _)| caps.starts_with(prefix))
        .map_or(LIBAV, |(_, package)| package)
}

/// An element that is not installed.
pub(crate) fn element(name: &str) -> Error {
    report(&format!("the GStreamer element {name}"), package(name)).with("element", name)
}

/// A decoder that is not installed, from the caps that asked for it.
pub(crate) fn decoder(caps: &gst::CapsRef) -> Error {
    let name = caps.structure(0).map_or_else(|| caps.to_string(), |s| s.name().to_string());
    let codec = pbutils::pb_utils_get_codec_description(caps);
    report(&format!("a decoder for {codec}"), package_for_caps(&name)).with("caps", name)
}

/// What a bus message says is missing, if it is such a message.
pub(crate) fn from_message(message: &gst::MessageRef) -> Option<Error> {
    let missing = pbutils::MissingPluginMessage::parse(message).ok()?;
    let details = message.structure()?;
    match details.get::<gst::Caps>("detail") {
        Ok(caps) => Some(decoder(&caps)),
        Err(_) => match details.get::<&str>("detail") {
            Ok(name) => Some(element(name)),
            Err(_) => Some(report(&missing.description(), LIBAV)),
        },
    }
}

/// What the discoverer says is missing, by the installer details: `gstreamer|1.0|app|description|decoder-video/x-h265, ...`.
pub(crate) fn from_installer_detail(detail: &str) -> Error {
    let mut fields = detail.split('|').skip(3);
    let description = fields.next().unwrap_or("a plugin");
    let wanted = fields.next().unwrap_or_default();
    let (what, name) = wanted.split_once('-').unwrap_or_default();
    let name = name.split([',', ' ']).next().unwrap_or_default();
    let package = if what == "element" { package(name) } else { package_for_caps(name) };
    report(description, package).with(if what == "element" { "element" } else { "caps" }, name)
}

fn report(what: &str, package: &'static str) -> Error {
    Error::unsupported(codes::VIDEO_MISSING_PLUGIN, format!("{what} is not installed"))
        .with("package", package)
        .help(format!("install it, on Debian and Ubuntu with `apt-get install {package}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_name_their_package() {
        let error = element("x264enc");
        assert_eq!(error.code(), "video.missing_plugin");
        assert_eq!(error.fact("package"), Some("gstreamer1.0-plugins-ugly"));
        assert_eq!(element("avdec_hevc").fact("package"), Some("gstreamer1.0-libav"));
        assert_eq!(element("videoconvertscale").fact("package"), Some("gstreamer1.0-plugins-base"));
    }

    #[test]
    fn a_missing_decoder_is_read_from_the_installer_detail() {
        let error = from_installer_detail(
            "gstreamer|1.0|app|H.265 (Main Profile) decoder|decoder-video/x-h265, profile=(string)main",
        );
        assert_eq!(error.fact("caps"), Some("video/x-h265"));
        assert_eq!(error.fact("package"), Some("gstreamer1.0-libav"));
    }
}
