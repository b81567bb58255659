//! Two databases with the rows of one real job, multiplied: many of them, and few.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use mediaflow::queue::testing::PrivatePostgres;

use super::site::{Place, Site};
use super::sql::Database;
use super::{Result, host, soon, step};

/// How many old jobs each round of retention deletes.
pub(crate) const OLD: u64 = 1_000;

/// Over how long the jobs have ended, in milliseconds, and how long ago the last one did.
const SPAN: i64 = 6 * 86_400_000;
const AGO: i64 = 600_000;

/// How many jobs have lived on each last.
const NEWEST: usize = 150;

/// How many jobs there are for each message that is pending, each address and each origin.
const MESSAGES: u64 = 10;
const ADDRESSES: u64 = 50;
const ORIGINS: u64 = 500;

#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) full: Database,
    pub(crate) few: Database,
    /// When the first one ended, and how much later each next one.
    began: i64,
    apart: i64,
}

impl Pair {
    /// When the job of this number ended, in milliseconds.
    pub(crate) fn ended(&self, number: u64) -> i64 {
        self.began + self.apart * number as i64
    }
}

/// A server with room for a fleet's connections, which does not stop for a checkpoint while it is being filled.
pub(crate) async fn server() -> Result<Site> {
    let server = PrivatePostgres::builder()
        .set("max_connections", "800")
        .set("max_wal_size", "8GB")
        .set("shared_buffers", "512MB");
    Ok(Site::Postgres(server.start().await?))
}

pub(crate) async fn pair(site: &Site, jobs: u64, rounds: usize) -> Result<Pair> {
    let now = i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?;
    let (began, apart) = (now - SPAN, (SPAN - AGO) / jobs as i64);
    let fill = async |upto: u64, waits: bool| {
        let place = site.fresh().await?;
        Filling { database: lived(place).await?, jobs, upto, began, apart, now, waits }.fill().await
    };
    // One round more, so that there are some pages left in the end.
    let few = fill((rounds as u64 + 1) * OLD, false).await?;
    Ok(Pair { full: fill(jobs, true).await?, few, began, apart })
}

/// A database in which one job has lived, in a batch, and somebody was told of it.
async fn lived(place: Place) -> Result<Database> {
    let (media, mut told) = host::telling(&place).await?;
    let batch = media.eager([step::job(step::number())?]).await?;
    soon("the end of a batch", batch.done()).await??;
    soon("what is told of a job", told.wait_for(|told| *told >= 1)).await??;
    host::stop(media).await?;
    let database = Database::open(place).await?;
    database.until("SELECT count(*) FROM mediaflow_messages WHERE state <> 'delivered'", 0).await?;
    Ok(database)
}

struct Filling {
    database: Database,
    /// How many jobs the full one has, and which of them are written here.
    jobs: u64,
    upto: u64,
    began: i64,
    apart: i64,
    now: i64,
    /// Whether there are messages that wait.
    waits: bool,
}

impl Filling {
    async fn fill(self) -> Result<Database> {
        let indexes = self.take_indexes().await?;
        self.numbers().await?;
        self.rows().await?;
        if self.waits {
            self.messages().await?;
        }
        self.database.run("DROP TABLE scale_n").await?;
        for index in indexes {
            self.database.run(&index).await?;
        }
        self.told_of().await?;
        self.newest().await?;
        for sql in if self.database.is_file() {
            ["ANALYZE", "PRAGMA wal_checkpoint(TRUNCATE)"]
        } else {
            ["VACUUM (ANALYZE)", "CHECKPOINT"]
        } {
            self.database.run(sql).await?;
        }
        Ok(self.database)
    }

