//! Five generations in each container that is read: what is seen and heard together stays together, and nothing is lost.
//!
//! Each generation is encoded from the one before, which `ffmpeg` has put into another container. Frames, flashes, beeps and what
//! is around them are counted by `ffmpeg` alone: `showinfo` and `silencedetect`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::clips::mp4;
use crate::common::{Bench, path_of, step};

const GENERATIONS: usize = 5;

/// Milliseconds that picture and sound may be farther apart after all generations.
const APART: f64 = 5.0;

/// Milliseconds by which a frame may be moved: containers round.
const MOVED: f64 = 2.0;

/// Seconds, each with a flash and a beep.
const SECONDS: usize = 3;

/// A film, and what becomes of it whenever it is put into its container.
struct Film {
    /// With the ending of the container.
    name: &'static str,
    /// How the picture is coded; each generation anew if it can not be copied.
    picture: &'static [&'static str],
    /// How the sound is coded.
    sound: &'static [&'static str],
    /// Whether that is done in each generation.
    is_anew: bool,
    /// Samples in a second, and channels.
    rate: &'static str,
    channels: usize,
    /// Seconds by which the sound begins after the picture.
    late: &'static str,
    /// Frames are seen for as long as they are seen.
    is_uneven: bool,
    /// What is said to `ffmpeg` before the source in each generation, and behind it.
    before: &'static [&'static str],
    behind: &'static [&'static str],
}

