//! What the two databases express differently.

use super::Db;

/// The order of bytes, on PostgreSQL.
pub(crate) const BY_BYTES: &str = r#" COLLATE "C""#;

impl Db {
    /// The database's own clock, in milliseconds: the clocks of worker machines need not agree.
    pub(crate) fn clock(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// What orders texts by their bytes, whatever the order of the database is: as they are ordered here, and in the order in
    /// which everybody locks rows.
    pub(crate) fn by_bytes(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => BY_BYTES,
        }
    }

    /// What makes a `SELECT` in a transaction keep others from writing its rows.
    pub(crate) fn for_update(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => " FOR UPDATE",
        }
    }

    /// What makes a `SELECT` in a transaction take rows that nobody else is taking.
    pub(crate) fn skip_locked(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => " FOR UPDATE SKIP LOCKED",
        }
    }
}
