use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mediaflow_core::Result;
use mediaflow_core::engine::Shutdown;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::claim::{Claimed, claim};
use super::finish::finish;
use super::line::{Line, Lines, Room};
use super::release::{expire, reconcile, release};
use super::send::{Attempted, send};
use crate::process::Process;

/// How much longer a lease is than an attempt may take: time to write down what came of it.
pub(super) const MARGIN: Duration = Duration::from_secs(30);

/// How often the tables are looked at when nothing is told: rows of other processes, and of hosts' transactions.
const EVERY: Duration = Duration::from_millis(500);

/// How soon after a look the next one may follow, and how much of the time looking may take: one part in so many.
const GAP: Duration = Duration::from_millis(5);
const SHARE: u32 = 10;

/// How often leases are looked at.
const EXPIRE: Duration = Duration::from_secs(1);

/// How many rows one transaction claims at most: others want to write, too.
const TOGETHER: usize = 256;

/// How long giving back may take when the process has to end.
const FAREWELL: Duration = Duration::from_secs(5);

/// Delivers for this process until it is told to stop.
///
/// After `drain` no further events are to come: what is due and under way is finished, what is due later or can not be
/// sent now stays in the table. `now` ends everything at once, and gives back what is under way.
pub(crate) async fn run(home: &Arc<Process>, shutdown: &Shutdown) -> Result<()> {
    let channels: Vec<_> = home.executor.channels().map(str::to_owned).collect();
    if channels.is_empty() {
        tokio::select! {
            () = shutdown.drain.cancelled() => {}
            () = shutdown.now.cancelled() => {}
        }
        return Ok(());
    }
    Dispatcher::new(Arc::clone(home), channels).run(shutdown).await;
    Ok(())
}

struct Dispatcher {
    home: Arc<Process>,
    channels: Vec<String>,
    lines: Lines,
    sending: JoinSet<Attempted>,
    /// What has been sent and is not written down yet.
    done: Vec<Attempted>,
    /// Rows of both.
    held: HashSet<i64>,
    /// A transaction has failed, and may have been committed all the same.
    unsure: bool,
    /// Nobody has asked for a look since the last one.
    fresh: bool,
    looked: Instant,
    look_at: Instant,
    gap: Duration,
    expire_at: Instant,
}

impl Dispatcher {
    fn new(home: Arc<Process>, channels: Vec<String>) -> Self {
        let now = Instant::now();
        Self {
            home,
            channels,
            lines: Lines::default(),
            sending: JoinSet::new(),
            done: Vec::new(),
            held: HashSet::new(),
            unsure: false,
            fresh: false,
            looked: now,
            look_at: now,
            gap: GAP,
            expire_at: now,
        }
    }

    async fn run(mut self, shutdown: &Shutdown) {
        let (mut draining, mut wait) = (false, FIRST);
        loop {
            if !draining && shutdown.drain.is_cancelled() {
                draining = true;
                self.look_soon();
            }
            match shutdown.now.run_until_cancelled(self.round()).await {
                None => return self.give_back().await,
                Some(Ok(())) => wait = FIRST,
                Some(Err(error)) => {
                    tracing::warn!(%error, "deliveries can not be read or written; trying again");
                    let pause = sleep(wait.mul_f64(0.5 + fastrand::f64()));
                    if shutdown.now.run_until_cancelled(pause).await.is_none() {
                        return self.give_back().await;
                    }
                    wait = (wait * 2).min(LONGEST);
                    self.look_at = Instant::now();
                    continue;
                }
            }
            let now = self.home.now();
            let policy = self.home.executor.delivery();
            let more = !self.lines.ready(policy, now).is_empty();
            if draining && self.is_idle() && !more {
                return;
            }
            let next = self.lines.next(policy, now);
            let (clock, told) = (self.home.executor.clock(), self.home.deliveries.notified());
            tokio::select! {
                biased;
                () = shutdown.now.cancelled() => return self.give_back().await,
                Some(sent) = self.sending.join_next() => self.collect(sent.ok()),
                () = std::future::ready(()), if more => {}
                () = shutdown.drain.cancelled(), if !draining => {}
                () = told => self.look_soon(),
                () = sleep_until(self.look_at) => {}
                () = clock.sleep_until(next.unwrap_or_default()), if next.is_some() => {}
            }
        }
    }

    /// One step: look what waits, if it is time to; write down what was sent, and claim what can be sent.
    async fn round(&mut self) -> Result<()> {
        if self.unsure {
            reconcile(&self.home, &self.held).await?;
            self.unsure = false;
        }
        if Instant::now() >= self.expire_at {
            expire(&self.home).await?;
            self.expire_at = Instant::now() + EXPIRE;
        }
        if Instant::now() >= self.look_at {
            self.look().await?;
        }
        self.exchange().await
    }