const X264: &[&str] = &["-c:v", "libx264", "-preset", "veryfast", "-crf", "30"];
const VP8: &[&str] = &["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "200k"];
const AAC: &[&str] = &["-c:a", "aac"];

/// Two frames are cut off by an edit list.
const EDITED: &[&str] = &["-ss", "0.08"];
const CUT: f64 = 0.08;

/// How much silence is before the first beep, and behind the last.
const BEFORE: f64 = 0.6;
const BEHIND: f64 = 0.28;

const fn film(name: &'static str, sound: &'static [&'static str]) -> Film {
    Film {
        name,
        picture: X264,
        sound,
        is_anew: true,
        rate: "48000",
        channels: 2,
        late: "0",
        is_uneven: false,
        before: &[],
        behind: &[],
    }
}

/// What `ffmpeg` sees and hears, in seconds.
#[derive(Debug)]
struct Counted {
    frames: Vec<f64>,
    flashes: Vec<f64>,
    beeps: Vec<f64>,
    /// How much silence is before the first beep, and behind the last.
    before: f64,
    behind: f64,
}

impl Counted {
    fn of(path: &Path) -> Self {
        let heard = "silencedetect=noise=0.15:duration=0.05";
        let output = Command::new("ffmpeg")
            .args(["-hide_banner", "-nostats", "-i"])
            .arg(path)
            .args(["-map", "0:v:0", "-map", "0:a:0", "-vf", "showinfo", "-vsync", "passthrough"])
            .args(["-af", heard, "-f", "null", "-"])
            .output()
            .expect("ffmpeg is installed by `make test`");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let (mut frames, mut flashes, mut is_bright) = (Vec::new(), Vec::new(), false);
        let mut silences: Vec<(f64, f64)> = Vec::new();
        for line in said.lines() {
            let number = |name: &str| {
                let rest = line.split_once(name)?.1.trim_start();
                let end = rest.find(|c: char| !c.is_ascii_digit() && !".-+e".contains(c));
                rest[..end.unwrap_or(rest.len())].parse::<f64>().ok()
            };
            if let Some((time, mean)) = number("pts_time:").zip(number("mean:[")) {
                frames.push(time);
                let was_bright = std::mem::replace(&mut is_bright, mean > 120.0);
                flashes.extend((is_bright && !was_bright).then_some(time));
            }
            silences.extend(number("silence_start:").map(|start| (start, start)));
            if let Some((end, last)) = number("silence_end:").zip(silences.last_mut()) {
                last.1 = end;
            }
        }
        // A beep is between two silences; the sound ends with one.
        let length = |silence: &(f64, f64)| silence.1 - silence.0;
        let (before, behind) = (silences.first().map(length), silences.last().map(length));
        silences.pop();
        Self {
            frames,
            flashes,
            beeps: silences.iter().map(|(_, end)| *end).collect(),
            before: before.unwrap_or(0.0),
            behind: behind.unwrap_or(0.0),
        }
    }

    /// How much later than its flash each beep is, in milliseconds.
    fn apart(&self) -> Vec<f64> {
        self.beeps.iter().zip(&self.flashes).map(|(beep, flash)| (beep - flash) * 1000.0).collect()
    }

    /// The frames, from the first flash on.
    fn steps(&self) -> impl Iterator<Item = f64> + '_ {
        self.frames.iter().map(|time| (time - self.flashes[0]) * 1000.0)
    }
}

impl Film {
    /// Draws it.
    fn draw(&self, bench: &Bench) -> PathBuf {
        let path = bench.folder.path().join(format!("0-{}", self.name));
        let picture = format!(
            "color=black:s=160x90:r=25:d={SECONDS},drawbox=x=0:y=0:w=iw:h=ih:color=white:t=fill:\
             enable='between(mod(n,25),15,17)'"
        );
        let sound = format!(
            "aevalsrc='0.5*sin(2*PI*1000*t)*between(mod(t,1),0.6,0.72)':s={}:d={SECONDS}",
            self.rate
        );
        let mut draw = Command::new("ffmpeg");
        draw.args(["-v", "error", "-y", "-f", "lavfi", "-i", &picture, "-itsoffset", self.late]);
        draw.args(["-f", "lavfi", "-i", &sound, "-map", "0:v", "-map", "1:a"]);
        if self.is_uneven {
            draw.args(["-vf", "select='not(between(mod(n,25),3,6)+between(mod(n,25),9,9))'"]);
        }
        draw.args(["-vsync", "passthrough"]).args(self.picture);
        draw.args(self.spread(false)).args(self.sound).args(self.behind);
        finish(draw, &path)
    }

    /// Puts a generation into its container.
    fn put(&self, bench: &Bench, from: &Path, generation: usize) -> PathBuf {
        let path = bench.folder.path().join(format!("{generation}-{}", self.name));
        let mut put = Command::new("ffmpeg");
        put.args(["-v", "error", "-y"]).args(self.before).arg("-i").arg(from);
        put.args(["-map", "0:v", "-map", "0:a", "-vsync", "passthrough"]);
        match self.name.ends_with("webm") {
            true => put.args(self.picture),
            false => put.args(["-c:v", "copy"]),
        };
        match self.is_anew {
            true => put.args(self.spread(true)).args(self.sound).args(["-ar", self.rate]),
            false => put.args(["-c:a", "copy"]),
        };
        put.args(self.behind);
        finish(put, &path)
    }

    /// To all of its channels. Two of six are mixed to half as loud, so that all of them are used.
    fn spread(&self, has_two: bool) -> Vec<&'static str> {
        let right = if has_two { "c1" } else { "c0" };
        match (self.channels, right) {
            (6, "c1") => vec!["-af", "pan=5.1|FL=c0|FR=c1|FC=0.5*c0+0.5*c1|LFE=0*c0|BL=c0|BR=c1"],
            (6, _) => vec!["-af", "pan=5.1|FL=c0|FR=c0|FC=c0|LFE=0*c0|BL=c0|BR=c0"],
            (2, _) => vec!["-ac", "2"],
            _ => vec!["-ac", "1"],
        }
    }

    /// Five times.
    async fn lasts(&self) {
        let bench = Bench::new();
        let mut path = self.draw(&bench);
        let (mut added, mut apart) = (0.0, Vec::new());
        for generation in 1..=GENERATIONS {
            let what = format!("generation {generation} of {}", self.name);
            let before = Counted::of(&path);
            let steps = vec![step("mp4", mp4(30), "source")];
            let (results, cx) = bench.run(&path, steps, &["mp4"]).await.unwrap_or_else(|error| {
                panic!("{what}: {error:?}");
            });
            assert_eq!(cx.take_warnings(), Vec::<String>::new(), "{what}");
            let result = path_of(&results["mp4"]);
            let after = Counted::of(result);
            let shown = format!("{what}: {before:?} became {after:?}");
            assert_eq!((before.flashes.len(), before.beeps.len()), (SECONDS, SECONDS), "{shown}");
            assert_eq!((after.flashes.len(), after.beeps.len()), (SECONDS, SECONDS), "{shown}");
            assert_eq!(after.frames.len(), before.frames.len(), "{shown}");
            let cut = if self.before.is_empty() { 0.0 } else { CUT * (generation - 1) as f64 };
            let head = after.before - f64::min(before.before, BEFORE - cut);
            let tail = after.behind - f64::min(before.behind, BEHIND);
            assert!(head > -APART / 1000.0 && tail > -APART / 1000.0, "{shown}");
            let mut moved = before.steps().zip(after.steps()).map(|(a, b)| (a - b).abs());
            assert!(moved.all(|moved| moved <= MOVED), "{shown}");
            let (was, is) = (before.apart(), after.apart());
            let more = was.iter().zip(&is).map(|(was, is)| is - was);
            assert!(more.clone().all(|more| more.abs() <= APART), "{shown}");
            added += more.sum::<f64>() / SECONDS as f64;
            apart.push((was, is));
            if generation < GENERATIONS {
                path = self.put(&bench, result, generation);
            }
        }
        assert!(added.abs() <= APART, "{}: {added} ms are added: {apart:?}", self.name);
    }
}

