//! What every benchmark shares: what it says of the machine that it ran on, its arguments, and its report.
#![allow(dead_code, reason = "each benchmark uses another part of it")]

pub(crate) mod options;
pub(crate) mod report;

pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// The processor and its cores in general words; nothing that names a host.
pub(crate) fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find(|line| line.starts_with("model name"));
    let model =
        model.and_then(|line| line.split_once(": ")).map_or("unknown processor", |(_, name)| name);
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    format!("{model}, {cores} cores")
}
