//! What is remembered of destinations: read and locked at the beginning of a transaction, written at its end.

use std::collections::{BTreeMap, BTreeSet};

use mediaflow_core::outbox::{DestinationKey, DestinationState};
use mediaflow_core::{Error, Result, Timestamp, codes};
use sqlx::AssertSqlSafe;

use super::handle::to_text;
use crate::db::{Row, Tx, Value, places, values};
use crate::process::Process;

/// The columns of [`read`].
pub(super) const COLUMNS: &str = "failures, probes, probe_until, blocked_until, paid_until, failing_since, paused, disabled_at, reason, told, ramp, last_probe, failed_at";

/// Destinations of a transaction, by their texts.
#[derive(Debug, Default)]
pub(super) struct Locked {
    pub(super) rows: BTreeMap<String, Entry>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) state: DestinationState,
    before: DestinationState,
    stored: bool,
}

/// The destinations of an exchange. They are locked before anything else, in one order.
#[derive(Debug, Default)]
pub(super) struct Touched {
    keys: BTreeSet<String>,
    /// Those that may have something to be remembered now, if they had not before.
    written: BTreeSet<String>,
}

impl Touched {
    pub(super) fn add(&mut self, key: &DestinationKey, written: bool) {
        self.add_text(to_text(key), written);
    }

    pub(super) fn add_text(&mut self, key: String, written: bool) {
        if written {
            self.written.insert(key.clone());
        }
        self.keys.insert(key);
    }
}

/// How many keys one statement names.
const TOGETHER: usize = 64;

/// How often a row can be deleted between the two statements that add and lock it.
const RACES: usize = 10;

/// Reads destinations, and keeps others from writing them. One that may be written gets a row first, so that two processes
/// can not both believe to be the first.
pub(super) async fn lock(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    touched: &Touched,
) -> Result<Locked> {
    let mut locked = Locked::default();
    let mut written = touched.written.clone();
    for _ in 0..RACES {
        add(tx, &written).await?;
        read_locked(process, tx, &touched.keys, &mut locked).await?;
        written.retain(|key| locked.is_clear(key));
        if written.is_empty() {
            return Ok(locked);
        }
        // Something arrived there, and its row was forgotten while this transaction waited for it.
    }
    Err(Error::transient(codes::QUEUE_CONFLICT, "others write the same destinations all the time"))
}

async fn add(tx: &mut Tx<'_, '_>, keys: &BTreeSet<String>) -> Result<()> {
    let keys: Vec<_> = keys.iter().map(Value::from).collect();
    for keys in keys.chunks(TOGETHER) {
        let insert = format!(
            "INSERT INTO mediaflow_destinations (destination) VALUES {} ON CONFLICT (destination) DO NOTHING",
            places(keys.len(), 1)
        );
        tx.run(AssertSqlSafe(insert), keys).await?;
    }
    Ok(())
}

async fn read_locked(
    process: &Process,
    tx: &mut Tx<'_, '_>,
    keys: &BTreeSet<String>,
    locked: &mut Locked,
) -> Result<()> {
    let keys: Vec<_> = keys.iter().map(Value::from).collect();
    for keys in keys.chunks(TOGETHER) {
        let find = format!(
            "SELECT destination, {COLUMNS} FROM mediaflow_destinations WHERE destination IN {}
             ORDER BY destination{}{}",
            places(1, keys.len()),
            process.db.by_bytes(),
            process.db.for_update()
        );
        for row in tx.rows(AssertSqlSafe(find), keys).await? {
            let state = read(&row)?;
            let entry = Entry { before: state.clone(), state, stored: true };
            locked.rows.insert(row.text("destination")?, entry);
        }
    }
    Ok(())
}

impl Locked {
    /// Whether a destination works, and nothing is to be remembered of it.
    pub(super) fn is_clear(&self, key: &str) -> bool {
        !self.rows.contains_key(key)
    }

    /// The state of a destination, as it is.
    pub(super) fn of(&self, key: &str) -> DestinationState {
        self.rows.get(key).map(|entry| entry.state.clone()).unwrap_or_default()
    }

    /// The state of a destination, to be changed.
    pub(super) fn state(&mut self, key: &str) -> &mut DestinationState {
        let entry = || Entry {
            state: DestinationState::default(),
            before: DestinationState::default(),
            stored: false,
        };
        &mut self.rows.entry(key.to_owned()).or_insert_with(entry).state
    }
}

/// Writes what has changed, and forgets what is not worth remembering.
pub(super) async fn save(tx: &mut Tx<'_, '_>, locked: &Locked, now: Timestamp) -> Result<()> {
    for (key, entry) in &locked.rows {
        if entry.state.is_clear(now) {
            if entry.stored {
                let forget = "DELETE FROM mediaflow_destinations WHERE destination = $1";
                tx.run(forget, values![key]).await?;
            }
        } else if entry.state != entry.before {
            write(tx, key, &entry.state, now).await?;
        }
    }
    Ok(())
}

pub(super) async fn write(
    tx: &mut Tx<'_, '_>,
    key: &str,
    state: &DestinationState,
    now: Timestamp,
) -> Result<()> {
    let write = "INSERT INTO mediaflow_destinations
           (destination, failures, probes, probe_until, blocked_until, paid_until, failing_since, paused, disabled_at, reason, told,
            ramp, last_probe, failed_at, touched_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
         ON CONFLICT (destination) DO UPDATE SET failures = excluded.failures, probes = excluded.probes,
           probe_until = excluded.probe_until, blocked_until = excluded.blocked_until, paid_until = excluded.paid_until,
           failing_since = excluded.failing_since, paused = excluded.paused, disabled_at = excluded.disabled_at,
           reason = excluded.reason, told = excluded.told, ramp = excluded.ramp,
           last_probe = excluded.last_probe, failed_at = excluded.failed_at, touched_at = excluded.touched_at";
    tx.run(
        write,
        values![
            key,
            state.failures,
            state.probes,
            state.probe_until,
            state.blocked_until,
            state.paid_until,
            state.failing_since,
            state.paused,
            state.disabled_at,
            state.reason.clone(),
            state.told,
            state.ramp,
            state.last_probe.clone(),
            state.failed_at,
            now
        ],
    )
    .await
    .map(drop)
}

/// The state in a row. Without one, as from an outer join, it is that of a destination that works.
pub(super) fn read(row: &Row) -> Result<DestinationState> {
    let mut state = DestinationState::default();
    let Some(failures) = row.opt_int("failures")? else { return Ok(state) };
    let small = |value: i64| u32::try_from(value).unwrap_or(u32::MAX);
    state.failures = small(failures);
    state.probes = small(row.int("probes")?);
    state.probe_until = row.time("probe_until")?;
    state.blocked_until = row.time("blocked_until")?;
    state.paid_until = row.int("paid_until")?;
    state.failing_since = row.opt_time("failing_since")?;
    state.paused = row.int("paused")? != 0;
    state.disabled_at = row.opt_time("disabled_at")?;
    state.reason = row.opt_text("reason")?;
    state.told = row.int("told")? != 0;
    state.ramp = small(row.int("ramp")?);
    state.last_probe = row.opt_text("last_probe")?;
    state.failed_at = row.opt_time("failed_at")?;
    Ok(state)
}
