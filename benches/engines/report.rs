//! The report of a benchmark of the engines: each figure is of a kind of database, and no commit is faster than the disk.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Instant;

use super::Result;
use super::machine::report;
pub(crate) use super::machine::report::{Goal, median, percentile, range};
use super::site::{self, Site};

/// What was measured, in order.
#[derive(Debug)]
pub(crate) struct Report(report::Report);

impl Report {
    pub(crate) fn new(rounds: &str) -> Result<Self> {
        let disk = disk()?;
        let (half, most) = (percentile(&disk, 50), percentile(&disk, 99));
        let mut report = report::Report::new();
        report.note(&format!(
            "disk half of the writes are through within {half:.2} ms, 99 % within {most:.2} ms"
        ));
        report.note(&format!("{rounds}; every commit is written through to disk"));
        Ok(Self(report))
    }

    /// Prints something of the setting, and keeps it.
    pub(crate) fn note(&mut self, line: &str) {
        self.0.note(line);
    }

    /// Prints a figure, and keeps it.
    pub(crate) fn figure(
        &mut self,
        site: &Site,
        name: &str,
        value: f64,
        unit: &str,
        goal: Goal,
        note: &str,
    ) {
        self.0.figure(&format!("{} {name}", site.name()), value, unit, goal, note);
    }

    /// Prints a figure that has to do with no database, and keeps it.
    pub(crate) fn of_process(
        &mut self,
        name: &str,
        value: f64,
        unit: &str,
        goal: Goal,
        note: &str,
    ) {
        self.0.figure(name, value, unit, goal, note);
    }

    /// Prints which goals are missed.
    pub(crate) fn finish(&mut self) {
        self.0.finish();
    }

    /// Writes the part of the page that is of this target; the others are left as they are.
    pub(crate) fn write(&self, target: &str, template: &str) -> Result<PathBuf> {
        self.0.write(target, template)
    }
}

/// How long the disk takes for the smallest thing that a database can ask of it: no commit is faster. In milliseconds.
fn disk() -> Result<Vec<f64>> {
    let mut file = tempfile::tempfile_in(site::disk()?)?;
    let page = || {
        let before = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        Ok(before.elapsed().as_secs_f64() * 1e3)
    };
    std::iter::repeat_with(page).take(500).collect()
}
