//! An upload backend: photos and clips come in, a worker process makes renditions of them in the background, and a
//! receiver in a third process is told by signed webhooks. All jobs are in one SQLite file. One upload is broken; the
//! worker is killed in the middle, and so is the receiver: the failure is told, no job is lost, and no notification.
//!
//! Run it with `make demo`. It ends with the path of a page that shows what went in and what came out.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its reader")]

mod backend;
mod bars;
mod page;
mod receiver;
mod uploads;

use std::path::Path;
use std::time::Instant;

use mediaflow::JobHandle;
use mediaflow::report::{JobState, JobStatus};

use bars::Bars;

type Anyhow<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Shared with the receiver; a real one comes from the host's secret store.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwbWVkaWFmbG93";

#[tokio::main]
async fn main() -> Anyhow<()> {
    let args: Vec<String> = std::env::args().collect();
    let folder = Path::new("target/demo");
    let at = args.get(2).map_or("0", String::as_str);
    match args.get(1).map(String::as_str) {
        Some("receive") => receiver::serve(at.parse()?).await,
        Some("work") => backend::work(folder, at).await,
        _ => demo(folder).await,
    }
}

async fn demo(folder: &Path) -> Anyhow<()> {
    uploads::prepare(folder)?;
    let bars = Bars::new();
    let mut receiver = receiver::Process::start(0, bars.clone()).await?;
    let place = format!("127.0.0.1:{}", receiver.port());
    bars.say(&format!("receiver: a process listens on {place}"));
    let media = backend::builder(folder, &place).submit_only().start().await?;
    let worker = backend::Process::start(&place, bars.clone())?;
    bars.say(&format!("worker: a process works on {}", folder.join("jobs.db").display()));

    // Submit: returns at once.
    let begin = Instant::now();
    let photos = media.eager(uploads::photos()?).await?;
    let clips =
        [media.submit(uploads::clip()?).await?, media.submit(uploads::broken_clip()?).await?];
    let jobs: Vec<_> = photos.jobs().chain(clips).collect();
    bars.say(&format!(
        "submitted {} jobs in {:.1} ms; to whoever uploaded: {}",
        jobs.len(),
        begin.elapsed().as_secs_f64() * 1000.0,
        serde_json::to_string(&photos.ticket())?,
    ));
    let expected = jobs.len() + 1; // one webhook for each job, and one for the batch

    // Watch.
    let names = uploads::names();
    let watching: Vec<_> = jobs
        .iter()
        .zip(&names)
        .map(|(job, name)| tokio::spawn(bars.clone().watch(job.clone(), name.clone())))
        .collect();

    // The worker dies in the middle, and another one goes on with the same file.
    receiver.verified(1).await?;
    worker.kill().await?;
    bars.say(&format!("worker: killed, with {} jobs under way", running(&jobs).await?));
    let worker = backend::Process::start(&place, bars.clone())?;
    bars.say("worker: a new process goes on with the same file");

    // The receiver dies too, and comes back on the same port.
    receiver.verified(3).await?;
    receiver.kill().await?;
    bars.say("receiver: killed");
    for bar in watching {
        bar.await??;
    }
    let ended = statuses(&jobs).await?;
    receiver.restart().await?;
    bars.say("receiver: back; what it missed arrives now");
    receiver.verified(expected).await?;
    worker.dismiss().await?;
    receiver.kill().await?;

    let failed = ended.iter().filter(|status| status.failure.is_some()).count();
    let attempts: u32 = ended.iter().map(|status| status.attempts).sum();
    println!(
        "\n{} jobs in {:.1} s: {} succeeded, {failed} failed as it should",
        jobs.len(),
        begin.elapsed().as_secs_f64(),
        jobs.len() - failed
    );
    println!("{attempts} attempts: those that died with the worker were made again");
    println!("{expected} signed webhooks expected, {} verified, 0 lost", receiver.distinct());
    let page = page::write(folder, &names, &ended)?;
    println!("{}", page.display());
    if failed == 1 {
        Ok(())
    } else {
        Err(format!("one upload is broken, but {failed} jobs failed").into())
    }
}

async fn statuses(jobs: &[JobHandle]) -> mediaflow::Result<Vec<JobStatus>> {
    let mut statuses = Vec::new();
    for job in jobs {
        statuses.push(job.status().await?);
    }
    Ok(statuses)
}

async fn running(jobs: &[JobHandle]) -> mediaflow::Result<usize> {
    let statuses = statuses(jobs).await?;
    Ok(statuses.iter().filter(|status| status.state == JobState::Running).count())
}
