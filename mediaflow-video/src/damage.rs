//! What of a source could not be read, and what follows from that.

use mediaflow_core::media::{OnDamage, StreamKind};
use mediaflow_core::{Error, Result, RunContext, codes};

use crate::exit::{Cut, LENGTH_SLACK, Source};
use crate::gst::encode::Transcoded;
use crate::gst::source::Origin;

/// Tells what is missing: as an error, or, if it is accepted, as warnings.
///
/// # Errors
/// `video.not_decodable`.
pub(crate) fn check(
    origin: &Origin,
    source: &Source,
    cut: Cut,
    done: &Transcoded,
    on_damage: OnDamage,
    cx: &RunContext,
) -> Result<()> {
    let found = found(origin, source, cut, done);
    if on_damage == OnDamage::Accept {
        found.into_iter().for_each(|what| cx.warn(what));
        return Ok(());
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(Error::input(codes::VIDEO_NOT_DECODABLE, found.join("; "))
            .with("lost_frames", done.lost_frames)
            .with("damaged_frames", done.damaged_frames)
            .help("send the whole file, or take what is there of it with `on_damage`: `accept`")),
    }
}

fn found(origin: &Origin, source: &Source, cut: Cut, done: &Transcoded) -> Vec<String> {
    let name = &source.name;
    let mut found = Vec::new();
    if done.lost_frames > 0 {
        let (lost, all) = (done.lost_frames, done.lost_frames + done.decoded_frames);
        found.push(format!("{lost} of {all} frames of {name} could not be decoded"));
    }
    if done.damaged_frames > 0 {
        let (damaged, all) = (done.damaged_frames, done.decoded_frames);
        found.push(format!("{damaged} of {all} frames of {name} are damaged"));
    }
    let missing = missing_sound(origin, cut, done);
    if missing > LENGTH_SLACK {
        found.push(format!("{missing:.1} s of the sound of {name} could not be read"));
    }
    // An index promises more than is shown at times; what was read packet by packet is there. Sound that nobody wants may be
    // longer than the picture.
    let is_all_read = done.sound.is_some() || source.info.stream(StreamKind::Audio).is_none();
    let is_told = cut.is_whole() && origin.structure.is_none() && is_all_read;
    let length = source.info.duration.filter(|_| is_told);
    let missing = length.map_or(0.0, |length| length.as_secs_f64() - done.reached.as_secs_f64());
    if missing > SLACK {
        found.push(format!("the last {missing:.1} s of {name} could not be decoded"));
    }
    found
}

/// Seconds that a decoder may leave out at the end: a few frames of sound.
const SLACK: f64 = 0.25;

/// Seconds of sound that an index promises and nobody could read: at its end, and in between.
fn missing_sound(origin: &Origin, cut: Cut, done: &Transcoded) -> f64 {
    let Some(structure) = origin.structure.as_ref() else { return 0.0 };
    let begin = structure.begin() as f64 / 1e9;
    let track = structure.track(*b"soun").filter(|track| track.samples > 0);
    let shown = track.map(|track| track.shown - begin);
    if let (Some(track), Some(shown), true) = (track, shown, done.is_silent) {
        // Nothing of it was read, of as much as lies in the cut.
        let first = (track.timeline.begin() as f64 / 1e9 - begin).max(cut.start.as_secs_f64());
        return cut.end.map_or(shown, |end| end.as_secs_f64().min(shown)) - first;
    }
    let end = shown.zip(done.sound_end).map_or(0.0, |(shown, end)| {
        done.until.map_or(shown, |until| until.as_secs_f64().min(shown)) - end.as_secs_f64()
    });
    let between = done.sound.map_or(0.0, |(whole, read)| whole.saturating_sub(read).as_secs_f64());
    end.max(0.0) + between
}
