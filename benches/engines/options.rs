//! What a benchmark of the engines is asked to do, in its arguments: the same words for each of them.

use std::process::ExitCode;

use super::{Result, child};

/// What is measured, and how.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// `--rounds`, at least 3.
    pub(crate) rounds: usize,
    /// `--jobs`, at least 200,000, of a benchmark that prepares so many.
    pub(crate) jobs: Option<u64>,
    /// `--write`: also write the section in `benches/RESULTS.md`.
    pub(crate) write: bool,
    /// `--only`: what has all of these words in its name.
    only: Option<String>,
}

impl Options {
    /// So many rounds of everything, unless something else is asked for.
    pub(crate) fn rounds(rounds: usize) -> Self {
        Self { rounds, jobs: None, write: false, only: None }
    }

    /// On databases with so many jobs.
    pub(crate) fn jobs(self, jobs: u64) -> Self {
        Self { jobs: Some(jobs), ..self }
    }

    /// Whether this is to be measured on databases of this kind.
    pub(crate) fn wants(&self, kind: &str, what: &str) -> bool {
        let name = format!("{kind} {what}");
        self.only.as_ref().is_none_or(|words| words.split(' ').all(|word| name.contains(word)))
    }

    /// Whether any of these is.
    pub(crate) fn wants_any(&self, kind: &str, all: &[&str]) -> bool {
        all.iter().any(|what| self.wants(kind, what))
    }
}

enum Mode {
    Bench(Options),
    /// A process of workers, which a benchmark has started.
    Child(usize, String),
    /// `cargo test --all-targets` starts benches without `--bench`: they are not to measure then.
    Idle,
}

/// Does what the arguments of this program ask for. A missed goal is told by the benchmark, and no failure.
pub(crate) async fn run<F>(
    name: &str,
    options: Options,
    bench: impl FnOnce(Options) -> F,
) -> ExitCode
where
    F: Future<Output = Result<()>>,
{
    let done = match mode(std::env::args().skip(1), options) {
        Ok(Mode::Bench(options)) => bench(options).await,
        Ok(Mode::Child(workers, place)) => child::serve(&place, workers).await,
        Ok(Mode::Idle) => Ok(()),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn mode(mut arguments: impl Iterator<Item = String>, mut options: Options) -> Result<Mode> {
    let mut asked = false;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--bench" => asked = true,
            child::OPTION => return Ok(Mode::Child(value()?.parse()?, value()?)),
            "--rounds" => options.rounds = value()?.parse::<usize>()?.max(3),
            "--jobs" if options.jobs.is_some() => {
                options.jobs = Some(value()?.parse::<u64>()?.max(200_000));
            }
            "--only" => options.only = Some(value()?),
            "--write" => options.write = true,
            other => return Err(format!("unknown option {other}").into()),
        }
    }
    Ok(if asked { Mode::Bench(options) } else { Mode::Idle })
}
