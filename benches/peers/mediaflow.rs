//! mediaflow as a worker: this program started again with `--worker`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mediaflow::image::{self, ImageEncoders as _};
use mediaflow::media::{Blob, MediaFile, Scratch};
use mediaflow::ops::Resize;
use mediaflow::spec::{Pipeline, SOURCE};
use mediaflow::spi::planner::{self, Unit};
use mediaflow::spi::{CpuPool, RunContext};
use mediaflow::{Inputs, Limits, Registry};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

use super::Result;
use super::child::{Answer, Hello};
use super::whole_job::Jobs;

/// Which decoder this program was built with: `turbo` is the production build, `pure` the default one.
const BUILD: &str = if cfg!(feature = "turbo") { "turbo" } else { "pure" };

/// The worker's end of [`super::child::Request`].
#[derive(Debug, Deserialize)]
struct Request {
    task: String,
    input: PathBuf,
    out: PathBuf,
    widths: Vec<u32>,
    quality: u8,
    repeat: u32,
}

/// Answers requests from standard input until it ends.
pub(crate) fn serve() -> Result<()> {
    let renderer = Renderer::new()?;
    let mut jobs = None;
    say(&Hello { version: format!("mediaflow {} ({BUILD})", env!("CARGO_PKG_VERSION")) })?;
    for line in std::io::stdin().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        say(&if request.task == "whole-job" {
            let jobs = match &mut jobs {
                Some(jobs) => jobs,
                none => none.insert(Jobs::start(&request.input, &request.out)?),
            };
            measure(&request, || jobs.run(&request.input, &request.widths, request.quality))
        } else {
            let input = Blob::from(std::fs::read(&request.input)?);
            measure(&request, || {
                renderer.render(&input, &request.widths, request.quality).map(Some)
            })
        }?)?;
    }
    Ok(())
}

/// Measures `work`, which gives one file for each width, or has written them already.
fn measure(request: &Request, work: impl Fn() -> Result<Option<Vec<Vec<u8>>>>) -> Result<Answer> {
    std::fs::write("/proc/self/clear_refs", "5")?; // VmHWM starts again from the present size
    let before = status("VmRSS")?;
    let (wall, cpu) = (Instant::now(), cpu_time()?);
    let mut outputs = None;
    for _ in 0..request.repeat {
        outputs = work()?;
    }
    let (wall, cpu) = (wall.elapsed(), cpu_time()? - cpu);
    let peak_kb = status("VmHWM")?.saturating_sub(before);
    let per_run = |time: Duration| time.as_secs_f64() * 1e3 / f64::from(request.repeat);
    let place = |width: &u32| request.out.join(format!("{width}.jpg"));
    Ok(Answer {
        cpu_ms: per_run(cpu),
        wall_ms: per_run(wall),
        peak_kb,
        threads: status("Threads")?,
        files: match outputs {
            Some(outputs) => save(&request.out, &request.widths, &outputs)?,
            None => request.widths.iter().map(place).collect(),
        },
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

/// What a worker of mediaflow does with one photo: probe, plan, run. On the cores that it is tied to, as its peers.
struct Renderer {
    runtime: tokio::runtime::Runtime,
    registry: Registry,
    cx: RunContext,
}

impl Renderer {
    fn new() -> Result<Self> {
        let mut registry = Registry::new();
        image::operations(&mut registry);
        let cx = RunContext::builder(CpuPool::per_core(), Scratch::in_folder(std::env::temp_dir()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        Ok(Self { runtime, registry, cx: cx.build(None) })
    }

    /// One JPEG per width, in order.
    fn render(&self, input: &Blob, widths: &[u32], quality: u8) -> Result<Vec<Vec<u8>>> {
        let file = MediaFile::sniff("input", input.clone())?;
        let place = |width: u32| format!("out/{width}.jpg");
        let chained = widths.iter().fold(Pipeline::from("in/input"), |pipeline, width| {
            let resize = Resize::width(*width);
            pipeline.output(place(*width), |photo| photo.resize(resize).jpeg(quality))
        });
        let pipeline = chained.build()?;
        let limits = Limits::default();
        let mut outputs = self.runtime.block_on(async {
            let reader = self.registry.reader_of(file.format())?;
            let infos = [(SOURCE.to_owned(), reader.probe(&file, &self.cx).await?)].into();
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