    async fn look(&mut self) -> Result<()> {
        let began = Instant::now();
        self.lines.look(&self.home, &self.channels).await?;
        self.looked = Instant::now();
        // A single slow look, on a busy machine, is no reason to wait longer than without being told.
        self.gap = ((self.looked - began) * SHARE).clamp(GAP, EVERY);
        self.look_at = self.looked + EVERY;
        self.fresh = true;
        Ok(())
    }

    fn look_soon(&mut self) {
        self.fresh = false;
        self.look_at = self.look_at.min(self.looked + self.gap);
    }

    /// Writes and claims in one transaction: a commit is what costs most.
    async fn exchange(&mut self) -> Result<()> {
        let home = Arc::clone(&self.home);
        let now = home.now();
        let mut ready = self.lines.ready(home.executor.delivery(), now);
        // What failed may have closed the line: not before that is known.
        let failed: HashSet<_> =
            self.done.iter().filter(|sent| sent.result.is_err()).map(line_of).collect();
        ready.retain(|(line, _)| !failed.contains(&line.id));
        if self.done.is_empty() && ready.is_empty() {
            return Ok(());
        }
        self.unsure = true;
        let mut transaction = home.db.begin().await?;
        let mut tx = transaction.tx();
        let finished = finish(&home, &mut tx, &self.done, now).await?;
        crate::events::record(&home, &mut tx, &finished.events).await?;
        let (mut claims, mut left) = (Vec::new(), TOGETHER);
        for (mut line, room) in ready {
            let room = Room { rows: room.rows.min(left), ..room };
            if room.rows > 0 || line.disabled {
                let rows = claim(&home, &mut tx, &mut line, room, now).await?;
                left = left.saturating_sub(rows.len());
                claims.push((line, room, rows));
            }
        }
        transaction.commit().await?;
        self.unsure = false;
        for sent in self.done.drain(..) {
            self.held.remove(&sent.claimed.id);
        }
        for (channel, outcome) in finished.counted {
            crate::metrics::delivery(&channel, outcome);
        }
        self.learn(failed.into_iter().chain(finished.changed));
        for (line, room, rows) in claims {
            self.begin(&line, room, rows);
        }
        if !finished.events.is_empty() {
            home.committed(finished.events);
        }
        Ok(())
    }

    fn learn(&mut self, changed: impl Iterator<Item = i64>) {
        // In order, the next one of a job can go when the one before it is over.
        let mut look = self.home.executor.delivery().ordered;
        for line in changed {
            self.lines.forget(line);
            look = true;
        }
        if look {
            self.look_soon();
        }
    }

    fn begin(&mut self, line: &Line, room: Room, rows: Vec<Claimed>) {
        if self.lines.claimed(line, room, rows.len()) {
            self.look_soon();
        }
        for row in rows {
            self.held.insert(row.id);
            self.lines.begun(line);
            self.sending.spawn(send(self.home.executor.clone(), row));
        }
    }

    /// Takes what has been sent, and whatever else has been by now.
    fn collect(&mut self, sent: Option<Attempted>) {
        let mut next = sent;
        while let Some(sent) = next {
            self.lines.over(sent.claimed.line, &sent.claimed.channel);
            self.done.push(sent);
            next = self.sending.try_join_next().and_then(Result::ok);
        }
    }

    fn is_idle(&self) -> bool {
        self.fresh && self.sending.is_empty() && self.done.is_empty()
    }

    /// Stops at once. What has been sent is written down, what is under way is given back; if the database does not
    /// take it, the leases end.
    async fn give_back(mut self) {
        self.sending.abort_all();
        while let Some(sent) = self.sending.join_next().await {
            self.collect(sent.ok());
        }
        if self.held.is_empty() && !self.unsure {
            return;
        }
        let written = timeout(FAREWELL, async {
            while let Err(error) = self.write_back().await {
                tracing::debug!(%error, "deliveries can not be given back; trying again");
                sleep(FIRST).await;
            }
        });
        if written.await.is_err() {
            tracing::warn!(
                "deliveries under way could not be given back; they are sent again later"
            );
        }
    }

    async fn write_back(&self) -> Result<()> {
        let home = &self.home;
        let mut transaction = home.db.begin().await?;
        let mut tx = transaction.tx();
        let finished = finish(home, &mut tx, &self.done, home.now()).await?;
        crate::events::record(home, &mut tx, &finished.events).await?;
        release(home, &mut tx, &home.id).await?;
        transaction.commit().await?;
        home.committed(finished.events);
        Ok(())
    }
}

/// The wait after the first failure of the database, which doubles up to the longest.
const FIRST: Duration = Duration::from_millis(50);
const LONGEST: Duration = Duration::from_secs(2);

fn line_of(sent: &Attempted) -> i64 {
    sent.claimed.line
}
