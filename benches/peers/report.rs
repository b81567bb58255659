//! From samples to lines: `ratio`, `memory` and `quality` for the terminal and for `RESULTS.md`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::contest::{Contestant, Task};
use super::input::{self, Sources};
use super::machine::machine;
use super::pixels::Measured;

/// CPU, wall and threads of each round, and the peaks, by task and contestant.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    times: BTreeMap<(Task, &'static str), Times>,
    peaks_kb: BTreeMap<(Task, &'static str), u64>,
}

#[derive(Debug, Default)]
struct Times {
    cpu_ms: Vec<f64>,
    wall_ms: Vec<f64>,
    threads: u64,
}

impl Samples {
    pub(crate) fn time(
        &mut self,
        who: &Contestant,
        task: Task,
        cpu_ms: f64,
        wall_ms: f64,
        threads: u64,
    ) {
        let times = self.times.entry((task, who.name())).or_default();
        times.cpu_ms.push(cpu_ms);
        times.wall_ms.push(wall_ms);
        times.threads = times.threads.max(threads);
    }

    pub(crate) fn memory(&mut self, who: &Contestant, task: Task, peak_kb: u64) {
        self.peaks_kb.insert((task, who.name()), peak_kb);
    }

    /// Our CPU time divided by the peer's, round by round, sorted.
    fn ratios(&self, task: Task, ours: &Contestant, peer: &Contestant) -> Vec<f64> {
        self.divided(task, ours, peer, |times| &times.cpu_ms)
    }

    /// The time that one waits for a contestant divided by another's.
    fn latencies(&self, task: Task, who: &Contestant, other: &Contestant) -> Vec<f64> {
        self.divided(task, who, other, |times| &times.wall_ms)
    }

    fn divided(
        &self,
        task: Task,
        who: &Contestant,
        other: &Contestant,
        of: impl Fn(&Times) -> &Vec<f64>,
    ) -> Vec<f64> {
        let of = |who: &Contestant| self.times.get(&(task, who.name())).map(&of);
        let (Some(who), Some(other)) = (of(who), of(other)) else { return Vec::new() };
        let mut ratios: Vec<f64> = who.iter().zip(other).map(|(who, other)| who / other).collect();
        ratios.sort_by(f64::total_cmp);
        ratios
    }
}

/// The goals for five renditions on two cores: the time that one waits for them, and CPU time, in parts of those on one.
const LATENCY_GOAL: f64 = 0.65;
const CPU_GOAL: f64 = 1.05;

/// One rendition beside the reference.
#[derive(Debug)]
pub(crate) struct Check {
    pub(crate) task: Task,
    pub(crate) width: u32,
    pub(crate) who: &'static str,
    pub(crate) measured: Measured,
    pub(crate) failed: bool,
}

/// What is printed, in order of appearance.
#[derive(Debug)]
pub(crate) struct Report {
    setting: Vec<String>,
    versions: BTreeMap<&'static str, String>,
    ratios: Vec<String>,
    costs: Vec<String>,
    memory: Vec<String>,
    quality: Vec<String>,
    missed: Vec<String>,
}

