//! The application: who is told of what, and a process that works and tells.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use mediaflow::event::Audience;
use mediaflow::notifiers::{Courier, Slack};
use mediaflow::notify::{Person, Recipients, Route, Whom};
use mediaflow::prelude::*;
use mediaflow::{Builder, DeliveryPolicy, RetryPolicy};
use tokio::process::{Child, Command};

use crate::Anyhow;

/// The users of the application.
#[derive(Debug)]
struct Users;

#[async_trait]
impl Recipients for Users {
    async fn people(&self, whom: &Whom) -> mediaflow::Result<Vec<Person>> {
        let Some(owner) = whom.owner.as_deref() else { return Ok(Vec::new()) };
        let user = Person::new(owner)
            .at("email", format!("email:{owner}@example.com"))
            .at("push", format!("user:{owner}"));
        Ok(vec![if owner == "bo" { user.locale("de") } else { user }])
    }
}

/// The same in every process. Slack and Courier listen at `services`.
pub(crate) fn builder(folder: &Path, services: &str) -> Builder {
    let place = format!("http://{services}");
    let courier =
        |name: &str| Courier::api("pk_test").endpoint(&*place).name(name).allow_private(services);
    Mediaflow::builder()
        .engine(Sqlite::open(folder.join("jobs.db")))
        .storage("uploads", &format!("file:{}", folder.join("uploads").display()))
        .storage("public", &format!("file:{}", folder.join("public").display()))
        .scratch(folder.join("scratch"))
        .with(image::operations)
        .with(video::operations)
        .notify(Slack::webhook(format!("{place}/services/T0/B0/secret")).allow_private(services))
        .notify(courier("email"))
        .notify(courier("push"))
        .recipients(Users)
        .route(Route::on([JobFailed]).audience(Audience::Owner).to("email").to("push"))
        .route(Route::on([JobFailed]).audience(Audience::Admin).to("slack"))
        .retry(RetryPolicy { max_attempts: 1, ..RetryPolicy::default() })
        .delivery(DeliveryPolicy {
            breaker_after: 0,
            ..DeliveryPolicy::every(Duration::from_millis(500), 100)
        })
}

/// Works until it is killed, or its input ends: because it may go home, or because its parent has gone.
pub(crate) async fn work(folder: &Path, services: &str) -> Anyhow<()> {
    let media = builder(folder, services).start().await?;
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    media.shutdown(Duration::from_secs(10)).await?;
    Ok(())
}

/// The worker as its parent sees it.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn start(services: &str) -> Anyhow<Self> {
        let worker = Command::new(std::env::current_exe()?)
            .args(["work", services])
            .stdin(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self(worker))
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
