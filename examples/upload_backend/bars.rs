//! Progress bars, one per job.

use futures_util::StreamExt as _;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use mediaflow::JobHandle;
use mediaflow::report::JobState;

use crate::Anyhow;

/// All bars on the screen. Clones share.
#[derive(Clone)]
pub(crate) struct Bars(MultiProgress);

impl Bars {
    pub(crate) fn new() -> Self {
        Self(MultiProgress::new())
    }

    /// Prints a line above the bars; without a terminal, simply prints it.
    pub(crate) fn say(&self, line: &str) {
        self.0.suspend(|| println!("{line}"));
    }

    /// Shows how far a job is until it ends.
    pub(crate) async fn watch(self, job: JobHandle, name: String) -> Anyhow<()> {
        let bar = self.0.add(ProgressBar::new(100));
        bar.set_style(ProgressStyle::with_template("{prefix:16} {bar:32} {pos:>3} % {msg}")?);
        bar.set_prefix(name.clone());
        let mut progress = job.progress();
        while let Some(done) = progress.next().await {
            bar.set_position(percent(done));
        }
        let status = job.ended().await?;
        let line = match (status.state, &status.failure) {
            (JobState::Succeeded, _) => format!("done, {} outputs", status.outputs.len()),
            (state, Some(failure)) => format!("{state:?}: {}", failure.code),
            (state, None) => format!("{state:?}"),
        };
        bar.abandon_with_message(line.clone());
        if bar.is_hidden() {
            println!("{name:16} {:>3} % {line}", percent(status.progress));
        }
        Ok(())
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 1 fits")]
fn percent(done: f32) -> u64 {
    (done * 100.0) as u64
}
