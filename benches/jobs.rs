//! `make bench-jobs`: the durable engines, on SQLite and on a private PostgreSQL server, both writing through to disk.
//!
//! Throughput is told as a ratio to bare River in the same run, because a shared machine makes numbers of different
//! runs incomparable: rounds alternate, both sides have the same database settings, places and submitters, and the
//! median of the paired ratios counts. Everything else is a time as a host sees it: from before the call to the
//! moment the step begins, or the state is visible. Workers that are killed or watched for their idle cost are
//! processes of their own: this program starts itself (`engines/child.rs`).
//!
//! Options, after `--`: `--rounds <n>` (default 7, at least 3), `--only <words>` (measure only what has these words in
//! its name: `sqlite life`), `--write` (also write the section in `benches/RESULTS.md`).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

#[path = "jobs/mod.rs"]
mod measure;

use std::process::ExitCode;

use measure::report::Report;
use measure::site::Site;
use measure::{Result, cancel, child, idle, kill, latency, life, share};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match Mode::parse(&arguments) {
        Ok(Mode::Child(place)) => child::serve(&place, 1).await,
        Ok(Mode::Bench(options)) => bench(&options).await,
        // `cargo test --all-targets` starts benches without `--bench`: they are not to measure then.
        Ok(Mode::Idle) => Ok(()),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-jobs: {error}");
            ExitCode::FAILURE
        }
    }
}

enum Mode {
    Child(String),
    Bench(Options),
    Idle,
}

struct Options {
    rounds: usize,
    only: Option<String>,
    write: bool,
}

impl Mode {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Options { rounds: 7, only: None, write: false };
        let mut asked = false;
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => asked = true,
                "--child" => return Ok(Self::Child(value()?.clone())),
                "--rounds" => options.rounds = value()?.parse::<usize>()?.max(3),
                "--only" => options.only = Some(value()?.clone()),
                "--write" => options.write = true,
                other => return Err(format!("unknown option {other}").into()),
            }
        }
        Ok(if asked { Self::Bench(options) } else { Self::Idle })
    }
}

/// A missed goal is told, and no failure.
async fn bench(options: &Options) -> Result<()> {
    let mut report = Report::new(&format!("rounds {}, interleaved", options.rounds))?;
    for kind in ["sqlite", "postgres"] {
        let wants = |what: &str| {
            let name = format!("{kind} {what}");
            options
                .only
                .as_ref()
                .is_none_or(|words| words.split(' ').all(|word| name.contains(word)))
        };
        let all = ["life", "latency", "kill", "cancel", "share", "idle"];
        if !all.into_iter().any(wants) {
            continue;
        }
        let site = if kind == "sqlite" { Site::sqlite()? } else { Site::postgres().await? };
        if wants("life") {
            life::measure(&site, options.rounds, &mut report).await?;
        }
        if wants("latency") {
            latency::measure(&site, &mut report).await?;
        }
        if wants("kill") {
            kill::measure(&site, &mut report).await?;
        }
        if wants("cancel") {
            cancel::measure(&site, &mut report).await?;
        }
        if wants("share") {
            share::measure(&site, &mut report).await?;
        }
        if wants("idle") {
            idle::measure(&site, &mut report).await?;
        }
    }
    report.finish();
    if options.write {
        println!(
            "written {}",
            report.write("bench-jobs", include_str!("jobs/RESULTS.template.md"))?.display()
        );
    }
    Ok(())
}
