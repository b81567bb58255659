//! What one run of a program took.

use std::path::Path;

use serde::Deserialize;

use super::{Result, ffmpeg};

/// As `meter.py` writes it.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Took {
    pub(crate) wall_s: f64,
    pub(crate) cpu_s: f64,
    pub(crate) peak_kb: f64,
}

/// Runs a program with its arguments.
pub(crate) fn measure(command: &[String]) -> Result<Took> {
    let meter = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/films/meter.py");
    let meter = meter.to_string_lossy().into_owned();
    // Its line is the last: what the program writes comes before.
    let output = ffmpeg::run("python3", std::iter::once(&meter).chain(command))?;
    let said = String::from_utf8(output.stdout)?;
    Ok(serde_json::from_str(said.lines().last().unwrap_or_default())?)
}
