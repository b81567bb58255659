//! `make bench-notify`: what telling somebody costs, from one signature to messages that are routed, sent and written down.
//!
//! The events are those of a real job, and the bodies what a receiver of its webhooks got. Where something is compared, both
//! sides take turns, or run at the same time, and processor time is what counts, because a shared machine makes times on the
//! clock incomparable. Receivers run in this process (`notify/sink.rs`), on the same cores as what they measure: they keep the
//! id of each request, and some whole ones, whose signatures the crate `standardwebhooks` verifies afterwards. A message that is
//! lost, comes twice, or does not verify ends the benchmark with an error.
//!
//! Options, after `--`: `--rounds <n>` (default 5, at least 3), `--only <words>` (measure only what has these words in its name:
//! `sign`, `webhooks`, `sqlite outbox`, `postgres dead-host`), `--write` (also write the section in `benches/RESULTS.md`).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

#[path = "notify/mod.rs"]
mod measure;

use std::process::ExitCode;

use measure::options::{self, Options};
use measure::report::Report;
use measure::site::Site;
use measure::{Result, dead_host, digest, fan_out, outbox, real, signer, webhooks};

#[tokio::main]
async fn main() -> ExitCode {
    options::run("bench-notify", Options::rounds(5), bench).await
}

async fn bench(options: Options) -> Result<()> {
    let mut report = Report::new(&format!("rounds {}", options.rounds))?;
    let told = real::told().await?;
    let sizes: Vec<_> = told.iter().map(|told| told.body.len().to_string()).collect();
    report.note(&format!("bodies of a job's events, in bytes: {}", sizes.join(", ")));
    if options.has_words_of("sign-and-fan-out") {
        fan_out::measure(&told, options.rounds, &mut report)?;
    }
    if options.has_words_of("signer") {
        signer::measure(&told, options.rounds, &mut report)?;
    }
    if options.has_words_of("webhooks") {
        webhooks::measure(&told, options.rounds, &mut report).await?;
    }
    for kind in ["sqlite", "postgres"] {
        if !options.wants_any(kind, &["outbox", "dead-host", "digest"]) {
            continue;
        }
        let site = if kind == "sqlite" { Site::sqlite()? } else { Site::postgres().await? };
        if options.wants(kind, "outbox") {
            outbox::measure(&site, options.rounds, &mut report).await?;
        }
        if options.wants(kind, "dead-host") {
            dead_host::measure(&site, options.rounds, &mut report).await?;
        }
        if options.wants(kind, "digest") {
            digest::measure(&site, &mut report).await?;
        }
    }
    report.finish();
    if options.write {
        let template = include_str!("notify/RESULTS.template.md");
        println!("written {}", report.write("bench-notify", template)?.display());
    }
    Ok(())
}
