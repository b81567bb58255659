//! Brings the tables to today's version, while other processes go on working on them.
//!
//! Each version says from which version on a process can use it. So an older process goes on working, and can be started
//! again, while a newer one is being rolled out, and a release can be taken back.

use std::borrow::Cow;

use mediaflow_core::{Error, Result, Timestamp, codes};
use sqlx::AssertSqlSafe;

use super::migration_lock::MigrationLock;
use super::{Db, Row, river_schema, values};
use crate::failpoint::failpoint;

/// A step of our tables to their next version. One that was released never changes.
///
/// Its SQL has up to two parts. What stands above the line `-- online` is one transaction, and has to be quick: others wait
/// for it. On PostgreSQL it is begun again while somebody's open transaction is in its way. What stands below is done after its commit, one statement at a time, while other processes work. It may be cut
/// off anywhere and is begun again then, so that each of its statements can be repeated:
/// `CREATE INDEX CONCURRENTLY IF NOT EXISTS` (SQLite is given it without `CONCURRENTLY`), or an `UPDATE` or `DELETE` of a
/// limited number of rows, which is done again until it finds none.
///
/// `{serial}` is the database's own form of a key that counts up. No statement has a semicolon inside.
#[derive(Clone, Debug)]
pub(crate) struct Migration {
    pub(crate) version: i64,
    /// The oldest version whose processes can work on these tables: they neither miss what is gone, nor break what is new.
    pub(crate) compatible_from: i64,
    pub(crate) sql: Cow<'static, str>,
}

/// Our migrations, the oldest first.
const MIGRATIONS: &[Migration] = &[
    Migration {
        version: 1,
        compatible_from: 1,
        sql: Cow::Borrowed(include_str!("schema/0001.sql")),
    },
    // Processes of version 1 would write deliveries, for which there is no table any more.
    Migration {
        version: 2,
        compatible_from: 2,
        sql: Cow::Borrowed(include_str!("schema/0002.sql")),
    },
    // Processes of version 2 leave parked jobs alone, and what they take has no needs written beside it.
    Migration {
        version: 3,
        compatible_from: 2,
        sql: Cow::Borrowed(include_str!("schema/0003.sql")),
    },
    // To processes of version 3 a job of which some waits needs what they do not know; what else they do not write is found
    // out again.
    Migration {
        version: 4,
        compatible_from: 2,
        sql: Cow::Borrowed(include_str!("schema/0004.sql")),
    },
    // Processes of version 4 send what routes have made in the words of their channels, and what they give up is followed by
    // whoever knows what comes next. As long as one of them has the right to route, it tells what its notifiers want.
    Migration {
        version: 5,
        compatible_from: 2,
        sql: Cow::Borrowed(include_str!("schema/0005.sql")),
    },
];

/// The line of a migration below which its statements stand by themselves.
const ONLINE: &str = "-- online";

impl Migration {
    /// What a test adds to a build, to have a newer one.
    #[cfg(feature = "testing")]
    pub(crate) fn next(compatible: bool, sql: String) -> Self {
        let today = newest(MIGRATIONS);
        let version = today + 1;
        let compatible_from = if compatible { today } else { version };
        Self { version, compatible_from, sql: sql.into() }
    }
}

impl Db {
    /// Brings our tables and River's to today's version, `further` migrations included. Processes that start together
    /// take turns, unless there is nothing to do.
    pub(crate) async fn migrate(&self, further: &[Migration]) -> Result<()> {
        run(self, further).await
    }
}

async fn run(db: &Db, further: &[Migration]) -> Result<()> {
    let ours = [MIGRATIONS, further].concat();
    let stored = Stored::read(db).await?;
    stored.understood(&ours)?;
    river_schema::refuse_foreign(db).await?;
    if stored.left(&ours).next().is_none() && river_schema::ready(db).await? {
        return Ok(());
    }
    let mut lock = MigrationLock::take(db).await?;
    // Looked at again: another process may have had its turn meanwhile.
    let stored = Stored::read(db).await?;
    stored.understood(&ours)?;
    river_schema::refuse_earlier(db).await?;
    versions(&mut lock, &stored).await?;
    for migration in stored.left(&ours) {
        apply(&mut lock, migration, stored.version()).await?;
    }
    river_schema::prepare(db, &mut lock).await
}

