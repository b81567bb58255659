//! A reader of events in this process. What it was too slow to hear is read from the tables.
//!
//! Uses: broadcast, db, process.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use futures_util::stream::{self, StreamExt as _};
use mediaflow_core::engine::{EventStream, gap};
use mediaflow_core::{Error, Event, EventId, Result, Timestamp, codes};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::broadcast::EventBroadcast;
use crate::db::values;
use crate::process::Process;

/// How many events are read at once.
const PAGE: i64 = 500;

/// Numbers are given when a row is written, and events are told when it is committed: so many on both sides of what was
/// missed may belong to it. Some of them come a second time.
const AROUND: i64 = 64;

/// For so long before the reader came an event is looked for, in milliseconds, if it has heard of none yet.
const MOMENT: u64 = 1000;

/// Events from now on.
pub(crate) fn read(events: &EventBroadcast, process: Weak<Process>) -> EventStream {
    let since = process.upgrade().map(|process| process.now()).unwrap_or_default();
    let reader = Reader {
        live: events.subscribe(),
        process,
        since,
        last: None,
        missed: None,
        read: VecDeque::new(),
        next: None,
    };
    stream::unfold(reader, async |mut reader| {
        let item = reader.next().await?;
        Some((item, reader))
    })
    .boxed()
}

struct Reader {
    live: Receiver<Arc<Event>>,
    process: Weak<Process>,
    /// When it came.
    since: Timestamp,
    /// The last event that it was told live.
    last: Option<EventId>,
    /// Numbers of what it has missed: from behind the first, to before the second.
    missed: Option<(i64, i64)>,
    read: VecDeque<Arc<Event>>,
    /// What comes behind all that.
    next: Option<Arc<Event>>,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Arc<Event>>> {
        loop {
            if let Some(event) = self.read.pop_front() {
                return Some(Ok(event));
            }
            if let Some(missed) = self.missed {
                match self.page(missed).await {
                    Ok(()) => continue,
                    Err(error) => {
                        self.missed = None;
                        return Some(Err(error));
                    }
                }
            }
            if let Some(event) = self.next.take() {
                return Some(Ok(self.told(event)));
            }
            match self.live.recv().await {
                Ok(event) => return Some(Ok(self.told(event))),
                Err(RecvError::Closed) => return None,
                Err(RecvError::Lagged(missed)) => {
                    // The oldest that is still there: up to it the tables are read.
                    self.next = self.live.try_recv().ok();
                    match self.find().await {
                        Ok(numbers) => self.missed = Some(numbers),
                        Err(error) => return Some(Err(gap(missed).because(error))),
                    }
                }
            }
        }
    }

    fn told(&mut self, event: Arc<Event>) -> Arc<Event> {
        self.last = Some(event.id);
        event
    }

    /// The numbers of what was missed.
    async fn find(&self) -> Result<(i64, i64)> {
        let process = self.process.upgrade().ok_or_else(closed)?;
        let number = "SELECT seq FROM mediaflow_events WHERE id = $1";
        let of = async |id: Option<EventId>| {
            let Some(id) = id else { return Ok(None) };
            let row = process.db.row(number, values![id]).await?;
            row.map(|row| row.int("seq")).transpose()
        };
        let after = match of(self.last).await? {
            Some(after) => after,
            None => {
                let before =
                    "SELECT seq FROM mediaflow_events WHERE at < $1 ORDER BY at DESC LIMIT 1";
                let moment = Timestamp::from_millis(self.since.millis().saturating_sub(MOMENT));
                let row = process.db.row(before, values![moment]).await?;
                row.map_or(Ok(0), |row| row.int("seq"))?
            }
        };
        let until = of(self.next.as_ref().map(|event| event.id)).await?.unwrap_or(i64::MAX);
        Ok((after.saturating_sub(AROUND), until.saturating_add(AROUND)))
    }

    async fn page(&mut self, (after, until): (i64, i64)) -> Result<()> {
        let process = self.process.upgrade().ok_or_else(closed)?;
        let next = "SELECT seq, body FROM mediaflow_events WHERE seq > $1 AND seq < $2 ORDER BY seq LIMIT $3";
        let rows = process.db.rows(next, values![after, until, PAGE]).await?;
        let last = rows.last().map(|row| row.int("seq")).transpose()?;
        // A newer version may have written what can not be read here.
        let read = rows.iter().filter_map(|row| row.json::<Event>("body").ok());
        let but = self.next.as_ref().map(|event| event.id);
        self.read.extend(read.filter(|event| Some(event.id) != but).map(Arc::new));
        self.missed = last.filter(|_| rows.len() as i64 == PAGE).map(|last| (last, until));
        Ok(())
    }
}

fn closed() -> Error {
    Error::transient(codes::ENGINE_STOPPED, "the engine has stopped")
}
