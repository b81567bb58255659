//! The tasks, the contestants and the goals between them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Result;
use super::input::{self, Sources};

/// What everyone is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// One small picture: the decode is nearly all of the work.
    Thumbnail,
    /// The same of a progressive file.
    Progressive,
    /// The same of the four photos of the demo.
    Demo,
    /// One large picture: half of the source.
    Half,
    /// The same as WebP.
    Webp,
    /// One large PNG of a PNG.
    Png,
    /// A picture with other colours and a line of text on it.
    Chain,
    /// The widths of a responsive page, where one decode can serve all.
    Five,
    /// The same as a job, from file to files: submitted, made, verified, hashed and published.
    WholeJob,
    /// A thumbnail as a job.
    SmallJob,
    /// A small picture of a PNG that takes hundreds of megabytes as a whole.
    LargePng,
}

use Task::*;

impl Task {
    pub(crate) const ALL: [Self; 11] =
        [Thumbnail, Progressive, Demo, Half, Webp, Png, Chain, Five, WholeJob, SmallJob, LargePng];
    /// Of libvips, which has nothing like a job.
    const OF_LIBVIPS: [Self; 8] = [Thumbnail, Progressive, Half, Webp, Png, Chain, Five, LargePng];
    const OF_PILLOW: [Self; 7] = [Thumbnail, Progressive, Half, Webp, Png, Five, LargePng];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Thumbnail => "thumbnail",
            Progressive => "progressive",
            Demo => "demo",
            Half => "half",
            Webp => "webp",
            Png => "png",
            Chain => "chain",
            Five => "five",
            WholeJob => "whole-job",
            SmallJob => "small-job",
            LargePng => "large-png",
        }
    }

    pub(crate) fn widths(self) -> &'static [u32] {
        match self {
            Thumbnail | Progressive | Demo | SmallJob => &[300],
            Half | Webp | Chain => &[1200],
            Png => &[1600],
            Five | WholeJob => &[1600, 1200, 800, 400, 150],
            LargePng => &[256],
        }
    }

    /// The ending of what is made.
    pub(crate) fn format(self) -> &'static str {
        match self {
            Png => "png",
            Webp => "webp",
            _ => "jpg",
        }
    }

    /// Runs within one measurement: short work is repeated so that the clock's noise averages out.
    pub(crate) fn repeat(self) -> u32 {
        match self {
            Thumbnail | Progressive => 5,
            _ => 1,
        }
    }

    /// What everyone is given.
    pub(crate) fn inputs(self, sources: &Sources) -> &[PathBuf] {
        match self {
            Progressive => &sources.progressive,
            Demo => &sources.demo,
            Png => &sources.png,
            LargePng => &sources.large,
            _ => &sources.photo,
        }
    }

    /// The pixels of its input.
    pub(crate) fn pixels(self) -> Option<usize> {
        let photo = input::WIDTH * input::HEIGHT;
        match self {
            Demo => None,
            Png => Some(2 * photo),
            LargePng => Some(photo * input::TIMES * input::TIMES),
            _ => Some(photo),
        }
    }

    /// The goal for peak memory above the input, in bytes per source pixel.
    pub(crate) fn memory_goal(self, who: &Contestant) -> Option<f64> {
        match self {
            Thumbnail | Progressive if who.is_ours() => Some(0.5),
            Half if who.is_turbo() => Some(2.0),
            // 20 MB.
            Png if who.is_ours() => Some(0.83),
            Five if who.is_turbo() => Some(6.0),
            // 64 MiB.
            LargePng if who.is_ours() => Some(0.62),
            _ => None,
        }
    }

    /// The goal for mediaflow's CPU time divided by the peer's.
    pub(crate) fn ratio_goal(self, ours: &Contestant, peer: &Contestant) -> Option<f64> {
        let [sharp, libvips, pillow, shared] = match self {
            Thumbnail => [0.33, 0.25, 0.36, 0.0],
            Progressive => [0.045, 0.045, 0.0, 0.0],
            Demo => [0.09, 0.0, 0.0, 0.0],
            _ if !ours.is_turbo() => return None,
            Half => [0.72, 0.6, 0.0, 0.0],
            Webp => [0.85, 0.62, 0.85, 0.0],
            Png => [0.52, 0.33, 0.18, 0.0],
            Chain => [0.6, 0.6, 0.0, 0.0],
            Five => [0.28, 0.2, 0.28, 0.55],
            SmallJob => [0.45, 0.0, 0.0, 0.0],
            WholeJob | LargePng => return None,
        };
        let goal = match peer.name() {
            "sharp" => sharp,
            "sharp-shared" => shared,
            "libvips" => libvips,
            _ => pillow,
        };
        (goal > 0.0).then_some(goal)
    }

    /// The goal for the bytes of a file divided by those of sharp's, where nothing is lost and files are to be small.
    pub(crate) fn bytes_goal(self) -> Option<f64> {
        (self == Png).then_some(0.75)
    }
}

