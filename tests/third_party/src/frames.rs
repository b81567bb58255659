use std::time::Duration;

use mediaflow::Takes;
use mediaflow::media::{
    Frame, FrameReader, FrameSource, Frames, MediaInfo, Medium, OpenFrames, Stop,
};
use mediaflow::prelude::*;
use serde::{Deserialize, Serialize};

/// Keeps each so many-th frame, for as long as those were shown that it leaves out.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thin {
    /// Of so many frames one is kept.
    pub of: u32,
}

impl Operation for Thin {
    const KIND: &'static str = "acme.thin";

    fn validate(&self) -> mediaflow::Result<()> {
        if self.of > 0 {
            return Ok(());
        }
        Err(Error::input("thin.of", "one of none can not be kept"))
    }

    fn describe(&self, inputs: &[MediaInfo]) -> mediaflow::Result<MediaInfo> {
        let frames = inputs[0].frames.div_ceil(self.of.into());
        Ok(inputs[0].clone().with_frames(frames).with_medium(Medium::Animation))
    }
}

#[async_trait]
impl Run for Thin {
    const TAKES: Takes = Takes::Frames;

    /// Nothing is pulled here: whoever takes the result pulls, and never are two frames of the source there at once.
    async fn run(&self, inputs: Inputs, cx: &OpContext) -> mediaflow::Result<Outputs> {
        cx.check()?;
        let frames = inputs.into_first()?.into_frames()?;
        let (of, limits) = (self.of, cx.limits().clone());
        let count = frames.count().map(|count| count.div_ceil(of.into()));
        let thin = Frames::new(frames.width(), frames.height(), frames.layout(), {
            Thinned { frames: frames.clone(), of, limits }
        });
        let thin = thin.with_loops(frames.loops());
        Ok(Outputs::one(count.map_or(thin.clone(), |count| thin.with_count(count))))
    }
}

#[derive(Debug)]
struct Thinned {
    frames: Frames,
    of: u32,
    limits: Limits,
}

impl FrameSource for Thinned {
    fn open(&self) -> mediaflow::Result<Box<dyn FrameReader>> {
        let pass = self.frames.open(&self.limits)?;
        Ok(Box::new(ThinnedPass { pass, of: self.of }))
    }
}

struct ThinnedPass {
    pass: OpenFrames,
    of: u32,
}

impl FrameReader for ThinnedPass {
    fn next(&mut self, stop: &dyn Stop) -> mediaflow::Result<Option<Frame>> {
        let Some(mut kept) = self.pass.next(stop)? else { return Ok(None) };
        for _ in 1..self.of {
            let Some(left_out) = self.pass.next(stop)? else { break };
            kept.duration += left_out.duration;
        }
        Ok(Some(kept))
    }
}

/// The last frame first. It goes through the source once for each frame, so that no two are in memory.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backwards {}

impl Operation for Backwards {
    const KIND: &'static str = "acme.backwards";
}

#[async_trait]
impl Run for Backwards {
    const TAKES: Takes = Takes::Frames;

    async fn run(&self, inputs: Inputs, cx: &OpContext) -> mediaflow::Result<Outputs> {
        let frames = inputs.into_first()?.into_frames()?;
        let counted = frames.clone();
        let count = cx
            .cpu(move |cx| {
                let (mut pass, mut count) = (counted.open(cx.limits())?, 0);
                while pass.next(cx)?.is_some() {
                    count += 1;
                }
                Ok(count)
            })
            .await?;
        let (width, height, layout) = (frames.width(), frames.height(), frames.layout());
        let loops = frames.loops();
        let source = Reversed { frames, count, limits: cx.limits().clone() };
        let frames = Frames::new(width, height, layout, source);
        Ok(Outputs::one(frames.with_count(count).with_loops(loops)))
    }
}

#[derive(Clone, Debug)]
struct Reversed {
    frames: Frames,
    count: u64,
    limits: Limits,
}

impl FrameSource for Reversed {
    fn open(&self) -> mediaflow::Result<Box<dyn FrameReader>> {
        Ok(Box::new(ReversedPass { of: self.clone(), left: self.count, at: Duration::ZERO }))
    }
}

struct ReversedPass {
    of: Reversed,
    left: u64,
    at: Duration,
}

impl FrameReader for ReversedPass {
    fn next(&mut self, stop: &dyn Stop) -> mediaflow::Result<Option<Frame>> {
        if self.left == 0 {
            return Ok(None);
        }
        let mut pass = self.of.frames.open(&self.of.limits)?;
        let mut frame = None;
        for _ in 0..self.left {
            frame = pass.next(stop)?;
        }
        self.left -= 1;
        let at = self.at;
        let turned = frame.map(|frame| Frame::new(frame.image, at, frame.duration));
        self.at += turned.as_ref().map_or(Duration::ZERO, |frame| frame.duration);
        Ok(turned)
    }
}
