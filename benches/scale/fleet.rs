//! What a fleet of workers costs the server while there is nothing to do.

use std::time::{Duration, Instant};

use super::child::Child;
use super::report::{Goal, Report};
use super::site::Site;
use super::{Result, cpu};

const PROCESSES: usize = 5;
/// Workers in one process.
const TOGETHER: usize = 10;

/// What comes with the start, such as the election of a leader, is not counted.
const SETTLES: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(40);

pub(crate) async fn measure(site: &Site, report: &mut Report) -> Result<()> {
    let place = site.fresh().await?;
    let mut children = Vec::new();
    for _ in 0..PROCESSES {
        let mut child = Child::of(TOGETHER, &place)?;
        child.hear("ready").await?;
        children.push(child);
    }
    tokio::time::sleep(SETTLES).await;
    let own = async |children: &mut [Child]| {
        let mut sum = 0.0;
        for child in children {
            sum += child.cpu().await?;
        }
        Ok::<_, super::engines::Error>(sum)
    };
    let before = own(&mut children).await?;
    let (begin, server) = (Instant::now(), cpu::server(site)?);
    tokio::time::sleep(WATCHED).await;
    let server = cpu::server(site)? - server;
    let took = begin.elapsed().as_secs_f64();
    let own = own(&mut children).await? - before;
    let share = |millis: f64| millis / took / 10.0;
    let workers = PROCESSES * TOGETHER;
    let note = format!(
        "the server's part of one core with {workers} workers; these use {:.1} % each",
        share(own) / workers as f64
    );
    report.figure(site, "idle-fleet", share(server), "%", Goal::AtMost(3.0), &note);
    for child in children {
        child.kill().await?;
    }
    Ok(())
}
