//! `make bench-image`: mediaflow against sharp, libvips and Pillow on one core, in one run.
//!
//! Numbers taken in different runs can not be compared on a machine that others use too. So every contestant is a
//! process that stays (`peers/child.rs` has the protocol), each round asks all of them in turn, and a ratio is the
//! median over the rounds of mediaflow's CPU time divided by the peer's in the *same* round. Peak memory comes from
//! fresh processes. Equal work is checked, not assumed: every file is decoded and compared with a Lanczos3 reference,
//! and the run fails where mediaflow's size differs from sharp's or its PSNR is more than 0.3 dB lower. Where colours and text are
//! changed, the reference is what sharp makes, and 28 dB are wanted.
//!
//! Options, after `--`: `--rounds <n>` (default 9, at least 5), `--core <n>` (default 0), `--write` (also write
//! `benches/RESULTS.md`), `--only <tasks>` (of these alone: `five,webp`), `--pure <program>` (this program built without the feature `turbo`, to be measured too).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod peers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use peers::child::{Answer, Child, Request};
use peers::contest::{Contestant, Task, contestants};
use peers::input::{self, Sources};
use peers::report::{Check, Report, Samples};
use peers::{Result, mediaflow, pixels::References};

/// How far below sharp's PSNR a rendition of mediaflow may be, in dB.
const QUALITY_SLACK: f64 = 0.3;
/// The PSNR of pictures that are the same but for the edges of letters and the rounding of colours, in dB.
const ALIKE: f64 = 28.0;
/// Fresh processes per contestant and task for the peak memory; the median counts.
const MEMORY_RUNS: usize = 3;
const QUALITY: u8 = 80;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match Options::parse(&arguments) {
        Ok(Mode::Worker) => mediaflow::serve().map(|()| true),
        Ok(Mode::Bench(options)) => bench(&options),
        // `cargo test --all-targets` starts benches without `--bench`: they are not to measure then.
        Ok(Mode::Idle) => Ok(true),
        Err(error) => Err(error),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench-image: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Mode {
    Worker,
    Bench(Options),
    Idle,
}

struct Options {
    rounds: usize,
    core: usize,
    write: bool,
    tasks: Vec<Task>,
    /// This program built without `turbo`.
    pure: Option<PathBuf>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Mode> {
        let mut options =
            Self { rounds: 9, core: 0, write: false, tasks: Task::ALL.to_vec(), pure: None };
        let mut asked = false;
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => asked = true,
                "--worker" => return Ok(Mode::Worker),
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(5),
                "--core" => options.core = value()?.parse()?,
                "--write" => options.write = true,
                "--only" => {
                    let names: Vec<_> = value()?.split(',').collect();
                    options.tasks.retain(|task| names.contains(&task.name()));
                }
                "--pure" => options.pure = Some(value()?.into()),
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(if asked { Mode::Bench(options) } else { Mode::Idle })
    }
}

/// Whether the quality checks passed; a missed speed goal is reported, not a failure.
fn bench(options: &Options) -> Result<bool> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let data = repository.join("target/bench-data");
    let sources = Sources::of(&repository.join("examples/media"), &data)?;
    let contestants = contestants(repository, options.core, options.pure.as_deref())?;

    let mut report = Report::new(&sources, options.rounds);
    let mut samples = Samples::default();
    for contestant in &contestants {
        for task in contestant.tasks().filter(|task| options.tasks.contains(task)) {
            let (version, peak) = peak_memory(contestant, task, &sources, &data)?;
            report.version(contestant, version);
            samples.memory(contestant, task, peak);
        }
    }
    let files = rounds(options, &contestants, &sources, &data, &mut samples)?;
    report.summarise(&contestants, &samples);
    let equal = compare(&options.tasks, &contestants, &sources, &files, &mut report)?;

    print!("{}", report.lines());
    if options.write {
        let path = repository.join("benches/RESULTS.md");
        // The other benchmark's part of the page stays.
        let page = std::fs::read_to_string(&path)?;
        let below = page.find("\n# Results of `make bench-jobs`").map_or("", |at| &page[at..]);
        std::fs::write(&path, report.markdown() + below)?;
        println!("written {}", path.display());
    }
    Ok(equal)
}

