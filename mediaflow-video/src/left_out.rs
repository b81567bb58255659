//! What of a source has no place in a result, by the names that its container has for it.

use mediaflow_core::media::{MediaInfo, StreamInfo, StreamKind};

use crate::gst::source::Origin;
use crate::isobmff::Track;

/// The streams beside the picture and the sound that are kept, which are `tracks` where the file counts them. Sound that
/// nobody wants is not missed.
pub(crate) fn left_out(
    info: &MediaInfo,
    origin: &Origin,
    tracks: &[usize],
    wants_sound: bool,
) -> Vec<String> {
    if let Some(structure) = origin.structure.as_ref().filter(|s| !s.tracks.is_empty()) {
        let others = structure.tracks.iter().enumerate();
        return others
            .filter(|(number, track)| {
                !tracks.contains(number) && (wants_sound || track.handler != *b"soun")
            })
            .map(|(number, track)| track_name(number, track))
            .collect();
    }
    let mut kept = vec![StreamKind::Subtitle];
    if !wants_sound {
        kept.push(StreamKind::Audio);
    }
    let is_other = |stream: &&StreamInfo| {
        let is_first = !kept.contains(&stream.kind);
        if is_first {
            kept.push(stream.kind);
        }
        !is_first && (wants_sound || stream.kind != StreamKind::Audio)
    };
    let strange = origin.transport.iter().flat_map(|transport| &transport.streams);
    let strange = strange
        .filter(|stream| stream.is_strange)
        .map(|stream| format!("the stream {:#x} ({})", stream.pid, stream.name()));
    let others = info.streams.iter().filter(is_other).map(stream_name);
    others.chain(strange).collect()
}

fn stream_name(stream: &StreamInfo) -> String {
    let kind = match stream.kind {
        StreamKind::Video => "a second picture",
        StreamKind::Audio => "a second sound",
        _ => "a text",
    };
    let language = stream.language.as_ref().map_or(String::new(), |l| format!(", {l}"));
    format!("{kind} ({}{language})", stream.codec)
}

/// Tracks are counted from zero, as elsewhere.
fn track_name(number: usize, track: &Track) -> String {
    let kind = match &track.handler {
        b"vide" if track.is_still() => "a still",
        b"vide" => "a picture",
        b"soun" => "sound",
        b"tmcd" => "a time code",
        b"text" | b"sbtl" | b"subt" | b"clcp" => "a text",
        _ => "data",
    };
    let codec: String = track.codec.iter().map(|byte| char::from(*byte)).collect();
    let codec = if codec.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        codec.trim().to_owned()
    } else {
        "unknown".to_owned()
    };
    let language = track.language.as_ref().map_or(String::new(), |l| format!(", {l}"));
    format!("stream {number} ({kind}: {codec}{language})")
}
