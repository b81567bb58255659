//! `ffmpeg` and `ffprobe`: who makes sources, and the other opinion on every result.
#![allow(dead_code, reason = "each benchmark uses another part of it")]

#[path = "../machine/mod.rs"]
pub(crate) mod machine;

use std::path::Path;
use std::process::{Command, Output};

pub(crate) use machine::Result;
use serde_json::Value;

/// Runs it to its end; what it says on standard error is the error.
pub(crate) fn run<S: AsRef<std::ffi::OsStr>>(
    program: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Result<Output> {
    let arguments: Vec<_> = arguments.into_iter().map(|word| word.as_ref().to_owned()).collect();
    let output = Command::new(program).args(&arguments).output();
    let output = output.map_err(|error| format!("{program} does not start: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{program} {arguments:?} failed: {}", said.trim()).into())
}

/// Writes one file with `ffmpeg`, whole or not at all.
pub(crate) fn make(arguments: &[&str], path: &Path) -> Result<()> {
    let name = path.file_name().ok_or("a file has a name")?.to_string_lossy();
    let unfinished = path.with_file_name(format!("part-{name}"));
    let mut all: Vec<&std::ffi::OsStr> =
        ["-v", "error", "-nostdin", "-y"].iter().map(std::ffi::OsStr::new).collect();
    all.extend(arguments.iter().map(std::ffi::OsStr::new));
    all.push(unfinished.as_os_str());
    run("ffmpeg", all)?;
    Ok(std::fs::rename(unfinished, path)?)
}

/// The first line of what a program says of its version.
pub(crate) fn version(program: &str) -> Result<String> {
    let said = run(program, ["-version"])?.stdout;
    let said = String::from_utf8_lossy(&said);
    Ok(said.split(" Copyright").next().unwrap_or_default().trim().to_owned())
}

/// What `ffprobe` says of a file, its frames counted by decoding.
#[derive(Clone, Debug)]
pub(crate) struct Probed {
    json: Value,
}

impl Probed {
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let words = "-v error -count_frames -show_streams -show_format -of json";
        let arguments = words.split(' ').map(std::ffi::OsStr::new).chain([path.as_os_str()]);
        let output = run("ffprobe", arguments)?;
        Ok(Self { json: serde_json::from_slice(&output.stdout)? })
    }

    /// The first stream of a kind that is no cover picture.
    pub(crate) fn stream(&self, kind: &str) -> Option<&Value> {
        let streams = self.json["streams"].as_array()?;
        streams.iter().find(|stream| {
            stream["codec_type"] == kind && stream["disposition"]["attached_pic"] != 1
        })
    }

    /// Frames of the picture that could be decoded.
    pub(crate) fn frames(&self) -> u64 {
        self.count("video", "nb_read_frames")
    }

    /// The length of the whole.
    pub(crate) fn seconds(&self) -> f64 {
        number(Some(&self.json["format"]["duration"])).unwrap_or(0.0)
    }

    /// A whole number of the first stream of a kind; zero without.
    pub(crate) fn count(&self, kind: &str, name: &str) -> u64 {
        let value = self.stream(kind).map(|stream| &stream[name]);
        let number =
            value.and_then(|value| value.as_u64().or_else(|| value.as_str()?.parse().ok()));
        number.unwrap_or(0)
    }

    /// Width and height of the picture.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.count("video", "width"), self.count("video", "height"))
    }
}

/// `ffprobe` writes some numbers as text.
fn number(value: Option<&Value>) -> Option<f64> {
    let value = value?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// The structural similarity of two pictures or films, frame by frame as they are counted, from 0 to 1. Each goes through a
/// filter first; both have the same size then.
pub(crate) fn ssim(one: (&Path, &str), other: (&Path, &str)) -> Result<f64> {
    // The same numbers are compared, whatever the times say of them.
    const COUNTED: &str = "settb=1/1000,setpts=N*40";
    let graph = format!(
        "[0:v:0]{},{COUNTED}[one];[1:v:0]{},{COUNTED}[other];[one][other]ssim=shortest=1",
        one.1, other.1
    );
    let mut arguments: Vec<&std::ffi::OsStr> = Vec::new();
    let words = |words: &'static str| -> Vec<&std::ffi::OsStr> {
        words.split(' ').map(std::ffi::OsStr::new).collect()
    };
    arguments.extend(words("-v info -nostats -nostdin -hide_banner -i"));
    arguments.push(one.0.as_os_str());
    arguments.extend(words("-i"));
    arguments.push(other.0.as_os_str());
    arguments.extend(words("-lavfi"));
    arguments.push(graph.as_ref());
    arguments.extend(words("-fps_mode passthrough -f null -"));
    let said = run("ffmpeg", arguments)?.stderr;
    let said = String::from_utf8_lossy(&said);
    let all = said.lines().rev().find(|line| line.contains("SSIM"));
    let value = all.and_then(|line| line.split("All:").nth(1)?.split_whitespace().next());
    Ok(value.ok_or_else(|| format!("ffmpeg gives no SSIM: {}", said.trim()))?.parse()?)
}
