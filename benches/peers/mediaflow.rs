//! mediaflow as a worker: this program started again with `--worker`.

use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use mediaflow::image::{self, ImageEncoders as _};
use mediaflow::media::{Blob, MediaFile, Scratch};
use mediaflow::ops::Resize;
use mediaflow::spec::{Chain, Pipeline, SOURCE};
use mediaflow::spi::planner::{self, Unit};
use mediaflow::spi::{CpuPool, RunContext};
use mediaflow::{Inputs, Limits, Registry};
use rustix::time::{ClockId, clock_gettime};
use serde::Deserialize;

use super::Result;
use super::child::{Answer, Hello};
use super::jobs::Jobs;

/// Which decoder this program was built with: `turbo` is the production build, `pure` the default one.
const BUILD: &str = if cfg!(feature = "turbo") { "turbo" } else { "pure" };

/// The worker's end of [`super::child::Request`].
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    task: String,
    pub(crate) inputs: Vec<PathBuf>,
    pub(crate) out: PathBuf,
    pub(crate) widths: Vec<u32>,
    format: String,
    pub(crate) quality: u8,
    repeat: u32,
}

/// Answers requests from standard input until it ends.
pub(crate) fn serve() -> Result<()> {
    let renderer = Renderer::new()?;
    // In memory, and on SQLite.
    let mut hosts: [Option<Jobs>; 2] = [None, None];
    say(&Hello { version: format!("mediaflow {} ({BUILD})", env!("CARGO_PKG_VERSION")) })?;
    for line in std::io::stdin().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let on_file = request.task == "many";
        say(&if on_file || request.task.ends_with("-job") {
            let host = &mut hosts[usize::from(on_file)];
            let jobs = match host {
                Some(jobs) => jobs,
                none => none.insert(Jobs::start(&request, on_file)?),
            };
            measure(&request, || jobs.run(&request).map(|()| None))
        } else {
            let read = |path| Ok(Blob::from(std::fs::read(path)?));
            let inputs = request.inputs.iter().map(read).collect::<Result<Vec<_>>>()?;
            measure(&request, || {
                let made: Result<Vec<_>> =
                    inputs.iter().map(|input| renderer.render(input, &request)).collect();
                made.map(Some)
            })
        }?)?;
    }
    Ok(())
}

/// Measures `work`, which gives one file for each input and width, or has written them already.
fn measure(
    request: &Request,
    work: impl Fn() -> Result<Option<Vec<Vec<Vec<u8>>>>>,
) -> Result<Answer> {
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
    let places = (0..request.inputs.len()).flat_map(|input| {
        let place = move |width| request.out.join(format!("{input}-{width}.{}", request.format));
        request.widths.iter().map(place)
    });
    let files: Vec<_> = places.collect();
    for (file, bytes) in files.iter().zip(outputs.into_iter().flatten().flatten()) {
        std::fs::write(file, bytes)?;
    }
    Ok(Answer {
        cpu_ms: per_run(cpu),
        wall_ms: per_run(wall),
        peak_kb,
        threads: status("Threads")?,
        files,
    })
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

    /// One file per width, in order.
    fn render(&self, input: &Blob, request: &Request) -> Result<Vec<Vec<u8>>> {
        let file = MediaFile::sniff("input", input.clone())?;
        let place = |width: u32| format!("out/{width}");
        let source = Pipeline::from("in/input");
        let chained = request.widths.iter().fold(source, |pipeline, width| {
            pipeline.output(place(*width), |photo| made(photo, *width, request))
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
        request.widths.iter().map(read).collect()
    }
}

/// What is asked for, as a user of mediaflow writes it.
fn made(photo: Chain, width: u32, request: &Request) -> Chain {
    let small = photo.resize(Resize::width(width));
    match (&*request.task, &*request.format) {
        #[cfg(feature = "text")]
        ("chain", _) => {
            let credit = mediaflow::ops::Text::new("\u{a9} Ada").size(28.0).offset(12);
            small.saturation(1.2).contrast(1.1).text(credit).jpeg(request.quality)
        }
        (_, "png") => small.png(),
        (_, "webp") => small.webp(request.quality),
        _ => small.jpeg(request.quality),
    }
}
