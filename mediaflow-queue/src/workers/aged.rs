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
    /// Which rows `o` stay. `$6` is the moment up to which nobody waits for events to be routed.
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
        "EXISTS (SELECT 1 FROM mediaflow_events e WHERE e.batch = o.id AND e.job IS NULL AND (
           EXISTS (SELECT 1 FROM mediaflow_unrouted u WHERE u.seq = e.seq AND e.at > $6
                   AND EXISTS (SELECT 1 FROM mediaflow_channels WHERE seen_at > $6))
           OR EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.group_key = e.id AND d.state IN ('pending', 'sending'))
           OR EXISTS (SELECT 1 FROM mediaflow_messages d
                      WHERE d.event = e.id AND d.events > 1 AND d.state IN ('pending', 'sending'))))",
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
        "EXISTS (SELECT 1 FROM mediaflow_batch_jobs b WHERE b.job = o.id)
         OR EXISTS (SELECT 1 FROM mediaflow_after a JOIN mediaflow_jobs f ON f.id = a.job
                    WHERE a.before = o.id AND f.ended_at IS NULL)
         OR EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.job = o.id AND d.state IN ('pending', 'sending'))
         OR EXISTS (SELECT 1 FROM mediaflow_events e JOIN mediaflow_unrouted u ON u.seq = e.seq
                    WHERE e.job = o.id AND e.at > $6 AND EXISTS (SELECT 1 FROM mediaflow_channels WHERE seen_at > $6))",
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
        "EXISTS (SELECT 1 FROM mediaflow_jobs j WHERE j.id = o.job)
         OR EXISTS (SELECT 1 FROM mediaflow_unrouted u WHERE u.seq = o.seq AND o.at > $6
                    AND EXISTS (SELECT 1 FROM mediaflow_channels WHERE seen_at > $6))
         OR EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.group_key = o.id)
         OR EXISTS (SELECT 1 FROM mediaflow_messages d WHERE d.event = o.id AND d.events > 1)
         OR EXISTS (SELECT 1 FROM mediaflow_message_events m WHERE m.event = o.id)",
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
    /// The last row.
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
        let rows =
            process.db.rows(AssertSqlSafe(self.look()), &self.range(times, walk, None)).await?;
        let whole = rows.len() as i64 == ROWS;
        let (mut next, mut deleted) = (walk.clone(), 0);
        for row in &rows {
            if row.int("kept")? != 0 {
                (next.left, turn.left) = (true, turn.left + 1);
            } else {
                let size = 1 + row.int("owned")?;
                if size > ROWS {
                    self.shorten(process, self.key_of(row)?).await?;
                }
                if size > ROWS || deleted + size > ROWS {
                    self.delete(process, times, walk, next, deleted).await?;
                    return Ok(true);
                }
                deleted += size;
            }
            (next.at, next.key) = (row.int("at")?, self.key_of(row)?);
        }
        self.delete(process, times, walk, next, deleted).await?;
        turn.done = !whole || turn.left >= LEFT;
        let anew = i64::try_from(ANEW.as_millis()).unwrap_or(i64::MAX);
        let old = walk.began.saturating_add(anew) <= times.now;
        if !whole && (walk.left || old) {
            let began = if old { times.now } else { walk.began };
            *walk = Walk { began, ..Walk::default() };
        }
        Ok(!turn.done)
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
            let stays = self.kept.map(|kept| format!(" AND NOT ({kept})")).unwrap_or_default();
            let delete = format!(
                "DELETE FROM {} WHERE {} IN (SELECT o.{} FROM {} WHERE {}{stays})",
                self.table,
                self.key,
                self.key,
                self.page(),
                self.upto(),
            );
            let range = self.range(times, walk, Some(&next));
            process.db.run(AssertSqlSafe(delete), &range).await?;
        }
        *walk = next;
        Ok(())
    }

    /// Deletes some of what leaves with a row that has too much of it.
    async fn shorten(&self, process: &Process, key: String) -> Result<()> {
        for (table, owner, name) in self.owned {
            let some = format!(
                "DELETE FROM {table} WHERE {owner} = $1 AND {name} IN (
                   SELECT {name} FROM {table} WHERE {owner} = $1 ORDER BY {name} LIMIT {ROWS})"
            );
            let gone = process.db.run(AssertSqlSafe(some), &[self.value(&key)]).await?;
            if i64::try_from(gone).is_ok_and(|gone| gone >= ROWS / 2) {
                break;
            }
        }
        Ok(())
    }

    /// A page of rows, with what leaves together with each.
    fn look(&self) -> String {
        let count = |(table, owner, _): &(&str, &str, &str)| {
            format!(
                " + (SELECT count(*) FROM (SELECT 1 FROM {table} c WHERE c.{owner} = o.{} LIMIT {ROWS}) AS c)",
                self.key
            )
        };
        format!(
            "SELECT o.{key} AS key, o.{at} AS at, CAST({kept} AS BIGINT) AS kept, CAST(0{owned} AS BIGINT) AS owned FROM {page} WHERE {upto} ORDER BY o.{at}, o.{key}",
            key = self.key,
            at = self.at,
            kept = self
                .kept
                .map_or("0".to_owned(), |kept| format!("CASE WHEN {kept} THEN 1 ELSE 0 END")),
            owned = self.owned.iter().map(count).collect::<String>(),
            page = self.page(),
            upto = self.upto(),
        )
    }

    /// The next rows that are old, in their order. Not more are joined with anything, however few the database expects.
    fn page(&self) -> String {
        let Self { table, key, at, columns, of, .. } = self;
        format!(
            "(SELECT {key}, {at}{columns} FROM {table} WHERE {of} AND {at} >= $1 AND {at} < $2 AND ({at} > $1 OR {key} > $3)
              ORDER BY {at}, {key} LIMIT {ROWS}) AS o"
        )
    }

    fn upto(&self) -> String {
        let Self { key, at, .. } = self;
        format!("(o.{at} < $4 OR o.{at} = $4 AND o.{key} <= $5)")
    }

    fn range(&self, times: &Times, from: &Walk, upto: Option<&Walk>) -> Vec<Value> {
        let end = Walk { at: i64::MAX, ..Walk::default() };
        let upto = upto.unwrap_or(&end);
        let mut values =
            values![from.at, times.until, self.value(&from.key), upto.at, self.value(&upto.key)]
                .to_vec();
        if self.kept.is_some() {
            values.push(times.unrouted.into());
        }
        values
    }

    fn key_of(&self, row: &Row) -> Result<String> {
        if self.numbered { row.int("key").map(|key| key.to_string()) } else { row.text("key") }
    }

    fn value(&self, key: &str) -> Value {
        if self.numbered { key.parse::<i64>().unwrap_or(0).into() } else { key.into() }
    }
}
