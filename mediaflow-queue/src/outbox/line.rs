//! What a dispatcher knows of the destinations that something waits for.

use std::collections::HashMap;

use mediaflow_core::executor::DeliveryPolicy;
use mediaflow_core::{Result, Timestamp};

use crate::db::Row;
use crate::process::Process;

/// The deliveries that wait for one destination.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) id: i64,
    pub(super) channel: String,
    /// The address that a job gave, in place of the notifier's own.
    pub(super) to: Option<String>,
    /// Failures in a row, and failed probes since there were too many of them.
    pub(super) failures: i64,
    probe_until: Timestamp,
    blocked_until: Timestamp,
    /// Up to when the rate is used up, in microseconds.
    pub(super) paid_until: i64,
    pub(super) disabled: bool,
    /// When the first of them is due; nothing is known of later ones.
    due: Option<Timestamp>,
    /// Some of them were claimed since they were looked at.
    claimed: bool,
}

/// What may be taken from a line now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) rows: usize,
    /// The breaker is open, and its time is over: a single one may try.
    pub(super) probe: bool,
}

/// All lines, and how many of each are under way in this process.
#[derive(Debug, Default)]
pub(super) struct Lines {
    known: HashMap<i64, Line>,
    of_line: HashMap<i64, usize>,
    of_channel: HashMap<String, usize>,
}

/// Steps through the destinations that something waits for, one index entry each: how many rows wait does not matter.
const WAITING: &str = "
    WITH RECURSIVE waiting (id) AS (
        SELECT (SELECT min(destination) FROM mediaflow_deliveries WHERE state = 'pending')
        UNION ALL
        SELECT (SELECT min(destination) FROM mediaflow_deliveries
                WHERE state = 'pending' AND destination > waiting.id)
        FROM waiting WHERE waiting.id IS NOT NULL
    )
    SELECT d.id, d.channel, d.address, d.failures, d.probe_until, d.blocked_until, d.paid_until, d.disabled_at,
           (SELECT min(due) FROM mediaflow_deliveries w WHERE w.destination = d.id AND w.state = 'pending') AS due
    FROM waiting JOIN mediaflow_destinations d ON d.id = waiting.id";

impl Line {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.int("id")?,
            channel: row.text("channel")?,
            to: Some(row.text("address")?).filter(|address| !address.is_empty()),
            failures: row.int("failures")?,
            probe_until: row.time("probe_until")?,
            blocked_until: row.time("blocked_until")?,
            paid_until: row.int("paid_until")?,
            disabled: row.opt_int("disabled_at")?.is_some(),
            due: row.opt_time("due")?,
            claimed: false,
        })
    }

    fn open(&self, policy: &DeliveryPolicy) -> bool {
        policy.breaker_after > 0 && self.failures >= i64::from(policy.breaker_after)
    }

    /// When something may be sent there, as far as is known; `None` if nothing waits.
    fn ready_at(&self, policy: &DeliveryPolicy) -> Option<Timestamp> {
        let due = self.due?.max(self.blocked_until);
        if self.disabled {
            return self.due;
        }
        let due = if self.open(policy) { due.max(self.probe_until) } else { due };
        let paid = policy.rate.map(|rate| Rate::new(rate).next(self.paid_until));
        Some(due.max(paid.unwrap_or_default()))
    }

    fn room(&self, policy: &DeliveryPolicy, free: usize, now: Timestamp) -> Option<Room> {
        let ready = self.ready_at(policy).is_some_and(|at| at <= now);
        let probe = self.open(policy);
        let paid =
            policy.rate.map_or(usize::MAX, |rate| Rate::new(rate).left(self.paid_until, now));
        let rows = free.min(paid).min(if probe { 1 } else { usize::MAX });
        (ready && (rows > 0 || self.disabled)).then_some(Room { rows, probe })
    }
}