    /// Drops the indexes that are no keys. Gives how they are made again: on a server at the end, which is sooner done.
    async fn take_indexes(&self) -> Result<Vec<String>> {
        if self.database.is_file() {
            return Ok(Vec::new());
        }
        let named = "FROM pg_indexes WHERE schemaname = 'public' AND tablename LIKE 'mediaflow%' AND indexname NOT IN (
            SELECT conname FROM pg_constraint) ORDER BY indexname";
        let made = self.database.texts(&format!("SELECT indexdef {named}")).await?;
        let names = format!("SELECT CAST(indexname AS TEXT) {named}");
        for name in self.database.texts(&names).await? {
            self.database.run(&format!("DROP INDEX {name}")).await?;
        }
        Ok(made)
    }

    /// Some more real ones, which fill the first page of every list.
    async fn newest(&self) -> Result<()> {
        let (media, mut told) = host::telling(&self.database.place).await?;
        let jobs = (0..NEWEST).map(|_| step::job(step::number())).collect::<Result<Vec<_>>>()?;
        media.eager(jobs).await?;
        soon("what is told of jobs", told.wait_for(|told| *told >= NEWEST)).await??;
        host::stop(media).await
    }

    /// The jobs by number, with their ids, which sort by time as real ones do.
    async fn numbers(&self) -> Result<()> {
        let Self { began, apart, upto, .. } = self;
        let at = format!("({began} + {apart} * n)");
        // What is a version and a variant in an id stays so.
        let id = |kind: u32| {
            if self.database.is_file() {
                format!(
                    "printf('%08x-%04x-7%03x-8000-%012x', {at} / 65536, {at} % 65536, {kind}, n)"
                )
            } else {
                let hex = format!("lpad(to_hex({at}), 12, '0')");
                format!(
                    "substr({hex}, 1, 8) || '-' || substr({hex}, 9) || '-7' || lpad(to_hex({kind}), 3, '0')
                     || '-8000-' || lpad(to_hex(n), 12, '0')"
                )
            }
        };
        let from = if self.database.is_file() {
            format!(
                "(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {upto}) SELECT n FROM s)"
            )
        } else {
            format!("generate_series(CAST(1 AS BIGINT), {upto}) AS s (n)")
        };
        let table = format!(
            "CREATE TABLE scale_n AS SELECT n, {at} AS at, {} AS job, {} AS batch, {} AS created, {} AS completed, {} AS told
             FROM {from}",
            id(1),
            id(2),
            id(3),
            id(4),
            id(5)
        );
        self.database.run(&table).await.map(drop)
    }

    async fn rows(&self) -> Result<()> {
        let real = async |sql: &str| {
            let found = self.database.texts(sql).await?;
            found.into_iter().next().ok_or_else(|| format!("nothing is found: {sql}").into())
        };
        let real: [Result<String>; 2] = [
            real("SELECT id FROM mediaflow_jobs").await,
            real("SELECT id FROM mediaflow_batches").await,
        ];
        let [job, batch] = real;
        let (job, batch) = (job?, batch?);
        let named = |column: &str| {
            format!("replace(replace(j.{column}, '{job}', s.job), '{batch}', s.batch)")
        };
        let event = |id: &str| format!("replace({}, j.id, s.{id})", named("body"));
        let moved = |column: &str| {
            format!("j.{column} + s.at - (SELECT max(ended_at) FROM mediaflow_batches)")
        };
        self.copy(
            "mediaflow_jobs",
            "TRUE",
            &[
                ("id", "s.job"),
                ("batch", "s.batch"),
                ("report", &named("report")),
                ("queued_at", &moved("queued_at")),
                ("due", &moved("due")),
                ("started_at", &moved("started_at")),
                ("ended_at", "s.at"),
            ],
        )
        .await?;
        self.copy(
            "mediaflow_outputs",
            "TRUE",
            &[("job", "s.job"), ("content_key", "j.content_key || s.n")],
        )
        .await?;
        self.copy(
            "mediaflow_batches",
            "TRUE",
            &[("id", "s.batch"), ("created_at", &moved("created_at")), ("ended_at", "s.at")],
        )
        .await?;
        self.copy("mediaflow_batch_jobs", "TRUE", &[("batch", "s.batch"), ("job", "s.job")])
            .await?;
        for (kind, id) in [
            ("job.created", "created"),
            ("job.completed", "completed"),
            ("batch.completed", "told"),
        ] {
            self.copy(
                "mediaflow_events",
                &format!("kind = '{kind}'"),
                &[
                    ("id", &format!("s.{id}")),
                    ("job", "CASE WHEN j.job IS NOT NULL THEN s.job END"),
                    ("batch", "s.batch"),
                    ("at", "s.at"),
                    ("body", &event(id)),
                ],
            )
            .await?;
        }
        Ok(())
    }

    /// A message for each of the newest jobs that is to be sent again some time, to origins that are tried now and then.
    async fn messages(&self) -> Result<()> {
        let (jobs, now) = (self.jobs, self.now);
        let (addresses, origins) = (jobs / ADDRESSES, jobs / ORIGINS);
        let origin = format!("'https://host-' || (s.n % {origins}) || '.example:443'");
        let destination = format!("'counter ' || {origin}");
        let address = format!("{origin} || '/hooks/' || (s.n % {addresses})");
        let later = format!("{now} + 86400000 + s.n");
        self.copy(
            "mediaflow_messages",
            &format!("kind = 'job.completed' AND s.n > {}", jobs - jobs * 3 / MESSAGES),
            &[
                ("uid", "s.told"),
                ("recipient", &format!("'{:040}' || (100000000 + s.n % {addresses})", 0)),
                ("group_key", "s.completed"),
                ("event", "s.completed"),
                ("job", "s.job"),
                ("destination", &destination),
                ("address", &address),
                ("state", "'pending'"),
                ("attempts", "5"),
                ("failures", "5"),
                ("due", &later),
                ("expires_at", &format!("{later} + 86400000")),
                ("created_at", "s.at"),
                ("worker", "NULL"),
                ("lease_until", "NULL"),
                ("ended_at", "NULL"),
                ("sent_at", "NULL"),
            ],
        )
        .await?;
        let remembered = format!(
            "INSERT INTO mediaflow_destinations (destination, failures, probes, blocked_until, failing_since, touched_at)
             SELECT {destination}, 9, 3, {now} + 43200000, {now} - 3600000, {now} FROM scale_n s WHERE s.n <= {origins}"
        );
        self.database.run(&remembered).await.map(drop)
    }

    /// What workers have written down meanwhile: what ended in which minute, and up to where retention has looked.
    async fn told_of(&self) -> Result<()> {
        let over = self.now / 60_000 * 60_000;
        let day = over - 86_400_000;
        for sql in [
            "DELETE FROM mediaflow_facts WHERE name IN ('counted', 'retention')".to_owned(),
            "DELETE FROM mediaflow_ended".to_owned(),
            format!(
                "INSERT INTO mediaflow_ended (minute, state, code, jobs)
                 SELECT ended_at / 60000, state, coalesce(failure_code, ''), count(*) FROM mediaflow_jobs
                 WHERE ended_at >= {day} AND ended_at < {over}
                 GROUP BY ended_at / 60000, state, coalesce(failure_code, '')"
            ),
            format!("INSERT INTO mediaflow_facts (name, value) VALUES ('counted', '{over}')"),
            "INSERT INTO mediaflow_facts (name, value)
             SELECT 'retention', '{\"progress\": ' || max(seq) || '}' FROM mediaflow_events"
                .to_owned(),
        ] {
            self.database.run(&sql).await?;
        }
        Ok(())
    }

    /// Rows `j` of a table, once for each number `s`, with some columns changed. A key that counts up does so.
    async fn copy(&self, table: &str, only: &str, changed: &[(&str, &str)]) -> Result<()> {
        let columns = if self.database.is_file() {
            format!(
                "SELECT name FROM pragma_table_info('{table}') WHERE NOT (pk = 1 AND type = 'INTEGER')"
            )
        } else {
            format!(
                "SELECT CAST(column_name AS TEXT) FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = '{table}' AND is_identity = 'NO' AND (column_default IS NULL
                   OR column_default NOT LIKE 'nextval%')"
            )
        };
        let columns = self.database.texts(&columns).await?;
        let changed: BTreeMap<_, _> = changed.iter().copied().collect();
        let value = |column: &String| {
            changed
                .get(column.as_str())
                .map_or_else(|| format!("j.{column}"), |to| (*to).to_owned())
        };
        let values = columns.iter().map(value).collect::<Vec<_>>().join(", ");
        let copy = format!(
            "INSERT INTO {table} ({}) SELECT {values} FROM scale_n s, (SELECT * FROM {table}) j WHERE {only}",
            columns.join(", ")
        );
        self.database.run(&copy).await.map(drop)
    }
}
