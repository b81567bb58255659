//! Processor time, in milliseconds: of this process and of a server beside it.

use std::collections::HashMap;
use std::fs;

use super::Result;
use super::site::Site;

/// Of all threads of this process, so far.
pub(crate) fn here() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Of all processes of the server that run now, so far. There is none beside a file.
pub(crate) fn server(site: &Site) -> Result<f64> {
    let Site::Postgres(server) = site else { return Ok(0.0) };
    let pids = fs::read_to_string(server.folder().join("data/postmaster.pid"))?;
    let first: u32 = pids.lines().next().unwrap_or_default().trim().parse()?;
    let mut parents = HashMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        // A process may have ended since it was listed.
        let Ok(stat) = fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name, in parentheses, can hold anything.
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let number = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
        if let (Some(parent), Some(user), Some(system)) = (number(1), number(11), number(12)) {
            parents.insert(pid, (parent, user + system));
        }
    }
    let ours =
        parents.iter().filter(|(pid, (parent, _))| **pid == first || *parent == u64::from(first));
    let ticks: u64 = ours.map(|(_, (_, ticks))| ticks).sum();
    // Linux counts there in hundredths of a second, on every machine.
    Ok(ticks as f64 * 10.0)
}
