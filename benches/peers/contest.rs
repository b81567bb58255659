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
    /// Many photos at the same time, as jobs of the engine on SQLite.
    Many,
}

use Task::*;

impl Task {
    pub(crate) const ALL: [Self; 12] = [
        Thumbnail,
        Progressive,
        Demo,
        Half,
        Webp,
        Png,
        Chain,
        Five,
        WholeJob,
        SmallJob,
        LargePng,
        Many,
    ];
    /// Of libvips, which has nothing like a job.
    const OF_LIBVIPS: [Self; 8] = [Thumbnail, Progressive, Half, Webp, Png, Chain, Five, LargePng];
    /// Of those who have one core.
    const OF_ONE_CORE: &[Self] = Self::ALL.split_at(11).0;
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
            Many => "many",
            LargePng => "large-png",
        }
    }

    pub(crate) fn widths(self) -> &'static [u32] {
        match self {
            Thumbnail | Progressive | Demo | SmallJob => &[300],
            Half | Webp | Chain => &[1200],
            Png => &[1600],
            Many => &[800],
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
            Many => &sources.many,
            _ => &sources.photo,
        }
    }

    /// The pixels of its input.
    pub(crate) fn pixels(self) -> Option<usize> {
        let photo = input::WIDTH * input::HEIGHT;
        match self {
            Demo | Many => None,
            Png => Some(input::PNG.0 * input::PNG.1),
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
            WholeJob | Many | LargePng => return None,
        };
        let goal = match peer.name() {
            "sharp" => sharp,
            "sharp-shared" => shared,
            "libvips" => libvips,
            _ => pillow,
        };
        (goal > 0.0).then_some(goal)
    }

    /// The goal for the time that one waits for mediaflow divided by that of a peer, if both have two cores.
    pub(crate) fn wait_goal(self, peer: &Contestant) -> Option<f64> {
        (self == Many).then_some(if peer.name().starts_with("sharp") { 0.5 } else { 0.45 })
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
    let other = usize::from(core == 0);
    let (one, two) = (core.to_string(), format!("{core},{other}"));
    let make = |name, ours, tasks, cores: &str, command: &[OsString]| {
        let mut tied: Vec<OsString> = vec!["taskset".into(), "-c".into(), cores.into()];
        tied.extend_from_slice(command);
        let (folder, font, two_cores) = (folder.clone(), font.clone(), cores.contains(','));
        Contestant { name, ours, tasks, command: tied, folder, font, two_cores }
    };
    let worker = |program: &Path| [program.into(), "--worker".into()];
    let node = |rest: &[&str]| {
        let script = scripts.join("sharp.mjs").into();
        let rest = rest.iter().map(OsString::from);
        ["node".into(), script].into_iter().chain(rest).collect::<Vec<_>>()
    };
    let python = |script: &str| [python.clone().into(), scripts.join(script).into()];
    let (turbo, all, many) = (Some("turbo"), Task::OF_ONE_CORE, &[Many]);
    let pure =
        pure.map(|program| make("mediaflow-pure", Some("pure"), all, &one, &worker(program)));
    let ours = [
        make("mediaflow", turbo, all, &one, &worker(&this)),
        make("mediaflow-two-cores", turbo, &[Five, WholeJob, Many], &two, &worker(&this)),
    ];
    let peers = [
        make("sharp", None, all, &one, &node(&[])),
        make("sharp-shared", None, &[Five], &one, &node(&["--shared"])),
        make("libvips", None, &Task::OF_LIBVIPS, &one, &python("vips.py")),
        make("pillow", None, &Task::OF_PILLOW, &one, &python("pillow.py")),
        make("sharp-two-cores", None, many, &two, &node(&[])),
        make("pillow-two-cores", None, many, &two, &python("pillow.py")),
    ];
    Ok(ours.into_iter().chain(pure).chain(peers).collect())
}
