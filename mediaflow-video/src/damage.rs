//! What of a source could not be read, and what follows from that.

use std::fs::File;
use std::time::Duration;

use mediaflow_core::media::{OnDamage, StreamKind};
use mediaflow_core::{Error, Result, RunContext, codes};

use crate::error;
use crate::exit::{Cut, LENGTH_SLACK, Source};
use crate::gst::encode::Transcoded;
use crate::gst::source::Origin;
use crate::mpegts::Gap;

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
    let gaps = gaps(origin, cut, done.sound.is_some(), cx)?;
    let found = found(origin, source, cut, done, &gaps);
    if on_damage == OnDamage::Accept {
        found.into_iter().for_each(|what| cx.warn(what));
        return Ok(());
    }
    match found.is_empty() {
        true => Ok(()),
        false => Err(refusal(found.join("; "))
            .with("lost_frames", done.lost_frames)
            .with("damaged_frames", done.damaged_frames)),
    }
}

fn refusal(found: String) -> Error {
    Error::input(codes::VIDEO_NOT_DECODABLE, found)
        .help("send the whole file, or take what is there of it with `on_damage`: `accept`")
}

/// Tells that a frame is damaged.
///
/// # Errors
/// `video.not_decodable`.
pub(crate) fn of_frame(
    name: &str,
    at: Duration,
    on_damage: OnDamage,
    cx: &RunContext,
) -> Result<()> {
    let found = format!("the frame of {name} at {:.3} s is damaged", at.as_secs_f64());
    if on_damage != OnDamage::Accept {
        return Err(refusal(found));
    }
    cx.warn(found);
    Ok(())
}

/// Where packets of a transport stream are missing that are seen or heard in a cut.
fn gaps(origin: &Origin, cut: Cut, is_heard: bool, cx: &RunContext) -> Result<Vec<Gap>> {
    let Some(transport) = &origin.transport else { return Ok(Vec::new()) };
    let mut file = File::open(&origin.path).map_err(error::io)?;
    let gaps = transport.gaps(&mut file, || cx.check().is_ok()).map_err(error::io)?;
    cx.check()?;
    let end = cut.end.map_or(f64::INFINITY, |end| end.as_secs_f64());
    let is_in = |gap: &Gap| gap.from < end && gap.until.max(gap.from) >= cut.start.as_secs_f64();
    Ok(gaps.into_iter().filter(|gap| is_in(gap) && (is_heard || !gap.is_sound)).collect())
}

fn found(
    origin: &Origin,
    source: &Source,
    cut: Cut,
    done: &Transcoded,
    gaps: &[Gap],
) -> Vec<String> {
    let name = &source.name;
    let mut found = Vec::new();
    if done.lost_frames > 0 {
        let (lost, all) = (done.lost_frames, done.lost_frames + done.decoded_frames);
        found.push(format!("{lost} of {all} frames of {name} could not be decoded"));
    }
    if done.damaged_frames > 0 {
        let (damaged, all) = (done.damaged_frames.min(done.decoded_frames), done.decoded_frames);
        found.push(format!("{damaged} of {all} frames of {name} are damaged"));
    }
    for (what, is_sound) in [("picture", false), ("sound", true)] {
        let gaps: Vec<&Gap> = gaps.iter().filter(|gap| gap.is_sound == is_sound).collect();
        let packets: u64 = gaps.iter().map(|gap| gap.packets).sum();
        if let Some(first) = gaps.first() {
            let places = match gaps.len() {
                1 => format!("at {:.1} s", first.from),
                many => format!("in {many} places, the first at {:.1} s", first.from),
            };
            found.push(format!(
                "{packets} or more packets of the {what} of {name} are missing {places}"
            ));
        }
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