impl Lines {
    /// Reads the lines of these channels anew.
    pub(super) async fn look(&mut self, home: &Process, channels: &[String]) -> Result<()> {
        let rows = home.db.rows(WAITING, &[]).await?;
        self.known.clear();
        for row in rows {
            match Line::read(&row) {
                Ok(line) if channels.contains(&line.channel) => {
                    self.known.insert(line.id, line);
                }
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "a destination is left out"),
            }
        }
        Ok(())
    }

    /// What can be sent now: the destinations that work first, and of those the ones that have waited longest.
    pub(super) fn ready(&self, policy: &DeliveryPolicy, now: Timestamp) -> Vec<(Line, Room)> {
        let room = |line: &Line| line.room(policy, self.free(line, policy), now);
        let mut ready: Vec<_> =
            self.known.values().filter_map(|line| Some((line, room(line)?))).collect();
        ready.sort_by_key(|(line, _)| (line.failures, line.due));
        let mut taken: HashMap<&str, usize> = HashMap::new();
        let mut fits = Vec::new();
        for (line, mut room) in ready {
            let taken = taken.entry(&line.channel).or_default();
            let left =
                policy.channel_concurrency.max(1).saturating_sub(self.in_channel(line) + *taken);
            room.rows = room.rows.min(left);
            *taken += room.rows;
            if room.rows > 0 || line.disabled {
                fits.push((line.clone(), room));
            }
        }
        fits
    }

    /// When something can be sent that can not be sent yet.
    pub(super) fn next(&self, policy: &DeliveryPolicy, now: Timestamp) -> Option<Timestamp> {
        let lines = self.known.values().filter(|line| self.free(line, policy) > 0);
        lines.filter_map(|line| line.ready_at(policy)).filter(|at| *at > now).min()
    }

    /// Rows of a line were claimed, fewer than `asked` if it had no more. Says whether to look what waits now.
    pub(super) fn claimed(&mut self, line: &Line, asked: Room, rows: usize) -> bool {
        let Some(known) = self.known.get_mut(&line.id) else { return true };
        known.paid_until = line.paid_until;
        // What is due and can not be claimed waits for something else: looking again at once would help nothing.
        let look = rows > 0 || known.claimed;
        known.claimed = true;
        if rows == asked.rows && !asked.probe {
            return false;
        }
        known.due = None;
        look
    }

    /// What was known of a line is not true any more.
    pub(super) fn forget(&mut self, line: i64) {
        self.known.remove(&line);
    }

    /// A delivery has begun.
    pub(super) fn begun(&mut self, line: &Line) {
        *self.of_line.entry(line.id).or_default() += 1;
        *self.of_channel.entry(line.channel.clone()).or_default() += 1;
    }

    /// A delivery is over.
    pub(super) fn over(&mut self, line: i64, channel: &str) {
        if let Some(count) = self.of_line.get_mut(&line) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_line.remove(&line);
            }
        }
        if let Some(count) = self.of_channel.get_mut(channel) {
            *count = count.saturating_sub(1);
        }
    }

    fn free(&self, line: &Line, policy: &DeliveryPolicy) -> usize {
        let under_way = self.of_line.get(&line.id).copied().unwrap_or(0);
        let in_channel = policy.channel_concurrency.max(1).saturating_sub(self.in_channel(line));
        policy.concurrency.max(1).saturating_sub(under_way).min(in_channel)
    }

    fn in_channel(&self, line: &Line) -> usize {
        self.of_channel.get(&line.channel).copied().unwrap_or(0)
    }
}

/// A bucket that holds a tenth of a second's attempts, at least one, and is kept as the moment up to which it is used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    /// Between two attempts, in microseconds.
    step: i64,
    holds: i64,
}

impl Rate {
    pub(super) fn new(rate: u32) -> Self {
        let rate = i64::from(rate.max(1));
        Self { step: (1_000_000 / rate).max(1), holds: (rate / 10).max(1) }
    }

    /// How many attempts are left.
    fn left(self, paid_until: i64, now: Timestamp) -> usize {
        let free = micros(now) - self.from(paid_until, now);
        usize::try_from(free / self.step).unwrap_or(0)
    }