async fn last(films: impl IntoIterator<Item = Film>) {
    for film in films {
        film.lasts().await;
    }
}

#[tokio::test]
async fn five_generations_in_mp4() {
    let few = Film {
        is_anew: false,
        rate: "8000",
        channels: 1,
        late: "10",
        is_uneven: true,
        ..film("few.mp4", AAC)
    };
    let many = Film { rate: "96000", channels: 6, before: EDITED, ..film("many.mp4", AAC) };
    let shifted = Film {
        is_anew: false,
        rate: "44100",
        late: "2.5",
        behind: &["-output_ts_offset", "10"],
        ..film("shifted.mp4", AAC)
    };
    last([few, many, shifted]).await;
}

#[tokio::test]
async fn five_generations_in_mov() {
    let few = Film {
        rate: "8000",
        channels: 1,
        late: "7",
        is_uneven: true,
        ..film("few.mov", &["-c:a", "pcm_s16be"])
    };
    let many = Film {
        rate: "96000",
        channels: 6,
        before: EDITED,
        ..film("many.mov", &["-c:a", "pcm_s24le"])
    };
    let copied = Film { is_anew: false, late: "0.5", before: EDITED, ..film("copied.mov", AAC) };
    last([few, many, copied]).await;
}

#[tokio::test]
async fn five_generations_in_mkv() {
    let few = Film {
        is_anew: false,
        rate: "8000",
        channels: 1,
        late: "10",
        is_uneven: true,
        ..film("few.mkv", AAC)
    };
    let many = Film {
        rate: "96000",
        channels: 6,
        behind: &["-output_ts_offset", "10"],
        ..film("many.mkv", &["-c:a", "flac"])
    };
    let other = Film { rate: "44100", late: "3.3", ..film("other.mkv", &["-c:a", "libvorbis"]) };
    last([few, many, other]).await;
}

#[tokio::test]
async fn five_generations_in_webm() {
    let few = Film {
        picture: VP8,
        rate: "8000",
        channels: 1,
        late: "10",
        is_uneven: true,
        ..film("few.webm", &["-c:a", "libopus"])
    };
    let many = Film {
        picture: VP8,
        rate: "96000",
        channels: 6,
        ..film("many.webm", &["-c:a", "libvorbis"])
    };
    let shifted = Film {
        picture: VP8,
        late: "2.5",
        behind: &["-output_ts_offset", "10"],
        ..film("shifted.webm", &["-c:a", "libopus"])
    };
    last([few, many, shifted]).await;
}

#[tokio::test]
async fn five_generations_in_ts() {
    let few = Film {
        is_anew: false,
        rate: "8000",
        channels: 1,
        late: "10",
        is_uneven: true,
        ..film("few.ts", AAC)
    };
    let many = Film {
        rate: "96000",
        channels: 6,
        behind: &["-output_ts_offset", "95442"],
        ..film("many.ts", AAC)
    };
    let other = Film { channels: 6, late: "2.5", ..film("other.ts", &["-c:a", "ac3"]) };
    last([few, many, other]).await;
}

fn finish(mut command: Command, path: &Path) -> PathBuf {
    let made = command.arg(path).status().expect("ffmpeg is installed by `make test`");
    assert!(made.success(), "{command:?}");
    path.to_owned()
}
