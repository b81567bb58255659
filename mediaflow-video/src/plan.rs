//! From a group of steps to pipelines: what is asked of one source, which of it shares a decode, and how it is told.

use std::time::Duration;

use async_trait::async_trait;
use mediaflow_core::backend::{Group, Plan};
use mediaflow_core::geometry::FitBox;
use mediaflow_core::media::{MediaInfo, StreamKind};
use mediaflow_core::plan::{Estimate, Explanation, Stage};
use mediaflow_core::{AnyOperation, Error, Inputs, Outputs, Result, RunContext};

use crate::gst::encode::{Aac, H264};
use crate::gst::upright::layout;
use crate::ops::{Fps, Mp4, Position, Poster, Resize, Trim};
use crate::run;

/// The name of the only input of a step that runs alone.
const ALONE: &str = "source";

/// Everything asked of the sources of one group.
#[derive(Debug)]
pub(crate) struct VideoPlan {
    pub(crate) sources: Vec<Source>,
}

/// One source, and what is asked of it.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: String,
    pub(crate) info: MediaInfo,
    pub(crate) exits: Vec<Exit>,
}

/// One result: a file or a frame, with all that lies between it and the source.
#[derive(Clone, Debug)]
pub(crate) struct Exit {
    pub(crate) name: String,
    /// The steps that are merged into it, in the order of the pipeline.
    steps: Vec<String>,
    pub(crate) cut: Cut,
    pub(crate) boxes: Vec<FitBox>,
    pub(crate) fps: Option<f64>,
    pub(crate) product: Product,
}

/// The last frame of a video begins no later than this before its end.
const LAST_FRAME: Duration = Duration::from_millis(100);

/// What an exit gives.
#[derive(Clone, Debug)]
pub(crate) enum Product {
    Mp4 { video: H264, audio: Option<Aac> },
    Poster(Position),
}

/// The part of the source that is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cut {
    pub(crate) start: Duration,
    pub(crate) end: Option<Duration>,
}

impl Cut {
    pub(crate) fn is_whole(self) -> bool {
        self == Self::default()
    }

    /// A position in this cut, as a time in a source of this length: at the latest its last frame.
    pub(crate) fn place(self, at: Position, duration: Option<Duration>) -> Duration {
        let end = match (self.end, duration) {
            (Some(end), Some(duration)) => Some(end.min(duration)),
            (end, duration) => end.or(duration),
        };
        let length = end.map(|end| end.saturating_sub(self.start));
        let time = match at {
            Position::Seconds(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or_default(),
            Position::Percent(percent) => {
                length.unwrap_or_default().mul_f64(percent.clamp(0.0, 100.0) / 100.0)
            }
        };
        let last = length.map(|length| length.saturating_sub(LAST_FRAME));
        self.start.saturating_add(last.map_or(time, |last| time.min(last)))
    }

    /// A cut of this cut.
    fn then(self, start: Duration, end: Option<Duration>) -> Self {
        let end = end.map(|end| self.start.saturating_add(end));
        let end = match (self.end, end) {
            (Some(outer), Some(inner)) => Some(outer.min(inner)),
            (outer, inner) => outer.or(inner),
        };
        Self { start: self.start.saturating_add(start), end }
    }
}

impl Exit {
    fn new(name: &str, product: Product) -> Self {
        let (name, steps) = (name.to_owned(), vec![name.to_owned()]);
        Self { name, steps, cut: Cut::default(), boxes: Vec::new(), fps: None, product }
    }

    pub(crate) fn mp4(name: &str, settings: &Mp4) -> Self {
        Self::new(name, Product::Mp4 { video: settings.video(), audio: settings.sound() })
    }

    pub(crate) fn poster(name: &str, settings: &Poster) -> Self {
        Self::new(name, Product::Poster(settings.at))
    }

    /// With one more step between the source and what is there, nearer to the source than any before.
    fn after(&mut self, name: &str, op: &AnyOperation) {
        self.steps.insert(0, name.to_owned());
        if let Some(resize) = op.downcast_ref::<Resize>() {
            self.boxes.insert(0, resize.fit_box());
        } else if let Some(trim) = op.downcast_ref::<Trim>() {
            let (start, end) = trim.span();
            self.cut = Cut { start, end }.then(self.cut.start, self.cut.end);
        } else if let Some(fps) = op.downcast_ref::<Fps>() {
            self.fps.get_or_insert(fps.fps);
        }
    }

