//! What is converted. A difference that stands has its reason beside the case.

mod colours;
mod containers;
mod sounds;
mod steps;
mod times;

use mediaflow::spec::Chain;

use super::clip::{Clip, Drawn};
use super::verdict::Mark;

/// One conversion by both.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// What the source is.
    pub(crate) name: &'static str,
    /// What is made of it.
    pub(crate) words: &'static str,
    pub(crate) clip: Clip,
    pub(crate) work: Work,
    /// Why results differ.
    pub(crate) differs: &'static [(Mark, &'static str)],
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Work {
    /// An MP4 file with H.264 and AAC.
    Film {
        /// Our steps in front of the encoder.
        steps: fn(Chain) -> Chain,
        /// What `ffmpeg` is told in front of its input.
        seek: &'static str,
        /// Its filters of the picture.
        filters: &'static str,
        /// What else it is told of its output.
        output: &'static str,
    },
    /// The same file again, verified.
    Copy,
}

/// All of them, by kind.
pub(crate) const ALL: [(&str, &[Case]); 5] = [
    ("Containers and codecs", containers::CASES),
    ("Range, matrix and shape", colours::CASES),
    ("Times", times::CASES),
    ("Sound", sounds::CASES),
    ("Steps", steps::CASES),
];

/// Of sound with a delay of its encoder.
const DELAY: &[(Mark, &str)] = &[(
    Mark::Times,
    "`ffmpeg` begins with the silence that the encoder of the source put in front of its sound, so that picture and sound \
     both come later; they are as far from one another",
)];

/// Of pictures whose colour is as large as their brightness.
const EDGES: &str = "edges between saturated colours: GStreamer halves the size of colour by the mean of neighbours, `ffmpeg` by a \
    wider filter";

/// Of pictures of red, green and blue: what is told to who would otherwise write another matrix, and no tag.
const AS_BT709: (&str, &str) = (
    "scale=out_color_matrix=bt709:out_range=tv",
    "-colorspace bt709 -color_primaries bt709 -color_trc bt709 -color_range tv",
);

const PLAIN: Work = Work::Film { steps: |clip| clip, seek: "", filters: "null", output: "" };

impl Case {
    /// As it is, whatever it is.
    const fn of(name: &'static str, clip: Clip) -> Self {
        Self { name, words: "all of it", clip, work: PLAIN, differs: &[] }
    }

    /// A file that is drawn.
    const fn drawn(name: &'static str, ending: &'static str, settings: &'static str) -> Self {
        Self::of(name, Clip::Drawn(Drawn::new(ending, settings)))
    }

    const fn committed(name: &'static str, file: &'static str) -> Self {
        Self::of(name, Clip::Committed(file))
    }

    const fn copied(self) -> Self {
        Self { work: Work::Copy, words: "copied", ..self }
    }

    /// What `ffmpeg` is told more than usual.
    const fn told(self, filters: &'static str, output: &'static str) -> Self {
        Self { work: Work::Film { steps: |clip| clip, seek: "", filters, output }, ..self }
    }

    /// The same, and what it is told in front of its input.
    const fn told_before(self, seek: &'static str, filters: &'static str) -> Self {
        Self { work: Work::Film { steps: |clip| clip, seek, filters, output: "" }, ..self }
    }

    const fn differs(self, differs: &'static [(Mark, &'static str)]) -> Self {
        Self { differs, ..self }
    }

    pub(crate) const fn is_committed(&self) -> bool {
        matches!(self.clip, Clip::Committed(_))
    }

    /// What the result is called.
    pub(crate) fn result_name(&self, source: &str) -> String {
        let (stem, ending) = source.rsplit_once('.').unwrap_or((source, ""));
        let ending = if matches!(self.work, Work::Copy) { ending } else { "mp4" };
        let words: String = self.words.chars().filter(|c| c.is_ascii_alphanumeric()).collect();
        format!("{stem}-{words}.{ending}")
    }
}
