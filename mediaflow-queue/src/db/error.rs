use mediaflow_core::Error;

/// What a failure of the database means, and what to do about it.
pub(crate) fn failed(error: sqlx::Error) -> Error {
    let code = match &error {
        sqlx::Error::Database(error) => error.code().map(|code| code.into_owned()),
        _ => None,
    };
    let found = code.as_deref().and_then(|code| sqlite(code).or_else(|| postgres(code)));
    let known = found.unwrap_or_else(|| match &error {
        sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Io(_) => {
            Error::transient("queue.unavailable", "the database does not answer")
                .help("is it running, and reachable from here? Work goes on when it is back")
        }
        _ => Error::internal("queue.database", "the database refused a statement"),
    });
    known.because(error)
}

/// By SQLite's result codes: <https://www.sqlite.org/rescode.html>. The low byte is the primary one.
fn sqlite(code: &str) -> Option<Error> {
    let code: u32 = code.parse().ok().filter(|_| code.len() < 5)?;
    Some(match code & 0xff {
        5 | 6 => {
            Error::transient("queue.busy", "another process holds the lock of the database file")
                .help("end the long transaction that holds it; work goes on then")
        }
        8 => Error::input("queue.read_only", "the database file can not be written")
            .help("give the process the right to write the file and its folder"),
        10 => Error::transient("queue.io", "the disk failed to read or write the database file")
            .help("look at the disk"),
        11 | 26 => {
            Error::input("queue.corrupt", "the file is no SQLite database, or a damaged one")
                .help("restore it from a backup, or name another file")
        }
        13 => Error::transient("queue.disk_full", "the disk of the database file is full")
            .help("free space on it; work goes on then"),
        14 => Error::input("queue.open", "the database file can not be opened")
            .help("its folder must exist, and the process must have the right to write there"),
        _ => return None,
    })
}

/// By PostgreSQL's codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn postgres(code: &str) -> Option<Error> {
    Some(match code {
        "28P01" | "28000" => {
            Error::input("queue.auth", "the database refuses the user or the password")
                .help("look at the user and the password in the URL")
        }
        "3D000" => Error::input("queue.no_database", "there is no such database on the server")
            .help("make it with `createdb`, or name another one in the URL"),
        "42501" => Error::input("queue.permission", "the database user may not do this")
            .help("the user needs the right to create tables in its schema"),
        "53100" => Error::transient("queue.disk_full", "the disk of the database server is full")
            .help("free space on it; work goes on then"),
        "53300" => {
            Error::transient("queue.connections", "the database server has no free connection")
                .help("raise its `max_connections`, or lower `Queue::connections`")
        }
        "40001" | "40P01" => {
            Error::transient("queue.conflict", "two transactions were in each other's way")
        }
        "57P01" | "57P02" | "57P03" | "08006" | "08003" | "25P03" => {
            Error::transient("queue.unavailable", "the database server is restarting or stopped")
                .help("work goes on when it is back")
        }
        _ => return None,
    })
}
