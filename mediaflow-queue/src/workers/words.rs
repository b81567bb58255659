//! What the two databases have no common word for.

use crate::db::Db;

/// The database's own clock, in milliseconds: the clocks of worker machines need not agree.
pub(crate) fn clock(db: &Db) -> &'static str {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    }
}

/// The client that River gave a row to last. Nothing if the column was damaged.
pub(super) fn holder(db: &Db) -> &'static str {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => {
            "CASE WHEN json_valid(attempted_by, 6) THEN json_extract(attempted_by, '$[#-1]') END"
        }
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => "attempted_by[array_upper(attempted_by, 1)]",
    }
}

/// What River is to run, as JSON text. Nothing if the column was damaged.
pub(super) fn args(db: &Db) -> &'static str {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => "CASE WHEN json_valid(args, 6) THEN json(args) END",
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => "CAST(args AS TEXT)",
    }
}

/// A moment in the past, as River writes it.
pub(super) fn ago(db: &Db, seconds: u64) -> String {
    match db {
        #[cfg(feature = "sqlite")]
        Db::Sqlite(_) => format!("strftime('%Y-%m-%d %H:%M:%f', 'now', '-{seconds} seconds')"),
        #[cfg(feature = "postgres")]
        Db::Postgres(_) => format!("now() - interval '{seconds} seconds'"),
    }
}
