use mediaflow_core::{Error, codes};

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
            Error::transient(codes::QUEUE_UNAVAILABLE, "the database does not answer")
                .help("is it running, and reachable from here? Work goes on when it is back")
        }
        _ => Error::internal(codes::QUEUE_DATABASE, "the database refused a statement"),
    });
    known.because(error)
}

/// By SQLite's result codes: <https://www.sqlite.org/rescode.html>. The low byte is the primary one.
fn sqlite(code: &str) -> Option<Error> {
    let code: u32 = code.parse().ok().filter(|_| code.len() < 5)?;
    Some(match code & 0xff {
        // 15: two processes open the log at the same moment.
        5 | 6 | 15 => Error::transient(
            codes::QUEUE_BUSY,
            "another process holds the lock of the database file",
        )
        .help("end the long transaction that holds it; work goes on then"),
        7 => Error::transient(codes::QUEUE_RESOURCES, "there was no memory for the database file")
            .help("give the process more memory; work goes on then"),
        8 => Error::input(codes::QUEUE_READ_ONLY, "the database file can not be written")
            .help("give the process the right to write the file and its folder"),
        10 => {
            Error::transient(codes::QUEUE_IO, "the disk failed to read or write the database file")
                .help("look at the disk")
        }
        11 | 26 => {
            Error::input(codes::QUEUE_CORRUPT, "the file is no SQLite database, or a damaged one")
                .help("restore it from a backup, or name another file")
        }
        13 => Error::transient(codes::QUEUE_DISK_FULL, "the disk of the database file is full")
            .help("free space on it; work goes on then"),
        14 => Error::input(codes::QUEUE_OPEN, "the database file can not be opened")
            .help("its folder must exist, and the process must have the right to write there"),
        _ => return None,
    })
}

/// By PostgreSQL's codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>. The first two characters are
/// the class. What passes by itself, or when an operator has seen to the server, is transient: no finished work may be
/// given up for it.
fn postgres(code: &str) -> Option<Error> {
    let class = code.get(..2).filter(|_| code.len() == 5)?;
    Some(match (class, code) {
        (_, "28P01" | "28000") => {
            Error::input(codes::QUEUE_AUTH, "the database refuses the user or the password")
                .help("look at the user and the password in the URL")
        }
        (_, "3D000") => Error::input(codes::QUEUE_NO_DATABASE, "there is no such database on the server")
            .help("make it with `createdb`, or name another one in the URL"),
        (_, "42501") => Error::input(codes::QUEUE_PERMISSION, "the database user may not do this")
            .help("the user needs the right to create tables in its schema, and to create the schema of River's tables"),
        (_, "25006") => {
            Error::transient(codes::QUEUE_STANDBY, "the database server only reads at the moment")
                .help("it is a standby, or was made read-only; work goes on when the address leads to a server that writes")
        }
        (_, "53100") => {
            Error::transient(codes::QUEUE_DISK_FULL, "the disk of the database server is full")
                .help("free space on it; work goes on then")
        }
        (_, "53300") => {
            Error::transient(codes::QUEUE_CONNECTIONS, "the database server has no free connection")
                .help("raise its `max_connections`, or lower `Queue::connections`")
        }
        ("53", _) => Error::transient(codes::QUEUE_RESOURCES, "the database server lacks memory or another resource")
            .help("look at its log, and give it more of what it lacks; work goes on then"),
        ("40" | "55", _) => {
            Error::transient(codes::QUEUE_CONFLICT, "two transactions were in each other's way")
                .help("it is tried again; if it happens all the time, look for a transaction that stays open for long")
        }
        (_, "57014") => Error::transient(codes::QUEUE_INTERRUPTED, "the database server has cancelled a statement")
            .help("an operator did so, or a `statement_timeout` of this user or database is too short"),
        ("58", _) => Error::transient(codes::QUEUE_IO, "the database server failed to read or write its files")
            .help("look at its disk and its log; work goes on when it works again"),
        ("08" | "25" | "57", _) => {
            Error::transient(codes::QUEUE_UNAVAILABLE, "the database server is restarting or stopped")
                .help("work goes on when it is back")
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use mediaflow_core::ErrorKind;

    #[test]
    fn what_passes_is_transient() {
        let expected = [
            ("08000", "queue.unavailable"),
            ("08001", "queue.unavailable"),
            ("08006", "queue.unavailable"),
            ("25006", "queue.standby"),
            ("25P02", "queue.unavailable"),
            ("25P03", "queue.unavailable"),
            ("25P04", "queue.unavailable"),
            ("40001", "queue.conflict"),
            ("40P01", "queue.conflict"),
            ("53100", "queue.disk_full"),
            ("53200", "queue.resources"),
            ("53300", "queue.connections"),
            ("53400", "queue.resources"),
            ("55006", "queue.conflict"),
            ("55P03", "queue.conflict"),
            ("57014", "queue.interrupted"),
            ("57P01", "queue.unavailable"),
            ("57P03", "queue.unavailable"),
            ("57P05", "queue.unavailable"),
            ("58000", "queue.io"),
            ("58030", "queue.io"),
            ("58P01", "queue.io"),
        ];
        for (sqlstate, code) in expected {
            let error = super::postgres(sqlstate).expect(sqlstate);
            assert_eq!((error.kind(), error.code()), (ErrorKind::Transient, code), "{sqlstate}");
            assert!(error.to_string().contains(": "), "{sqlstate} without help: {error}");
            // SQLite's codes are shorter, and none is taken for one of PostgreSQL's.
            assert!(super::sqlite(sqlstate).is_none(), "{sqlstate}");
        }
    }

    #[test]
    fn what_does_not_pass_is_not_waited_for() {
        for sqlstate in ["23505", "42601", "22P02", "42P01", "0A000"] {
            assert!(super::postgres(sqlstate).is_none(), "{sqlstate}");
        }
        // SQLite tells some of its extended codes with as many digits as PostgreSQL has.
        for code in ["5", "517", "13", "4618"] {
            assert!(super::postgres(code).is_none(), "{code}");
        }
    }
}
