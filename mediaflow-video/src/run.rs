//! Makes results on a blocking thread, and checks what came out before anybody sees it.

use std::fs::File;
use std::path::Path;

use mediaflow_core::media::{Blob, Format, Media, MediaFile, MetadataPolicy, OnDamage, StreamKind};
use mediaflow_core::{Error, Failure, Inputs, Outputs, Result, Retry, RunContext, codes};
use tempfile::TempPath;

use crate::exit::{Cut, Exit, LENGTH_SLACK, Product, Source};
use crate::gst::discover::read_tags;
use crate::gst::encode::{Transcode, Transcoded, Written, transcode};
use crate::gst::frame::grab;
use crate::gst::pipeline::Watch;
use crate::gst::settings::Rendition;
use crate::gst::source::Origin;
use crate::isobmff::finish::finish;
use crate::left_out::left_out;
use crate::tags::Tags;
use crate::{damage, error, isobmff};

/// What one frame counts for in the progress of a job, where a whole rendition counts for 1.
const POSTER_SHARE: f32 = 0.05;

/// Makes all that is asked of these sources, on a thread of its own: what waits for GStreamer's threads takes no place from
/// pixel work.
///
/// # Errors
/// Cancelled, past the deadline, or an input is not there. What fails by itself is an error of its exit only.
pub(crate) async fn run(sources: Vec<Source>, inputs: Inputs, cx: &RunContext) -> Result<Outputs> {
    let this = cx.clone();
    cx.blocking(move || make(&sources, &inputs, &this)).await
}

fn make(sources: &[Source], inputs: &Inputs, cx: &RunContext) -> Result<Outputs> {
    let mut outputs = Outputs::new();
    let mut progress = Shares::of(sources);
    for source in sources {
        let media = inputs.named(&source.name).ok_or_else(|| {
            Error::internal(codes::PLAN_INPUT, "an input was not handed in")
                .with("input", &source.name)
        })?;
        let file = media.clone().into_file()?;
        let blob = cx.scratch().materialise(file.blob(), file.format().extension())?;
        let path = blob
            .path()
            .ok_or_else(|| Error::internal(codes::BLOB_NO_PATH, "a file blob has no path"))?;
        let origin = Origin::read(path)?;
        for poster in source.posters() {
            let found =
                frame(&origin, source, poster, file.on_damage(), &progress.next(cx, POSTER_SHARE))
                    .map(Media::from);
            cx.check()?;
            outputs = outputs.and(
                &poster.name,
                found.map_err(|e| e.with("step", &poster.name).with("source", file.name())),
            );
        }
        for (cut, members) in source.ladders() {
            let exits: Vec<&Exit> =
                members.iter().filter_map(|index| source.exits.get(*index)).collect();
            #[expect(clippy::cast_precision_loss, reason = "a share of progress")]
            let share = exits.len() as f32;
            let cx_of_ladder = progress.next(cx, share);
            let made = ladder(&origin, source, cut, &exits, file.on_damage(), &cx_of_ladder);
            cx.check()?;
            outputs = match made {
                Ok(files) => exits
                    .iter()
                    .zip(files)
                    .fold(outputs, |outputs, (exit, file)| outputs.and(&exit.name, file)),
                Err(e) => {
                    let failure = Failure::from(&e.with("source", file.name()));
                    exits.iter().fold(outputs, |outputs, exit| {
                        let error = Error::from(failure.clone());
                        outputs.and(&exit.name, Err(error.with("step", &exit.name)))
                    })
                }
            };
        }
    }
    Ok(outputs)
}

/// Splits the progress of a plan among its parts.
struct Shares {
    done: f32,
    whole: f32,
}

impl Shares {
    fn of(sources: &[Source]) -> Self {
        let share = |exit: &Exit| {
            if matches!(exit.product, Product::Poster(_)) { POSTER_SHARE } else { 1.0 }
        };
        let whole: f32 = sources.iter().flat_map(|source| &source.exits).map(share).sum();
        Self { done: 0.0, whole: whole.max(POSTER_SHARE) }
    }

