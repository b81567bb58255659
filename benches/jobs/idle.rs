//! What a worker costs that has nothing to do: processor time of its process, and of the server's processes beside it.

use std::collections::HashMap;
use std::fs;
use std::time::{Duration, Instant};

use super::child::Child;
use super::report::{Goal, Report};
use super::site::Site;
use super::{Result, host, soon, step};

/// What comes with the start, such as the first election of a leader, is not counted.
const SETTLES: Duration = Duration::from_secs(3);
const WATCHED: Duration = Duration::from_secs(20);

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let place = site.fresh().await?;
    let mut child = Child::start(&place).await?;
    // It has worked before, as every worker has.
    let submitter = host::submitter(&place).await?;
    let job = submitter.submit(step::job(step::number())?).await?;
    soon("the end of a job", job.done()).await??;
    host::stop(submitter).await?;

    tokio::time::sleep(SETTLES).await;
    let (begin, before, server_before) = (Instant::now(), child.cpu().await?, server(site)?);
    tokio::time::sleep(WATCHED).await;
    let (used, server_used) = (child.cpu().await? - before, server(site)? - server_before);
    let share = |millis: f64| millis / begin.elapsed().as_secs_f64() / 10.0;

    let note = match site {
        Site::Sqlite { .. } => "of one core".to_owned(),
        Site::Postgres(_) => format!("of one core; the server {:.1} %", share(server_used)),
    };
    report.figure(site, "idle", share(used), "%", Goal::AtMost(1.0), &note);
    child.kill().await
}

/// The processor time of all processes of the server so far, in milliseconds.
fn server(site: &Site) -> Result<f64> {
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