    fn size(&self, source: &MediaInfo) -> (u32, u32) {
        let shown = source.upright_size();
        match (&self.product, self.boxes.split_first()) {
            (Product::Poster(_), None) => shown,
            (Product::Mp4 { .. }, None) => layout(shown, shown, None).canvas,
            (_, Some((first, rest))) => {
                rest.iter().fold(layout(shown, shown, Some(first)).canvas, |size, next| {
                    layout(size, size, Some(next)).canvas
                })
            }
        }
    }
}

impl Source {
    /// MP4 exits that share a decode: those with the same cut. Indices into `exits`.
    pub(crate) fn ladders(&self) -> Vec<(Cut, Vec<usize>)> {
        let mut ladders: Vec<(Cut, Vec<usize>)> = Vec::new();
        for (index, exit) in self.exits.iter().enumerate() {
            if matches!(exit.product, Product::Poster(_)) {
                continue;
            }
            match ladders.iter_mut().find(|(cut, _)| *cut == exit.cut) {
                Some((_, members)) => members.push(index),
                None => ladders.push((exit.cut, vec![index])),
            }
        }
        ladders
    }

    pub(crate) fn posters(&self) -> impl Iterator<Item = &Exit> {
        self.exits.iter().filter(|exit| matches!(exit.product, Product::Poster(_)))
    }
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
                Error::internal("plan.input", "a step takes from nothing").with("step", name)
            })?;
            source.exits.push(exit);
        }
        Ok(Self { sources })
    }

    /// One step on a file, without a group.
    pub(crate) fn of_one(info: MediaInfo, exit: Exit) -> Self {
        Self { sources: vec![Source { name: ALONE.to_owned(), info, exits: vec![exit] }] }
    }

    /// Runs it on the CPU pool.
    pub(crate) async fn run_as(self, inputs: Inputs, cx: &RunContext) -> Result<Outputs> {
        cx.cpu(move |cx| run::run(&self, &inputs, cx)).await
    }
}

/// Follows an exit back to its input. An encoder on the way is passed over: what it shows is what it was given.
fn trace(group: &Group, name: &str) -> Result<(String, Exit)> {
    let unfinished = || {
        Error::input("video.not_encoded", "a branch of video ends in neither a file nor a frame")
            .with("step", name)
            .help("end it with an encoder, for instance `.mp4(23)`, or with `.poster(..)`")
    };
    let step = group.step(name).ok_or_else(unfinished)?;
    let mut exit = match (step.op.downcast_ref::<Mp4>(), step.op.downcast_ref::<Poster>()) {
        (Some(mp4), _) => Exit::mp4(name, mp4),
        (_, Some(poster)) => Exit::poster(name, poster),
        (None, None) => return Err(unfinished()),
    };
    let mut from = step.from.first();
    while let Some(step) = from.and_then(|from| group.step(from)) {
        exit.after(&step.name, &step.op);
        from = step.from.first();
    }
    Ok((from.ok_or_else(unfinished)?.clone(), exit))
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
                    .filter_map(|index| Some(source.exits.get(index)?.size(&source.info)))
            };
            let ladders = source.ladders().into_iter();
            ladders
                .map(|(_, members)| estimate(&source.info, &exits(members).collect::<Vec<_>>()))
                .fold(estimate(&source.info, &[]), Estimate::then)
        };
        self.sources.iter().map(one).fold(Estimate::video(0), Estimate::then)
    }

    async fn run(self: Box<Self>, inputs: Inputs, cx: &RunContext) -> Result<Outputs> {
        self.run_as(inputs, cx).await
    }
}

/// What is in flight: plugins, the decoder's frames, and the look-ahead of an encoder per rendition of this size.
pub(crate) fn estimate(input: &MediaInfo, renditions: &[(u32, u32)]) -> Estimate {
    const GSTREAMER: u64 = 128 << 20;
    const ENCODER: u64 = 8 << 20;
    const DECODER_FRAMES: u64 = 24;
    const ENCODER_FRAMES: u64 = 64;
    let frame = |pixels: u64| pixels.saturating_mul(3) / 2;
    let decoder = frame(input.pixels()).saturating_mul(DECODER_FRAMES);
    let encoders = renditions.iter().map(|(width, height)| {
        let pixels = u64::from(*width) * u64::from(*height);
        ENCODER.saturating_add(frame(pixels).saturating_mul(ENCODER_FRAMES))
    });
    Estimate::video(encoders.fold(GSTREAMER.saturating_add(decoder), u64::saturating_add))
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
    let (width, height) = source.info.upright_size();
    Stage::new("decode", format!("{codec} of {}, once {shared}{part}", source.name))
        .with_size(width, height)
}

fn explain_exit(source: &Source, exit: &Exit) -> Stage {
    let (width, height) = exit.size(&source.info);
    let stage = match &exit.product {
        Product::Mp4 { video, audio } => {
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
