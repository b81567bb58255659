//! Bare River: one kind of job, whose worker does nothing, with the settings that our engines give it.

use std::time::Duration;

use riverqueue::migrate::{PostgresMigrator, SqliteMigrator};
use riverqueue::sqlx::Connection as _;
use riverqueue::sqlx::postgres::PgPoolOptions;
use riverqueue::sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use riverqueue::{
    Client, ClientBuilder, EventKind, EventReceiver, Job, JobArgs, MaintenanceConfig, QueueConfig,
    RunHandle, WorkOutcome, Workers,
};
use serde::{Deserialize, Serialize};

use super::Result;
use super::host::PLACES;
use super::site::Place;

#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "nothing")]
pub(crate) struct Nothing {
    pub(crate) job: String,
}

#[derive(Debug)]
pub(crate) struct River {
    pub(crate) client: Client,
    running: RunHandle,
}

impl River {
    pub(crate) async fn start(place: &Place) -> Result<Self> {
        let builder = match place {
            Place::Sqlite(path) => {
                let options = SqliteConnectOptions::new()
                    .filename(path)
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Full)
                    .foreign_keys(true)
                    .busy_timeout(Duration::from_secs(30))
                    .statement_cache_capacity(200);
                let pool = SqlitePoolOptions::new()
                    .max_connections(1)
                    .idle_timeout(None)
                    .max_lifetime(None)
                    .test_before_acquire(false)
                    .connect_with(options)
                    .await?;
                SqliteMigrator::new(pool.clone()).migrate_up().await?;
                Client::builder(pool)
            }
            Place::Postgres(url) => {
                let pool = PgPoolOptions::new()
                    .max_connections(10)
                    .test_before_acquire(false)
                    .before_acquire(|connection, known| {
                        let rested = known.idle_for >= Duration::from_secs(1);
                        Box::pin(async move { Ok(!rested || connection.ping().await.is_ok()) })
                    })
                    .connect(url)
                    .await?;
                PostgresMigrator::new(pool.clone()).migrate_up().await?;
                Client::builder(pool)
            }
        };
        let client = configured(builder)?;
        let running = client.start()?;
        Ok(Self { client, running })
    }

    pub(crate) fn completed(&self) -> Result<EventReceiver> {
        Ok(self.client.subscribe(&[EventKind::JobCompleted])?)
    }

    pub(crate) async fn stop(mut self) -> Result<()> {
        Ok(self.running.stop().await?)
    }
}

const COOLDOWN: Duration = Duration::from_millis(4);

fn configured(builder: ClientBuilder) -> Result<Client> {
    let poll = Duration::from_secs(1);
    let queue =
        QueueConfig::new(PLACES).with_fetch_cooldown(COOLDOWN).with_fetch_poll_interval(poll);
    let mut workers = Workers::new();
    workers.add_fn(async |_context, _job: Job<Nothing>| {
        Ok::<_, std::convert::Infallible>(WorkOutcome::Complete)
    })?;
    let client = builder
        .workers(workers)
        .queue("default", queue)
        .fetch_only_known_kinds(true)
        .fetch_cooldown(COOLDOWN)
        .without_job_timeout()
        .maintenance(MaintenanceConfig::default().with_scheduler_interval(poll));
    Ok(client.build()?)
}
