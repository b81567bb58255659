//! `make compare-sharp`: the same steps with the same parameters by mediaflow and by sharp, compared by what comes out.
//!
//! The cases (`stills/cases.mjs`) are modelled on what sharp's own tests cover; sources are the repository's photos and
//! what sharp draws of them (`stills/peer.mjs`). mediaflow gets its steps as JSON. Both results are decoded by sharp, and
//! compared: size, mean difference of samples, structural similarity. A difference has its reason beside its case; the run
//! fails on one that has none.
//!
//! Options, after `--`: `--only <words>` (only cases with these words in their name), `--write` (also write
//! `mediaflow-image/COMPARISON.md`).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod stills;

use std::path::PathBuf;
use std::process::ExitCode;

use stills::machine::options::{Mode, Options, mode};
use stills::page::{HEAD, Row};
use stills::peer::Peer;
use stills::{Result, host::Host};

#[tokio::main]
async fn main() -> ExitCode {
    let done = match mode(std::env::args().skip(1), Options::rounds(0)) {
        Ok(Mode::Bench(options)) => all(&options).await,
        Ok(Mode::Child(_)) => Err("this program has no children".into()),
        Ok(Mode::Idle) => Ok(true),
        Err(error) => Err(error),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("compare-sharp: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether each difference is explained.
async fn all(options: &Options) -> Result<bool> {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let (photos, data) =
        (repository.join("examples/media"), repository.join("target/compare-sharp"));
    for folder in ["sources", "sharp", "mediaflow"] {
        std::fs::create_dir_all(data.join(folder))?;
    }
    let (mut peer, cases) = Peer::start(&repository, &photos, &data)?;
    let host = Host::start(&[&photos, &data.join("sources")], &data.join("mediaflow")).await?;

    let (mut tables, mut group) = (String::new(), String::new());
    let (mut same, mut number, mut wrong) = (0, 0, 0);
    for case in cases.into_iter().filter(|case| options.has_words_of(&case.name)) {
        if case.group != group {
            tables += &format!("\n## {}\n\n{HEAD}\n", case.group);
            group.clone_from(&case.group);
        }
        let measured = match host.make(&case).await? {
            Ok(ours) => Ok(peer.measure(&ours, &case.file)?),
            Err(error) => Err(error),
        };
        let row = Row { case, measured };
        let line = row.line();
        println!("{line}");
        tables += &format!("{line}\n");
        number += 1;
        same += usize::from(row.is_same());
        wrong += usize::from(row.is_wrong());
    }
    let count = format!("{number} cases; the results of {same} are the same");
    println!("\n{count}; {wrong} without a reason, or with one that is not needed");
    if options.write && !options.is_partial() {
        let page = include_str!("stills/COMPARISON.template.md")
            .replace("{{version}}", peer.version())
            .replace("{{count}}", &count)
            .replace("{{tables}}", tables.trim());
        let path = repository.join("mediaflow-image/COMPARISON.md");
        std::fs::write(&path, page)?;
        println!("written {}", path.display());
    }
    Ok(wrong == 0)
}
