//! How many files ended how, and what sharp decides otherwise.

use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::path::Path;

use crate::trial::{Trial, Verdict};

#[derive(Default)]
pub(crate) struct Counts {
    files: Tally,
    mutants: Tally,
    /// Files that ended as none may.
    bad: Vec<String>,
    /// Files of which sharp says otherwise.
    otherwise: Vec<String>,
    /// The most memory, in KiB, and what held it.
    peak: (u64, String),
}

#[derive(Default)]
struct Tally(BTreeMap<Verdict, usize>);

impl Counts {
    /// `theirs`: what sharp says, nothing if it takes the file.
    pub(crate) fn add(
        &mut self,
        path: &Path,
        trial: Trial,
        theirs: Option<Result<(), String>>,
        is_file: bool,
    ) {
        let line = || format!("{}: {}: {}", path.display(), trial.verdict, trial.said);
        if trial.is_bad() {
            self.bad.push(line());
        }
        match theirs {
            Some(Ok(())) if !trial.is_taken() => {
                self.otherwise.push(format!("{}; sharp takes it", line()));
            }
            Some(Err(why)) if trial.is_taken() => {
                self.otherwise.push(format!("{}; sharp: {why}", line()));
            }
            _ => {}
        }
        if trial.peak > self.peak.0 {
            self.peak = (trial.peak, path.display().to_string());
        }
        let tally = if is_file { &mut self.files } else { &mut self.mutants };
        *tally.0.entry(trial.verdict).or_default() += 1;
    }

    pub(crate) fn bad(&self) -> bool {
        !self.bad.is_empty()
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (title, lines) in
            [("Decided otherwise by sharp", &self.otherwise), ("Gone wrong", &self.bad)]
        {
            if !lines.is_empty() {
                let mut lines: Vec<_> = lines.iter().collect();
                lines.sort();
                writeln!(f, "{title}:")?;
                lines.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
            }
        }
        writeln!(f, "files: {}", self.files)?;
        if !self.mutants.0.is_empty() {
            writeln!(f, "changed copies: {}", self.mutants)?;
        }
        writeln!(f, "most memory: {} MiB, {}", self.peak.0 / 1024, self.peak.1)
    }
}

impl Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in all", self.0.values().sum::<usize>())?;
        self.0.iter().try_for_each(|(verdict, count)| write!(f, ", {count} {verdict}"))
    }
}
