//! What a benchmark is asked to do, in its arguments: the same words for each of them.

use super::Result;

/// What makes a program a child of itself: what it is to do follows.
pub(crate) const CHILD: &str = "--child";

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
        self.has_words_of(&format!("{kind} {what}"))
    }

    /// Whether any of these is.
    pub(crate) fn wants_any(&self, kind: &str, all: &[&str]) -> bool {
        all.iter().any(|what| self.wants(kind, what))
    }

    /// Whether what has this name is to be measured.
    pub(crate) fn has_words_of(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|words| words.split(' ').all(|word| name.contains(word)))
    }

    /// Whether only a part is measured.
    pub(crate) fn is_partial(&self) -> bool {
        self.only.is_some()
    }
}

/// What this program is started for.
#[derive(Debug)]
pub(crate) enum Mode {
    Bench(Options),
    /// A benchmark has started it, with these arguments.
    Child(Vec<String>),
    /// `cargo test --all-targets` starts benches without `--bench`: they are not to measure then.
    Idle,
}

/// Reads the arguments of this program.
pub(crate) fn mode(
    mut arguments: impl Iterator<Item = String>,
    mut options: Options,
) -> Result<Mode> {
    let mut asked = false;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--bench" => asked = true,
            CHILD => return Ok(Mode::Child(arguments.collect())),
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
