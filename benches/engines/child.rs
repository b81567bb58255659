//! Worker processes: this program, started by itself.
//!
//! A child works on one database. It writes `ready` when it does, and `begun` when the endless job begins in it. It
//! reads commands, a line each: `cpu` is answered with the milliseconds of processor time that it has used so far, `memory`
//! with the kilobytes that it holds. It ends with its input.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::machine::options::CHILD;
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
        Self::of(1, place)
    }

    /// Starts a process of so many workers. Does not wait for them.
    pub(crate) fn of(workers: usize, place: &Place) -> Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args([CHILD, &workers.to_string(), &place.word()])
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
        self.ask("cpu\n").await
    }

    /// The memory that it holds, in kilobytes.
    pub(crate) async fn memory(&mut self) -> Result<f64> {
        self.ask("memory\n").await
    }

    async fn ask(&mut self, command: &str) -> Result<f64> {
        self.commands.write_all(command.as_bytes()).await?;
        Ok(self.line("a number").await?.parse()?)
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

/// What a child does. It is told how many workers are in it, and the place.
pub(crate) async fn serve(arguments: &[String]) -> Result<()> {
    let [workers, place] = arguments else { return Err("a child knows two arguments".into()) };
    let workers: usize = workers.parse()?;
    let begun = step::begun(ENDLESS);
    let place = Place::parse(place);
    let mut all = Vec::new();
    for _ in 0..workers {
        all.push(host::worker(&place).await?);
    }
    println!("ready");
    tokio::spawn(async move {
        if begun.await.is_ok() {
            println!("begun");
        }
    });
    // On a thread of its own: the runtime's are for the work.
    tokio::task::spawn_blocking(obey).await??;
    for media in all {
        host::stop(media).await?;
    }
    Ok(())
}

fn obey() -> Result<()> {
    for command in std::io::stdin().lines() {
        match command?.as_str() {
            "cpu" => println!("{}", cpu::here()),
            "memory" => println!("{}", memory()?),
            other => return Err(format!("unknown command {other}").into()),
        }
    }
    Ok(())
}

/// What of this process is in memory, in kilobytes.
fn memory() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the system does not tell how much memory is held")?.parse()?)
}
