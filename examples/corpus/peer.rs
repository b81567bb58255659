//! sharp, asked about the same files.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::Result;

pub(crate) struct Sharp {
    process: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Sharp {
    /// `folder` holds `node_modules`.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/corpus/sharp.mjs");
        let mut process = Command::new("node")
            .arg(script)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let requests = process.stdin.take().ok_or("no standard input")?;
        let answers = BufReader::new(process.stdout.take().ok_or("no standard output")?);
        Ok(Self { process, requests, answers })
    }

    /// Nothing if it takes the file, else why not.
    pub(crate) fn takes(&mut self, file: &Path) -> Result<std::result::Result<(), String>> {
        writeln!(self.requests, "{}", serde_json::to_string(file)?)?;
        let mut answer = String::new();
        if self.answers.read_line(&mut answer)? == 0 {
            return Err(format!("sharp ended at {}", file.display()).into());
        }
        let why: Option<String> = serde_json::from_str(&answer)?;
        Ok(why.map_or(Ok(()), Err))
    }
}

impl Drop for Sharp {
    fn drop(&mut self) {
        let _ = self.process.kill().and_then(|()| self.process.wait());
    }
}
