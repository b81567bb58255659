//! `make bench-video`: mediaflow against the command line of `ffmpeg`, in one run.
//!
//! Numbers taken in different runs can not be compared on a machine that others use too. So each round asks both in turn,
//! whoever comes first in one is second in the next, and a ratio is the median over the rounds of mediaflow's cost divided by
//! `ffmpeg`'s in the *same* round. Each run is a process of its own from its start to its end, measured by the same meter
//! (`films/meter.py`): processor time of all threads, the time on the clock, and the most memory that it ever held.
//! mediaflow's process starts an engine, has one job done as a host would, and ends; that its results are decoded as a whole
//! before they are published is part of its cost, and `ffmpeg` has nothing like it.
//!
//! Equal work is checked, not assumed: frames are counted by decoding, lengths may differ by less than a frame, the likeness of
//! each result to the source (SSIM) by less than 0.002, and what x264 writes of its options has to be the same. The run
//! fails where one of them is not.
//!
//! Options, after `--`: `--rounds <n>` (default 5, at least 3), `--only <words>` (measure only what has these words in its name:
//! `720p`, `two`, `trim`, `poster`), `--write` (also write the section in `benches/RESULTS.md`).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod films;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use films::machine::options::{Mode, Options, mode};
use films::machine::report::{Goal, Report, median, range};
use films::meter::{Took, measure};
use films::work::Work;
use films::{Result, equal, ffmpeg, job, source};

/// The contestants, in the order of [`Samples`].
const NAMES: [&str; 2] = ["mediaflow", "ffmpeg"];
const MIB: f64 = 1024.0;

fn main() -> ExitCode {
    let done = match mode(std::env::args().skip(1), Options::rounds(5)) {
        Ok(Mode::Bench(options)) => bench(&options),
        Ok(Mode::Child(arguments)) => job::serve(&arguments).map(|()| true),
        Ok(Mode::Idle) => Ok(true),
        Err(error) => Err(error),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-video: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether both did the same; a missed goal is reported, not a failure.
fn bench(options: &Options) -> Result<bool> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = repository.join("target/bench-data");
    let film = source::film(&repository.join("examples/media"), &data)?;
    let place = Place { film, folders: NAMES.map(|name| data.join("films").join(name)) };
    for folder in &place.folders {
        std::fs::create_dir_all(folder)?;
    }

    let mut report = Report::new();
    report.note(&ffmpeg::version("ffmpeg")?);
    report.note(&format!("mediaflow {}", env!("CARGO_PKG_VERSION")));
    #[allow(clippy::cast_precision_loss, reason = "a file size in MB")]
    let size = place.film.metadata()?.len() as f64 / 1e6;
    report.note(&format!(
        "film {} frames of 1920 x 1080 at {}/s, H.264 and AAC, {size:.1} MB",
        source::FRAMES,
        source::RATE
    ));
    report.note(&format!("rounds {}, interleaved, one process each", options.rounds));
    report.note(&format!("load {} before", load()?));

    let mut equal = true;
    for work in Work::ALL.into_iter().filter(|work| options.has_words_of(work.name())) {
        let samples = rounds(work, &place, options.rounds)?;
        let [ours, theirs] = &place.folders;
        let (lines, is_equal) = equal::compare(work, &place.film, ours, theirs)?;
        lines.iter().for_each(|line| report.check(line));
        equal &= is_equal;
        samples.report(work, &mut report);
    }
    report.note(&format!("load {} after", load()?));
    report.finish();
    if options.write {
        let template = include_str!("films/RESULTS.template.md");
        println!("written {}", report.write("bench-video", template)?.display());
    }
    Ok(equal)
}

/// The film, and where each contestant puts its results.
struct Place {
    film: PathBuf,
    folders: [PathBuf; 2],
}

/// What the rounds took: of each contestant, and of looking at the result and verifying it alone.
#[derive(Default)]
struct Samples {
    took: [Vec<Took>; 2],
    verified: Vec<Took>,
}

/// One warm-up each, then the rounds.
fn rounds(work: Work, place: &Place, rounds: usize) -> Result<Samples> {
    let [ours, theirs] = &place.folders;
    let commands = [job::command(work, &place.film, ours)?, work.ffmpeg(&place.film, theirs)];
    let mut samples = Samples::default();
    for round in 0..=rounds {
        // Whoever comes first finds another cache and clock than whoever comes last: take turns.
        for turn in 0..commands.len() {
            let who = (round + turn) % commands.len();
            let took = measure(&commands[who])?;
            if round > 0 {
                samples.took[who].push(took);
            }
        }
        if work == Work::Transcode && round > 0 {
            let result = ours.join(work.asked()[0].name);
            samples.verified.push(measure(&job::copying(&result, ours)?)?);
        }
    }
    Ok(samples)
}

impl Samples {
    fn report(&self, work: Work, report: &mut Report) {
        let is_judged = work == Work::Transcode;
        let most = |goal: f64| if is_judged { Goal::AtMost(goal) } else { Goal::None };
        self.ratio(work, "cpu", "s", |took| took.cpu_s, most(1.0), report);
        self.ratio(work, "wall", "s", |took| took.wall_s, most(1.0), report);
        self.ratio(work, "peak-memory", "MiB", |took| took.peak_kb / MIB, most(1.15), report);
        let cpu = |all: &[Took]| median(&all.iter().map(|took| took.cpu_s).collect::<Vec<_>>());
        if !self.verified.is_empty() {
            let (part, whole) = (cpu(&self.verified), cpu(&self.took[0]));
            let note = format!(
                "of mediaflow's CPU time: a job that only copies the result, and verifies it, takes {part:.2} s"
            );
            let what = format!("{} verification", work.name());
            report.figure(&what, part / whole * 100.0, "%", Goal::None, &note);
        }
    }

    /// The median of the paired ratios.
    fn ratio(
        &self,
        work: Work,
        what: &str,
        unit: &str,
        of: impl Fn(&Took) -> f64,
        goal: Goal,
        report: &mut Report,
    ) {
        let [ours, theirs] =
            [0, 1].map(|who: usize| -> Vec<f64> { self.took[who].iter().map(&of).collect() });
        let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(a, b)| a / b).collect();
        let [mine, peer] = [&ours, &theirs].map(|all| median(all));
        let note = format!(
            "{} {mine:.2} {unit}, {} {peer:.2} {unit}; ratios {}",
            NAMES[0],
            NAMES[1],
            range(&ratios)
        );
        report.figure(&format!("{} {what}", work.name()), median(&ratios), "", goal, &note);
    }
}

/// How many threads wanted a core in the last minute.
fn load() -> Result<String> {
    let load = std::fs::read_to_string("/proc/loadavg")?;
    Ok(load.split(' ').next().unwrap_or_default().to_owned())
}
