//! What a result shows and plays, as `ffmpeg` decodes it, whoever made it.

use std::ffi::OsStr;
use std::path::Path;

use super::Result;
use super::ffmpeg::{self, Probed};

/// Patches of the frame in the middle, across and down: two to each bar of the sources that are drawn.
const PATCHES: (usize, usize) = (16, 8);

#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) seconds: f64,
    pub(crate) picture: Option<Picture>,
    pub(crate) sound: Option<Sound>,
}

#[derive(Debug)]
pub(crate) struct Picture {
    pub(crate) size: (u64, u64),
    /// When each frame is shown.
    pub(crate) times: Vec<f64>,
    /// The colours of the frame in the middle, as RGB.
    pub(crate) patches: Vec<[u8; 3]>,
}

#[derive(Debug)]
pub(crate) struct Sound {
    pub(crate) rate: u32,
    /// When something is heard for the first and the last time.
    pub(crate) heard: (f64, f64),
    /// How loud each channel is in between, in decibels of full scale.
    pub(crate) levels: Vec<f64>,
}

impl Measured {
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let probed = Probed::of(path)?;
        let picture = probed.stream("video").map(|_| Picture::of(path, &probed)).transpose()?;
        let sound = probed.stream("audio").map(|_| Sound::of(path, &probed)).transpose()?;
        Ok(Self { seconds: probed.seconds(), picture, sound })
    }
}

fn decode(program: &str, before: &str, path: &Path, behind: &str) -> Result<Vec<u8>> {
    let words = |words: &'static str| words.split_whitespace().map(OsStr::new);
    let mut arguments: Vec<&OsStr> = words("-v error").collect();
    arguments.extend(before.split_whitespace().map(OsStr::new));
    arguments.push(path.as_os_str());
    arguments.extend(behind.split_whitespace().map(OsStr::new));
    Ok(ffmpeg::run(program, arguments)?.stdout)
}

impl Picture {
    fn of(path: &Path, probed: &Probed) -> Result<Self> {
        let shown =
            "-select_streams v:0 -show_entries frame=best_effort_timestamp_time -of csv=p=0";
        let said = String::from_utf8(decode("ffprobe", shown, path, "")?)?;
        let times = said.lines().filter_map(|line| line.trim_matches(',').parse().ok());
        let times: Vec<f64> = times.collect();
        let (middle, (across, down)) = (times.len() / 2, PATCHES);
        // First all of it becomes RGB, then it is averaged: the other way round the colours of neighbours run together.
        let one = format!(
            "-map 0:v:0 -vf select=eq(n\\,{middle}),scale=flags=full_chroma_int+accurate_rnd,format=gbrp,\
             scale={across}:{down}:flags=area,format=rgb24 \
             -fps_mode passthrough -frames:v 1 -f rawvideo -"
        );
        let pixels = decode("ffmpeg", "-i", path, &one)?;
        let patches = pixels.chunks_exact(3).map(|rgb| [rgb[0], rgb[1], rgb[2]]).collect();
        Ok(Self { size: probed.size(), times, patches })
    }
}

impl Sound {
    fn of(path: &Path, probed: &Probed) -> Result<Self> {
        let channels = usize::try_from(probed.count("audio", "channels"))?;
        let rate = u32::try_from(probed.count("audio", "sample_rate"))?;
        // Silence in front of a late sound keeps its time.
        let raw = "-map 0:a:0 -af aresample=async=1:first_pts=0 -f f32le -";
        let bytes = decode("ffmpeg", "-i", path, raw)?;
        let samples = bytes
            .chunks_exact(4)
            .map(|four| f64::from(f32::from_le_bytes([four[0], four[1], four[2], four[3]])));
        let samples: Vec<f64> = samples.collect();
        let frames: Vec<&[f64]> = samples.chunks_exact(channels.max(1)).collect();
        let loud =
            |frame: &&[f64]| frame.iter().fold(0.0_f64, |most, sample| most.max(sample.abs()));
        let most = frames.iter().map(loud).fold(0.0, f64::max);
        let is_heard = |frame: &&[f64]| loud(frame) > most * 0.25;
        let first = frames.iter().position(is_heard).unwrap_or(0);
        let last = frames.iter().rposition(is_heard).map_or(0, |last| last + 1);
        let heard = frames.get(first..last).unwrap_or_default();
        let level = |channel: usize| {
            let power: f64 = heard.iter().map(|frame| frame[channel].powi(2)).sum();
            20.0 * (power / heard.len().max(1) as f64).sqrt().max(1e-5).log10()
        };
        Ok(Self {
            rate,
            heard: (first as f64 / f64::from(rate), last as f64 / f64::from(rate)),
            levels: (0..channels).map(level).collect(),
        })
    }
}