/// The versions that the database has.
struct Stored {
    /// Whether there is a table of them, and whether it has its later columns.
    table: bool,
    columns: bool,
    versions: Vec<Version>,
}

struct Version {
    version: i64,
    compatible_from: i64,
    finished: bool,
}

impl Stored {
    async fn read(db: &Db) -> Result<Self> {
        let find = match db {
            #[cfg(feature = "sqlite")]
            Db::Sqlite(_) => "SELECT name FROM pragma_table_info('mediaflow_schema')",
            #[cfg(feature = "postgres")]
            Db::Postgres(_) => {
                "SELECT CAST(attname AS TEXT) AS name FROM pg_attribute
                 WHERE attrelid = to_regclass('mediaflow_schema') AND attnum > 0 AND NOT attisdropped"
            }
        };
        let columns = db.rows(find, &[]).await?;
        let columns = columns.iter().map(|row| row.text("name")).collect::<Result<Vec<_>>>()?;
        if columns.is_empty() {
            return Ok(Self { table: false, columns: false, versions: Vec::new() });
        }
        let later = columns.iter().any(|name| name == "compatible_from");
        // What was written before there were these columns is for nobody else, and has no part that is done online.
        let find = if later {
            "SELECT version, coalesce(compatible_from, version) AS compatible_from,
               CAST(CASE WHEN finished_at IS NULL AND compatible_from IS NOT NULL THEN 0 ELSE 1 END AS BIGINT) AS finished
             FROM mediaflow_schema ORDER BY version"
        } else {
            "SELECT version, version AS compatible_from, CAST(1 AS BIGINT) AS finished
             FROM mediaflow_schema ORDER BY version"
        };
        let read = |row: &Row| {
            Ok(Version {
                version: row.int("version")?,
                compatible_from: row.int("compatible_from")?,
                finished: row.int("finished")? != 0,
            })
        };
        let versions = db.rows(find, &[]).await?.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { table: true, columns: later, versions })
    }

    /// The newest version; 0 if there are no tables.
    fn version(&self) -> i64 {
        self.versions.last().map_or(0, |newest| newest.version)
    }

    /// Refuses tables that a newer process has made, unless this one can use them.
    fn understood(&self, ours: &[Migration]) -> Result<()> {
        let today = newest(ours);
        match self.versions.last() {
            Some(found) if found.version > today && found.compatible_from > today => {
                Err(Error::unsupported(
                    codes::QUEUE_NEWER_SCHEMA,
                    "a newer mediaflow has made these tables",
                )
                .with("found", found.version)
                .with("understood", today)
                .with("needed", found.compatible_from)
                .help("update this process; nothing was changed"))
            }
            _ => Ok(()),
        }
    }

    /// The migrations that are to be done, or to be finished.
    fn left<'a>(&self, ours: &'a [Migration]) -> impl Iterator<Item = &'a Migration> + use<'a> {
        let stored = self.version();
        let unfinished = self.versions.iter().filter(|known| !known.finished);
        let unfinished: Vec<_> = unfinished.map(|known| known.version).collect();
        ours.iter().filter(move |ours| ours.version > stored || unfinished.contains(&ours.version))
    }
}

fn newest(migrations: &[Migration]) -> i64 {
    migrations.last().map_or(0, |newest| newest.version)
}

/// Makes the table of versions, or gives it its later columns.
async fn versions(lock: &mut MigrationLock, stored: &Stored) -> Result<()> {
    if !stored.table {
        let make = "CREATE TABLE IF NOT EXISTS mediaflow_schema
            (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL, compatible_from BIGINT, finished_at BIGINT)";
        lock.run(make, &[]).await?;
    } else if !stored.columns {
        let changes = [
            "ALTER TABLE mediaflow_schema ADD COLUMN compatible_from BIGINT",
            "ALTER TABLE mediaflow_schema ADD COLUMN finished_at BIGINT",
            "UPDATE mediaflow_schema SET compatible_from = version, finished_at = applied_at",
        ];
        lock.together(&changes.map(str::to_owned)).await?;
    }
    Ok(())
}

