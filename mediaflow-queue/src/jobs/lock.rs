//! Rows that are locked together are locked in one order: open batches by themselves, then jobs by their ids, then their parts,
//! then batches by their ids, then shares by their names, and River's rows last. Two transactions that locked them in different orders would wait for one another. Ids are ordered
//! by their bytes, as they are here: the order of a database can be another one.

use mediaflow_core::{JobId, Result};
use sqlx::AssertSqlSafe;

use crate::db::{BY_BYTES, Tx, places, values};

/// An update of as many jobs as there are rows of values, the first of which is the id: `column1`, `column2`.
pub(super) fn update_in_order(
    tx: &Tx<'_, '_>,
    set: &str,
    (rows, columns): (usize, usize),
    and: &str,
) -> String {
    let list = places(rows, columns);
    // SQLite has one writer at a time.
    if rows < 2 || !tx.locks_rows() {
        return format!(
            "UPDATE mediaflow_jobs SET {set} FROM (VALUES {list}) AS given WHERE id = column1 AND {and}"
        );
    }
    format!(
        "WITH given AS MATERIALIZED (SELECT * FROM (VALUES {list}) AS list), locked AS MATERIALIZED (
             SELECT id AS held FROM mediaflow_jobs WHERE id IN (SELECT column1 FROM given)
             ORDER BY id{BY_BYTES} FOR UPDATE)
         UPDATE mediaflow_jobs SET {set} FROM given JOIN locked ON held = column1 WHERE id = column1 AND {and}"
    )
}

/// Locks a job before its parts.
pub(crate) async fn lock(tx: &mut Tx<'_, '_>, job: JobId) -> Result<()> {
    if tx.locks_rows() {
        tx.rows("SELECT 1 AS one FROM mediaflow_jobs WHERE id = $1 FOR UPDATE", values![job])
            .await?;
    }
    Ok(())
}

/// Locks all jobs that a worker holds, or of which it holds parts.
pub(crate) async fn lock_held(tx: &mut Tx<'_, '_>, worker: &str) -> Result<()> {
    if tx.locks_rows() {
        let lock = format!(
            "SELECT 1 AS one FROM mediaflow_jobs WHERE id IN (
                 SELECT id FROM mediaflow_jobs WHERE worker = $1
                 UNION SELECT job FROM mediaflow_parts WHERE worker = $1)
             ORDER BY id{BY_BYTES} FOR UPDATE"
        );
        tx.rows(AssertSqlSafe(lock), values![worker]).await?;
    }
    Ok(())
}
