//! Sources: drawn by `ffmpeg` when they are needed, or committed beside the tests.
//!
//! A drawn picture moves, counts its frames and stands on eight bars: white, black and colours of three quarters, whose values
//! tell range and matrix. A drawn sound has another tone and another loudness in each channel, so that none is lost or swapped
//! unseen.

use std::collections::hash_map::DefaultHasher;
use std::fmt::Write as _;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use super::{Result, ffmpeg};

/// Where a source comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Clip {
    /// A file beside the tests of mediaflow-video.
    Committed(&'static str),
    Drawn(Drawn),
}

/// A source that `ffmpeg` makes.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Drawn {
    /// How its name ends.
    pub(crate) ending: &'static str,
    pub(crate) picture: Option<Picture>,
    pub(crate) sound: Option<Sound>,
    /// How `ffmpeg` encodes and writes it.
    pub(crate) settings: &'static str,
    /// A second pass over the file, which copies its streams: the words in front of the input and behind it.
    pub(crate) then: Option<(&'static str, &'static str)>,
    /// How far a player turns it to the right, in degrees.
    pub(crate) turned: u16,
}

#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Picture {
    pub(crate) size: (u16, u16),
    pub(crate) rate: &'static str,
    pub(crate) seconds: &'static str,
    /// `bt601`, `bt709`.
    pub(crate) matrix: &'static str,
    /// `tv`, `pc`.
    pub(crate) range: &'static str,
    /// Filters behind it.
    pub(crate) filters: &'static str,
}

/// Channels, and samples per second.
#[derive(Clone, Copy, Debug, Hash)]
pub(crate) struct Sound {
    pub(crate) layout: &'static str,
    pub(crate) rate: u32,
    pub(crate) seconds: &'static str,
}

/// White to black, as RGB.
const BARS: [&str; 8] =
    ["FFFFFF", "BFBF00", "00BFBF", "00BF00", "BF00BF", "BF0000", "0000BF", "000000"];
/// How many beats a second and how loud each channel is.
const TONES: [(u32, &str); 6] =
    [(440, "0.25"), (1000, "0.1"), (700, "0.15"), (60, "0.2"), (330, "0.08"), (550, "0.12")];

pub(crate) const PICTURE: Picture = Picture {
    size: (320, 180),
    rate: "25",
    seconds: "3",
    matrix: "bt601",
    range: "tv",
    filters: "format=yuv420p",
};
pub(crate) const SOUND: Sound = Sound { layout: "stereo", rate: 48_000, seconds: "3" };

impl Drawn {
    /// A picture and stereo sound.
    pub(crate) const fn new(ending: &'static str, settings: &'static str) -> Self {
        Self { ending, picture: Some(PICTURE), sound: Some(SOUND), settings, then: None, turned: 0 }
    }

    fn path(&self, cache: &Path) -> Result<PathBuf> {
        let mut key = DefaultHasher::new();
        (self, self.picture.map(|picture| picture.graph()), self.sound.map(|sound| sound.graph()))
            .hash(&mut key);
        let path = cache.join(format!("{:016x}.{}", key.finish(), self.ending));
        if path.exists() {
            return Ok(path);
        }
        let (picture, sound) = (self.picture.map(|p| p.graph()), self.sound.map(|s| s.graph()));
        let mut arguments = Vec::new();
        for graph in picture.iter().chain(&sound) {
            arguments.extend(["-f", "lavfi", "-i", graph]);
        }
        arguments.extend(self.settings.split_whitespace());
        ffmpeg::make(&arguments, &path)?;
        if let Some((before, behind)) = self.then {
            let first = cache.join(format!("first-{:016x}.{}", key.finish(), self.ending));
            std::fs::rename(&path, &first)?;
            let first = first.to_string_lossy();
            let behind = behind.replace("{file}", &first);
            let mut arguments: Vec<&str> = before.split_whitespace().collect();
            arguments.extend(["-i", &first]);
            arguments.extend(behind.split_whitespace());
            ffmpeg::make(&arguments, &path)?;
        }
        if self.turned != 0 {
            let mut file = std::fs::read(&path)?;
            turn(&mut file, self.turned)?;
            std::fs::write(&path, file)?;
        }
        Ok(path)
    }
}

impl Clip {
    /// The file, made where it is not there yet.
    pub(crate) fn path(&self, repository: &Path, cache: &Path) -> Result<PathBuf> {
        match self {
            Self::Committed(name) => {
                Ok(repository.join("mediaflow-video/tests/fixtures/clips").join(name))
            }
            Self::Drawn(drawn) => drawn.path(cache),
        }
    }
}

impl Picture {
    fn graph(&self) -> String {
        let Self { size: (width, height), rate, seconds, matrix, range, filters } = self;
        let mut graph = format!("testsrc2=s={width}x{height}:r={rate}:d={seconds},format=gbrp");
        for (index, colour) in BARS.iter().enumerate() {
            let _ =
                write!(graph, ",drawbox=x=iw*{index}/8:y=ih*3/4:w=iw/8:h=ih/4:c=0x{colour}:t=fill"); // a String takes every write
        }
        format!("{graph},scale=out_color_matrix={matrix}:out_range={range},{filters}")
    }
}

impl Sound {
    fn graph(&self) -> String {
        let Self { layout, rate, seconds } = self;
        let channels = match *layout {
            "mono" => 1,
            "stereo" => 2,
            _ => TONES.len(),
        };
        let tones: Vec<String> = TONES
            .iter()
            .take(channels)
            .map(|(beats, loud)| format!("{loud}*sin(2*PI*{beats}*t)"))
            .collect();
        format!("aevalsrc='{}':s={rate}:d={seconds}:c={layout}", tones.join("|"))
    }
}

/// Writes into the header of the first track how far it is turned.
fn turn(file: &mut [u8], degrees: u16) -> Result<()> {
    const MATRIX: usize = 44; // behind the name of a box of version 0
    let one = 0x1_0000_i32;
    let (a, b) = match degrees {
        90 => (0, one),
        180 => (-one, 0),
        270 => (0, -one),
        other => return Err(format!("no file is turned by {other} degrees").into()),
    };
    let at = file.windows(4).position(|part| part == b"tkhd").ok_or("the file has no track")?;
    for (index, value) in [(0, a), (1, b), (3, -b), (4, a)] {
        let place = at + MATRIX + index * 4;
        file.get_mut(place..place + 4)
            .ok_or("the header of the track is short")?
            .copy_from_slice(&value.to_be_bytes());
    }
    Ok(())
}