/// The version a contestant gives and the median of the peak above the input, in kB.
fn peak_memory(
    contestant: &Contestant,
    task: Task,
    sources: &Sources,
    data: &Path,
) -> Result<(String, u64)> {
    let mut peaks = Vec::with_capacity(MEMORY_RUNS);
    let mut version = String::new();
    for _ in 0..MEMORY_RUNS {
        let mut child = Child::start(contestant)?;
        peaks.push(child.ask(&request(contestant, task, sources, data, 1)?)?.peak_kb);
        child.version().clone_into(&mut version);
    }
    peaks.sort_unstable();
    Ok((version, peaks[MEMORY_RUNS / 2]))
}

type Files = BTreeMap<(Task, String), Vec<PathBuf>>;

/// One warm-up each, then the rounds; returns what was written, by task and contestant.
fn rounds(
    options: &Options,
    contestants: &[Contestant],
    sources: &Sources,
    data: &Path,
    samples: &mut Samples,
) -> Result<Files> {
    let mut children = contestants.iter().map(Child::start).collect::<Result<Vec<_>>>()?;
    let mut files = Files::new();
    for round in 0..=options.rounds {
        for &task in &options.tasks {
            // Whoever comes first finds another cache and clock than whoever comes last: take turns.
            for turn in 0..contestants.len() {
                let index = (round + turn) % contestants.len();
                let contestant = &contestants[index];
                if !contestant.tasks().any(|own| own == task) {
                    continue;
                }
                let repeat = if round == 0 { 1 } else { task.repeat() };
                let request = request(contestant, task, sources, data, repeat)?;
                let Answer { cpu_ms, wall_ms, threads, files: written, .. } =
                    children[index].ask(&request)?;
                if round == 0 {
                    files.insert((task, contestant.name().to_owned()), written);
                } else {
                    samples.time(contestant, task, cpu_ms, wall_ms, threads);
                }
            }
        }
    }
    Ok(files)
}

fn request(
    contestant: &Contestant,
    task: Task,
    sources: &Sources,
    data: &Path,
    repeat: u32,
) -> Result<Request> {
    let out = data.join(task.name()).join(contestant.name());
    std::fs::create_dir_all(&out)?;
    Ok(Request {
        task: task.name(),
        inputs: task.inputs(sources).to_vec(),
        out,
        widths: task.widths(),
        format: task.format(),
        quality: QUALITY,
        repeat,
    })
}

fn compare(
    tasks: &[Task],
    contestants: &[Contestant],
    sources: &Sources,
    files: &Files,
    report: &mut Report,
) -> Result<bool> {
    let mut references = References::default();
    let mut equal = true;
    for &task in tasks {
        let each = task
            .inputs(sources)
            .iter()
            .flat_map(|input| task.widths().iter().map(move |width| (input, *width)));
        // Behind these the same pictures come again.
        for (index, (input, width)) in each.take(input::DIFFERENT).enumerate() {
            let file = |name: &str| files.get(&(task, name.to_owned())).map(|all| &all[index]);
            let Some(theirs) = file("sharp").or_else(|| file("sharp-two-cores")) else {
                return Err("sharp wrote nothing to compare with".into());
            };
            // Nobody knows exactly what colours and letters should be: it is the peer who is compared with.
            let is_chain = task == Task::Chain;
            let source = if is_chain { theirs } else { input };
            let bar = references.measure(source, theirs)?;
            let least = if is_chain { ALIKE } else { bar.psnr - QUALITY_SLACK };
            for contestant in contestants {
                let Some(path) = file(contestant.name()) else { continue };
                let measured = references.measure(source, path)?;
                let failed =
                    contestant.is_ours() && (measured.size != bar.size || measured.psnr < least);
                equal &= !failed;
                let who = contestant.name();
                report.quality(&Check { task, width, who, measured, failed });
                if contestant.is_ours() {
                    report.bytes(task, contestant, measured.bytes as f64 / bar.bytes as f64);
                }
            }
        }
    }
    Ok(equal)
}
