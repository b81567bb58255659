//! The protocol between the benchmark and a contestant, and the driver's end of it.
//!
//! A worker is a process that first writes `{"version": "..."}` and then answers each line of JSON with one line.
//! It reads the inputs into memory, notes CPU time and memory, turns the bytes of each into one file per width `repeat`
//! times, and only then writes those of the last run to `<out>/<number of the input>-<width>.<format>`: neither reading nor
//! writing files is measured, but in a job.
//! CPU time is of the whole process, all threads, user and system. The peak is `VmHWM`, reset after the input was
//! read, above the resident size at that moment; it is meaningful in a process that has done nothing yet.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::Result;
use super::contest::Contestant;

/// One measurement to make.
#[derive(Debug, Serialize)]
pub(crate) struct Request {
    pub(crate) task: &'static str,
    pub(crate) inputs: Vec<PathBuf>,
    pub(crate) out: PathBuf,
    pub(crate) widths: &'static [u32],
    /// `jpg`, `png` or `webp`.
    pub(crate) format: &'static str,
    pub(crate) quality: u8,
    pub(crate) repeat: u32,
}

/// What a worker measured; the times are of one run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
    pub(crate) peak_kb: u64,
    pub(crate) threads: u64,
    pub(crate) files: Vec<PathBuf>,
}

/// A worker's first line.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) version: String,
}

/// A running worker; dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Child {
    name: &'static str,
    version: String,
    process: std::process::Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Child {
    pub(crate) fn start(contestant: &Contestant) -> Result<Self> {
        let name = contestant.name();
        let [program, arguments @ ..] = contestant.command() else {
            return Err(format!("{name} has no command").into());
        };
        let mut process = Command::new(program)
            .args(arguments)
            .current_dir(contestant.folder())
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("FONT", contestant.font())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| absent(name, &error))?;
        let (Some(requests), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(format!("{name} has no pipes").into());
        };
        let answers = BufReader::new(answers);
        let mut child = Self { name, version: String::new(), process, requests, answers };
        child.version = child.receive::<Hello>().map_err(|error| absent(name, &error))?.version;
        Ok(child)
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    pub(crate) fn ask(&mut self, request: &Request) -> Result<Answer> {
        let mut line = serde_json::to_vec(request)?;
        line.push(b'\n');
        self.requests.write_all(&line)?;
        let answer: Answer = self.receive()?;
        if answer.files.len() == request.inputs.len() * request.widths.len() {
            Ok(answer)
        } else {
            Err(format!("{} did not write a file per width ({})", self.name, request.task).into())
        }
    }

    fn receive<T: for<'a> Deserialize<'a>>(&mut self) -> Result<T> {
        let mut line = String::new();
        if self.answers.read_line(&mut line)? == 0 {
            return Err(format!("{} ended without an answer; it says why above", self.name).into());
        }
        serde_json::from_str(&line)
            .map_err(|error| format!("{} answered {line:?}: {error}", self.name).into())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself; both calls then have nothing to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn absent(name: &str, error: &dyn std::fmt::Display) -> String {
    format!(
        "{name} does not start: {error}; `make bench-image` installs the peers into target/bench-peers"
    )
}
