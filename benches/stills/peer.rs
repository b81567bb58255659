//! sharp as a process (`peer.mjs`).

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::Result;

/// What both make.
#[derive(Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) group: String,
    pub(crate) name: String,
    /// Why the results differ.
    pub(crate) differs: Option<String>,
    pub(crate) source: PathBuf,
    pub(crate) overlay: Option<PathBuf>,
    #[serde(deserialize_with = "steps")]
    pub(crate) steps: Vec<(String, Value)>,
    /// What sharp has made.
    pub(crate) file: PathBuf,
}

/// Without parameters, a step has its name only.
fn steps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, Value)>, D::Error> {
    let steps = Vec::<Vec<Value>>::deserialize(deserializer)?;
    let step = |step: Vec<Value>| {
        let mut step = step.into_iter();
        let name = step.next().and_then(|name| name.as_str().map(str::to_owned));
        let name = name.ok_or_else(|| serde::de::Error::custom("a step without a name"))?;
        Ok((name, step.next().unwrap_or_else(|| json!({}))))
    };
    steps.into_iter().map(step).collect()
}

/// How two results differ.
#[derive(Debug, Deserialize)]
pub(crate) struct Measured {
    pub(crate) ours: (u32, u32),
    pub(crate) theirs: (u32, u32),
    /// Of samples from 0 to 255; known if the sizes are the same, as is the next.
    pub(crate) mean: Option<f64>,
    pub(crate) ssim: Option<f64>,
}

pub(crate) struct Peer {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    version: String,
}

impl Peer {
    /// Waits until it has made its results.
    pub(crate) fn start(
        repository: &Path,
        photos: &Path,
        data: &Path,
    ) -> Result<(Self, Vec<Case>)> {
        let mut process = Command::new("node")
            .arg(repository.join("benches/stills/peer.mjs"))
            .args([photos, data])
            .current_dir(repository.join("target/bench-peers"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = process.stdin.take().ok_or("no standard input")?;
        let answers = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        let mut peer = Self { process, requests, answers, version: String::new() };
        peer.version = serde_json::from_str(&peer.line()?)?;
        let mut cases = Vec::new();
        while let Some(case) = serde_json::from_str(&peer.line()?)? {
            cases.push(case);
        }
        Ok((peer, cases))
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn measure(&mut self, ours: &Path, theirs: &Path) -> Result<Measured> {
        writeln!(self.requests, "{}", json!([ours, theirs]))?;
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        match self.answers.read_line(&mut line)? {
            0 => Err("sharp has ended".into()),
            _ => Ok(line),
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
