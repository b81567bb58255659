//! The last word: what the database, the receiver and the folder of results say.

use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use mediaflow::report::{OutputReport, Report};

use crate::crew::Crew;
use crate::ledger;
use crate::uploads::Submitted;
use crate::{Anyhow, Scene};

#[derive(Default)]
pub(crate) struct Table {
    took: Duration,
    killed: usize,
    failed: usize,
    submitted: usize,
    succeeded: usize,
    lost: usize,
    ended_twice: usize,
    parts: usize,
    attempts: usize,
    repeated: usize,
    taken_over: usize,
    outputs: usize,
    damaged: usize,
    leftovers: usize,
    expected: usize,
    delivered: usize,
    recorded: usize,
    duplicates: usize,
    refused: usize,
}

impl Table {
    pub(crate) async fn read(
        scene: &Scene,
        crew: &Crew,
        submitted: &Submitted,
        took: Duration,
    ) -> Anyhow<Self> {
        let names = &submitted.names();
        let count = async |what| scene.ledger.number(what, names).await;
        let mut table = Self {
            took,
            killed: crew.killed(),
            failed: crew.failed(),
            submitted: submitted.jobs.len(),
            succeeded: count(ledger::SUCCEEDED).await?,
            lost: submitted.jobs.len() - count(ledger::ENDED).await?,
            ended_twice: count(ledger::ENDED_TWICE).await?,
            parts: count(ledger::PARTS).await?,
            attempts: count(ledger::ATTEMPTS).await?,
            repeated: count(ledger::REPEATED).await?,
            taken_over: count(ledger::TAKEN_OVER).await?,
            expected: submitted.webhooks(),
            recorded: count(ledger::DELIVERED).await?,
            ..Self::default()
        };
        table.webhooks(scene, names).await?;
        table.results(scene, names, crew.folder()).await?;
        Ok(table)
    }

    async fn webhooks(&mut self, scene: &Scene, names: &[String]) -> Anyhow<()> {
        let seen = scene.receiver.seen();
        let told = scene.ledger.webhooks(names).await?;
        self.delivered = told.iter().filter(|id| seen.ids.contains_key(*id)).count();
        self.duplicates = seen.ids.values().map(|times| times - 1).sum();
        self.refused = seen.refused;
        Ok(())
    }

    async fn results(&mut self, scene: &Scene, names: &[String], folder: &Path) -> Anyhow<()> {
        for report in scene.ledger.reports(names).await? {
            let report: Report = serde_json::from_str(&report)?;
            self.outputs += report.outputs.len();
            let damaged = |output: &&OutputReport| !is_whole(folder, output);
            self.damaged += report.outputs.iter().filter(damaged).count();
        }
        // Where results wait until their job publishes them; the folder goes with the last of them.
        self.leftovers = fs::read_dir(folder.join("public/.mediaflow")).map_or(0, Iterator::count);
        Ok(())
    }

    /// Whether nothing was lost, doubled or damaged.
    pub(crate) fn is_whole(&self) -> bool {
        self.succeeded == self.submitted
            && self.delivered == self.expected
            && self.recorded == self.expected
            && [self.lost, self.ended_twice, self.damaged, self.refused, self.failed] == [0; 5]
    }
}

/// Whether a result is in its place, and as long as it was when it was verified.
fn is_whole(folder: &Path, output: &OutputReport) -> bool {
    let length = fs::metadata(folder.join(&output.output)).map_or(0, |file| file.len());
    length > 0 && length == output.bytes
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = [
            (
                "jobs submitted",
                self.submitted,
                format!("one of them split into {} parts", self.parts),
            ),
            ("     succeeded", self.succeeded, String::new()),
            ("     lost", self.lost, String::new()),
            ("     ended twice", self.ended_twice, String::new()),
            (
                "attempts",
                self.attempts,
                format!("at jobs and parts, {} of them repeated", self.repeated),
            ),
            (
                "takeovers",
                self.taken_over,
                format!("of jobs and parts, from {} killed workers", self.killed),
            ),
            ("outputs published", self.outputs, String::new()),
            ("        damaged", self.damaged, String::new()),
            ("        left unpublished", self.leftovers, String::new()),
            ("webhooks expected", self.expected, String::new()),
            (
                "         delivered",
                self.delivered,
                format!("with a true signature, {} with a wrong one", self.refused),
            ),
            ("         recorded", self.recorded, "as delivered, in the database".to_owned()),
            (
                "         duplicates",
                self.duplicates,
                "under the webhook-id of the first".to_owned(),
            ),
            ("workers failed", self.failed, "by themselves".to_owned()),
        ];
        for (name, number, note) in rows {
            writeln!(f, "{}", format!("{name:26}{number:6}  {note}").trim_end())?;
        }
        let verdict = if self.is_whole() { "nothing was lost" } else { "SOMETHING IS WRONG" };
        write!(f, "\n{verdict}, in {:.1} s", self.took.as_secs_f64())
    }
}
