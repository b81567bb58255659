//! Worker processes: this program, started by itself.
//!
//! A child works on one database. It writes `ready` when it does, and `begun` when the endless job begins in it. It
//! reads commands, a line each: `cpu` is answered with the milliseconds of processor time that it has used so far. It
//! ends with its input.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::site::Place;
use super::{Result, cpu, host, soon, step};

/// The number of the job that does not end by itself. No other process has it for another job.
pub(crate) const ENDLESS: u64 = 0;

#[derive(Debug)]
pub(crate) struct Child {
    process: tokio::process::Child,
    commands: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts a worker. Does not wait for it.
    pub(crate) fn spawn(place: &Place) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--child", &place.word()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let (Some(commands), Some(lines)) = (process.stdin.take(), process.stdout.take()) else {
            return Err("a child has no pipes".into());
        };
        Ok(Self { process, commands, lines: BufReader::new(lines).lines() })
    }

    /// A worker that works.
    pub(crate) async fn start(place: &Place) -> Result<Self> {
        let mut child = Self::spawn(place)?;
        child.hear("ready").await?;
        Ok(child)
    }

    /// Waits until it has written this.
    pub(crate) async fn hear(&mut self, word: &str) -> Result<()> {
        while self.line(word).await? != word {}
        Ok(())
    }

    /// The processor time that it has used so far, in milliseconds.
    pub(crate) async fn cpu(&mut self) -> Result<f64> {
        self.commands.write_all(b"cpu\n").await?;
        Ok(self.line("its processor time").await?.parse()?)
    }

    /// `kill -9`. Returns when it is gone.
    pub(crate) async fn kill(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }

    async fn line(&mut self, what: &str) -> Result<String> {
        let line = soon(what, self.lines.next_line()).await??;
        line.ok_or_else(|| format!("a child ended instead of saying {what}").into())
    }
}

/// What a child does.
pub(crate) async fn serve(place: &str) -> Result<()> {
    let begun = step::begun(ENDLESS);
    let media = host::worker(&Place::parse(place)).await?;
    println!("ready");
    tokio::spawn(async move {
        if begun.await.is_ok() {
            println!("begun");
        }
    });
    // On a thread of its own: the runtime's are for the work.
    tokio::task::spawn_blocking(obey).await??;
    host::stop(media).await
}

fn obey() -> Result<()> {
    for command in std::io::stdin().lines() {
        match command?.as_str() {
            "cpu" => println!("{}", cpu::here()),
            other => return Err(format!("unknown command {other}").into()),
        }
    }
    Ok(())
}