async fn apply(lock: &mut MigrationLock, migration: &Migration, stored: i64) -> Result<()> {
    let Migration { version, compatible_from, sql } = migration;
    let (at_once, online) = parts(sql);
    if *version > stored {
        let mut changes = statements(at_once, lock);
        changes.push(format!(
            "INSERT INTO mediaflow_schema (version, applied_at, compatible_from)
             VALUES ({version}, {}, {compatible_from})",
            now().millis()
        ));
        lock.together(&changes).await?;
        failpoint("migration.applied");
    }
    for statement in statements(online, lock) {
        // On SQLite the word is gone, and an index is whole or not there.
        #[cfg(feature = "postgres")]
        if let Some(index) = index_of(&statement) {
            lock.drop_unusable(index).await?;
        }
        let again = ["UPDATE", "DELETE"].iter().any(|word| statement.starts_with(word));
        while lock.run(AssertSqlSafe(statement.clone()), &[]).await? > 0 && again {}
        failpoint("migration.online");
    }
    let finish = "UPDATE mediaflow_schema SET finished_at = $2 WHERE version = $1";
    lock.run(finish, values![*version, now()]).await.map(drop)
}

fn now() -> Timestamp {
    Timestamp::from(std::time::SystemTime::now())
}

/// What of a migration is a transaction, and what is done online after it.
fn parts(sql: &str) -> (&str, &str) {
    let mut at = 0;
    for line in sql.split_inclusive('\n') {
        if line.trim_end() == ONLINE {
            return (&sql[..at], &sql[at + line.len()..]);
        }
        at += line.len();
    }
    (sql, "")
}

/// Statements in this database's dialect.
fn statements(sql: &str, lock: &MigrationLock) -> Vec<String> {
    let (serial, concurrently) = match lock {
        #[cfg(feature = "sqlite")]
        MigrationLock::Sqlite(..) => ("INTEGER PRIMARY KEY AUTOINCREMENT", ""),
        #[cfg(feature = "postgres")]
        MigrationLock::Postgres(_) => {
            ("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "CONCURRENTLY ")
        }
    };
    let code: String = sql
        .lines()
        .filter(|line| !line.trim_start().starts_with("--"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let code = code.replace("{serial}", serial).replace("CONCURRENTLY ", concurrently);
    code.split(';').map(str::trim).filter(|s| !s.is_empty()).map(str::to_owned).collect()
}

/// The index that a statement builds while others write.
#[cfg(feature = "postgres")]
fn index_of(statement: &str) -> Option<&str> {
    let (head, rest) = statement.split_once("CONCURRENTLY IF NOT EXISTS ")?;
    head.starts_with("CREATE").then(|| rest.split_whitespace().next()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_migration_has_two_parts() {
        let sql = "-- Why.\nCREATE TABLE a (b TEXT);\n-- online\nCREATE INDEX CONCURRENTLY IF NOT EXISTS c ON a (b);\n";
        let (at_once, online) = parts(sql);
        assert!(at_once.ends_with("TEXT);\n") && !online.contains("-- online"), "{online}");
        assert_eq!(parts("SELECT 1").1, "");
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn an_index_that_is_built_online_is_known_by_its_name() {
        let build = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS c ON a (b)";
        assert_eq!(index_of(build), Some("c"));
        assert_eq!(index_of("CREATE INDEX c ON a (b)"), None);
        assert_eq!(index_of("DROP INDEX CONCURRENTLY IF EXISTS c"), None);
    }

    #[test]
    fn versions_count_up_and_say_who_can_use_them() {
        for (number, migration) in (1..).zip(MIGRATIONS) {
            assert_eq!(migration.version, number);
            assert!((1..=number).contains(&migration.compatible_from), "{number}");
            let (at_once, online) = parts(&migration.sql);
            assert!(
                !at_once.contains("CONCURRENTLY"),
                "{number}: that can not be in a transaction"
            );
            for statement in online.split(';').filter(|statement| statement.contains(" INDEX ")) {
                let waits_for_nobody = statement.contains("CONCURRENTLY IF ");
                assert!(waits_for_nobody, "{number}: {statement} keeps others from writing");
            }
        }
    }
}
