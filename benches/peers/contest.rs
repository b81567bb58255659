//! The tasks, the contestants and the goals between them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::Result;
use super::input::{self, Sources};

/// What everyone is asked to do with the same photo.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Task {
    /// One small picture: the decode is nearly all of the work.
    Thumbnail,
    /// The widths of a responsive page, where one decode can serve all.
    Five,
    /// The same as a job, from file to files: submitted, made, verified, hashed and published.
    WholeJob,
    /// A small picture of a PNG that takes hundreds of megabytes as a whole.
    LargePng,
}

impl Task {
    pub(crate) const ALL: [Self; 4] = [Self::Thumbnail, Self::Five, Self::WholeJob, Self::LargePng];
    /// Of peers that have nothing like a job.
    const PICTURES: [Self; 3] = [Self::Thumbnail, Self::Five, Self::LargePng];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Thumbnail => "thumbnail",
            Self::Five => "five",
            Self::WholeJob => "whole-job",
            Self::LargePng => "large-png",
        }
    }

    pub(crate) fn widths(self) -> &'static [u32] {
        match self {
            Self::Thumbnail => &[300],
            Self::Five | Self::WholeJob => &[1600, 1200, 800, 400, 150],
            Self::LargePng => &[256],
        }
    }

    /// Runs within one measurement: short work is repeated so that the clock's noise averages out.
    pub(crate) fn repeat(self) -> u32 {
        match self {
            Self::Thumbnail => 5,
            Self::Five | Self::WholeJob | Self::LargePng => 1,
        }
    }

    /// What everyone is given.
    pub(crate) fn input(self, sources: &Sources) -> &Path {
        match self {
            Self::LargePng => &sources.large,
            _ => &sources.photo,
        }
    }

    /// Its pixels.
    pub(crate) fn pixels(self) -> usize {
        let photo = input::WIDTH * input::HEIGHT;
        if self == Self::LargePng { photo * input::TIMES * input::TIMES } else { photo }
    }

    /// The goal for peak memory above the input, in bytes per source pixel.
    pub(crate) fn memory_goal(self, who: &Contestant) -> Option<f64> {
        match self {
            Self::Thumbnail if who.is_turbo() => Some(1.0),
            Self::Five if who.is_turbo() => Some(6.0),
            // 64 MiB.
            Self::LargePng if who.is_ours() => Some(0.62),
            _ => None,
        }
    }

    /// The goal for mediaflow's CPU time divided by the peer's.
    pub(crate) fn ratio_goal(self, ours: &Contestant, peer: &Contestant) -> Option<f64> {
        match (self, peer.name()) {
            (Self::Thumbnail, "sharp") if ours.is_turbo() => Some(0.85),
            (Self::Thumbnail, "sharp") => Some(1.4),
            (Self::Five, "sharp") if ours.is_turbo() => Some(0.35),
            _ => None,
        }
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
    let this = std::env::current_exe()?;
    let python = folder.join("venv/bin/python");
    let tied = |cores: String, command: &[OsString]| {
        let mut tied: Vec<OsString> = vec!["taskset".into(), "-c".into(), cores.into()];
        tied.extend_from_slice(command);
        tied
    };
    let make = |name, ours, tasks, command: &[OsString]| {
        let command = tied(core.to_string(), command);
        Contestant { name, ours, tasks, command, folder: folder.clone(), two_cores: false }
    };
    let script = |name: &str| scripts.join(name).into_os_string();

    let worker = |program: PathBuf| [program.into_os_string(), "--worker".into()];
    let mut all = vec![make("mediaflow", Some("turbo"), &Task::ALL, &worker(this.clone()))];
    let other = if core == 0 { 1 } else { 0 };
    all.push(Contestant {
        name: "mediaflow-two-cores",
        ours: Some("turbo"),
        tasks: &[Task::Five, Task::WholeJob],
        command: tied(format!("{core},{other}"), &worker(this)),
        folder: folder.clone(),
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
            &[Task::Five],
            &["node".into(), script("sharp.mjs"), "--shared".into()],
        ),
        make("libvips", None, &Task::PICTURES, &[python.clone().into(), script("vips.py")]),
        make("pillow", None, &Task::PICTURES, &[python.into(), script("pillow.py")]),
    ]);
    Ok(all)
}
