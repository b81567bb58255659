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

use measure::options::{self, Options};
use measure::report::Report;
use measure::site::Site;
use measure::{Result, cancel, idle, kill, latency, life, share};

#[tokio::main]
async fn main() -> ExitCode {
    options::run("bench-jobs", Options::rounds(7), bench).await
}

async fn bench(options: Options) -> Result<()> {
    let mut report = Report::new(&format!("rounds {}, interleaved", options.rounds))?;
    for kind in ["sqlite", "postgres"] {
        let all = ["life", "latency", "kill", "cancel", "share", "idle"];
        if !options.wants_any(kind, &all) {
            continue;
        }
        let site = if kind == "sqlite" { Site::sqlite()? } else { Site::postgres().await? };
        if options.wants(kind, "life") {
            life::measure(&site, options.rounds, &mut report).await?;
        }
        if options.wants(kind, "latency") {
            latency::measure(&site, &mut report).await?;
        }
        if options.wants(kind, "kill") {
            kill::measure(&site, &mut report).await?;
        }
        if options.wants(kind, "cancel") {
            cancel::measure(&site, &mut report).await?;
        }
        if options.wants(kind, "share") {
            share::measure(&site, &mut report).await?;
        }
        if options.wants(kind, "idle") {
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
