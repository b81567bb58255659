use std::str::FromStr as _;
use std::time::Duration;

use mediaflow_core::{Error, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgPool};

use super::failed;

/// After so long without use, a connection may have been cut without a word.
const RESTED: Duration = Duration::from_secs(1);

/// Connects to a server. The URL is not repeated in errors: it has a password in it.
///
/// A process that is stopped, or cut off, in the middle of a transaction loses it after `lease`, and with it the locks
/// on its rows: until then nobody could take them over.
pub(super) async fn connect(url: &str, connections: u32, lease: Duration) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(url).map_err(|_| {
        Error::input("queue.url", "this is no URL of a PostgreSQL database")
            .help("write postgres://user:password@host:5432/database")
    })?;
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    let options = options.application_name("mediaflow").statement_cache_capacity(200);
    // A plan that is made while a table is empty would read the whole of it for as long as the connection lives: each of
    // our statements has its index. Where none fits, the server counts an absurd cost, for which it would compile it.
    let settings = format!(
        "SET enable_seqscan = off; SET jit = off; SET idle_in_transaction_session_timeout = {}",
        lease.as_millis()
    );
    PgPoolOptions::new()
        .max_connections(connections)
        .after_connect(move |connection, _| {
            let settings = AssertSqlSafe(settings.clone());
            Box::pin(async move { connection.execute(settings).await.map(drop) })
        })
        // Asking a connection whether it still works takes as long as working with it: only one that rested is asked.
        .test_before_acquire(false)
        .before_acquire(|connection, known| {
            Box::pin(async move { Ok(known.idle_for < RESTED || connection.ping().await.is_ok()) })
        })
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await
        .map_err(|e| failed(e).with("host", format_args!("{host}:{port}")))
}