impl Report {
    pub(crate) fn new(sources: &Sources, rounds: usize) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a file size in MB")]
        let size = |file: &Path| file.metadata().map_or(0.0, |data| data.len() as f64 / 1e6);
        let Sources {
            photo: [photo],
            progressive: [progressive],
            png: [png],
            large: [large],
            demo,
            ..
        } = sources;
        let (width, height, times) = (input::WIDTH, input::HEIGHT, input::TIMES);
        let small: f64 = demo.iter().map(|photo| size(photo)).sum();
        let setting = vec![
            format!("machine {}", machine()),
            format!("input {width} x {height} JPEG 4:2:0, {:.1} MB", size(photo)),
            format!("progressive the same, {:.1} MB", size(progressive)),
            format!("demo {} photos of examples/media, {small:.1} MB", demo.len()),
            format!("png {} x {} PNG, {:.1} MB", input::PNG.0, input::PNG.1, size(png)),
            format!("large {} x {} PNG, {:.1} MB", width * times, height * times, size(large)),
            format!("rounds {rounds}, interleaved, one core, CPU time of the whole process"),
        ];
        Self {
            setting,
            versions: BTreeMap::new(),
            ratios: Vec::new(),
            costs: Vec::new(),
            memory: Vec::new(),
            quality: Vec::new(),
            missed: Vec::new(),
        }
    }

    pub(crate) fn version(&mut self, who: &Contestant, version: String) {
        self.versions.insert(who.name(), version);
    }

    /// Works out ratios, costs and memory.
    pub(crate) fn summarise(&mut self, contestants: &[Contestant], samples: &Samples) {
        for task in Task::ALL {
            let ours = || contestants.iter().filter(|who| who.is_ours());
            for ours in ours().filter(|who| !who.has_two_cores()) {
                for peer in contestants.iter().filter(|who| !who.is_ours()) {
                    self.ratio(task, ours, peer, &samples.ratios(task, ours, peer));
                }
            }
            let one = ours().find(|who| !who.has_two_cores());
            if let (Some(one), Some(two)) = (one, ours().find(|who| who.has_two_cores())) {
                self.latency(task, &samples.latencies(task, two, one), LATENCY_GOAL, "latency");
                self.latency(task, &samples.ratios(task, two, one), CPU_GOAL, "latency-cpu");
                for peer in contestants.iter().filter(|who| !who.is_ours() && who.has_two_cores()) {
                    self.wait(task, peer, &samples.latencies(task, two, peer));
                }
            }
            for who in contestants {
                self.cost(task, who, samples);
                self.peak(task, who, samples);
            }
        }
    }

    fn ratio(&mut self, task: Task, ours: &Contestant, peer: &Contestant, ratios: &[f64]) {
        // The task's word names the build where it is not the plain one.
        let build = ours.name().strip_prefix("mediaflow").unwrap_or_default();
        let what = format!("ratio {}{build} {}", task.name(), peer.name());
        self.median(&what, ratios, task.ratio_goal(ours, peer));
    }

    /// What two cores take in parts of what one takes.
    fn latency(&mut self, task: Task, ratios: &[f64], goal: f64, what: &str) {
        let goal = (task == Task::Five).then_some(goal);
        self.median(&format!("{}-{what}", task.name()), ratios, goal);
    }

    /// The time that one waits for mediaflow in parts of that for a peer.
    fn wait(&mut self, task: Task, peer: &Contestant, ratios: &[f64]) {
        let what = format!("wait {} {}", task.name(), peer.name());
        self.median(&what, ratios, task.wait_goal(peer));
    }

    /// A line of the median of sorted ratios, if there are any.
    fn median(&mut self, what: &str, ratios: &[f64], goal: Option<f64>) {
        let [lowest, .., highest] = ratios else { return };
        let median = ratios[ratios.len() / 2];
        self.ratios.push(format!("{what} {median:.2} {} ({lowest:.2}..{highest:.2})", said(goal)));
        self.judge(what, median, goal);
    }

    fn cost(&mut self, task: Task, who: &Contestant, samples: &Samples) {
        let Some(times) = samples.times.get(&(task, who.name())) else { return };
        let (cpu, wall) = (median(&times.cpu_ms), median(&times.wall_ms));
        let (task, who, threads) = (task.name(), who.name(), times.threads);
        self.costs.push(format!(
            "cost {task} {who} {cpu:.1} ms CPU, {wall:.1} ms wall, {threads} threads"
        ));
    }

    fn peak(&mut self, task: Task, who: &Contestant, samples: &Samples) {
        let Some(&peak_kb) = samples.peaks_kb.get(&(task, who.name())) else { return };
        #[allow(clippy::cast_precision_loss, reason = "kilobytes and pixels, far below 2^52")]
        let Some(per_pixel) = task.pixels().map(|pixels| peak_kb as f64 * 1024.0 / pixels as f64)
        else {
            return;
        };
        let what = format!("memory {} {}", task.name(), who.name());
        let goal = task.memory_goal(who);
        self.memory.push(format!("{what} {per_pixel:.2} {} ({peak_kb} kB)", said(goal)));
        self.judge(&what, per_pixel, goal);
    }

    pub(crate) fn quality(&mut self, check: &Check) {
        let &Check { task, width, who, measured, failed } = check;
        let Measured { size: (columns, rows), bytes, psnr } = measured;
        let what = format!("quality {}-{width} {who}", task.name());
        let verdict = if failed { " FAILED: not equal to sharp" } else { "" };
        self.quality
            .push(format!("{what} {psnr:.2} dB ({columns} x {rows}, {bytes} bytes){verdict}"));
        if failed {
            self.missed.push(what);
        }
    }

    /// The bytes of a file in parts of those of sharp's, where that has a goal.
    pub(crate) fn bytes(&mut self, task: Task, ours: &Contestant, ratio: f64) {
        let Some(goal) = task.bytes_goal() else { return };
        let build = ours.name().strip_prefix("mediaflow").unwrap_or_default();
        let what = format!("bytes {}{build} sharp", task.name());
        self.quality.push(format!("{what} {ratio:.2} {}", said(Some(goal))));
        self.judge(&what, ratio, Some(goal));
    }

    fn judge(&mut self, what: &str, value: f64, goal: Option<f64>) {
        if let Some(goal) = goal.filter(|goal| value > *goal) {
            self.missed.push(format!("{what} by {:.0} %", (value / goal - 1.0) * 100.0));
        }
    }

    fn sections(&self) -> [(&'static str, Vec<String>); 6] {
        let versions = self.versions.iter().map(|(who, version)| format!("{who}: {version}"));
        let missed = match &self.missed[..] {
            [] => vec!["every goal is met".to_owned()],
            missed => missed.iter().map(|what| format!("missed {what}")).collect(),
        };
        [
            ("Setting", self.setting.iter().cloned().chain(versions).collect()),
            ("Quality: PSNR against an exact Lanczos3 resize", self.quality.clone()),
            ("Cost: median of the rounds", self.costs.clone()),
            ("Peak memory above the input, in bytes per source pixel", self.memory.clone()),
            (
                "CPU time of mediaflow divided by the peer's: median (lowest..highest)",
                self.ratios.clone(),
            ),
            ("Goals", missed),
        ]
    }

    /// For the terminal: the lines alone, goals last.
    pub(crate) fn lines(&self) -> String {
        let mut text = String::new();
        for line in self.sections().iter().flat_map(|(_, lines)| lines) {
            let _ = writeln!(text, "{line}"); // a String takes every write
        }
        text
    }

    /// The same as a page.
    pub(crate) fn markdown(&self) -> String {
        let mut body = String::new();
        for (title, lines) in self.sections() {
            let _ = writeln!(body, "\n## {title}\n\n    {}", lines.join("\n    "));
        }
        include_str!("RESULTS.template.md").replace("{{results}}", body.trim())
    }
}

fn said(goal: Option<f64>) -> String {
    goal.map_or_else(|| "goal -".to_owned(), |goal| format!("goal <= {goal}"))
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
