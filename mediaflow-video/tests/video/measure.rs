//! What a clip shows and plays, as `ffmpeg` decodes it: the other opinion on every result.
//!
//! The clips are drawn so that they can be measured: the upper quarter holds the number of the frame in twelve blocks, white is
//! one; the lower half flashes for a tenth of a second at each second, when a kilohertz beeps.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "numbers of a small clip"
)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

const RATE: f64 = 48_000.0;

/// Of no more frames it is looked whether they are made of two fields.
const FEW: usize = 30;

/// A decoded clip.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) size: (usize, usize),
    pub(crate) seconds: f64,
    /// The codecs of its streams.
    pub(crate) codecs: Vec<String>,
    /// The number that each frame shows.
    pub(crate) numbers: Vec<u32>,
    /// When each frame is shown.
    pub(crate) times: Vec<f64>,
    /// When the lower half begins to flash.
    pub(crate) flashes: Vec<f64>,
    /// When a beep begins.
    pub(crate) beeps: Vec<f64>,
    /// Loudness of each channel from 0.1 to 0.9 of each second, in decibels of full scale.
    pub(crate) levels: Vec<Vec<f64>>,
    /// Seconds of sound.
    pub(crate) sound: f64,
    /// Pixels of the middle frame, as RGB.
    pub(crate) middle: Vec<u8>,
    /// How much each row differs from those around it, where that is most.
    pub(crate) comb: f64,
}

fn run(program: &str, arguments: &[&str], path: &Path, rest: &[&str]) -> Vec<u8> {
    let output =
        Command::new(program).args(["-v", "error"]).args(arguments).arg(path).args(rest).output();
    let output = output.expect("installed by `make test`");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

impl Measured {
    pub(crate) fn of(path: &Path) -> Self {
        let shown = ["-show_streams", "-show_format", "-of", "json"];
        let json: Value = serde_json::from_slice(&run("ffprobe", &shown, path, &[])).unwrap();
        let streams = json["streams"].as_array().unwrap();
        let of = |kind: &str| streams.iter().find(|stream| stream["codec_type"] == kind);
        let codecs = streams.iter().map(|s| s["codec_name"].as_str().unwrap_or("?").to_owned());
        let mut measured = Self {
            size: (0, 0),
            seconds: json["format"]["duration"].as_str().map_or(0.0, |s| s.parse().unwrap()),
            codecs: codecs.collect(),
            numbers: Vec::new(),
            times: Vec::new(),
            flashes: Vec::new(),
            beeps: Vec::new(),
            levels: Vec::new(),
            sound: 0.0,
            middle: Vec::new(),
            comb: 0.0,
        };
        if let Some(video) = of("video") {
            let side = |name: &str| usize::try_from(video[name].as_u64().unwrap()).unwrap();
            measured.size = (side("width"), side("height"));
            measured.look(path);
        }
        if let Some(audio) = of("audio") {
            let channels = usize::try_from(audio["channels"].as_u64().unwrap()).unwrap();
            measured.listen(path, channels);
        }
        measured
    }

    fn look(&mut self, path: &Path) {
        let times = ["-select_streams", "v", "-show_entries", "frame=best_effort_timestamp_time"];
        let times = run("ffprobe", &[&times[..], &["-of", "csv=p=0"]].concat(), path, &[]);
        let times = String::from_utf8(times).unwrap();
        self.times = times.lines().filter_map(|line| line.trim_matches(',').parse().ok()).collect();
        let raw =
            ["-map", "0:v:0", "-vsync", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"];
        let pixels = run("ffmpeg", &["-i"], path, &raw);
        let (width, height) = self.size;
        let frames: Vec<&[u8]> = pixels.chunks_exact(width * height * 3).collect();
        let mut bright_before = false;
        for (index, frame) in frames.iter().enumerate() {
            let picture = Picture { pixels: frame, width, height };
            self.numbers.push(picture.number());
            let bright = picture.mean(0..width, height * 5 / 8..height * 7 / 8) > 130.0;
            if bright && !bright_before {
                self.flashes.push(self.times[index]);
            }
            bright_before = bright;
            if frames.len() <= FEW {
                self.comb = self.comb.max(picture.comb());
            }
        }
        self.middle = frames.get(frames.len() / 2).map_or_else(Vec::new, |frame| frame.to_vec());
    }

    fn listen(&mut self, path: &Path, channels: usize) {
        // Silence in front of a late sound keeps its time.
        let raw = ["-map", "0:a:0", "-af", "aresample=async=1:first_pts=0", "-ar", "48000"];
        let raw = [&raw[..], &["-f", "s16le", "-"]].concat();
        let bytes = run("ffmpeg", &["-i"], path, &raw);
        let samples =
            bytes.chunks_exact(2).map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])));
        let samples: Vec<f64> = samples.collect();
        let frames: Vec<&[f64]> = samples.chunks_exact(channels).collect();
        let loud =
            |frame: &&[f64]| frame.iter().fold(0.0_f64, |most, sample| most.max(sample.abs()));
        let most = frames.iter().map(loud).fold(0.0, f64::max);
        let mut quiet = f64::INFINITY;
        for (index, frame) in frames.iter().enumerate() {
            if loud(frame) > f64::max(800.0, most * 0.25) {
                if quiet > 480.0 {
                    self.beeps.push(index as f64 / RATE);
                }
                quiet = 0.0;
            } else {
                quiet += 1.0;
            }
        }
        self.sound = frames.len() as f64 / RATE;
        let second = |k: usize| (k as f64 + 0.1, k as f64 + 0.9);
        self.levels = (0..self.sound as usize)
            .map(|k| {
                let (from, until) = second(k);
                let part = &frames[(from * RATE) as usize..(until * RATE) as usize];
                let level = |channel: usize| {
                    let power: f64 = part.iter().map(|frame| frame[channel].powi(2)).sum();
                    20.0 * ((power / part.len() as f64).sqrt().max(0.1) / 32_768.0).log10()
                };
                (0..channels).map(level).collect()
            })
            .collect();
    }

    /// How far each flash is from the next beep, in milliseconds.
    pub(crate) fn apart(&self) -> Vec<f64> {
        let near = |flash: &f64| {
            let distances = self.beeps.iter().map(|beep| (flash - beep) * 1000.0);
            distances.min_by(|a, b| a.abs().total_cmp(&b.abs()))
        };
        self.flashes.iter().filter_map(near).collect()
    }

    /// Numbers of frames only grow.
    pub(crate) fn is_in_order(&self) -> bool {
        self.numbers.windows(2).all(|pair| pair[0] < pair[1])
    }

    pub(crate) fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.size.0 + x) * 3;
        [self.middle[at], self.middle[at + 1], self.middle[at + 2]]
    }
}

