//! mediaflow as a worker: this program started again with `--worker`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mediaflow::image::{self, ImageSteps as _, ops};
use mediaflow::media::{Blob, Format, MediaFile, Scratch};
use mediaflow::planner::{self, Unit};
use mediaflow::spec::{Pipeline, SOURCE};
use mediaflow::{CpuPool, Inputs, Limits, Registry, RunContext};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

use super::Result;
use super::child::{Answer, Hello};

/// Which decoder this program was built with: `turbo` is the production build, `pure` the default one.
const BUILD: &str = if cfg!(feature = "turbo") { "turbo" } else { "pure" };

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
pub(crate) fn serve() -> Result<()> {
    let renderer = Renderer::new()?;
    say(&Hello { version: format!("mediaflow {} ({BUILD})", env!("CARGO_PKG_VERSION")) })?;
    for line in std::io::stdin().lines() {
        say(&measure(&renderer, &serde_json::from_str(&line?)?)?)?;
    }
    Ok(())
}

fn measure(renderer: &Renderer, request: &Request) -> Result<Answer> {
    let input = Blob::from(std::fs::read(&request.input)?);
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

/// What a worker of mediaflow does with one photo: probe, plan, run. On one thread, as its peers.
struct Renderer {
    runtime: tokio::runtime::Runtime,
    registry: Registry,
    cx: RunContext,
}

impl Renderer {
    fn new() -> Result<Self> {
        let mut registry = Registry::new();
        image::operations(&mut registry);
        let cx = RunContext::builder(CpuPool::new(1), Scratch::in_folder(std::env::temp_dir()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { runtime, registry, cx: cx.build(None) })
    }

    /// One JPEG per width, in order.
    fn render(&self, input: &Blob, widths: &[u32], quality: u8) -> Result<Vec<Vec<u8>>> {
        let file = MediaFile::sniff("input", input.clone())?;
        let place = |width: u32| format!("out/{width}.jpg");
        let chained = widths.iter().fold(Pipeline::from("in/input.jpg"), |pipeline, width| {
            let resize = ops::Resize::width(*width);
            pipeline.output(place(*width), |photo| photo.then(resize).jpeg(quality))
        });
        let pipeline = chained.build()?;
        let limits = Limits::default();
        let mut outputs = self.runtime.block_on(async {
            let backend = self.registry.backend_for_format(&Format::JPEG)?;
            let infos = [(SOURCE.to_owned(), backend.probe(&file, &limits).await?)].into();
            let units = planner::plan(&pipeline, &infos, &self.registry, &limits)?.into_units();
            match units.into_iter().next() {
                Some(Unit::Group { plan, .. }) => {
                    plan.run(Inputs::one(file), &self.cx).await?.into_outputs()
                }
                other => panic!("the plan is one group of the image backend, not {other:?}"),
            }
        })?;
        let read = |width: &u32| -> Result<Vec<u8>> {
            let made = outputs.take(&pipeline.outputs[&place(*width)].from)?.into_file()?;
            Ok(made.blob().read(u64::MAX)?.to_vec())
        };
        widths.iter().map(read).collect()
    }
}
