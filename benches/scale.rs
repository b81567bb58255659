//! `make bench-scale`: what the engines cost on databases in which much has ended and much waits, beside nearly empty ones.
//!
//! The full one holds 1,000,000 ended jobs, each in a batch of its own, with an output and three events each, and 300,000
//! pending messages to 20,000 addresses at 2,000 origins; on SQLite a tenth of that. It is made of one real job, whose rows
//! are multiplied by SQL (`scale/prepare.rs`) under ids and times as they would have come over six days. The other holds only
//! the oldest of the same jobs, as many as the rounds of retention delete: both do the same.
//!
//! Rounds alternate between the two, and the median of the paired ratios counts. Calls are timed as a host sees them. What
//! goes on in the background (claims, ends, routing, delivery, retention) is timed by the statement, from the client's side:
//! commits, which cost the same on both, are not among it. Nothing is timed while the other database has a worker.
//!
//! Options, after `--`: `--rounds <n>` (default 5, at least 3), `--jobs <n>` (default 1,000,000, at least 200,000), `--only <words>` (measure
//! only what has these words in its name: `postgres memory`), `--write` (also write the section in `benches/RESULTS.md`).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

#[path = "scale/mod.rs"]
mod measure;

use std::process::ExitCode;
use std::time::Instant;

use measure::options::{self, Options};
use measure::report::Report;
use measure::{Result, batch, fleet, life, look, memory, prepare, retained, site, statements};
use site::Site;

#[tokio::main]
async fn main() -> ExitCode {
    options::run("bench-scale", Options::rounds(5).jobs(1_000_000), bench).await
}

async fn bench(options: Options) -> Result<()> {
    statements::listen()?;
    let mut report = Report::new(&format!("rounds {}, interleaved", options.rounds))?;
    for kind in ["sqlite", "postgres"] {
        let paired = options.wants_any(kind, &["look", "life", "retention"]);
        if !paired && !options.wants_any(kind, &["idle-fleet", "batch"]) {
            continue;
        }
        let site = site_of(kind).await?;
        if paired {
            let jobs = options.jobs.unwrap_or_default();
            let jobs = if kind == "sqlite" { jobs / 10 } else { jobs };
            let began = Instant::now();
            let pair = prepare::pair(&site, jobs, options.rounds).await?;
            report.note(&format!(
                "{kind} {jobs} ended jobs, {}; prepared in {:.0} s",
                pair.full.size().await?,
                began.elapsed().as_secs_f64()
            ));
            if options.wants(kind, "look") {
                look::measure(&site, &pair, options.rounds, &mut report).await?;
            }
            if options.wants(kind, "life") {
                life::measure(&site, &pair, options.rounds, &mut report).await?;
            }
            if options.wants(kind, "retention") {
                retained::measure(&site, &pair, options.rounds, &mut report).await?;
            }
        }
        if options.wants(kind, "batch") {
            batch::measure(&site, &mut report).await?;
        }
        if options.wants(kind, "idle-fleet") && kind == "postgres" {
            fleet::measure(&site, &mut report).await?;
        }
    }
    for kind in ["sqlite", "postgres"] {
        if options.wants(kind, "memory") {
            memory::measure(&site_of(kind).await?, &mut report).await?;
        }
    }
    report.finish();
    if options.write {
        let template = include_str!("scale/RESULTS.template.md");
        println!("written {}", report.write("bench-scale", template)?.display());
    }
    Ok(())
}

async fn site_of(kind: &str) -> Result<Site> {
    if kind == "sqlite" { Site::sqlite() } else { prepare::server().await }
}
