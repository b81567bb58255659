//! One file in a process of its own: a thumbnail of 300 pixels, with the limits that a host has by default.

use std::fmt::{self, Display};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use mediaflow::prelude::*;
use serde::{Deserialize, Serialize};

use crate::Result;

/// How long a file may take, with the start of its process.
const TIME: Duration = Duration::from_secs(10);

/// How much memory its process may hold, in KiB.
const MEMORY: u64 = 512 * 1024;

/// The child is told its file by this variable: arguments are for whoever calls the parent.
const FILE: &str = "MEDIAFLOW_CORPUS_FILE";

/// How a file ended.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Ok,
    Warned,
    /// A typed error, by its code.
    Error(String),
    Panic,
    OverTime,
    OverMemory,
    /// The process ended by a signal, or without an answer.
    Died,
}

impl Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("ok"),
            Self::Warned => f.write_str("warned"),
            Self::Error(code) => write!(f, "error {code}"),
            Self::Panic => f.write_str("panic"),
            Self::OverTime => f.write_str("over time"),
            Self::OverMemory => f.write_str("over memory"),
            Self::Died => f.write_str("died"),
        }
    }
}

/// What became of one file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Trial {
    pub(crate) verdict: Verdict,
    /// What is said of it.
    pub(crate) said: String,
    /// The most memory that its process has held, in KiB; zero if that is not known.
    pub(crate) peak: u64,
}

impl Trial {
    /// Tries a file in a process of its own.
    pub(crate) fn of(file: &Path) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .env(FILE, file)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut answers = child.stdout.take().ok_or("no standard output")?;
        let (send, answer) = mpsc::channel();
        thread::spawn(move || {
            let mut answer = String::new();
            // Whoever waits for it may have given up.
            let _ = send.send(answers.read_to_string(&mut answer).map(|_| answer));
        });
        // Its standard output ends with the process.
        let answer = answer.recv_timeout(TIME);
        let over_time = answer.is_err();
        if over_time {
            child.kill()?;
        }
        child.wait()?;
        let answer = answer.unwrap_or_else(|_| Ok(String::new()))?;
        let mut trial: Self = serde_json::from_str(&answer).unwrap_or(Self {
            verdict: Verdict::Died,
            said: String::new(),
            peak: 0,
        });
        if over_time {
            trial.verdict = Verdict::OverTime;
        } else if trial.peak > MEMORY {
            trial.said = format!("{} KiB; {}: {}", trial.peak, trial.verdict, trial.said);
            trial.verdict = Verdict::OverMemory;
        }
        Ok(trial)
    }

    /// Whether no file may end like this.
    pub(crate) fn is_bad(&self) -> bool {
        !matches!(self.verdict, Verdict::Ok | Verdict::Warned | Verdict::Error(_))
    }

    pub(crate) fn is_taken(&self) -> bool {
        matches!(self.verdict, Verdict::Ok | Verdict::Warned)
    }
}

/// The file of this process, if it is one of a single file.
pub(crate) fn asked() -> Option<PathBuf> {
    std::env::var_os(FILE).map(PathBuf::from)
}

/// A panic inside of a job becomes an error of the job: the hook sees it anyway.
static PANICKED: AtomicBool = AtomicBool::new(false);

/// Tries the file and writes the answer.
pub(crate) fn run(file: &Path) -> ExitCode {
    std::panic::set_hook(Box::new(|_| PANICKED.store(true, Ordering::SeqCst)));
    let made = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(thumbnail(file)));
    let (mut verdict, said) = match made {
        Ok(warnings) if warnings.is_empty() => (Verdict::Ok, String::new()),
        Ok(warnings) => (Verdict::Warned, warnings.join("; ")),
        Err(error) => match error.downcast_ref::<Error>() {
            Some(typed) => (Verdict::Error(typed.code().to_owned()), typed.to_string()),
            None => (Verdict::Died, error.to_string()),
        },
    };
    if PANICKED.load(Ordering::SeqCst) {
        verdict = Verdict::Panic;
    }
    let answer = serde_json::to_string(&Trial { verdict, said, peak: peak() });
    match answer.map(|answer| std::io::stdout().write_all(answer.as_bytes())) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

/// Gives the warnings.
async fn thumbnail(file: &Path) -> Result<Vec<String>> {
    let folder = file.parent().ok_or("the file is in no folder")?;
    let media = Mediaflow::builder()
        .allow_paths(folder)
        .storage("out", "memory:")
        .with(image::operations)
        .start()
        .await?;
    let work = Pipeline::from(Source::path(file))
        .output("out/thumbnail.jpg", |photo| photo.resize((300, 300, Fit::Inside)).jpeg(80))
        .build()?;
    let work = JobSpec::new(&work)?.with_options(JobOptions::new().max_attempts(1));
    let report = media.submit(work).await?.done().await?;
    let outputs = report.outputs.into_iter().flat_map(|output| output.warnings);
    Ok(report.warnings.into_iter().chain(outputs).collect())
}

/// The most memory that this process has held, in KiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