    fn next(&mut self, cx: &RunContext, share: f32) -> RunContext {
        let from = self.done / self.whole;
        self.done += share;
        cx.part(from, self.done / self.whole)
    }
}

fn watched<T>(cx: &RunContext, work: impl FnOnce(&Watch<'_>) -> Result<T>) -> Result<T> {
    #[expect(clippy::cast_possible_truncation, reason = "a fraction from 0 to 1")]
    let progress = |done: f64| cx.progress(done as f32);
    let check = || cx.check();
    cx.count_decode();
    work(&Watch { check: &check, stall: cx.limits().stall_time, progress: &progress })
}

fn frame(
    origin: &Origin,
    source: &Source,
    exit: &Exit,
    on_damage: OnDamage,
    cx: &RunContext,
) -> Result<mediaflow_core::media::Image> {
    let Product::Poster(at) = exit.product else {
        return Err(Error::internal(codes::PLAN_PRODUCT, "a file was asked for as a frame"));
    };
    let time = exit.cut.place(at, source.info.duration);
    let grabbed = watched(cx, |watch| grab(origin, time, &exit.boxes, watch))?;
    if grabbed.is_damaged {
        damage::of_frame(&source.name, time, on_damage, cx)?;
    }
    if grabbed.is_hdr {
        cx.warn(compressed(source));
    }
    cx.progress(1.0);
    Ok(grabbed.image)
}

/// One decode, a file per exit; each is checked by itself.
fn ladder(
    origin: &Origin,
    source: &Source,
    cut: Cut,
    exits: &[&Exit],
    on_damage: OnDamage,
    cx: &RunContext,
) -> Result<Vec<Result<Media>>> {
    let places = exits.iter().map(|_| Place::new(cx)).collect::<Result<Vec<_>>>()?;
    let renditions = exits.iter().zip(&places).filter_map(|(exit, place)| match &exit.product {
        Product::Mp4 { video, audio, .. } => Some(Rendition {
            path: place.muxed.to_path_buf(),
            boxes: exit.boxes.clone(),
            fps: exit.fps,
            video: video.clone(),
            audio: *audio,
        }),
        Product::Poster(_) => None,
    });
    let job = Transcode {
        source: origin.clone(),
        cut: (!cut.is_whole()).then_some((cut.start, cut.end)),
        declared: source.info.duration,
        renditions: renditions.collect(),
    };
    let done = watched(cx, |watch| transcode(&job, watch))?;
    damage::check(origin, source, cut, &done, on_damage, cx)?;
    check_source(origin, source, cut, &done, cx);
    let said = tags(origin, exits, cx)?;
    let finish = |(exit, (place, written)): (&&Exit, (Place, &Written))| {
        let file = place.finish(written, &said.kept(exit.metadata()))?;
        let is_promised = exit.has_sound() && source.info.stream(StreamKind::Audio).is_some();
        check_written(&file, exit, written, &done, is_promised)?;
        let blob = Blob::temp(file)?;
        Ok(MediaFile::new(format!("{}.mp4", exit.name), Format::MP4, blob).into())
    };
    let files = exits.iter().zip(places.into_iter().zip(&done.renditions)).map(finish).collect();
    cx.progress(1.0);
    Ok(files)
}

/// What a source says of itself, if any result wants to know.
fn tags(origin: &Origin, exits: &[&Exit], cx: &RunContext) -> Result<Tags> {
    let is_wanted =
        |exit: &&Exit| matches!(exit.metadata(), MetadataPolicy::Copyright | MetadataPolicy::Keep);
    let is_kept = |exit: &&Exit| exit.metadata() == MetadataPolicy::Keep;
    match &origin.structure {
        _ if !exits.iter().any(is_wanted) => Ok(Tags::default()),
        Some(structure) if exits.iter().any(is_kept) => {
            let mut file = File::open(&origin.path).map_err(error::io)?;
            let (packet, is_long) = structure.packet(&mut file, cx.limits().metadata_bytes)?;
            if is_long {
                cx.warn("a packet of XMP is too long and is left out");
            }
            let mut tags = structure.tags.clone();
            tags.packet = packet;
            Ok(tags)
        }
        Some(structure) => Ok(structure.tags.clone()),
        None => read_tags(origin, cx.limits().probe_time),
    }
}

/// What a muxer writes, and the result that is made of it; both go if the work fails.
struct Place {
    muxed: TempPath,
    file: TempPath,
}

impl Place {
    fn new(cx: &RunContext) -> Result<Self> {
        Ok(Self { muxed: cx.scratch().file("mp4")?, file: cx.scratch().file("mp4")? })
    }

    fn finish(self, written: &Written, tags: &Tags) -> Result<TempPath> {
        let mut muxed = File::open(&self.muxed).map_err(error::io)?;
        let mut file = File::create(&self.file).map_err(error::io)?;
        finish(&mut muxed, &mut file, written.sound, written.timing, tags)?;
        Ok(self.file)
    }
}

fn compressed(source: &Source) -> String {
    let name = &source.name;
    format!(
        "{name} has a high dynamic range: bright light was compressed to what every screen shows"
    )
}

/// What is odd about a source but leaves a result worth having.
fn check_source(origin: &Origin, source: &Source, cut: Cut, done: &Transcoded, cx: &RunContext) {
    if done.is_hdr {
        cx.warn(compressed(source));
    }
    if done.is_silent {
        cx.warn(format!("{} has no sound in the cut: silence is in its place", source.name));
    }
    let counted = source.info.frames;
    let there = done.decoded_frames + done.leading_frames;
    if cut.is_whole() && counted > 1 && there < counted && done.lost_frames == 0 {
        let missing = counted - there;
        cx.warn(format!("{missing} of {counted} frames of {} could not be decoded", source.name));
    }
    let wants_sound = source.exits.iter().any(|exit| exit.cut == cut && exit.has_sound());
    for left_out in left_out(&source.info, origin, &done.tracks, wants_sound) {
        cx.warn(format!("{left_out} of {} is left out", source.name));
    }
    let structure = origin.structure.as_ref();
    let tracks = structure.into_iter().flat_map(|structure| &structure.tracks);
    if tracks.clone().any(|track| track.timeline.repeats) {
        cx.warn(format!("an edit list of {} goes back: what it repeats is left out", source.name));
    }
}

/// Reads the index of the result: all frames that the encoder was given, and sound if any was given or promised.
fn check_written(
    path: &Path,
    exit: &Exit,
    written: &Written,
    done: &Transcoded,
    is_sound_promised: bool,
) -> Result<()> {
    // It would come out the same again.
    let wrong = |code: &'static str, what: String| {
        Err(Error::backend(code, what).with("step", &exit.name).retrying(Retry::Never))
    };
    let mut file = File::open(path).map_err(error::io)?;
    let Some(structure) = isobmff::inspect(&mut file)? else {
        return wrong(codes::VERIFY_FORMAT, "the result is no MP4".to_owned());
    };
    let frames = structure.track(*b"vide").map_or(0, |track| track.samples);
    if frames != written.frames || frames == 0 {
        return wrong(
            codes::VERIFY_FRAMES,
            format!("{frames} frames were written of {}", written.frames),
        );
    }
    if exit.fps.is_none() && frames != done.decoded_frames {
        return wrong(
            codes::VERIFY_FRAMES,
            format!("{frames} frames were written of {} decoded", done.decoded_frames),
        );
    }
    // The last frame is shown in full, so a cut may be longer by one.
    let expected = if written.sound.is_some() { done.duration } else { done.picture }.as_secs_f64();
    let length = structure.seconds();
    #[expect(clippy::cast_precision_loss, reason = "far fewer frames than a float counts")]
    let slack = LENGTH_SLACK + length / frames as f64;
    if (length - expected).abs() > slack {
        return wrong(
            codes::VERIFY_DURATION,
            format!("the result lasts {length:.3} s, not {expected:.3} s"),
        );
    }
    let has_sound = structure.track(*b"soun").is_some_and(|track| track.samples > 0);
    if has_sound != (written.sound.is_some() || is_sound_promised) {
        return wrong(codes::VERIFY_STREAMS, "the result lost its sound".to_owned());
    }
    Ok(())
}
