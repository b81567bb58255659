//! From samples to lines: `figure` for the terminal and for `benches/RESULTS.md`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use super::Result;
use super::machine::machine;
use super::site::{self, Site};

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    None,
}

/// What was measured, in order.
#[derive(Debug)]
pub(crate) struct Report {
    setting: Vec<String>,
    figures: Vec<String>,
    missed: Vec<String>,
}

/// What each benchmark's part of the page begins with.
const HEAD: &str = "# Results of ";

impl Report {
    pub(crate) fn new(rounds: &str) -> Result<Self> {
        let disk = disk()?;
        let (half, most) = (percentile(&disk, 50), percentile(&disk, 99));
        let setting = vec![
            format!("machine {}", machine()),
            format!(
                "disk half of the writes are through within {half:.2} ms, 99 % within {most:.2} ms"
            ),
            format!("{rounds}; every commit is written through to disk"),
        ];
        setting.iter().for_each(|line| println!("{line}"));
        Ok(Self { setting, figures: Vec::new(), missed: Vec::new() })
    }

    /// Prints something of the setting, and keeps it.
    pub(crate) fn note(&mut self, line: &str) {
        println!("{line}");
        self.setting.push(line.to_owned());
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
        let what = format!("{} {name}", site.name());
        let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
        let line = format!("figure {what} {value:.2}{unit} goal {} ({note})", goal.said());
        println!("{line}");
        self.figures.push(line);
        if let Some(by) = goal.missed_by(value) {
            self.missed.push(format!("missed {what} by {by:.0} %"));
        }
    }

    /// Prints which goals are missed.
    pub(crate) fn finish(&mut self) {
        if self.missed.is_empty() {
            self.missed.push("every goal is met".to_owned());
        }
        self.missed.iter().for_each(|line| println!("{line}"));
    }

    /// Writes the part of the page that is of this target; the others are left as they are.
    pub(crate) fn write(&self, target: &str, template: &str) -> Result<PathBuf> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/RESULTS.md");
        let page = std::fs::read_to_string(&path)?;
        let head = format!("{HEAD}`make {target}`");
        let (above, rest) = page.split_once(&head).unwrap_or((&page, ""));
        let below = rest.find(&format!("\n{HEAD}")).map_or("", |at| &rest[at..]);
        let lines = |lines: &[String]| lines.join("\n    ");
        let ours = template
            .replace("{{setting}}", &lines(&self.setting))
            .replace("{{figures}}", &lines(&self.figures))
            .replace("{{goals}}", &lines(&self.missed));
        let above = above.trim_end();
        std::fs::write(&path, format!("{above}\n\n{head}\n\n{}{below}", ours.trim_start()))?;
        Ok(path)
    }
}

impl Goal {
    fn said(self) -> String {
        match self {
            Self::AtLeast(goal) => format!(">= {goal}"),
            Self::AtMost(goal) => format!("<= {goal}"),
            Self::None => "-".to_owned(),
        }
    }

    /// In percent of the goal.
    fn missed_by(self, value: f64) -> Option<f64> {
        match self {
            Self::AtLeast(goal) if value < goal => Some((1.0 - value / goal) * 100.0),
            Self::AtMost(goal) if value > goal => Some((value / goal - 1.0) * 100.0),
            _ => None,
        }
    }
}

pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 50)
}

/// The smallest value that so many percent are not above.
pub(crate) fn percentile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(f64::NAN)
}

pub(crate) fn range(values: &[f64]) -> String {
    format!("{:.2}..{:.2}", percentile(values, 0), percentile(values, 100))
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
