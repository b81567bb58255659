//! `make compare-ffmpeg`: the same conversions by mediaflow and by the command line of `ffmpeg`, measured side by side.
//!
//! Sources of every kind are drawn by `ffmpeg` (`compare/clip.rs`), or lie beside the tests of mediaflow-video. Both make of
//! them what a case asks for (`compare/cases`): mediaflow through its facade, `ffmpeg` with what its friend would write, with the
//! same encoders. Both results are then decoded by `ffmpeg` and compared: frames, when the first and the last one are shown, the
//! length, likeness (SSIM of one result to the other), from when to when something is heard, how loud each channel is, and the
//! colours of 128 patches, which tell range and matrix.
//!
//! A difference has its reason beside its case; the run fails on one that has none. Results in which a file is only copied are
//! compared in the same way.
//!
//! Options, after `--`: `--only <words>` (only cases with these words in their name), `--write` (also write
//! `mediaflow-video/COMPARISON.md`).
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints its results")]

mod compare;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use compare::cases::{ALL, Case};
use compare::convert::{Host, by_ffmpeg};
use compare::machine::options::{Mode, Options, mode};
use compare::measured::Measured;
use compare::page::{HEAD, Row};
use compare::verdict::{Mark, differences};
use compare::{Result, ffmpeg};

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
            eprintln!("compare-ffmpeg: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Where everything lies.
struct Folders {
    repository: PathBuf,
    drawn: PathBuf,
    ours: PathBuf,
    theirs: PathBuf,
}

/// Whether each difference is explained.
async fn all(options: &Options) -> Result<bool> {
    let repository = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let data = repository.join("target/compare-data");
    let folders = Folders {
        drawn: data.join("drawn"),
        ours: data.join("mediaflow"),
        theirs: data.join("ffmpeg"),
        repository,
    };
    for folder in [&folders.drawn, &folders.ours, &folders.theirs] {
        std::fs::create_dir_all(folder)?;
    }
    let committed = folders.repository.join("mediaflow-video/tests/fixtures/clips");
    let host = Host::start([&folders.drawn, &committed], &folders.ours).await?;

    let mut tables = String::new();
    let (mut same, mut number, mut wrong) = (0, 0, Vec::new());
    for (kind, cases) in ALL {
        println!("\n## {kind}\n\n{HEAD}");
        tables += &format!("\n## {kind}\n\n{HEAD}\n");
        for case in cases {
            let name = format!("{}: {}", case.name, case.words);
            if !options.has_words_of(&name) {
                continue;
            }
            let row =
                row(case, &host, &folders).await.map_err(|error| format!("{name}: {error}"))?;
            let line = row.line();
            println!("{line}");
            tables += &line;
            tables.push('\n');
            number += 1;
            same += usize::from(row.marks.is_empty());
            let unexplained = row.unexplained();
            if !unexplained.is_empty() {
                let marks: Vec<_> = unexplained.into_iter().map(Mark::name).collect();
                let error = row.ours.as_ref().err().map_or("", String::as_str);
                wrong
                    .push(format!("{name}: {} differs without a reason {error}", marks.join(", ")));
            }
            for mark in row.superfluous() {
                println!("{name}: {} no longer differs, its reason can go", mark.name());
            }
        }
    }
    let count = format!("{number} conversions; the results of {same} are the same");
    println!("\n{count}");
    wrong.iter().for_each(|line| println!("unexplained: {line}"));
    if options.write && !options.is_partial() {
        let page = include_str!("compare/COMPARISON.template.md")
            .replace("{{version}}", &ffmpeg::version("ffmpeg")?)
            .replace("{{count}}", &count)
            .replace("{{tables}}", tables.trim());
        let path = folders.repository.join("mediaflow-video/COMPARISON.md");
        std::fs::write(&path, page)?;
        println!("written {}", path.display());
    }
    Ok(wrong.is_empty())
}

async fn row(case: &Case, host: &Host, folders: &Folders) -> Result<Row> {
    let source = case.clip.path(&folders.repository, &folders.drawn)?;
    let result = by_ffmpeg(case, &source, &folders.theirs)?;
    let theirs = Measured::of(&result)?;
    let (ours, likeness) = match host.convert(case, &source).await? {
        Ok(path) => {
            let ours = Measured::of(&path)?;
            let likeness = likeness(&path, &ours, &result, &theirs)?;
            (Ok(ours), likeness)
        }
        Err(error) => (Err(error), None),
    };
    let marks = match &ours {
        Ok(ours) => differences(ours, &theirs, likeness),
        Err(_) => vec![Mark::Result],
    };
    Ok(Row { case: *case, ours, theirs, likeness, marks })
}

/// How like one result is to the other, where both have a picture.
fn likeness(path: &Path, ours: &Measured, other: &Path, theirs: &Measured) -> Result<Option<f64>> {
    match (&ours.picture, &theirs.picture) {
        (Some(picture), Some(peer)) if picture.size == peer.size => {
            ffmpeg::ssim((path, "null"), (other, "null")).map(Some)
        }
        _ => Ok(None),
    }
}
