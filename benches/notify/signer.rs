//! Our signer beside that of the crate `standardwebhooks`, by turns: the processor time of this thread for equal signatures.

use std::hint::black_box;

use mediaflow::notifiers::webhook::standard::Signer;
use mediaflow::{Clock as _, MessageId, SystemClock};
use rustix::time::{ClockId, clock_gettime};

use super::real::Told;
use super::report::{Goal, Report, median, range};
use super::{Result, SECRET};

/// Signatures of one turn.
const SIGNATURES: usize = 20_000;
/// Pairs of turns in a round: a machine that changes its clock does so for both.
const PAIRS: usize = 5;

pub(crate) fn measure(told: &[Told], rounds: usize, report: &mut Report) -> Result<()> {
    let end = told.last().ok_or("nothing is told")?;
    let begin = told.first().ok_or("nothing is told")?;
    // The rule is what most receivers get: the end of a job. What is told of its beginning is short, the other is as long as
    // the report of a job with many outputs.
    let long = [&*end.body; 8].concat();
    let both = Both::new()?;
    let goal = Goal::AtLeast(4.0);
    both.measure("signer-ratio", &end.body, goal, rounds, report)?;
    both.measure("signer-ratio-short", &begin.body, Goal::None, rounds, report)?;
    both.measure("signer-ratio-long", &long, Goal::None, rounds, report)
}

struct Both {
    ours: Signer,
    theirs: standardwebhooks::Webhook,
    ids: Vec<String>,
    now: u64,
}

impl Both {
    fn new() -> Result<Self> {
        let ids = std::iter::repeat_with(|| MessageId::new().to_string());
        Ok(Self {
            ours: Signer::new(SECRET)?,
            theirs: standardwebhooks::Webhook::new(SECRET)?,
            ids: ids.take(1000).collect(),
            now: SystemClock::default().now().seconds(),
        })
    }

    fn measure(
        &self,
        name: &str,
        body: &[u8],
        goal: Goal,
        rounds: usize,
        report: &mut Report,
    ) -> Result<()> {
        self.are_equal(body)?;
        let now = i64::try_from(self.now)?;
        let ours = |id: &str| drop(black_box(self.ours.sign(id, self.now, black_box(body))));
        let theirs = |id: &str| drop(black_box(self.theirs.sign(id, now, black_box(body))));
        let (mut mine, mut their, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..=rounds {
            let mut costs = [0.0; 2];
            // Whoever comes first finds another cache and clock than whoever comes last: take turns.
            for turn in 0..2 * PAIRS {
                let who = (round + turn + turn / 2) % 2;
                costs[who] += if who == 0 { self.cost(ours) } else { self.cost(theirs) };
            }
            // The first one warms up.
            if round > 0 {
                let each = |cost: f64| cost / (PAIRS * SIGNATURES) as f64;
                mine.push(each(costs[0]));
                their.push(each(costs[1]));
                ratios.push(costs[1] / costs[0]);
            }
        }
        let note = format!(
            "{} bytes; {:.2} us CPU, the crate standardwebhooks {:.2} us; ratios {}",
            body.len(),
            median(&mine),
            median(&their),
            range(&ratios)
        );
        report.of_process(name, median(&ratios), "", goal, &note);
        Ok(())
    }

    /// In microseconds of this thread.
    fn cost(&self, sign: impl Fn(&str)) -> f64 {
        let before = clock_gettime(ClockId::ThreadCPUTime);
        for id in self.ids.iter().cycle().take(SIGNATURES) {
            sign(id);
        }
        let after = clock_gettime(ClockId::ThreadCPUTime);
        (after.tv_sec - before.tv_sec) as f64 * 1e6 + (after.tv_nsec - before.tv_nsec) as f64 / 1e3
    }

    fn are_equal(&self, body: &[u8]) -> Result<()> {
        for id in &self.ids {
            let theirs = self.theirs.sign(id, i64::try_from(self.now)?, body)?;
            if self.ours.sign(id, self.now, body) != theirs {
                return Err("the two sign differently".into());
            }
        }
        Ok(())
    }
}
