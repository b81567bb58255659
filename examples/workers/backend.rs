//! The application: the same in the process that submits and in those that work.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use mediaflow::Builder;
use mediaflow::prelude::*;
use mediaflow::{DeliveryPolicy, RetryPolicy};

use crate::Anyhow;

/// Shared with the receiver; a real one comes from the host's secret store.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwbWVkaWFmbG93";

/// A worker that is silent for so long is dead. The default is longer: this is a story for people who wait.
const LEASE: Duration = Duration::from_secs(2);

/// Where a process finds everything. Workers get it in their environment, where no other user can read the password.
#[derive(Clone)]
pub(crate) struct Place {
    pub(crate) database: String,
    pub(crate) receiver: String,
    pub(crate) folder: PathBuf,
}

pub(crate) const DATABASE: &str = "DATABASE_URL";
pub(crate) const RECEIVER: &str = "RECEIVER";

impl Place {
    /// Makes the folders, empty.
    pub(crate) fn new(database: &str, receiver: &str) -> Anyhow<Self> {
        let place = Self::in_folder(database, receiver);
        if place.folder.exists() {
            fs::remove_dir_all(&place.folder)?;
        }
        fs::create_dir_all(place.scratch())?;
        Ok(place)
    }

    fn of_parent() -> Anyhow<Self> {
        Ok(Self::in_folder(&std::env::var(DATABASE)?, &std::env::var(RECEIVER)?))
    }

    fn in_folder(database: &str, receiver: &str) -> Self {
        let folder = PathBuf::from("target/workers");
        Self { database: database.to_owned(), receiver: receiver.to_owned(), folder }
    }

    /// What a killed worker leaves in its temporary folder, nobody removes: so it is in ours.
    fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }
}

pub(crate) fn builder(place: &Place) -> Builder {
    Mediaflow::builder()
        .engine(Postgres::connect(&place.database).lease(LEASE).connections(4))
        .storage("uploads", "file:examples/media")
        .storage("public", &format!("file:{}", place.folder.join("public").display()))
        .scratch(place.scratch())
        .with(image::operations)
        .notify(
            Webhook::to(format!("http://{}/hooks/media", place.receiver))
                .sign(SECRET)
                .allow_private(&place.receiver)
                .on([JobCompleted, JobFailed, JobCancelled, BatchCompleted]),
        )
        .delivery(DeliveryPolicy::every(Duration::from_millis(500), 100))
        // An attempt whose worker is killed counts: a job that kills its workers must come to an end. Here it is not
        // the job's fault.
        .retry(RetryPolicy { max_attempts: 100, ..RetryPolicy::default() })
        .cores(1)
        .places("image", 2)
}

/// A worker: works until it is killed, or its input ends, because it is dismissed or its parent has gone.
pub(crate) async fn work() -> Anyhow<()> {
    let media = builder(&Place::of_parent()?).start().await?;
    println!("at work");
    tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()))
        .await??;
    media.shutdown(Duration::from_secs(5)).await?;
    Ok(())
}
