//! What single transactions write to the log of a database.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

use super::Result;
use super::site::{Place, Site};
use super::sql::Database;

/// The log from a moment on.
pub(crate) struct Log<'d> {
    database: &'d Database,
    from: Since,
}

enum Since {
    /// While this one reads, the log is not begun anew.
    Reader(SqliteConnection),
    /// A place in it, and the folder of the server.
    Place(String, std::path::PathBuf),
}

/// Where the server's log ends now.
const END: &str = "SELECT CAST(pg_current_wal_insert_lsn() AS TEXT)";

impl<'d> Log<'d> {
    pub(crate) async fn begin(site: &Site, database: &'d Database) -> Result<Self> {
        let from = match (&database.place, site) {
            (Place::Sqlite(path), _) => {
                database.run("PRAGMA wal_checkpoint(TRUNCATE)").await?;
                let options = SqliteConnectOptions::new().filename(path);
                let mut reader = SqliteConnection::connect_with(&options).await?;
                sqlx::query("BEGIN").execute(&mut reader).await?;
                sqlx::query("SELECT count(*) FROM mediaflow_facts").execute(&mut reader).await?;
                Since::Reader(reader)
            }
            (Place::Postgres(_), Site::Postgres(server)) => {
                let place = database.texts(END).await?.pop().ok_or("a log has no end")?;
                Since::Place(place, server.folder().to_owned())
            }
            (Place::Postgres(_), Site::Sqlite { .. }) => return Err("a file has no server".into()),
        };
        Ok(Self { database, from })
    }

    /// The megabytes of the transaction that has written most since then.
    pub(crate) async fn largest(self) -> Result<f64> {
        let bytes = match self.from {
            Since::Reader(reader) => {
                let Place::Sqlite(path) = &self.database.place else { return Ok(0.0) };
                let largest = of_file(&path.with_extension("db-wal"))?;
                reader.close().await?;
                largest
            }
            Since::Place(from, folder) => {
                let upto = self.database.texts(END).await?.pop().ok_or("a log has no end")?;
                // What is not written out yet is by this.
                self.database.run("SELECT pg_switch_wal()").await?;
                of_server(&folder.join("data"), &from, &upto)?
            }
        };
        Ok(bytes as f64 / 1e6)
    }
}

/// By the frames of the log, a page each, of which the last one of a transaction says that it is.
/// <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>
fn of_file(log: &Path) -> Result<u64> {
    const HEAD: usize = 32;
    const FRAME: usize = 24;
    let log = fs::read(log)?;
    let word = |at: usize| {
        let bytes = log.get(at..at + 4)?;
        Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    };
    let page = word(8).ok_or("the log of the file is empty")? as usize;
    let (mut at, mut one, mut largest) = (HEAD, 0, 0);
    while let (Some(pages), true) = (word(at + 4), word(at + 8) == word(16)) {
        one += (FRAME + page) as u64;
        largest = largest.max(one);
        if pages > 0 {
            one = 0;
        }
        at += FRAME + page;
    }
    Ok(largest)
}

/// By the server's own program for that, which is beside the server's.
fn of_server(data: &Path, from: &str, upto: &str) -> Result<u64> {
    let started = fs::read_to_string(data.join("postmaster.opts"))?;
    let server = started.split_whitespace().next().ok_or("the server does not say what it is")?;
    let program = Path::new(server).with_file_name("pg_waldump");
    let told = Command::new(program)
        .args(["--path", &data.join("pg_wal").display().to_string()])
        .args(["--start", from, "--end", upto])
        .output()?;
    if !told.status.success() {
        return Err(String::from_utf8_lossy(&told.stderr).trim().to_owned().into());
    }
    // rmgr: Heap        len (rec/tot):     54/  7998, tx:        733, lsn: 0/014F5E18, ...
    let mut written: HashMap<u64, u64> = HashMap::new();
    for line in String::from_utf8_lossy(&told.stdout).lines() {
        let number = |after: &str| {
            let rest = line.split_once(after)?.1.trim_start();
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u64>().ok()
        };
        let total = line.split_once("(rec/tot):").and_then(|(_, rest)| {
            rest.split_once('/')?.1.split_once(',')?.0.trim().parse::<u64>().ok()
        });
        if let (Some(total), Some(transaction)) = (total, number(", tx:").filter(|tx| *tx > 0)) {
            *written.entry(transaction).or_default() += total;
        }
    }
    written.into_values().max().ok_or_else(|| "no transaction was found in the log".into())
}
