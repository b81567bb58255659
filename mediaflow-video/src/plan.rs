//! From a group of steps to pipelines: what is asked of one source, which of it shares a decode, and how it is told.

use async_trait::async_trait;
use mediaflow_core::backend::{Group, Plan};
use mediaflow_core::media::{Medium, StreamKind};
use mediaflow_core::ops::{Fps, Kernel, Poster, Resize, Trim};
use mediaflow_core::plan::{Estimate, Explanation, Stage};
use mediaflow_core::wait::Ran;
use mediaflow_core::{AnyOperation, Color, Error, Inputs, Result, RunContext, codes};

use crate::exit::{Cut, Exit, Product, Source, estimate};
use crate::gst::settings::H264;
use crate::mp4::Mp4;
use crate::run;

/// Everything asked of the sources of one group.
#[derive(Debug)]
pub(crate) struct VideoPlan {
    sources: Vec<Source>,
}

impl VideoPlan {
    /// Reads a group.
    ///
    /// # Errors
    /// `video.not_encoded` for a result that is neither a file nor a frame.
    pub(crate) fn read(group: &Group) -> Result<Self> {
        let open = |input: &mediaflow_core::backend::GroupInput| Source {
            name: input.name.clone(),
            info: input.info.clone(),
            exits: Vec::new(),
        };
        let mut sources: Vec<Source> = group.inputs.iter().map(open).collect();
        for name in &group.exits {
            let (input, exit) = trace(group, name)?;
            let known = sources.iter_mut().find(|source| source.name == input);
            let source = known.ok_or_else(|| {
                Error::internal(codes::PLAN_INPUT, "a step takes from nothing").with("step", name)
            })?;
            source.exits.push(exit);
        }
        Ok(Self { sources })
    }
}

/// Follows an exit back to its input. An encoder on the way is passed over: what it shows is what it was given.
fn trace(group: &Group, name: &str) -> Result<(String, Exit)> {
    let unfinished = || {
        Error::input(
            codes::VIDEO_NOT_ENCODED,
            "a branch of video ends in neither a file nor a frame",
        )
        .with("step", name)
        .help("end it with an encoder, for instance `.mp4(23)`, or with `.poster(..)`")
    };
    let step = group.step(name).ok_or_else(unfinished)?;
    let mut exit = match (step.op.downcast_ref::<Mp4>(), step.op.downcast_ref::<Poster>()) {
        (Some(mp4), _) => mp4.exit(name),
        (_, Some(poster)) => Exit::new(name, Product::Poster(poster.at)),
        (None, None) => return Err(unfinished()),
    };
    let mut from = step.from.first();
    while let Some(step) = from.and_then(|from| group.step(from)) {
        put_before(&mut exit, &step.name, &step.op).map_err(|e| e.with("step", &step.name))?;
        from = step.from.first();
    }
    Ok((from.ok_or_else(unfinished)?.clone(), exit))
}

/// Puts one more step between the source and what is there, nearer to the source than any before.
fn put_before(exit: &mut Exit, name: &str, op: &AnyOperation) -> Result<()> {
    exit.steps.insert(0, name.to_owned());
    if let Some(resize) = op.downcast_ref::<Resize>() {
        check_resize(resize)?;
        exit.boxes.insert(0, resize.fit_box());
    } else if let Some(trim) = op.downcast_ref::<Trim>() {
        let (start, end) = trim.span();
        exit.cut = Cut { start, end }.then(exit.cut.start, exit.cut.end);
    } else if let Some(fps) = op.downcast_ref::<Fps>() {
        exit.fps.get_or_insert(fps.fps);
    }
    Ok(())
}

/// What a resize of stills knows and one of video does not.
fn check_resize(resize: &Resize) -> Result<()> {
    let option = if resize.linear {
        "linear"
    } else if resize.kernel != Kernel::default() {
        "kernel"
    } else if resize.ground(Medium::Video) != Color::BLACK {
        "background"
    } else {
        return Ok(());
    };
    Err(Error::unsupported(codes::VIDEO_OPTION, format!("a resize of video has no `{option}`"))
        .help("leave it out"))
}

#[async_trait]
impl Plan for VideoPlan {
    fn explain(&self) -> Explanation {
        let mut explanation = Explanation::new(crate::NAME, self.estimate());
        let mut decodes = 0;
        for source in &self.sources {
            for (cut, members) in source.ladders() {
                decodes += 1;
                explanation = explanation.with_stage(explain_decode(source, cut, members.len()));
                for exit in members.iter().filter_map(|index| source.exits.get(*index)) {
                    explanation = explanation.with_stage(explain_exit(source, exit));
                }
            }
            for poster in source.posters() {
                decodes += 1;
                explanation = explanation.with_stage(explain_exit(source, poster));
            }
        }
        explanation.with_decodes(decodes)
    }

    fn estimate(&self) -> Estimate {
        let one = |source: &Source| {
            let exits = |members: Vec<usize>| {
                members
                    .into_iter()
                    .filter_map(|index| source.exits.get(index))
                    .map(|exit| (exit, exit.size(&source.info)))
            };
            let ladders = source.ladders().into_iter();
            ladders
                .map(|(_, members)| estimate(&source.info, &exits(members).collect::<Vec<_>>()))
                .fold(estimate(&source.info, &[]), Estimate::then)
        };
        self.sources.iter().map(one).fold(Estimate::video(0), Estimate::then)
    }

    async fn run(self: Box<Self>, inputs: Inputs, cx: &RunContext) -> Result<Ran> {
        run::run(self.sources, inputs, cx).await.map(Ran::Done)
    }
}

fn explain_decode(source: &Source, cut: Cut, renditions: usize) -> Stage {
    let codec =
        source.info.stream(StreamKind::Video).map_or("video", |stream| stream.codec.as_str());
    let shared = match renditions {
        1 => "for one rendition".to_owned(),
        many => format!("for {many} renditions behind a tee"),
    };
    let part = match (cut.is_whole(), cut.end) {
        (true, _) => String::new(),
        (false, Some(end)) => {
            format!("; cut {:.3}-{:.3} s", cut.start.as_secs_f64(), end.as_secs_f64())
        }
        (false, None) => format!("; cut from {:.3} s", cut.start.as_secs_f64()),
    };
    let (width, height) = (source.info.width, source.info.height);
    Stage::new("decode", format!("{codec} of {}, once {shared}{part}", source.name))
        .with_size(width, height)
}

fn explain_exit(source: &Source, exit: &Exit) -> Stage {
    let (width, height) = exit.size(&source.info);
    let stage = match &exit.product {
        Product::Mp4 { video, audio, .. } => {
            let rate = exit.fps.map_or(String::new(), |fps| format!(" at {fps} frames/s"));
            let sound = match audio {
                Some(_) if source.info.stream(StreamKind::Audio).is_none() => {
                    "no sound in the source".to_owned()
                }
                Some(aac) => format!("AAC {} kbit/s", aac.bitrate / 1000),
                None => "without sound".to_owned(),
            };
            let H264 { crf, preset, profile, .. } = video;
            Stage::new(
                "encode",
                format!("H.264 {profile} crf {crf} {preset}{rate}; {sound}; MP4, index in front"),
            )
        }
        Product::Poster(at) => {
            let time = exit.cut.place(*at, source.info.duration).as_secs_f64();
            Stage::new("frame", format!("of {} at {time:.3} s, by an accurate seek", source.name))
        }
    };
    stage.with_steps(exit.steps.iter().cloned()).with_size(width, height)
}
