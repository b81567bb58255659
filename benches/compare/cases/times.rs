//! When things happen: rates that vary, streams that begin late, clocks that begin anywhere, edit lists.

use super::super::clip::{Clip, Drawn, PICTURE, Picture};
use super::{Case, DELAY, Mark, Work};

const H264: &str = "-c:v libx264 -c:a aac";

const fn rated(rate: &'static str) -> Clip {
    let drawn = Drawn::new("mp4", H264);
    Clip::Drawn(Drawn { picture: Some(Picture { rate, ..PICTURE }), ..drawn })
}

const fn again(
    ending: &'static str,
    settings: &'static str,
    before: &'static str,
    behind: &'static str,
) -> Clip {
    let drawn = Drawn::new(ending, settings);
    Clip::Drawn(Drawn { then: Some((before, behind)), ..drawn })
}

const EVENLY: &str =
    "evenly spaced frames are counted from the first frame at 0.021 s, by `ffmpeg` from zero";
const MIDDLE: &str = "the edit list begins in the middle of a frame: mediaflow leaves the next one where it is, `ffmpeg` moves the \
    picture 20 ms ahead of the sound";

pub(super) const CASES: &[Case] = &[
    Case::of("24000/1001 frames a second", rated("24000/1001")),
    Case::of("60 frames a second", rated("60")),
    Case::committed("A rate that varies, Matroska", "vfr.mkv"),
    Case {
        words: "30 frames a second",
        work: Work::Film { steps: |clip| clip.fps(30.0), seek: "", filters: "fps=30", output: "" },
        ..Case::committed("A rate that varies, Matroska", "vfr.mkv").differs(&[
            (Mark::Frames, EVENLY),
            (Mark::Times, EVENLY),
            (Mark::Heard, EVENLY),
            (Mark::Colours, "the frame in the middle is another one"),
        ])
    },
    Case::committed("Matroska that begins at 10 s", "offset10.mkv"),
    Case::committed("MPEG-TS that begins at 10 s", "ts-start-10s.ts").differs(DELAY),
    Case::of(
        "Sound that begins 1.5 s late, MP4",
        again("mp4", H264, "", "-itsoffset 1.5 -i {file} -map 0:v -map 1:a -c copy"),
    ),
    Case::of(
        "Sound that begins 1.5 s late, Matroska",
        again("mkv", H264, "", "-itsoffset 1.5 -i {file} -map 0:v -map 1:a -c copy"),
    ),
    Case::of(
        "Picture that begins 0.8 s late, MP4",
        again("mp4", H264, "", "-itsoffset 0.8 -i {file} -map 1:v -map 0:a -c copy"),
    ),
    Case::of(
        "MPEG-TS that begins at 26 h",
        again("ts", H264, "", "-c copy -output_ts_offset 95400"),
    )
    .differs(DELAY),
    Case::of("Cut without encoding it again, MP4", again("mp4", H264, "-ss 1.2", "-c copy")),
    Case::committed("An edit list that cuts", "edit-list-cut.mp4"),
    Case::committed("An edit list of the sound", "edit-list-sound.mp4")
        .differs(&[(Mark::Times, MIDDLE), (Mark::Heard, MIDDLE)]),
    Case::committed("Sound without its first samples", "priming.mov"),
];
