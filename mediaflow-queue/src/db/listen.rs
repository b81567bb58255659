use mediaflow_core::Result;
use sqlx::postgres::PgListener;

use super::{Db, failed};

/// What a server tells of one channel, on a connection of its own.
pub(crate) struct Listener(PgListener);

impl Db {
    /// Listens to a channel from now on. Nothing if the database is a file, which tells nothing.
    pub(crate) async fn listen(&self, channel: &str) -> Result<Option<Listener>> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => Ok(None),
            Self::Postgres(db) => {
                let mut listener = PgListener::connect_with(&db.single()).await.map_err(failed)?;
                listener.listen(channel).await.map_err(failed)?;
                Ok(Some(Listener(listener)))
            }
        }
    }
}

impl Listener {
    /// What is told next. Nothing if the connection was cut and made anew: something may have been missed.
    pub(crate) async fn next(&mut self) -> Result<Option<String>> {
        let told = self.0.try_recv().await.map_err(failed)?;
        Ok(told.map(|told| told.payload().to_owned()))
    }

    /// Whether the connection still answers.
    pub(crate) async fn check(&mut self) -> Result<()> {
        sqlx::query("SELECT 1").execute(&mut self.0).await.map(drop).map_err(failed)
    }
}
