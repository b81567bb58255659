use mediaflow_core::spec::JobSpec;
use mediaflow_core::{Error, JobId, Result, Timestamp};
use riverqueue::{Client, InsertOpts, JobArgs};
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use super::{Tx, Value};

/// Runs a job. River knows only its name.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "mediaflow.job")]
pub(crate) struct Run {
    pub(crate) job: JobId,
}

/// Runs a part of a job.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "mediaflow.part")]
pub(crate) struct Part {
    pub(crate) job: JobId,
    pub(crate) part: u32,
}

/// Puts the parts of a job together.
#[derive(Clone, Debug, Serialize, Deserialize, JobArgs)]
#[river(kind = "mediaflow.assemble")]
pub(crate) struct Assemble {
    pub(crate) job: JobId,
}

/// The classes of jobs, which are River's queues: each has its own number of places in a process.
pub(crate) const fn classes() -> [&'static str; 2] {
    ["mediaflow_image", "mediaflow_video"]
}

/// A job that needs a step on video or audio waits for a place among the videos.
pub(crate) fn class_of(spec: &JobSpec) -> &'static str {
    let [image, video] = classes();
    let moves = |kind: &String| kind.starts_with("video.") || kind.starts_with("audio.");
    if spec.requires.iter().any(moves) { video } else { image }
}

/// River knows four priorities, of which 1 is the most urgent.
pub(crate) fn priority_of(spec: &JobSpec) -> i16 {
    match spec.options.priority {
        10.. => 1,
        1..10 => 2,
        0 => 3,
        _ => 4,
    }
}

/// Attempts are counted in our tables; River only must not give up before.
const ATTEMPTS: i16 = i16::MAX;

impl Tx<'_, '_> {
    /// Puts something into River's queue. Gives River's number for it.
    pub(crate) async fn enqueue<A: JobArgs + Clone>(
        &mut self,
        client: &Client,
        args: A,
        class: &str,
        priority: i16,
        due: Option<Timestamp>,
    ) -> Result<i64> {
        let mut options = InsertOpts::default()
            .with_queue(class)
            .with_priority(priority)
            .with_max_attempts(ATTEMPTS.into());
        if let Some(due) = due {
            let millis = i64::try_from(due.millis()).unwrap_or(i64::MAX);
            let due = riverqueue::jiff::Timestamp::from_millisecond(millis)
                .unwrap_or(riverqueue::jiff::Timestamp::MAX);
            options = options.with_scheduled_at(due);
        }
        let request = client.insert(args).opts(options);
        let inserted = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(tx) => request.tx(&mut **tx).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(tx) => request.tx(&mut **tx).await,
        };
        inserted.map(|inserted| inserted.id()).map_err(failed)
    }

    /// Marks what River runs as done, together with everything else in the transaction: as River's own
    /// `Jobs::complete`, for many at once. Our rows decide who may end a job: that River has given its row to somebody
    /// else, or has lost it, changes nothing.
    pub(crate) async fn complete(&mut self, rivers: &[i64]) -> Result<()> {
        if rivers.is_empty() {
            return Ok(());
        }
        let now = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "now()",
        };
        let done = format!(
            "UPDATE river_job SET state = 'completed', finalized_at = {now}
             WHERE id IN {} AND state = 'running'",
            super::places(1, rivers.len())
        );
        let rivers: Vec<Value> = rivers.iter().copied().map(Value::from).collect();
        self.run(AssertSqlSafe(done), &rivers).await.map(drop)
    }

    /// Cancels what waits, or asks whoever runs it to stop.
    pub(crate) async fn cancel(&mut self, client: &Client, river: i64) -> Result<()> {
        let request = client.jobs().cancel(river);
        let done = match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(tx) => request.tx(&mut **tx).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(tx) => request.tx(&mut **tx).await,
        };
        match done {
            // Cleaned up already: nothing is left to cancel.
            Ok(_) | Err(riverqueue::Error::NotFound(_)) => Ok(()),
            Err(e) => Err(failed(e)),
        }
    }
}

/// What a failure of River means.
pub(crate) fn failed(error: riverqueue::Error) -> Error {
    match error {
        riverqueue::Error::Database(error) => super::failed(error),
        error => Error::internal("queue.river", "River refused a request").because(error),
    }
}
