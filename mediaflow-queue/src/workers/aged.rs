//! Rows that leave when they are old, walked through by their age.
//!
//! What one transaction deletes is bounded by rows, with those that leave together with others: a batch of 10,000 jobs takes
//! many. Some rows have to stay although they are old, a job of which somebody is still to be told: they are passed over,
//! a bounded number in each turn, and looked at again when the walk begins anew.

use std::time::Duration;

use mediaflow_core::Result;
use serde::{Deserialize, Serialize};
use sqlx::AssertSqlSafe;

use crate::db::{Row, Value, values};
use crate::process::Process;

/// How many rows one statement deletes at most, or looks at.
const ROWS: i64 = 500;

/// How many rows that have to stay are looked at in one turn.
const LEFT: i64 = 2000;

/// A walk that has left nothing behind stays at its end, where the next rows get old. So often it begins anew all the same:
/// what was committed late can stand before it.
const ANEW: Duration = Duration::from_secs(3600);

/// Rows of one kind.
#[derive(Debug)]
pub(super) struct Aged {
    table: &'static str,
    /// What is different of each, and the moment that makes it old.
    key: &'static str,
    at: &'static str,
    /// What else is asked of a row, for [`kept`](Self::kept).
    columns: &'static str,
    /// The condition of the index by age.
    of: &'static str,
    /// Which rows `o` stay. `$5` is the moment up to which nobody waits for events to be routed. What is asked of other tables
    /// is asked for each row, as `(SELECT ...) IS NOT NULL`: from an `EXISTS` PostgreSQL may make a hash of a whole table.
    kept: Option<&'static str>,
    /// The tables whose rows leave with them, with the column that names the owner and the one that is different of each.
    owned: &'static [(&'static str, &'static str, &'static str)],
    /// Keys are numbers.
    numbered: bool,
}

/// What arrived goes after the same time as jobs, with its address and its log.
pub(super) const DELIVERED: Aged = messages("state = 'delivered'");

/// What was given up, too.
pub(super) const DEAD: Aged = messages("state = 'dead'");

const fn messages(of: &'static str) -> Aged {
    Aged {
        table: "mediaflow_messages",
        key: "id",
        at: "ended_at",
        columns: "",
        of,
        kept: None,
        owned: &[
            ("mediaflow_attempts", "message", "id"),
            ("mediaflow_message_events", "message", "event"),
        ],
        numbered: true,
    }
}

/// Not while somebody is to be told of its end: who that is stands in its options.
pub(super) const BATCHES: Aged = Aged {
    table: "mediaflow_batches",
    key: "id",
    at: "ended_at",
    columns: "",
    of: "ended_at IS NOT NULL",
    kept: Some(
        "(SELECT 1 FROM mediaflow_events e WHERE e.batch = o.id AND e.job IS NULL AND (
           (SELECT 1 FROM mediaflow_unrouted u WHERE u.seq = e.seq AND e.at > $5 LIMIT 1) IS NOT NULL
             AND EXISTS (SELECT 1 FROM mediaflow_channels WHERE seen_at > $5)
           OR (SELECT 1 FROM mediaflow_messages d
               WHERE d.group_key = e.id AND d.state IN ('pending', 'sending') LIMIT 1) IS NOT NULL
           OR (SELECT 1 FROM mediaflow_messages d
               WHERE d.event = e.id AND d.events > 1 AND d.state IN ('pending', 'sending') LIMIT 1) IS NOT NULL)
         LIMIT 1) IS NOT NULL",
    ),
    owned: &[("mediaflow_batch_jobs", "batch", "position")],
    numbered: false,
};

/// Not while somebody is to be told of them, nor while a batch is there that counts them, or a job that comes after them and has
/// not ended. Who is to be told is not known
/// before their events are routed, for which a fleet without any notifier has nobody.
pub(super) const JOBS: Aged = Aged {
    table: "mediaflow_jobs",
    key: "id",
    at: "ended_at",
    columns: "",
    of: "ended_at IS NOT NULL",
    kept: Some(
        "(SELECT 1 FROM mediaflow_batch_jobs b WHERE b.job = o.id LIMIT 1) IS NOT NULL
         OR (SELECT 1 FROM mediaflow_after a WHERE a.before = o.id
               AND (SELECT 1 FROM mediaflow_jobs f WHERE f.id = a.job AND f.ended_at IS NULL LIMIT 1) IS NOT NULL
             LIMIT 1) IS NOT NULL
         OR (SELECT 1 FROM mediaflow_messages d
             WHERE d.job = o.id AND d.state IN ('pending', 'sending') LIMIT 1) IS NOT NULL
         OR (SELECT 1 FROM mediaflow_events e WHERE e.job = o.id AND e.at + 0 > $5
               AND (SELECT 1 FROM mediaflow_unrouted u WHERE u.seq = e.seq LIMIT 1) IS NOT NULL LIMIT 1) IS NOT NULL
           AND EXISTS (SELECT 1 FROM mediaflow_channels WHERE seen_at > $5)",
    ),
    owned: &[
        ("mediaflow_outputs", "job", "place"),
        ("mediaflow_parts", "job", "number"),
        ("mediaflow_tags", "job", "tag"),
        ("mediaflow_waits", "job", "work"),
        ("mediaflow_after", "job", "before"),
    ],
    numbered: false,
};

