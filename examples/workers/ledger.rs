//! What the database says, read from its tables: no process that took part is asked.

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::Anyhow;

pub(crate) struct Ledger(PgPool);

/// The numbers of some jobs, given by their names.
pub(crate) const SUCCEEDED: &str =
    "SELECT count(*) FROM mediaflow_jobs WHERE id = ANY($1) AND state = 'succeeded'";
pub(crate) const ENDED: &str =
    "SELECT count(*) FROM mediaflow_jobs WHERE id = ANY($1) AND ended_at IS NOT NULL";
pub(crate) const ENDED_TWICE: &str = "SELECT count(*) FROM (
       SELECT job FROM mediaflow_events
       WHERE job = ANY($1) AND kind IN ('job.completed', 'job.failed', 'job.cancelled')
       GROUP BY job HAVING count(*) > 1) AS twice";
pub(crate) const ATTEMPTS: &str = "SELECT coalesce(sum(attempts), 0)::BIGINT FROM (
       SELECT attempts FROM mediaflow_jobs WHERE id = ANY($1)
       UNION ALL SELECT attempts FROM mediaflow_parts WHERE job = ANY($1)) AS runs";
pub(crate) const REPEATED: &str =
    "SELECT coalesce(sum(greatest(attempts - 1, 0)), 0)::BIGINT FROM (
       SELECT attempts FROM mediaflow_jobs WHERE id = ANY($1)
       UNION ALL SELECT attempts FROM mediaflow_parts WHERE job = ANY($1)) AS runs";
/// Each attempt takes the next token, and so does each takeover. The assembly of a job takes one more.
pub(crate) const TAKEN_OVER: &str = "SELECT coalesce(sum(fence - attempts), 0)::BIGINT FROM (
       SELECT fence, attempts FROM mediaflow_jobs WHERE id = ANY($1) AND parts_left IS NULL
       UNION ALL SELECT fence, attempts FROM mediaflow_parts WHERE job = ANY($1)) AS runs";
pub(crate) const PARTS: &str = "SELECT count(*) FROM mediaflow_parts WHERE job = ANY($1)";
pub(crate) const DELIVERED: &str = "SELECT count(*) FROM mediaflow_messages m
       JOIN mediaflow_events e ON e.id = m.event
       WHERE (e.job = ANY($1) OR e.batch = ANY($1)) AND m.state = 'delivered'";

impl Ledger {
    pub(crate) async fn open(url: &str) -> Anyhow<Self> {
        Ok(Self(PgPoolOptions::new().max_connections(2).connect(url).await?))
    }

    /// Ended jobs, all jobs, parts that are done, all parts.
    pub(crate) async fn progress(&self) -> Anyhow<[i64; 4]> {
        let count = "SELECT (SELECT count(*) FROM mediaflow_jobs WHERE ended_at IS NOT NULL),
                            (SELECT count(*) FROM mediaflow_jobs),
                            (SELECT count(*) FROM mediaflow_parts WHERE state = 'done'),
                            (SELECT count(*) FROM mediaflow_parts)";
        let (ended, jobs, done, parts) = sqlx::query_as(count).fetch_one(&self.0).await?;
        Ok([ended, jobs, done, parts])
    }

    pub(crate) async fn number(&self, count: &'static str, names: &[String]) -> Anyhow<usize> {
        let number: i64 = sqlx::query_scalar(count).bind(names).fetch_one(&self.0).await?;
        Ok(usize::try_from(number)?)
    }

    /// The ids of the events that a receiver must have been told of.
    pub(crate) async fn webhooks(&self, names: &[String]) -> Anyhow<Vec<String>> {
        let find = "SELECT id FROM mediaflow_events
                    WHERE job = ANY($1) AND kind IN ('job.completed', 'job.failed', 'job.cancelled')
                       OR batch = ANY($1) AND kind = 'batch.completed'";
        Ok(sqlx::query_scalar(find).bind(names).fetch_all(&self.0).await?)
    }

    /// The reports of jobs that have ended.
    pub(crate) async fn reports(&self, names: &[String]) -> Anyhow<Vec<String>> {
        let find = "SELECT report FROM mediaflow_jobs WHERE id = ANY($1) AND report IS NOT NULL";
        Ok(sqlx::query_scalar(find).bind(names).fetch_all(&self.0).await?)
    }
}
