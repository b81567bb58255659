use std::str::FromStr as _;
use std::time::Duration;

use mediaflow_core::{Error, Result};
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::failed;

/// Connects to a server. The URL is not repeated in errors: it has a password in it.
pub(super) async fn connect(url: &str, connections: u32) -> Result<PgPool> {
    let options = PgConnectOptions::from_str(url).map_err(|_| {
        Error::input("queue.url", "this is no URL of a PostgreSQL database")
            .help("write postgres://user:password@host:5432/database")
    })?;
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    let options = options.application_name("mediaflow").statement_cache_capacity(200);
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(Duration::from_secs(10))
        .connect_with(options)
        .await
        .map_err(|e| failed(e).with("host", format_args!("{host}:{port}")))
}