/// A frame as RGB.
pub(crate) struct Picture<'a> {
    pub(crate) pixels: &'a [u8],
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Picture<'_> {
    fn luma(&self, x: usize, y: usize) -> f64 {
        let at = (y * self.width + x) * 3;
        let [r, g, b] = [0, 1, 2].map(|channel| u32::from(self.pixels[at + channel]));
        f64::from(r + g + b) / 3.0
    }

    fn mean(&self, columns: std::ops::Range<usize>, rows: std::ops::Range<usize>) -> f64 {
        let (mut sum, mut number) = (0.0, 0.0);
        for y in rows.step_by(3) {
            for x in columns.clone().step_by(3) {
                sum += self.luma(x, y);
                number += 1.0;
            }
        }
        sum / f64::max(number, 1.0)
    }

    /// The number in the upper quarter.
    pub(crate) fn number(&self) -> u32 {
        (0..12).fold(0, |number, block| {
            let at = |part: f64| ((block as f64 + part) * self.width as f64 / 12.0) as usize;
            let columns = at(0.25)..at(0.75).max(at(0.25) + 1);
            let white = self.mean(columns, self.height / 16..self.height * 3 / 16) > 128.0;
            number * 2 + u32::from(white)
        })
    }

    /// How much rows differ from those around them.
    pub(crate) fn comb(&self) -> f64 {
        let row = |y: usize| {
            let between = |x: usize| {
                let around = (self.luma(x, y - 1) + self.luma(x, y + 1)) / 2.0;
                (self.luma(x, y) - around).abs()
            };
            (0..self.width).map(between).fold(0.0, f64::max)
        };
        let rows = 1..self.height - 1;
        let number = rows.len() as f64;
        rows.map(row).sum::<f64>() / number
    }
}
