//! An upload backend: photos and clips come in, renditions go out in the background, and a second process is told by
//! signed webhooks. One upload is broken, and the receiver is killed and started again in the middle: the failure is
//! told, and no notification is lost.
//!
//! Run it with `make demo`. It ends with the path of a page that shows what went in and what came out.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its reader")]

mod bars;
mod page;
mod receiver;
mod uploads;

use std::path::Path;
use std::time::{Duration, Instant};

use mediaflow::prelude::*;
use mediaflow::report::JobStatus;
use mediaflow::worker::DeliveryPolicy;

type Anyhow<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Shared with the receiver; a real one comes from the host's secret store.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwbWVkaWFmbG93";

#[tokio::main]
async fn main() -> Anyhow<()> {
    let args: Vec<String> = std::env::args().collect();
    match args.get(1).map(String::as_str) {
        Some("receive") => receiver::serve(args.get(2).map_or("0", String::as_str).parse()?).await,
        _ => demo(Path::new("target/demo")).await,
    }
}

async fn demo(folder: &Path) -> Anyhow<()> {
    uploads::prepare(folder)?;
    let bars = bars::Bars::new();
    let mut receiver = receiver::Process::start(0, bars.clone()).await?;
    let place = format!("127.0.0.1:{}", receiver.port());
    bars.say(&format!("receiver: a second process listens on {place}"));

    let admins = bars.clone();
    let media = Mediaflow::builder()
        .storage("uploads", &format!("file:{}", folder.join("uploads").display()))
        .storage("public", &format!("file:{}", folder.join("public").display()))
        .with(image::operations)
        .with(video::operations)
        .notify(
            Webhook::to(format!("http://{place}/hooks/media"))
                .sign(SECRET)
                .allow_private(&place)
                .on([JobCompleted, JobFailed, BatchCompleted]),
        )
        .notify(
            notify_fn("admins", move |event: Event| {
                let admins = admins.clone();
                async move {
                    admins.say(&format!("admins: {} {}", event.kind, failure(&event)));
                    Ok(())
                }
            })
            .on([JobFailed, DeliveryFailed]),
        )
        .delivery(DeliveryPolicy::every(Duration::from_millis(500), 100))
        .start()
        .await?;

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

    // The receiver dies in the middle, and comes back on the same port.
    receiver.verified(1).await?;
    receiver.kill().await?;
    bars.say("receiver: killed");
    for bar in watching {
        bar.await??;
    }
    let mut ended: Vec<JobStatus> = Vec::new();
    for job in &jobs {
        ended.push(job.ended().await?);
    }
    receiver.restart().await?;
    bars.say("receiver: back; what it missed arrives now");
    receiver.verified(expected).await?;
    media.shutdown(Duration::from_secs(10)).await?;
    receiver.kill().await?;

    let failed = ended.iter().filter(|status| status.failure.is_some()).count();
    println!(
        "\n{} jobs in {:.1} s: {} succeeded, {failed} failed as it should",
        jobs.len(),
        begin.elapsed().as_secs_f64(),
        jobs.len() - failed
    );
    println!("{expected} signed webhooks expected, {} verified, 0 lost", receiver.distinct());
    let page = page::write(folder, &names, &ended)?;
    println!("{}", page.display());
    if failed == 1 {
        Ok(())
    } else {
        Err(format!("one upload is broken, but {failed} jobs failed").into())
    }
}

fn failure(event: &Event) -> String {
    match &event.data {
        mediaflow::event::EventData::Job(report) => {
            report.failure.as_ref().map(ToString::to_string).unwrap_or_default()
        }
        mediaflow::event::EventData::Delivery { channel, reason, .. } => {
            format!("{channel}: {reason}")
        }
        _ => String::new(),
    }
}
