//! The life of a process that works on a SQLite file, as a lock that the system takes away at its end.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use mediaflow_core::{Error, Result, codes};

/// Held for as long as this process lives.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// The lock of this worker, which nobody else can hold.
    pub(super) fn hold(database: &Path, worker: &str) -> Result<Self> {
        let path = place(database, worker);
        let held = || {
            fs::create_dir_all(folder(database))?;
            let file = File::options().create(true).append(true).open(&path)?;
            file.lock().map(|()| file)
        };
        let file = held().map_err(|e| {
            Error::input(codes::QUEUE_OPEN, "the lock file of this worker can not be used")
                .with("file", path.display())
                .help("the process must have the right to write in the folder of the database")
                .because(e)
        })?;
        Ok(Self { path, _file: file })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // If it stays, whoever takes over removes it.
        let _ = fs::remove_file(&self.path);
    }
}

/// Whether that worker lives. If it can not be known, it does.
pub(super) fn is_held(database: &Path, worker: &str) -> bool {
    match File::options().append(true).open(place(database, worker)) {
        Ok(file) => {
            matches!(file.try_lock(), Err(TryLockError::WouldBlock | TryLockError::Error(_)))
        }
        Err(e) => e.kind() != io::ErrorKind::NotFound,
    }
}

/// Removes the lock file of a dead worker.
pub(super) fn remove(database: &Path, worker: &str) {
    // If it stays, it is in nobody's way.
    let _ = fs::remove_file(place(database, worker));
}

fn folder(database: &Path) -> PathBuf {
    let mut folder = OsString::from(database);
    folder.push("-workers");
    folder.into()
}

fn place(database: &Path, worker: &str) -> PathBuf {
    folder(database).join(worker)
}