/// A program that answers requests: mediaflow with one of its decoders, or a peer.
#[derive(Debug)]
pub(crate) struct Contestant {
    name: &'static str,
    ours: Option<&'static str>,
    tasks: &'static [Task],
    command: Vec<OsString>,
    folder: PathBuf,
    font: PathBuf,
    /// It has two cores, and is compared with itself on one.
    two_cores: bool,
}

impl Contestant {
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.ours.is_some()
    }

    pub(crate) fn has_two_cores(&self) -> bool {
        self.two_cores
    }

    fn is_turbo(&self) -> bool {
        self.ours == Some("turbo") && !self.two_cores
    }

    pub(crate) fn tasks(&self) -> impl Iterator<Item = Task> + '_ {
        self.tasks.iter().copied()
    }

    /// Program and arguments, with what ties it to one core.
    pub(crate) fn command(&self) -> &[OsString] {
        &self.command
    }

    /// Where it runs: peers find their installed packages by it.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What everyone writes with.
    pub(crate) fn font(&self) -> &Path {
        &self.font
    }
}

/// Everyone who takes part, mediaflow's builds first. Peers live in `target/bench-peers`.
/// `pure` is this program built without the feature `turbo`.
pub(crate) fn contestants(
    repository: &Path,
    core: usize,
    pure: Option<&Path>,
) -> Result<Vec<Contestant>> {
    let folder = repository.join("target/bench-peers");
    let scripts = repository.join("benches/peers");
    let font = repository.join("mediaflow-image/fonts/NotoSans-Regular.ttf");
    let this = std::env::current_exe()?;
    let python = folder.join("venv/bin/python");
    let tied = |cores: String, command: &[OsString]| {
        let mut tied: Vec<OsString> = vec!["taskset".into(), "-c".into(), cores.into()];
        tied.extend_from_slice(command);
        tied
    };
    let make = |name, ours, tasks, command: &[OsString]| {
        let command = tied(core.to_string(), command);
        let (folder, font) = (folder.clone(), font.clone());
        Contestant { name, ours, tasks, command, folder, font, two_cores: false }
    };
    let script = |name: &str| scripts.join(name).into_os_string();

    let worker = |program: PathBuf| [program.into_os_string(), "--worker".into()];
    let mut all = vec![make("mediaflow", Some("turbo"), &Task::ALL, &worker(this.clone()))];
    let other = if core == 0 { 1 } else { 0 };
    all.push(Contestant {
        name: "mediaflow-two-cores",
        ours: Some("turbo"),
        tasks: &[Five, WholeJob],
        command: tied(format!("{core},{other}"), &worker(this)),
        folder: folder.clone(),
        font: font.clone(),
        two_cores: true,
    });
    all.extend(pure.map(|program| {
        make("mediaflow-pure", Some("pure"), &Task::ALL, &worker(program.to_owned()))
    }));
    all.extend([
        make("sharp", None, &Task::ALL, &["node".into(), script("sharp.mjs")]),
        make(
            "sharp-shared",
            None,
            &[Five],
            &["node".into(), script("sharp.mjs"), "--shared".into()],
        ),
        make("libvips", None, &Task::OF_LIBVIPS, &[python.clone().into(), script("vips.py")]),
        make("pillow", None, &Task::OF_PILLOW, &[python.into(), script("pillow.py")]),
    ]);
    Ok(all)
}
