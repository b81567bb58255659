//! A photo and a clip fail. Whoever uploaded them reads what to do, by e-mail and push through Courier, in their own language;
//! the admins read in Slack what broke and where. Each message arrives once, although Courier is away at first and the worker
//! is killed meanwhile. Courier and Slack are servers in this process, which speak the services' own formats.
//!
//! `cargo run --features video,sqlite,courier,slack --example failure_routing`. It ends with the path of a page that shows the
//! messages as their readers see them.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "an example talks to its reader")]

mod host;
mod page;
mod services;

use std::path::Path;
use std::time::Duration;

use mediaflow::inspect::{MessageFilter, MessageState, Paging};
use mediaflow::prelude::*;
use mediaflow::report::JobState;
use tokio::time::{sleep, timeout};

use services::{Services, Told};

type Anyhow<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[tokio::main]
async fn main() -> Anyhow<()> {
    let args: Vec<String> = std::env::args().collect();
    let folder = Path::new("target/failure_routing");
    match args.get(1).map(String::as_str) {
        Some("work") => host::work(folder, args.get(2).ok_or("no address of the services")?).await,
        _ => story(folder).await,
    }
}

async fn story(folder: &Path) -> Anyhow<()> {
    prepare(folder)?;
    let services = Services::start().await?;
    let media = host::builder(folder, services.address()).submit_only().start().await?;
    let worker = host::Process::start(services.address())?;

    // Each belongs to somebody.
    let photo = Pipeline::from("uploads/mountains.jpg")
        .output("public/mountains.webp", |photo| photo.resize((800, 800, Fit::Inside)).webp(80))
        .build()?;
    let clip = Pipeline::from("uploads/bunny.mp4")
        .output("public/bunny.mp4", |clip| clip.resize((320, 320, Fit::Inside)).mp4(26))
        .build()?;
    let photo = media.job(photo).owner("ada").submit().await?;
    let clip = media.job(clip).owner("bo").submit().await?;
    for job in [&photo, &clip] {
        let status = timeout(PATIENCE, job.ended()).await??;
        if status.state != JobState::Failed {
            return Err(format!("a broken upload is {}", status.state).into());
        }
    }
    println!("both uploads have failed, as they should");

    // Slack has been told, Courier is away: what it could not take waits. Now the worker dies.
    until_delivered(&media, "slack", 2).await?;
    services.refused(4).await?;
    worker.kill().await?;
    println!("worker: killed, with four messages that wait for Courier");
    services.open();
    let worker = host::Process::start(services.address())?;
    println!("worker: a new process goes on with the same file");
    until_delivered(&media, "email", 2).await?;
    until_delivered(&media, "push", 2).await?;
    worker.dismiss().await?;

    let told = services.told();
    check(&told)?;
    for told in &told {
        println!("{}: {}", told.to, told.title);
    }
    println!("{} messages, each of them once", told.len());
    println!("{}", page::write(folder, &told)?.display());
    Ok(())
}

/// An upload of each kind, cut off in the middle.
fn prepare(folder: &Path) -> Anyhow<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    for name in ["uploads", "scratch"] {
        std::fs::create_dir_all(folder.join(name))?;
    }
    for name in ["mountains.jpg", "bunny.mp4"] {
        let whole = std::fs::read(Path::new("examples/media").join(name))?;
        std::fs::write(folder.join("uploads").join(name), &whole[..whole.len() / 2])?;
    }
    Ok(())
}

/// Waits until so many messages through a channel are known to have arrived.
async fn until_delivered(media: &Mediaflow, channel: &str, count: usize) -> Anyhow<()> {
    let look = async {
        loop {
            let filter = MessageFilter::new().state(MessageState::Delivered);
            let page = media.inspect().messages(&filter, &Paging::first(100)).await?;
            let arrived = page.items.iter().filter(|message| message.channel == channel);
            if arrived.count() >= count {
                return Ok(());
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(PATIENCE, look).await.map_err(|_| format!("{channel}: messages are missing"))?
}

/// Whether the right ones were told the right thing, once.
fn check(told: &[Told]) -> Anyhow<()> {
    let expected = [
        ("Slack: admins", "mountains.jpg could not be processed", "image."),
        ("Slack: admins", "bunny.mp4 could not be processed", "video."),
        ("e-mail: ada@example.com", "mountains.jpg could not be processed", "upload it again"),
        ("push: ada", "mountains.jpg could not be processed", "upload it again"),
        ("e-mail: bo@example.com", "bunny.mp4 konnte nicht", "noch einmal"),
        ("push: bo", "bunny.mp4 konnte nicht", "noch einmal"),
    ];
    for (to, title, says) in expected {
        let fits = |told: &&Told| {
            told.to == to && told.title.contains(title) && told.text().contains(says)
        };
        match told.iter().filter(fits).count() {
            1 => {}
            found => {
                return Err(format!(
                    "{to}: {found} messages of `{title}` with `{says}`: {told:#?}"
                )
                .into());
            }
        }
    }
    if told.len() != expected.len() {
        return Err(
            format!("{} messages, and not {}: {told:#?}", told.len(), expected.len()).into()
        );
    }
    Ok(())
}
