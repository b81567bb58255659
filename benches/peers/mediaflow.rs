//! mediaflow as a worker: this program started again with `--worker <build>`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

use super::Result;
use super::child::{Answer, Hello};

/// The decoders to measure: `turbo` stands for the production build, `pure` for the default one.
pub(crate) const BUILDS: &[&str] =
    if cfg!(feature = "turbo") { &["turbo", "pure"] } else { &["pure"] };

/// The worker's end of [`super::child::Request`].
#[derive(Debug, Deserialize)]
struct Request {
    input: PathBuf,
    out: PathBuf,
    widths: Vec<u32>,
    quality: u8,
    repeat: u32,
}

/// Answers requests from standard input until it ends.
pub(crate) fn serve(build: &str) -> Result<()> {
    let renderer = Renderer::new(build)?;
    say(&Hello { version: format!("mediaflow {} ({build})", env!("CARGO_PKG_VERSION")) })?;
    for line in std::io::stdin().lines() {
        say(&measure(&renderer, &serde_json::from_str(&line?)?)?)?;
    }
    Ok(())
}

fn measure(renderer: &Renderer, request: &Request) -> Result<Answer> {
    let input = std::fs::read(&request.input)?;
    std::fs::write("/proc/self/clear_refs", "5")?; // VmHWM starts again from the present size
    let before = status("VmRSS")?;
    let (wall, cpu) = (Instant::now(), cpu_time()?);
    let mut outputs = Vec::new();
    for _ in 0..request.repeat {
        outputs = renderer.render(&input, &request.widths, request.quality)?;
    }
    let (wall, cpu) = (wall.elapsed(), cpu_time()? - cpu);
    let peak_kb = status("VmHWM")?.saturating_sub(before);
    let per_run = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(request.repeat);
    Ok(Answer {
        cpu_ms: per_run(cpu),
        wall_ms: per_run(wall),
        peak_kb,
        threads: status("Threads")?,
        files: save(&request.out, &request.widths, &outputs)?,
    })
}

fn save(folder: &Path, widths: &[u32], outputs: &[Vec<u8>]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::with_capacity(outputs.len());
    for (width, output) in widths.iter().zip(outputs) {
        let file = folder.join(format!("{width}.jpg"));
        std::fs::write(&file, output)?;
        files.push(file);
    }
    Ok(files)
}

/// User and system time of all threads so far.
fn cpu_time() -> Result<Duration> {
    Ok(Duration::try_from(clock_gettime(ClockId::ProcessCPUTime))?)
}

fn status(field: &str) -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    Ok(number.ok_or_else(|| format!("/proc/self/status has no {field}"))?.parse()?)
}

fn say(message: &impl serde::Serialize) -> Result<()> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, message)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}
