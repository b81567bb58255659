//! How far two results may be apart, and whether they are.

use super::measured::{Measured, Picture, Sound};

/// What is compared. A reason in the cases is for one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// One of them made no such file, or one without one of its streams.
    Result,
    Size,
    Frames,
    /// When the first and the last frame are shown.
    Times,
    Length,
    Likeness,
    /// When something is heard, counted from the first frame.
    Heard,
    /// Channels, their rate and how loud each is.
    Levels,
    /// Range and matrix.
    Colours,
}

/// Seconds by which the time of a frame may differ: containers round to a millisecond, and add up.
const TIME: f64 = 0.003;
/// The same of a sound: an encoder's blocks let it be heard a little before it begins.
const HEARD: f64 = 0.010;
/// Decibels.
const LEVEL: f64 = 0.3;
/// What is quieter is silence.
const SILENCE: f64 = -75.0;
/// SSIM of one result to the other: each has been through an encoder of its own.
pub(crate) const LIKENESS: f64 = 0.985;
/// Of 255, in each of red, green and blue of each patch.
const COLOUR: u8 = 8;

impl Mark {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Result => "the result",
            Self::Size => "the size",
            Self::Frames => "the number of frames",
            Self::Times => "the time of frames",
            Self::Length => "the length",
            Self::Likeness => "SSIM",
            Self::Heard => "the time of the sound",
            Self::Levels => "the level of the sound",
            Self::Colours => "the colour",
        }
    }
}

/// Where two results differ.
pub(crate) fn differences(ours: &Measured, theirs: &Measured, likeness: Option<f64>) -> Vec<Mark> {
    let mut marks = Vec::new();
    if ours.picture.is_some() != theirs.picture.is_some()
        || ours.sound.is_some() != theirs.sound.is_some()
    {
        marks.push(Mark::Result);
    }
    let frame = theirs.picture.as_ref().map_or(TIME, Picture::frame);
    if (ours.seconds - theirs.seconds).abs() > frame {
        marks.push(Mark::Length);
    }
    if let (Some(ours), Some(theirs)) = (&ours.picture, &theirs.picture) {
        if ours.size != theirs.size {
            marks.push(Mark::Size);
        }
        if ours.times.len() != theirs.times.len() {
            marks.push(Mark::Frames);
        }
        let apart = |a: Option<&f64>, b: Option<&f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() > TIME,
            _ => true,
        };
        if apart(ours.times.first(), theirs.times.first())
            || apart(ours.times.last(), theirs.times.last())
        {
            marks.push(Mark::Times);
        }
        if ours.colours_apart(theirs) > COLOUR {
            marks.push(Mark::Colours);
        }
        if likeness.is_none_or(|likeness| likeness < LIKENESS) {
            marks.push(Mark::Likeness);
        }
    }
    // What counts of the sound is how far it is from the picture.
    let first = |seen: &Measured| seen.picture.as_ref()?.times.first().copied();
    let zero = (first(ours).unwrap_or(0.0), first(theirs).unwrap_or(0.0));
    if let (Some(ours), Some(theirs)) = (&ours.sound, &theirs.sound) {
        let apart = |a: f64, b: f64| ((a - zero.0) - (b - zero.1)).abs() > HEARD;
        if apart(ours.heard.0, theirs.heard.0) || apart(ours.heard.1, theirs.heard.1) {
            marks.push(Mark::Heard);
        }
        if !ours.is_as_loud_as(theirs) {
            marks.push(Mark::Levels);
        }
    }
    marks
}

impl Picture {
    /// How long a frame is shown, on average.
    fn frame(&self) -> f64 {
        match (self.times.first(), self.times.last(), self.times.len()) {
            (Some(first), Some(last), frames @ 2..) => (last - first) / (frames - 1) as f64,
            _ => 0.04,
        }
    }

    /// The largest difference of a colour.
    pub(crate) fn colours_apart(&self, other: &Self) -> u8 {
        if self.patches.len() != other.patches.len() {
            return u8::MAX;
        }
        let pairs = self.patches.iter().flatten().zip(other.patches.iter().flatten());
        pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
    }
}

impl Sound {
    fn is_as_loud_as(&self, other: &Self) -> bool {
        let is_equal =
            |(a, b): (&f64, &f64)| (a - b).abs() <= LEVEL || (*a < SILENCE && *b < SILENCE);
        self.rate == other.rate
            && self.levels.len() == other.levels.len()
            && self.levels.iter().zip(&other.levels).all(is_equal)
    }
}
