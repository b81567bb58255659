//! From samples to lines: `figure` for the terminal and for `benches/RESULTS.md`.

use std::path::{Path, PathBuf};

use super::{Result, machine};

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
    checks: Vec<String>,
    figures: Vec<String>,
    missed: Vec<String>,
}

/// What each benchmark's part of the page begins with.
const HEAD: &str = "# Results of ";

impl Report {
    /// Prints what it ran on.
    pub(crate) fn new() -> Self {
        let mut report = Self {
            setting: Vec::new(),
            checks: Vec::new(),
            figures: Vec::new(),
            missed: Vec::new(),
        };
        report.note(&format!("machine {}", machine()));
        report
    }

    /// Prints something of the setting, and keeps it.
    pub(crate) fn note(&mut self, line: &str) {
        println!("{line}");
        self.setting.push(line.to_owned());
    }

    /// Prints what was found to be equal, or not, and keeps it.
    pub(crate) fn check(&mut self, line: &str) {
        println!("{line}");
        self.checks.push(line.to_owned());
    }

    /// Prints a figure, and keeps it.
    pub(crate) fn figure(&mut self, what: &str, value: f64, unit: &str, goal: Goal, note: &str) {
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
            .replace("{{checks}}", &lines(&self.checks))
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
