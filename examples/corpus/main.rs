//! Puts every file of some folders through a job, each in a process of its own, and counts how they end.
//!
//! `cargo run --release --example corpus -- [--mutants N] [--seed S] [--sharp FOLDER] FOLDER..`
//!
//! `--mutants` adds that many changed copies of these files, always the same ones for a seed. `--sharp` asks sharp as well
//! (`FOLDER` holds its `node_modules`), and lists what it decides otherwise. The exit code is not 0 if any file made the
//! process panic, took longer than 10 seconds or more than 512 MiB.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its reader")]

mod counts;
mod mutants;
mod peer;
mod trial;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::thread;

use counts::Counts;
use mutants::Mutants;
use peer::Sharp;
use trial::Trial;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Default)]
struct Options {
    folders: Vec<PathBuf>,
    mutants: usize,
    seed: u64,
    sharp: Option<PathBuf>,
}

impl Options {
    fn parse() -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = std::env::args_os().skip(1);
        while let Some(argument) = arguments.next() {
            let name = argument.to_string_lossy().into_owned();
            let mut value = || arguments.next().ok_or_else(|| format!("{name} needs a value"));
            match &*name {
                "--mutants" => options.mutants = value()?.to_string_lossy().parse()?,
                "--seed" => options.seed = value()?.to_string_lossy().parse()?,
                "--sharp" => options.sharp = Some(value()?.into()),
                _ if name.starts_with("--") => return Err(format!("unknown: {name}").into()),
                _ => options.folders.push(argument.into()),
            }
        }
        if options.folders.is_empty() {
            return Err(
                "which folders? corpus [--mutants N] [--seed S] [--sharp FOLDER] FOLDER..".into()
            );
        }
        Ok(options)
    }
}

fn main() -> Result<ExitCode> {
    if let Some(file) = trial::asked() {
        return Ok(trial::run(&file));
    }
    let options = Options::parse()?;
    let files = files(&options.folders)?;
    let scratch = tempfile::tempdir()?;
    let mutants = Mutants::new(&files, options.seed, scratch.path());
    let rest = Mutex::new(Work { files: files.iter().cloned().collect(), next: 0 });
    let counts = Mutex::new(Counts::default());
    let worker = || -> Result<()> {
        let mut sharp = options.sharp.as_deref().map(Sharp::start).transpose()?;
        loop {
            let (path, made) =
                match rest.lock().unwrap_or_else(PoisonError::into_inner).take(options.mutants) {
                    Some(Next::File(file)) => (file, false),
                    Some(Next::Mutant(number)) => (mutants.write(number)?, true),
                    None => return Ok(()),
                };
            let trial = Trial::of(&path)?;
            let theirs = sharp.as_mut().map(|sharp| sharp.takes(&path)).transpose()?;
            let bad = trial.is_bad();
            counts.lock().unwrap_or_else(PoisonError::into_inner).add(&path, trial, theirs, !made);
            // What went wrong stays, to be looked at.
            if made && !bad {
                std::fs::remove_file(&path)?;
            }
        }
    };
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| -> Result<()> {
        let running: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        for worker in running {
            worker.join().map_err(|_| "a worker panicked")??;
        }
        Ok(())
    })?;
    let counts = counts.into_inner().unwrap_or_else(PoisonError::into_inner);
    print!("{counts}");
    if counts.bad() {
        println!("changed copies that went wrong: {}", scratch.keep().display());
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

enum Next {
    File(PathBuf),
    Mutant(usize),
}

/// What is still to be tried.
struct Work {
    files: VecDeque<PathBuf>,
    next: usize,
}

impl Work {
    fn take(&mut self, mutants: usize) -> Option<Next> {
        if let Some(file) = self.files.pop_front() {
            return Some(Next::File(file));
        }
        let number = self.next;
        self.next += 1;
        (number < mutants).then_some(Next::Mutant(number))
    }
}

/// All files below these folders, in order.
fn files(folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    fn add(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if kind.is_dir() {
                add(&path, files)?;
            } else if kind.is_file() {
                files.push(path);
            }
        }
        Ok(())
    }
    let mut files = Vec::new();
    for folder in folders {
        let found = folder.canonicalize().map_err(Into::into);
        let added = found.and_then(|folder| add(&folder, &mut files));
        added.map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    files.sort();
    if files.is_empty() {
        return Err("there are no files in these folders".into());
    }
    Ok(files)
}
