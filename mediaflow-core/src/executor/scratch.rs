use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::codes;
use crate::media::Scratch;
use crate::{Error, Result};

/// A folder of our own for temporary files, removed when this is dropped.
pub(crate) struct OwnFolder {
    folder: TempDir,
    /// Held for as long as the process lives: it says that the folder is in use.
    _lock: File,
}

/// How our folders begin, and the file in each that its process holds a lock on.
const PREFIX: &str = "mediaflow-";
const LOCK: &str = "lock";

/// A folder of our own in the host's folder for temporary files, or in the system's. What killed processes left there goes.
pub(crate) fn scratch(folder: Option<PathBuf>) -> Result<(Scratch, Option<OwnFolder>)> {
    let wrong = |e: io::Error| {
        Error::transient(codes::SCRATCH_IO, "the folder for temporary files can not be used")
            .help("make it, or choose another one with `scratch()`")
            .because(e)
    };
    let above = match folder {
        Some(folder) => folder.canonicalize().map_err(wrong)?,
        None => std::env::temp_dir(),
    };
    clear(&above);
    let own = OwnFolder::make(&above).map_err(wrong)?;
    Ok((Scratch::in_folder(own.folder.path()), Some(own)))
}

impl OwnFolder {
    fn make(system: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(system)?;
        // Locked before it has its name, so that nobody finds it free in between.
        let unnamed = folder.path().join("unlocked");
        let lock = File::create(&unnamed)?;
        lock.lock()?;
        fs::rename(&unnamed, folder.path().join(LOCK))?;
        Ok(Self { folder, _lock: lock })
    }
}

/// Removes what processes left behind that were killed: folders whose lock nobody holds. What can not be removed stays.
fn clear(system: &Path) {
    let Ok(entries) = fs::read_dir(system) else { return };
    for entry in entries.flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let abandoned =
            File::open(entry.path().join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned && let Err(error) = fs::remove_dir_all(entry.path()) {
            tracing::debug!(folder = %entry.path().display(), %error, "a folder of a killed process stays");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_killed_processes_are_removed_and_others_stay() {
        let system = tempfile::tempdir().unwrap();
        let alive = OwnFolder::make(system.path()).unwrap();
        let killed = system.path().join("mediaflow-killed");
        fs::create_dir(&killed).unwrap();
        fs::write(killed.join(LOCK), "").unwrap();
        fs::write(killed.join("clip.mp4"), "half").unwrap();
        let foreign = system.path().join("mediaflow-notes");
        fs::create_dir(&foreign).unwrap();
        // Given by the host: a new process cleans it before it makes a folder of its own.
        let (_, own) = scratch(Some(system.path().to_owned())).unwrap();
        assert!(alive.folder.path().exists() && foreign.exists() && !killed.exists());
        assert!(own.unwrap().folder.path().starts_with(system.path().canonicalize().unwrap()));
    }
}
