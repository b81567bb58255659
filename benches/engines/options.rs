//! A benchmark of the engines as a program: it measures, or is a process of workers that one has started.

use std::process::ExitCode;

pub(crate) use super::machine::options::Options;
use super::machine::options::{Mode, mode};
use super::{Result, child};

/// Does what the arguments of this program ask for. A missed goal is told by the benchmark, and no failure.
pub(crate) async fn run<F>(
    name: &str,
    options: Options,
    bench: impl FnOnce(Options) -> F,
) -> ExitCode
where
    F: Future<Output = Result<()>>,
{
    let done = match mode(std::env::args().skip(1), options) {
        Ok(Mode::Bench(options)) => bench(options).await,
        Ok(Mode::Child(arguments)) => child::serve(&arguments).await,
        Ok(Mode::Idle) => Ok(()),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error}");
            ExitCode::FAILURE
        }
    }
}
