//! Decodes all of a file and keeps nothing.

use mediaflow_core::Result;

use super::observe::{self, Seen, Window};
use super::pipeline::Watch;
use super::source::{Origin, Sound, Source};

/// What there was to decode.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    pub(crate) frames: u64,
    /// Coded pictures that may be left out at the begin: they are made of what was cut off.
    pub(crate) leading: u64,
    pub(crate) has_sound: bool,
}

/// Decodes a file to its end.
///
/// # Errors
/// Those of [`Source::open`].
pub(crate) fn decode(origin: &Origin, sound: Sound, watch: &Watch<'_>) -> Result<Decoded> {
    let mut source = Source::open(origin, sound, watch)?;
    let all = Window { start: i64::MIN / 2, end: None };
    let packets = source.video.as_ref().map(|stream| stream.packets.clone());
    let count = |stream| observe::watch(stream, all, 0, &source.running);
    let video = source.video.as_ref().map(count);
    let audio = source.audio.as_ref().map(count);
    for stream in source.video.iter().chain(&source.audio) {
        stream.discard();
    }
    source.running.wait("decoding", watch, |_| {
        let over = video.iter().chain(&audio).all(Seen::is_over);
        Ok(over.then_some(()))
    })?;
    Ok(Decoded {
        frames: video.map_or(0, |seen| seen.buffers()),
        leading: packets.map_or(0, |packets| packets.leading()),
        has_sound: audio.is_some_and(|seen| seen.buffers() > 0),
    })
}
