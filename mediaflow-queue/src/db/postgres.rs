use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use mediaflow_core::{Error, Result, codes};
use riverqueue::database::SchemaName;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _, PgConnection, PgPool};

use super::failed;
use super::query::STATEMENTS;

/// After so long without use, a connection may have been cut without a word.
const RESTED: Duration = Duration::from_secs(1);

/// For so long after a server was found that only reads, no connection is believed to write.
const DOUBTED: Duration = Duration::from_secs(60);

/// How long one of our statements waits for a row that another transaction holds: a host's that stays open may not stop
/// everything else. It counts as a conflict, and is tried again.
const LOCKED: Duration = Duration::from_secs(2);

/// How long a connection may take.
const CONNECTING: Duration = Duration::from_secs(10);

/// A database on a server.
#[derive(Clone, Debug)]
pub(crate) struct Postgres {
    pub(crate) pool: PgPool,
    /// One connection for what loops read again and again: on those of the pool, which take turns, each statement would be
    /// planned as often as there are of them, and each of them be asked before whether it still works.
    pub(crate) looks: PgPool,
    /// The schema of River's tables. Ours are where the connection's `search_path` leads.
    pub(crate) river: SchemaName,
}

impl Postgres {
    /// Connects to a server. The URL is not repeated in errors: it has a password in it.
    ///
    /// A process that is stopped, or cut off, in the middle of a transaction loses it after `lease`, and with it the
    /// locks on its rows: until then nobody could take them over.
    pub(super) async fn connect(
        url: &str,
        river: &str,
        connections: u32,
        lease: Duration,
    ) -> Result<Self> {
        let river = schema(river)?;
        let options = PgConnectOptions::from_str(url).map_err(|_| {
            Error::input(codes::QUEUE_URL, "this is no URL of a PostgreSQL database")
                .help("write postgres://user:password@host:5432/database")
        })?;
        let (host, port) = (options.get_host().to_owned(), options.get_port());
        let options = options.application_name("mediaflow").statement_cache_capacity(STATEMENTS);
        // A plan that is made while a table is empty would read the whole of it for as long as the connection lives: each
        // of our statements has its index. Where none fits, the server counts an absurd cost, for which it would compile it. And
        // whatever it expects of a large table: a page of it is read sooner than further processes are started for that.
        let settings = format!(
            "SET enable_seqscan = off; SET jit = off; SET max_parallel_workers_per_gather = 0;
             SET idle_in_transaction_session_timeout = {}; SET lock_timeout = {}",
            lease.as_millis(),
            LOCKED.as_millis()
        );
        let looks = looks(&options, settings.clone());
        let pool = PgPoolOptions::new().max_connections(connections);
        let pool = trusted(pool, AssertSqlSafe(settings))
            .acquire_timeout(CONNECTING)
            .connect_with(options)
            .await
            .map_err(|e| failed(e).with("host", format_args!("{host}:{port}")))?;
        Ok(Self { pool, looks, river })
    }

    /// A connection of its own, opened when it is needed first, for what nobody misses if the server loses it in a crash.
    pub(crate) fn single(&self) -> PgPool {
        let one = PgPoolOptions::new().max_connections(1).acquire_timeout(CONNECTING);
        let one = one.after_connect(|connection, _| {
            Box::pin(async { connection.execute("SET synchronous_commit = off").await.map(drop) })
        });
        let options = (*self.pool.connect_options()).clone();
        one.idle_timeout(None).max_lifetime(None).connect_lazy_with(options)
    }

    /// One connection to change the tables with: that takes as long as it takes, whatever the user's own settings are. A
    /// statement waits for a table that others use no longer than `locked`; 0 is without a limit, for what keeps nobody else
    /// from that table while it waits.
    pub(super) fn patient(&self, locked: Duration) -> PgPool {
        let settings = format!(
            "SET statement_timeout = 0; SET lock_timeout = {};
             SET idle_in_transaction_session_timeout = 0; SET idle_session_timeout = 0",
            locked.as_millis()
        );
        PgPoolOptions::new()
            .max_connections(1)
            .after_connect(move |connection, _| {
                let settings = AssertSqlSafe(settings.clone());
                Box::pin(async move { connection.execute(settings).await.map(drop) })
            })
            .acquire_timeout(CONNECTING)
            .connect_lazy_with((*self.pool.connect_options()).clone())
    }
}

/// How long one connection is used for what loops read again and again.
const LOOKS: Duration = Duration::from_secs(60);

/// A connection that is opened when it is needed first, and again each minute: after a failover an address leads elsewhere.
/// Nobody asks whether it still works. A server that only reads may be behind, and is not looked at.
fn looks(options: &PgConnectOptions, settings: String) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(LOOKS)
        .acquire_timeout(CONNECTING)
        .after_connect(move |connection, _| {
            let settings = format!("{settings}; SET plan_cache_mode = force_generic_plan");
            Box::pin(async move {
                connection.execute(AssertSqlSafe(settings)).await?;
                if writes(connection).await? {
                    return Ok(());
                }
                Err(sqlx::Error::Protocol("the server only reads".into()))
            })
        })
        .connect_lazy_with(options.clone())
}

/// Asking a connection whether it still works takes as long as working with it: only one that rested is asked. After a
/// failover a server may only read. Whoever is connected to it is told so by what he writes; and nobody is for longer than
/// that: for a while, every connection is asked whether it writes, and the next one is made to where the address leads then.
fn trusted(pool: PgPoolOptions, settings: AssertSqlSafe<String>) -> PgPoolOptions {
    let sighted = Arc::new(Mutex::new(None::<Instant>));
    let doubted = Arc::clone(&sighted);
    pool.test_before_acquire(false)
        .after_connect(move |connection, _| {
            let (settings, sighted) = (AssertSqlSafe(settings.0.clone()), Arc::clone(&sighted));
            Box::pin(async move {
                connection.execute(settings).await?;
                if !writes(connection).await? {
                    *sighted.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
                }
                Ok(())
            })
        })
        .before_acquire(move |connection, known| {
            let sighted = *doubted.lock().unwrap_or_else(PoisonError::into_inner);
            let doubted = sighted.is_some_and(|sighted| sighted.elapsed() < DOUBTED);
            Box::pin(async move {
                let trusted = known.idle_for < RESTED && !doubted;
                Ok(trusted || writes(connection).await.unwrap_or(false))
            })
        })
}

/// Whether a connection can write.
async fn writes(connection: &mut PgConnection) -> sqlx::Result<bool> {
    let ask = "SELECT 1 WHERE current_setting('transaction_read_only') = 'off'";
    connection.fetch_optional(ask).await.map(|row| row.is_some())
}

fn schema(name: &str) -> Result<SchemaName> {
    let refused = || {
        Error::input(
            codes::QUEUE_RIVER_SCHEMA,
            "River's tables can not be in a schema of this name",
        )
        .with("name", name.escape_debug())
        .help("it has 1 to 46 bytes, and no zero among them")
    };
    let schema = SchemaName::new(name).map_err(|e| refused().because(e))?;
    // Without a name it would be wherever the connection's search path leads, which a host's transaction may change.
    if schema.as_deref().is_none() { Err(refused()) } else { Ok(schema) }
}
