//! The application, and the process in which it works. Both share nothing but one SQLite file with whoever submits.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use mediaflow::Builder;
use mediaflow::DeliveryPolicy;
use mediaflow::event::EventData;
use mediaflow::prelude::*;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::bars::Bars;
use crate::{Anyhow, SECRET};

/// Where everything is, and `receiver` listens.
pub(crate) fn builder(folder: &Path, receiver: &str) -> Builder {
    Mediaflow::builder()
        .engine(Sqlite::open(folder.join("jobs.db")))
        .storage("uploads", &format!("file:{}", folder.join("uploads").display()))
        .storage("public", &format!("file:{}", folder.join("public").display()))
        .scratch(folder.join("scratch"))
        .with(image::operations)
        .with(video::operations)
        .notify(
            Webhook::to(format!("http://{receiver}/hooks/media"))
                .sign(SECRET)
                .allow_private(receiver)
                .on([JobCompleted, JobFailed, BatchCompleted]),
        )
        .notify(
            notify_fn("admins", async |event: Event| {
                println!("admins: {} {}", event.kind, failure(&event));
                Ok(())
            })
            .on([JobFailed, DeliveryFailed, DestinationDisabled]),
        )
        .places("image", 2) // one after the other on a small machine, so that there is a middle to be killed in
        // The receiver is away for some seconds only: it is tried all the time.
        .delivery(DeliveryPolicy {
            breaker_after: 0,
            ..DeliveryPolicy::every(Duration::from_millis(500), 100)
        })
}

/// Works until it is killed, or its input ends: because it may go home, or because its parent has gone.
pub(crate) async fn work(folder: &Path, receiver: &str) -> Anyhow<()> {
    let media = builder(folder, receiver).start().await?;
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    media.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}

/// The worker as its parent sees it.
pub(crate) struct Process(Child);

impl Process {
    /// Starts it; what it says is printed.
    pub(crate) fn start(receiver: &str, bars: Bars) -> Anyhow<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["work", receiver])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let out = child.stdout.take().ok_or("the worker has no output")?;
        tokio::spawn(async move {
            let mut lines = BufReader::new(out).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                bars.say(&line);
            }
        });
        Ok(Self(child))
    }

    /// Kills it, without a chance to say goodbye.
    pub(crate) async fn kill(mut self) -> Anyhow<()> {
        Ok(self.0.kill().await?)
    }

    /// Lets it finish what it has in hand.
    pub(crate) async fn dismiss(mut self) -> Anyhow<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait().await?;
        if status.success() { Ok(()) } else { Err(format!("the worker failed: {status}").into()) }
    }
}

fn failure(event: &Event) -> String {
    match &event.data {
        EventData::Job(report) => {
            report.failure.as_ref().map(ToString::to_string).unwrap_or_default()
        }
        EventData::Delivery(lost) => format!("{}: {}", lost.channel, lost.reason),
        EventData::Disabled { channel, reason, .. } => format!("{channel}: {reason}"),
        _ => String::new(),
    }
}
