//! What `benches/scale.rs` is made of.

pub(crate) mod batch;
#[path = "../engines/mod.rs"]
mod engines;
pub(crate) mod fleet;
pub(crate) mod life;
mod log;
pub(crate) mod look;
pub(crate) mod memory;
pub(crate) mod prepare;
pub(crate) mod retained;
pub(crate) mod statements;

pub(crate) use engines::{Result, child, cpu, host, options, report, site, soon, sql, step};

use report::{Goal, Report, median, range};
use site::Site;

/// What a cost may be, as a ratio to the same on the nearly empty database.
pub(crate) const GROWN: Goal = Goal::AtMost(1.3);

/// Costs of one thing on both databases, a pair each round, in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Costs {
    pub(crate) full: Vec<f64>,
    pub(crate) few: Vec<f64>,
}

impl Costs {
    pub(crate) fn tell(&self, site: &Site, report: &mut Report, name: &str) {
        let pairs = self.full.iter().zip(&self.few);
        let ratios: Vec<f64> = pairs.map(|(full, few)| full / few).collect();
        let note = format!(
            "{:.3} ms, nearly empty {:.3} ms; ratios {}",
            median(&self.full),
            median(&self.few),
            range(&ratios)
        );
        report.figure(site, name, median(&ratios), "", GROWN, &note);
    }
}