/// Those of jobs go after their job, and all after their messages: one that was given up can be sent again for as long as
/// it is kept.
pub(super) const EVENTS: Aged = Aged {
    table: "mediaflow_events",
    key: "seq",
    at: "at",
    columns: ", id, job",
    of: "TRUE",
    kept: Some(
        "(SELECT 1 FROM mediaflow_jobs j WHERE j.id = o.job LIMIT 1) IS NOT NULL
         OR (SELECT 1 FROM mediaflow_unrouted u WHERE u.seq = o.seq AND o.at > $5 LIMIT 1) IS NOT NULL
           AND EXISTS (SELECT 1 FROM mediaflow_channels WHERE seen_at > $5)
         OR (SELECT 1 FROM mediaflow_messages d WHERE d.group_key = o.id LIMIT 1) IS NOT NULL
         OR (SELECT 1 FROM mediaflow_messages d WHERE d.event = o.id AND d.events > 1 LIMIT 1) IS NOT NULL
         OR (SELECT 1 FROM mediaflow_message_events m WHERE m.event = o.id LIMIT 1) IS NOT NULL",
    ),
    owned: &[],
    numbered: true,
};

/// Moments: the present one, and up to when rows are old.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    pub(super) now: i64,
    pub(super) until: i64,
    pub(super) unrouted: i64,
}

/// How far rows of one kind were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Walk {
    /// The last row. Others of its moment may come after it, in the order of their keys.
    at: i64,
    key: String,
    /// Some were passed over.
    left: bool,
    /// When it began.
    began: i64,
}

/// What was done with rows of one kind in one turn.
#[derive(Debug)]
pub(super) struct Turn {
    left: i64,
    done: bool,
}

impl Turn {
    pub(super) const fn new() -> Self {
        Self { left: 0, done: false }
    }
}

impl Aged {
    /// Deletes the next rows. Gives true if there may be more to do in this turn.
    pub(super) async fn step(
        &self,
        process: &Process,
        times: &Times,
        walk: &mut Walk,
        turn: &mut Turn,
    ) -> Result<bool> {
        if turn.done {
            return Ok(false);
        }
        let (rows, last) = self.page(process, times, walk).await?;
        let (mut next, mut deleted) = (walk.clone(), 0);
        for found in rows {
            if found.kept {
                (next.left, turn.left) = (true, turn.left + 1);
            } else {
                if found.size > ROWS {
                    self.shorten(process, &found.key).await?;
                }
                if deleted + found.size > ROWS {
                    self.delete(process, times, walk, next, deleted).await?;
                    return Ok(true);
                }
                deleted += found.size;
            }
            (next.at, next.key) = (found.at, found.key);
        }
        self.delete(process, times, walk, next, deleted).await?;
        turn.done = last || turn.left >= LEFT;
        let anew = i64::try_from(ANEW.as_millis()).unwrap_or(i64::MAX);
        let old = walk.began.saturating_add(anew) <= times.now;
        if last && (walk.left || old) {
            let began = if old { times.now } else { walk.began };
            *walk = Walk { began, ..Walk::default() };
        }
        Ok(!turn.done)
    }

    /// The next rows that are old, in the order of their moments and keys, and whether these are the last ones.
    ///
    /// There is an index of the moments only. So what is left of a moment is read by itself, and of a page that was cut
    /// the last moment is left for the next time, unless it is all there is.
    async fn page(
        &self,
        process: &Process,
        times: &Times,
        walk: &Walk,
    ) -> Result<(Vec<Found>, bool)> {
        let same = format!(
            "{at} = $1 AND {key} > $2 ORDER BY {key}",
            at = self.at,
            key = self.by(process)
        );
        let mut rows = self.look(process, times, &same, (walk.at, self.value(&walk.key))).await?;
        if !rows.is_empty() {
            return Ok((rows, false));
        }
        let later = format!("{at} > $1 AND {at} < $2 ORDER BY {at}", at = self.at);
        rows = self.look(process, times, &later, (walk.at, times.until.into())).await?;
        let last = (rows.len() as i64) < ROWS;
        if let (false, Some(cut)) = (last, rows.last().map(|row| row.at)) {
            rows.retain(|row| row.at < cut);
            if rows.is_empty() {
                rows = self.look(process, times, &same, (cut, self.value(""))).await?;
            }
        }
        if self.numbered {
            rows.sort_unstable_by_key(|row| (row.at, row.key.parse::<i64>().unwrap_or(0)));
        } else {
            rows.sort_unstable_by(|a, b| (a.at, &a.key).cmp(&(b.at, &b.key)));
        }
        Ok((rows, last))
    }