    /// After so many attempts more.
    pub(super) fn paid(self, paid_until: i64, now: Timestamp, attempts: usize) -> i64 {
        let attempts = i64::try_from(attempts).unwrap_or(i64::MAX);
        self.from(paid_until, now).saturating_add(self.step.saturating_mul(attempts))
    }

    /// When there is one again.
    fn next(self, paid_until: i64) -> Timestamp {
        let next = paid_until.saturating_add(self.step).max(0).unsigned_abs();
        Timestamp::from_millis(next.div_ceil(1000))
    }

    fn from(self, paid_until: i64, now: Timestamp) -> i64 {
        paid_until.max(micros(now) - self.step * self.holds)
    }
}

fn micros(time: Timestamp) -> i64 {
    i64::try_from(time.millis()).unwrap_or(i64::MAX).saturating_mul(1000)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_767_225_600_000);

    fn line(id: i64) -> Line {
        Line {
            id,
            channel: "hooks".to_owned(),
            to: None,
            failures: 0,
            probe_until: Timestamp::default(),
            blocked_until: Timestamp::default(),
            paid_until: 0,
            disabled: false,
            due: Some(NOW),
            claimed: false,
        }
    }

    fn lines(known: impl IntoIterator<Item = Line>) -> Lines {
        Lines { known: known.into_iter().map(|line| (line.id, line)).collect(), ..Lines::default() }
    }

    fn ids(lines: &Lines, policy: &DeliveryPolicy) -> Vec<(i64, usize)> {
        lines.ready(policy, NOW).into_iter().map(|(line, room)| (line.id, room.rows)).collect()
    }

    #[test]
    fn a_destination_that_works_goes_first_and_none_takes_all_places() {
        let policy =
            DeliveryPolicy { concurrency: 3, channel_concurrency: 7, ..DeliveryPolicy::default() };
        let older = Timestamp::from_millis(5);
        let failing = Line { failures: 1, due: Some(older), ..line(1) };
        let mut lines = lines([failing, line(2), Line { due: Some(older), ..line(3) }]);
        assert_eq!(ids(&lines, &policy), [(3, 3), (2, 3), (1, 1)]);
        lines.begun(&line(2));
        assert_eq!(ids(&lines, &policy), [(3, 3), (2, 2), (1, 1)]);
        lines.over(2, "hooks");
        assert_eq!(ids(&lines, &policy), [(3, 3), (2, 3), (1, 1)]);
    }

    #[test]
    fn an_open_breaker_lets_one_probe_through_when_its_time_is_over() {
        let policy = DeliveryPolicy::default();
        let later = NOW.plus(Duration::from_secs(1));
        let open = Line { failures: 5, ..line(1) };
        assert_eq!(open.room(&policy, 8, NOW), Some(Room { rows: 1, probe: true }));
        let probing = Line { probe_until: later, ..open.clone() };
        assert_eq!(probing.room(&policy, 8, NOW), None);
        let blocked = Line { blocked_until: later, ..open };
        assert_eq!(blocked.room(&policy, 8, NOW), None);
        assert_eq!(lines([blocked, line(2)]).next(&policy, NOW), Some(later));
        let never = DeliveryPolicy { breaker_after: 0, ..policy };
        let failing = Line { failures: 99, ..line(1) };
        assert_eq!(failing.room(&never, 8, NOW), Some(Room { rows: 8, probe: false }));
    }

    #[test]
    fn a_rate_is_kept_over_time() {
        let (rate, mut paid, mut sent) = (Rate::new(30), 0, 0);
        for millis in 0..1000 {
            let now = NOW.plus(Duration::from_millis(millis));
            let left = rate.left(paid, now);
            assert_eq!(left > 0, rate.next(paid) <= now, "{millis}");
            sent += left;
            paid = rate.paid(paid, now, left);
        }
        assert_eq!(sent, 30 + 2, "and what the bucket held at first");
    }
}
