use mediaflow_core::Result;
use sqlx::{Executor, SqlSafeStr};

use super::{Row, Value, failed};

/// How many statements a connection keeps ready: more than there are, River's among them.
pub(super) const STATEMENTS: usize = 1024;

macro_rules! queries {
    ($feature:literal, $name:ident, $database:ident) => {
        /// Statements on a connection, a pool or a transaction of this kind.
        #[cfg(feature = $feature)]
        pub(super) mod $name {
            use sqlx::$database;

            use super::*;

            /// What a query finds.
            pub(in crate::db) async fn rows<'c>(
                on: impl Executor<'c, Database = $database>,
                sql: impl SqlSafeStr,
                values: &[Value],
            ) -> Result<Vec<Row>> {
                let rows = bound(sql, values).fetch_all(on).await.map_err(failed)?;
                Ok(rows.into_iter().map(Row::$database).collect())
            }

            /// Writes. Gives the number of rows that it touched.
            pub(in crate::db) async fn run<'c>(
                on: impl Executor<'c, Database = $database>,
                sql: impl SqlSafeStr,
                values: &[Value],
            ) -> Result<u64> {
                let done = bound(sql, values).execute(on).await.map_err(failed)?;
                Ok(done.rows_affected())
            }

            fn bound<'q>(
                sql: impl SqlSafeStr,
                values: &[Value],
            ) -> sqlx::query::Query<'q, $database, <$database as sqlx::Database>::Arguments> {
                values.iter().fold(sqlx::query(sql), |query, value| match value.clone() {
                    Value::Int(value) => query.bind(value),
                    Value::Real(value) => query.bind(value),
                    Value::Text(value) => query.bind(value),
                })
            }
        }
    };
}

queries!("sqlite", sqlite, Sqlite);
queries!("postgres", postgres, Postgres);
