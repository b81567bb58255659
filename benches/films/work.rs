//! What everyone is asked to do with the same film, and how.

use std::path::Path;

use super::source::{FRAMES, RATE};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// All of it, smaller.
    Transcode,
    /// The same and a smaller one beside it: two files of one decode.
    Two,
    /// Four seconds out of the middle, exact to the frame.
    Trim,
    /// One frame as a JPEG.
    Poster,
}

/// Where the trim begins and ends, in seconds: not at key frames.
pub(crate) const TRIM: (u32, u32) = (3, 7);
/// Which frame the poster shows: 10 % of the length, as seconds and as a number.
pub(crate) const POSTER: (u32, u32) = (1, RATE);

/// One file that a work gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) name: &'static str,
    pub(crate) size: (u32, u32),
    /// x264's constant rate factor, or our quality of a JPEG.
    pub(crate) quality: u8,
    pub(crate) frames: u32,
}

const LARGE: Asked = Asked { name: "720.mp4", size: (1280, 720), quality: 23, frames: FRAMES };
const SMALL: Asked = Asked { name: "360.mp4", size: (640, 360), quality: 26, frames: FRAMES };
const TEASER: Asked = Asked { name: "teaser.mp4", frames: (TRIM.1 - TRIM.0) * RATE, ..SMALL };
const STILL: Asked = Asked { name: "poster.jpg", size: (600, 338), quality: 90, frames: 1 };

impl Work {
    pub(crate) const ALL: [Self; 4] = [Self::Transcode, Self::Two, Self::Trim, Self::Poster];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Transcode => "720p",
            Self::Two => "two",
            Self::Trim => "trim",
            Self::Poster => "poster",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.name() == name)
    }

    pub(crate) fn asked(self) -> &'static [Asked] {
        match self {
            Self::Transcode => &[LARGE],
            Self::Two => &[LARGE, SMALL],
            Self::Trim => &[TEASER],
            Self::Poster => &[STILL],
        }
    }

    /// What the source has to go through to be compared with the result.
    pub(crate) fn reference(self, asked: &Asked) -> String {
        let (width, height) = asked.size;
        let scale = format!("scale={width}:{height}:flags=lanczos");
        match self {
            Self::Transcode | Self::Two => scale,
            Self::Trim => {
                let (start, end) = (TRIM.0 * RATE, TRIM.1 * RATE);
                format!("trim=start_frame={start}:end_frame={end},{scale}")
            }
            Self::Poster => {
                let (start, end) = (POSTER.1, POSTER.1 + 1);
                let colours = "in_color_matrix=bt709:in_range=tv,format=gbrp";
                format!("trim=start_frame={start}:end_frame={end},{scale}:{colours}")
            }
        }
    }

    /// The same of the result.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Poster => "scale=in_color_matrix=bt601:in_range=pc,format=gbrp",
            _ => "null",
        }
    }

    /// The command line of `ffmpeg` that does the same with the settings that mediaflow gives its encoders.
    pub(crate) fn ffmpeg(self, source: &Path, out: &Path) -> Vec<String> {
        let source = source.to_string_lossy();
        let place = |asked: &Asked| out.join(asked.name).to_string_lossy().into_owned();
        let scale = |asked: &Asked| {
            let (width, height) = asked.size;
            format!("scale={width}:{height}:flags=lanczos")
        };
        let encoders = |asked: &Asked| {
            let crf = asked.quality;
            // From one key frame to the next, GStreamer gives x264 ten seconds.
            let gop = 10 * RATE;
            format!(
                "-c:v libx264 -preset medium -crf {crf} -profile:v high -g {gop} -keyint_min {RATE} \
                 -c:a aac -b:a 128k -aac_ms 0 -map_metadata -1 -movflags +faststart"
            )
        };
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let mut command = words("ffmpeg -v error -nostdin -y");
        let (from, until) = TRIM;
        match self {
            Self::Trim => command.extend(words(&format!("-ss {from} -to {until}"))),
            Self::Poster => command.extend(words(&format!("-ss {}", POSTER.0))),
            Self::Transcode | Self::Two => {}
        }
        command.extend(["-i".to_owned(), source.into_owned()]);
        match (self, self.asked()) {
            (Self::Poster, [still]) => {
                let scale = scale(still);
                let still = place(still);
                let rest = "-frames:v 1 -q:v 2 -update 1";
                command.push("-vf".to_owned());
                command.push(format!("{scale}:out_color_matrix=bt601:out_range=pc"));
                command.extend(words(rest));
                command.push(still);
            }
            (_, [one]) => {
                command.extend(["-vf".to_owned(), scale(one)]);
                command.extend(words(&encoders(one)));
                command.push(place(one));
            }
            (_, all) => {
                let split: String = (0..all.len()).map(|index| format!("[in{index}]")).collect();
                let scales = all
                    .iter()
                    .enumerate()
                    .map(|(index, asked)| format!(";[in{index}]{}[out{index}]", scale(asked)));
                let graph = format!("[0:v]split={}{split}", all.len());
                command.extend(["-filter_complex".to_owned(), scales.fold(graph, |a, b| a + &b)]);
                for (index, asked) in all.iter().enumerate() {
                    command.extend(words(&format!("-map [out{index}] -map 0:a")));
                    command.extend(words(&encoders(asked)));
                    command.push(place(asked));
                }
            }
        }
        command
    }
}
