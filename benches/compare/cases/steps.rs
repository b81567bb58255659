//! Steps: trims, rates, sizes.

use mediaflow::geometry::Fit;
use mediaflow::spec::Chain;

use super::super::clip::{Clip, Drawn};
use super::{Case, Mark, Work};

const CLIP: Clip = Clip::Drawn(Drawn::new("mp4", "-c:v libx264 -c:a aac"));

const fn case(
    words: &'static str,
    steps: fn(Chain) -> Chain,
    seek: &'static str,
    filters: &'static str,
) -> Case {
    let work = Work::Film { steps, seek, filters, output: "" };
    Case { words, work, ..Case::of("MP4, H.264, AAC", CLIP) }
}

const BETWEEN: &str = "the cut begins between two frames: mediaflow begins picture and sound at the later one, `ffmpeg` the sound \
    at once and the picture 20 ms later";

const WITHIN: &str = "the cut ends within a frame: mediaflow shows it until then, `ffmpeg` in full";
const LATER: &str = "of several frames that fall on one, mediaflow shows the first, `ffmpeg` the last, which is 40 ms later";

pub(super) const CASES: &[Case] = &[
    case("1 s to 2.2 s", |clip| clip.trim(1.0, 2.2), "-ss 1 -to 2.2", "null"),
    case("0.5 s to 1.73 s", |clip| clip.trim(0.5, 1.73), "-ss 0.5 -to 1.73", "null").differs(&[
        (Mark::Times, BETWEEN),
        (Mark::Heard, BETWEEN),
        (Mark::Length, WITHIN),
    ]),
    case("0 s to 1 s", |clip| clip.trim(0.0, 1.0), "-to 1", "null"),
    case("2 s to 9 s", |clip| clip.trim(2.0, 9.0), "-ss 2 -to 9", "null"),
    case("30 frames a second", |clip| clip.fps(30.0), "", "fps=30"),
    case("12.5 frames a second", |clip| clip.fps(12.5), "", "fps=12.5"),
    case(
        "inside 160 x 160",
        |clip| clip.resize((160, 160, Fit::Inside)),
        "",
        "scale=160:90:flags=lanczos",
    ),
    case("640 x 360", |clip| clip.resize((640, 360, Fit::Fill)), "", "scale=640:360:flags=lanczos"),
    case(
        "stretched to 200 x 200",
        |clip| clip.resize((200, 200, Fit::Fill)),
        "",
        "scale=200:200:flags=lanczos,setsar=1",
    ),
    case(
        "covers 120 x 120",
        |clip| clip.resize((120, 120, Fit::Cover)),
        "",
        "crop=180:180,scale=120:120:flags=lanczos",
    ),
    case(
        "contained in 200 x 200",
        |clip| clip.resize((200, 200, Fit::Contain)),
        "",
        "scale=200:112:flags=lanczos,pad=200:200:0:44,setsar=1",
    ),
    case(
        "1 s to 2 s, 10 frames a second, inside 160 x 90",
        |clip| clip.trim(1.0, 2.0).fps(10.0).resize((160, 90, Fit::Inside)),
        "-ss 1 -to 2",
        "fps=10,scale=160:90:flags=lanczos",
    )
    .differs(&[(Mark::Likeness, LATER), (Mark::Colours, LATER)]),
];
