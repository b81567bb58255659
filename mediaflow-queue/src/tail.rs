//! Tells the readers of events in this process what other processes have written: read from the tables.
//!
//! Uses: broadcast, db, failpoint, process.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Weak;
use std::time::Duration;

use mediaflow_core::event::EventData;
use mediaflow_core::spec::JobSpec;
use mediaflow_core::{CancellationToken, Event, EventKind, Result, Timestamp};
use sqlx::AssertSqlSafe;
use tokio::time::Instant;

use crate::broadcast::EventBroadcast;
use crate::db::{Value, places, values};
use crate::failpoint::may_panic;
use crate::process::Process;

/// How often the tables are looked at for events of other processes.
const EVERY: Duration = Duration::from_millis(100);

/// How often is looked how far jobs of other processes are: that is no event in the tables.
const PROGRESS: Duration = Duration::from_millis(500);

/// How many of them are looked at.
const RUNNING: usize = 1000;

/// How long an event may take from being numbered to being committed. Numbers are given when a row is written, so a
/// lower one can appear after a higher one.
const LATE: Duration = Duration::from_secs(5);

/// How many events are read at once.
const PAGE: usize = 1000;

/// Tells the readers of this process what other processes have written.
pub(crate) async fn run(process: Weak<Process>, events: EventBroadcast, closed: CancellationToken) {
    let mut tail = Tail::default();
    loop {
        if !events.has_readers() {
            tail = Tail::default();
            if closed.run_until_cancelled(events.reader_arrived()).await.is_none() {
                return;
            }
            continue;
        }
        if closed.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_none() {
            return;
        }
        may_panic("loop.tail");
        let Some(process) = process.upgrade() else { return };
        if let Err(error) = tail.read(&process).await {
            tracing::debug!(%error, "events of other processes can not be read; trying again");
        }
    }
}

#[derive(Default)]
struct Tail {
    /// The highest number that was seen; none while nobody reads.
    high: Option<i64>,
    /// Numbers below it that were not there, and since when: their transactions may be under way.
    gaps: BTreeMap<i64, Instant>,
    /// How far the jobs of other processes were, and when that was looked at.
    progress: HashMap<String, f32>,
    looked: Option<Instant>,
}

impl Tail {
    async fn read(&mut self, process: &Process) -> Result<()> {
        let Some(mut high) = self.high else {
            self.high = Some(before_the_last_moment(process).await?);
            return Ok(());
        };
        self.late(process).await?;
        if self.looked.is_none_or(|looked| looked.elapsed() >= PROGRESS) {
            self.progress(process).await?;
            self.looked = Some(Instant::now());
        }
        // The bodies of this process's own events are not read: its readers have them.
        let news = "SELECT seq, CASE WHEN origin <> $2 THEN body END AS body FROM mediaflow_events
                    WHERE seq > $1 ORDER BY seq LIMIT $3";
        loop {
            let rows = process.db.rows(news, values![high, &process.id, PAGE as i64]).await?;
            for row in &rows {
                let seq = row.int("seq")?;
                self.missed(high + 1..seq);
                (high, self.high) = (seq, Some(seq));
                process.events.send(row.opt_json("body")?.into_iter().collect());
            }
            if rows.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// Tells of what was not there when its successors were.
    async fn late(&mut self, process: &Process) -> Result<()> {
        self.gaps.retain(|_, since| since.elapsed() < LATE);
        let (Some((first, _)), Some((last, _))) =
            (self.gaps.first_key_value(), self.gaps.last_key_value())
        else {
            return Ok(());
        };
        let there = "SELECT seq FROM mediaflow_events WHERE seq >= $1 AND seq <= $2";
        for row in process.db.rows(there, values![*first, *last]).await? {
            let seq = row.int("seq")?;
            if self.gaps.remove(&seq).is_some() {
                let body = "SELECT body FROM mediaflow_events WHERE seq = $1 AND origin <> $2";
                let body = process.db.row(body, values![seq, &process.id]).await?;
                process
                    .events
                    .send(body.map(|row| row.json("body")).transpose()?.into_iter().collect());
            }
        }
        Ok(())
    }

    /// Tells how far jobs are that run elsewhere, if that has changed. A job that was split may be at work here as well: its
    /// progress may come twice.
    async fn progress(&mut self, process: &Process) -> Result<()> {
        let running = "SELECT id, progress FROM mediaflow_jobs
                       WHERE state = 'running' AND ended_at IS NULL AND progress > 0 AND (worker IS NULL OR worker <> $1)
                       LIMIT $2";
        let mut known = HashMap::new();
        let mut grown = Vec::new();
        for row in process.db.rows(running, values![&process.id, RUNNING as i64]).await? {
            let (job, done) = (row.text("id")?, row.share("progress")?);
            if self.progress.get(&job).is_none_or(|told| *told < done) {
                grown.push(Value::from(&job));
            }
            known.insert(job, done);
        }
        for jobs in grown.chunks(100) {
            let find = format!(
                "SELECT id, batch, spec, progress FROM mediaflow_jobs WHERE id IN {}",
                places(1, jobs.len())
            );
            let mut events = Vec::with_capacity(jobs.len());
            for row in process.db.rows(AssertSqlSafe(find), jobs).await? {
                // A newer version may have written what can not be read here.
                let Ok(spec) = row.json::<JobSpec>("spec") else { continue };
                let batch = row.opt_text("batch")?.map(|batch| batch.parse()).transpose()?;
                let done = EventData::Progress(row.share("progress")?);
                let event = Event::new(EventKind::JobProgress, process.now(), done);
                events.push(event.about(row.parsed("id")?, batch, &spec.options));
            }
            process.events.send(events);
        }
        self.progress = known;
        Ok(())
    }

    /// Numbers that were passed over. Of a great many only the last ones are waited for.
    fn missed(&mut self, numbers: Range<i64>) {
        let now = Instant::now();
        self.gaps.extend(numbers.rev().take(PAGE).map(|number| (number, now)));
    }
}

/// The highest number of what the first reader does not want to hear of: what was written in the last moment may be
/// news to it.
async fn before_the_last_moment(process: &Process) -> Result<i64> {
    let newest = "SELECT seq FROM mediaflow_events WHERE at < $1 ORDER BY at DESC LIMIT 1";
    let moment = u64::try_from(LATE.as_millis()).unwrap_or(u64::MAX);
    let moment = Timestamp::from_millis(process.now().millis().saturating_sub(moment));
    let row = process.db.row(newest, values![moment]).await?;
    row.map_or(Ok(0), |row| row.int("seq"))
}