    /// A page of rows, with what leaves together with each.
    async fn look(
        &self,
        process: &Process,
        times: &Times,
        which: &str,
        (at, other): (i64, Value),
    ) -> Result<Vec<Found>> {
        let Self { table, key, at: moment, columns, of, .. } = self;
        let count = |(table, owner, _): &(&str, &str, &str)| {
            let few = format!("SELECT 1 FROM {table} c WHERE c.{owner} = o.{key} LIMIT {ROWS}");
            format!(" + (SELECT count(*) FROM ({few}) AS few)")
        };
        let owned = self.owned.iter().map(count).collect::<String>();
        let kept = self.kept.map(|kept| format!("CASE WHEN {kept} THEN 1 ELSE 0 END"));
        let kept = kept.as_deref().unwrap_or("0");
        let look = format!(
            "SELECT o.{key} AS key, o.{moment} AS at, CAST({kept} AS BIGINT) AS kept, CAST(1{owned} AS BIGINT) AS size
             FROM (SELECT {key}, {moment}{columns} FROM {table} WHERE {of} AND {which} LIMIT {ROWS}) AS o"
        );
        let mut values = values![at, other].to_vec();
        if self.kept.is_some() {
            values.extend_from_slice(values![0_i64, 0_i64, times.unrouted]);
        }
        let rows = process.db.rows(AssertSqlSafe(look), &values).await?;
        rows.iter().map(|row| self.found(row)).collect()
    }

    fn found(&self, row: &Row) -> Result<Found> {
        let key = if self.numbered { row.int("key")?.to_string() } else { row.text("key")? };
        let (at, kept, size) = (row.int("at")?, row.int("kept")? != 0, row.int("size")?);
        Ok(Found { at, key, kept, size })
    }

    /// Deletes what may leave between two places, and goes on behind them.
    async fn delete(
        &self,
        process: &Process,
        times: &Times,
        walk: &mut Walk,
        next: Walk,
        deleted: i64,
    ) -> Result<()> {
        if deleted > 0 {
            let Self { table, at, of, .. } = self;
            let by = self.by(process);
            let stays = self.kept.map(|kept| format!(" AND NOT ({kept})")).unwrap_or_default();
            let delete = format!(
                "DELETE FROM {table} AS o WHERE {of} AND {at} >= $1 AND {at} <= $3
                   AND ({at}, {by}) > ($1, $2) AND ({at}, {by}) <= ($3, $4){stays}"
            );
            let (from, upto) = (self.value(&walk.key), self.value(&next.key));
            let mut values = values![walk.at, from, next.at, upto].to_vec();
            if self.kept.is_some() {
                values.push(times.unrouted.into());
            }
            process.db.run(AssertSqlSafe(delete), &values).await?;
        }
        *walk = next;
        Ok(())
    }

    /// Deletes some of what leaves with a row that has too much of it.
    async fn shorten(&self, process: &Process, key: &str) -> Result<()> {
        for (table, owner, name) in self.owned {
            let some = format!(
                "DELETE FROM {table} WHERE {owner} = $1 AND {name} IN (
                   SELECT {name} FROM {table} WHERE {owner} = $1 ORDER BY {name} LIMIT {ROWS})"
            );
            let gone = process.db.run(AssertSqlSafe(some), &[self.value(key)]).await?;
            if i64::try_from(gone).is_ok_and(|gone| gone >= ROWS / 2) {
                break;
            }
        }
        Ok(())
    }

    /// The key as rows of one moment are ordered by it, which is no reason to read all rows along the index of keys.
    fn by(&self, process: &Process) -> String {
        let key = self.key;
        if self.numbered {
            format!("({key} + 0)")
        } else {
            format!("({key} || ''{})", process.db.by_bytes())
        }
    }

    fn value(&self, key: &str) -> Value {
        if self.numbered { key.parse::<i64>().unwrap_or(0).into() } else { key.into() }
    }
}

/// A row that is old.
struct Found {
    at: i64,
    key: String,
    /// It has to stay for now.
    kept: bool,
    /// Rows that leave if it does.
    size: i64,
}
