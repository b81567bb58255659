//! What the two databases have no common word for.

use super::Db;

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

    /// The client that River gave a row to last. Nothing if the column was damaged.
    pub(crate) fn holder(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {
                "CASE WHEN json_valid(attempted_by, 6) THEN json_extract(attempted_by, '$[#-1]') END"
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "attempted_by[array_upper(attempted_by, 1)]",
        }
    }

    /// What River is to run, as JSON text. Nothing if the column was damaged.
    pub(crate) fn args(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "CASE WHEN json_valid(args, 6) THEN json(args) END",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => "CAST(args AS TEXT)",
        }
    }

    /// A moment in the past, as River writes it.
    pub(crate) fn ago(&self, seconds: u64) -> String {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {
                format!("strftime('%Y-%m-%d %H:%M:%f', 'now', '-{seconds} seconds')")
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => format!("now() - interval '{seconds} seconds'"),
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

    /// What makes a `SELECT` in a transaction keep others from writing its rows.
    pub(crate) fn for_update(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => "",
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => " FOR UPDATE",
        }
    }

    /// Adds a queue to River's list, unless it is there.
    pub(crate) fn river_queue(&self) -> &'static str {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(_) => {
                "INSERT INTO river_queue (name, updated_at) VALUES ($1, strftime('%Y-%m-%d %H:%M:%f', 'now')) ON CONFLICT (name) DO NOTHING"
            }
            #[cfg(feature = "postgres")]
            Self::Postgres(_) => {
                "INSERT INTO river_queue (name, updated_at) VALUES ($1, now()) ON CONFLICT (name) DO NOTHING"
            }
        }
    }
}
