//! Events for readers in this process: its own at once after their commit, those of other processes from the tables.

use std::collections::BTreeSet;
use std::sync::Weak;
use std::time::Duration;

use futures_util::stream::{self, BoxStream, StreamExt as _};
use mediaflow_core::{CancellationToken, Event, Result, Timestamp};
use tokio::sync::broadcast;
use tokio::time::Instant;

use crate::db::values;
use crate::home::Home;

/// Hands events to all readers of this process.
#[derive(Clone, Debug)]
pub(crate) struct Stream(broadcast::Sender<Event>);

/// How many events a reader may fall behind.
const BEHIND: usize = 4096;

impl Stream {
    pub(crate) fn new() -> Self {
        Self(broadcast::channel(BEHIND).0)
    }

    pub(crate) fn tell(&self, events: Vec<Event>) {
        for event in events {
            // Nobody listening is no error.
            let _ = self.0.send(event);
        }
    }

    /// Events from now on. A reader that fell behind gets the end of the stream.
    pub(crate) fn read(&self) -> BoxStream<'static, Event> {
        let events = self.0.subscribe();
        stream::unfold(events, async |mut events| {
            events.recv().await.ok().map(|event| (event, events))
        })
        .boxed()
    }

    fn has_readers(&self) -> bool {
        self.0.receiver_count() > 0
    }
}

/// How often the tables are looked at for events of other processes.
const EVERY: Duration = Duration::from_millis(100);

/// How long an event may take from being numbered to being committed. Numbers are given when a row is written, so a
/// lower one can appear after a higher one.
const LATE: Duration = Duration::from_secs(5);

/// Tells the readers of this process what other processes have written.
pub(crate) async fn tail(home: Weak<Home>, closed: CancellationToken) {
    let mut tail = Tail::default();
    loop {
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = closed.cancelled() => return,
        }
        let Some(home) = home.upgrade() else { return };
        if !home.stream.has_readers() {
            tail.from = None;
            continue;
        }
        if let Err(error) = tail.read(&home).await {
            tracing::debug!(%error, "events of other processes can not be read; trying again");
        }
    }
}

#[derive(Default)]
struct Tail {
    /// Everything up to this number was told or is older than the readers.
    from: Option<i64>,
    /// What was told above it.
    told: BTreeSet<i64>,
    /// The highest number at some moment: what is above it now may be late.
    marks: std::collections::VecDeque<(Instant, i64)>,
}

impl Tail {
    async fn read(&mut self, home: &Home) -> Result<()> {
        let Some(from) = self.from else {
            // The first reader has just come. What was written in the last moment may be news to it.
            let newest = "SELECT coalesce(max(seq), 0) AS seq FROM mediaflow_events WHERE at < $1";
            let since = home.now().since(Timestamp::default().plus(LATE));
            let row = home.db.row(newest, values![Timestamp::default().plus(since)]).await?;
            self.from = row.map(|row| row.int("seq")).transpose()?;
            self.told.clear();
            self.marks.clear();
            return Ok(());
        };
        let news = "SELECT seq FROM mediaflow_events WHERE seq > $1 AND origin <> $2 ORDER BY seq LIMIT 1000";
        let mut fresh = Vec::new();
        for row in home.db.rows(news, values![from, &home.id]).await? {
            let seq = row.int("seq")?;
            if self.told.insert(seq) {
                fresh.push(seq);
            }
        }
        for seq in fresh {
            let body = "SELECT body FROM mediaflow_events WHERE seq = $1";
            if let Some(row) = home.db.row(body, values![seq]).await? {
                home.stream.tell(vec![row.json("body")?]);
            }
        }
        self.advance();
        Ok(())
    }

    /// Forgets what nothing late can come before any more.
    fn advance(&mut self) {
        let now = Instant::now();
        if let Some(highest) = self.told.last() {
            self.marks.push_back((now, *highest));
        }
        while let Some((_, seq)) = self.marks.front().copied().filter(|(at, _)| *at + LATE < now) {
            self.from = self.from.max(Some(seq));
            self.told = self.told.split_off(&(seq + 1));
            self.marks.pop_front();
        }
    }
}
