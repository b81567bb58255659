//! What has to be equal before times are compared: frames, length, likeness to the source, and how the encoder was told to work.

use std::path::Path;

use super::Result;
use super::ffmpeg::{Probed, ssim};
use super::source::RATE;
use super::work::{Asked, Work};

/// How far two likenesses to the source may be apart.
const LIKENESS: f64 = 0.002;

/// One result of one contestant.
#[derive(Debug)]
struct Seen {
    frames: u64,
    size: (u64, u64),
    seconds: f64,
    ssim: f64,
    bytes: u64,
    /// What x264 writes into a film of how it was told to work.
    options: Vec<String>,
}

impl Seen {
    fn of(work: Work, asked: &Asked, source: &Path, folder: &Path) -> Result<Self> {
        let file = folder.join(asked.name);
        let probed = Probed::of(&file)?;
        Ok(Self {
            frames: probed.frames(),
            size: probed.size(),
            seconds: probed.seconds(),
            ssim: ssim((&file, work.shown()), (source, &work.reference(asked)))?,
            bytes: file.metadata()?.len(),
            options: options(&std::fs::read(&file)?),
        })
    }
}

/// Compares both results of a work; lines that say what is what, and whether all is equal.
pub(crate) fn compare(
    work: Work,
    source: &Path,
    ours: &Path,
    theirs: &Path,
) -> Result<(Vec<String>, bool)> {
    let mut lines = Vec::new();
    let mut equal = true;
    for asked in work.asked() {
        let seen = Seen::of(work, asked, source, ours)?;
        let peer = Seen::of(work, asked, source, theirs)?;
        let mut wrong = Vec::new();
        let size = (u64::from(asked.size.0), u64::from(asked.size.1));
        if seen.size != size || peer.size != size {
            wrong.push("the size".to_owned());
        }
        let frames = u64::from(asked.frames);
        if seen.frames != frames || peer.frames != frames {
            wrong.push("the number of frames".to_owned());
        }
        if (seen.seconds - peer.seconds).abs() > 1.0 / f64::from(RATE) {
            wrong.push("the length".to_owned());
        }
        if (seen.ssim - peer.ssim).abs() > LIKENESS {
            wrong.push("the likeness to the source".to_owned());
        }
        let only = |one: &Seen, other: &Seen| {
            let only = one.options.iter().filter(|option| !other.options.contains(option));
            only.cloned().collect::<Vec<_>>().join(" ")
        };
        if seen.options != peer.options {
            let (ours, theirs) = (only(&seen, &peer), only(&peer, &seen));
            wrong.push(format!("what x264 was told ({ours}; {theirs})"));
        }
        for (who, seen) in [("mediaflow", &seen), ("ffmpeg", &peer)] {
            let Seen { frames, size: (width, height), seconds, ssim, bytes, .. } = seen;
            lines.push(format!(
                "quality {} {} {who} SSIM {ssim:.4} ({width} x {height}, {frames} frames, {seconds:.3} s, {bytes} bytes)",
                work.name(),
                asked.name
            ));
        }
        if !wrong.is_empty() {
            equal = false;
            lines.push(format!("FAILED {} {}: {}", work.name(), asked.name, wrong.join(", ")));
        }
    }
    Ok((lines, equal))
}

/// The options in the message that x264 puts in front of a film.
fn options(file: &[u8]) -> Vec<String> {
    const BEGIN: &[u8] = b" - options: ";
    let Some(at) = file.windows(BEGIN.len()).position(|part| part == BEGIN) else {
        return Vec::new();
    };
    let rest = file.get(at + BEGIN.len()..).unwrap_or_default();
    let text = rest.split(|byte| !(b' '..=b'~').contains(byte)).next().unwrap_or_default();
    String::from_utf8_lossy(text).split_whitespace().map(str::to_owned).collect()
}
