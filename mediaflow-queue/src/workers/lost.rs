//! What fell between River's tables and ours: claims of nobody, attempts whose end was not written, jobs that River
//! has ended, or does not know any more.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use mediaflow_core::report::JobState;
use mediaflow_core::{Error, JobId, Result, codes};
use tokio::time::Instant;

use super::takeover::{self, After};
use crate::db::Row;
use crate::jobs;
use crate::process::Process;

/// How long River's row may have ended before a job that seems to run: its end may be on its way.
const GRACE: u64 = 60;

/// River keeps what an operator discarded for so long.
const KEPT: Duration = Duration::from_secs(8 * 86_400);

/// How many waiting jobs of a class are looked at in one turn.
const PAGE: i64 = 500;

#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Workers that hold something without being registered, since.
    unknown: HashMap<String, Instant>,
    /// What this process holds by River's number without working on it, since.
    idle: HashMap<i64, Instant>,
    /// When ends in River were looked for.
    looked: Option<Instant>,
    /// How far the waiting jobs of each class were looked at, by due and id.
    pages: HashMap<String, (i64, String)>,
}

impl Lost {
    /// Forgets what was seen: the database was away, and everybody may just be catching up.
    pub(super) fn doubt(&mut self) {
        self.unknown.clear();
        self.idle.clear();
    }

    /// Looks for what is held by this process without its knowing, and by workers that are not registered, if it is known
    /// who is.
    pub(super) async fn holders(
        &mut self,
        process: &Process,
        registered: Option<&HashSet<String>>,
    ) -> Result<()> {
        let (mut unknown, mut idle) = (HashSet::new(), HashSet::new());
        let of = if registered.is_some() { None } else { Some(&*process.id) };
        for row in process.db.claims(of).await? {
            let Some(worker) = row.opt_text("worker")? else { continue };
            if worker == process.id {
                idle.insert(row.int("river")?);
            } else if registered.is_some_and(|registered| !registered.contains(&worker)) {
                unknown.insert(worker);
            }
        }
        idle.retain(|river| !process.active().contains_key(river));
        let lease = process.settings.lease;
        for worker in since(&mut self.unknown, unknown, lease) {
            takeover::from_worker(process, &worker, None).await?;
        }
        for river in since(&mut self.idle, idle, lease * 5 / 2) {
            takeover::from_ourselves(process, river).await?;
        }
        Ok(())
    }

    /// Ends jobs that River will never run, because an operator has ended its row. Queues again what waits without a row.
    pub(super) async fn jobs(&mut self, process: &Process) -> Result<()> {
        let began = Instant::now();
        let since =
            self.looked.map_or(KEPT, |looked| looked.elapsed() + Duration::from_secs(GRACE));
        let db = &process.db;
        for row in db.waiting_without_river(since.as_secs(), PAGE).await? {
            settle(process, &row).await?;
        }
        for row in db.running_without_river(GRACE, PAGE).await? {
            settle(process, &row).await?;
        }
        for row in db.parts_without_river(GRACE, PAGE).await? {
            settle(process, &row).await?;
        }
        self.looked = Some(began);
        for class in jobs::queued_classes(process).await? {
            self.page(process, class).await?;
        }
        Ok(())
    }

    /// The waiting jobs by turns: there can be many.
    async fn page(&mut self, process: &Process, class: String) -> Result<()> {
        let after = self.pages.remove(&class).unwrap_or((i64::MIN, String::new()));
        let rows = process.db.waiting_page(&class, after, PAGE).await?;
        if rows.len() as i64 == PAGE
            && let Some(last) = rows.last()
        {
            self.pages.insert(class, (last.int("due")?, last.text("id")?));
        }
        for row in rows {
            if row.int("lost")? != 0 {
                settle(process, &row).await?;
            }
        }
        Ok(())
    }
}

/// Ends a job whose row in River has ended, or queues one again that has none.
async fn settle(process: &Process, row: &Row) -> Result<()> {
    let Ok(job) = row.parsed::<JobId>("id") else { return Ok(()) };
    match row.opt_text("river")? {
        Some(river) => end(process, job, &river).await,
        None => {
            if jobs::queue_again(process, job).await? {
                tracing::warn!(%job, "River did not know of a job that waits; it was queued again");
            }
            Ok(())
        }
    }
}

/// Ends a job, unless something has changed since it was found.
async fn end(process: &Process, job: JobId, river: &str) -> Result<()> {
    let mut transaction = process.db.begin().await?;
    let mut tx = transaction.tx();
    if !tx.is_lost(&process.db, job).await? {
        return Ok(());
    }
    let (state, error) = match river {
        "cancelled" => (JobState::Cancelled, Error::cancelled()),
        river => (JobState::Failed, lost(river)),
    };
    let mut after = After::default();
    let ended = async {
        takeover::end(process, &mut tx, job, state, &error, &mut after).await?;
        after.finish(process, &mut tx).await
    };
    match ended.await {
        Ok(()) => transaction.commit().await?,
        Err(error) if matches!(error.code(), codes::QUEUE_FENCED | codes::QUEUE_CORRUPT_ROW) => {
            tracing::error!(%job, %error, "a job that River does not know any more can not be ended");
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    tracing::warn!(%job, %error, "a job was ended");
    after.settle(process).await;
    Ok(())
}

fn lost(river: &str) -> Error {
    Error::internal(codes::JOB_LOST, "the job's row in River has ended without the job")
        .with("river", river)
        .help("somebody has ended it in River; replay the job")
}

/// Notes since when each of these was seen without a gap. Gives those that were seen for so long.
fn since<T: Clone + Eq + std::hash::Hash>(
    seen: &mut HashMap<T, Instant>,
    now: HashSet<T>,
    patience: Duration,
) -> Vec<T> {
    seen.retain(|known, _| now.contains(known));
    for new in now {
        seen.entry(new).or_insert_with(Instant::now);
    }
    let long = seen.iter().filter(|(_, since)| since.elapsed() > patience);
    long.map(|(known, _)| known.clone()).collect()
}
