use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use crate::codes;
use crate::media::{Blob, Scratch};
use crate::spec::Key;
use crate::storage::{Stat, Ticket};
use crate::time::Timestamp;
use crate::{Error, Result};

/// Parts of files up to this many bytes are read into memory.
const IN_MEMORY: u64 = 4 << 20;

/// A file that is there, and what is known of it; `None` if it is not, or is a folder.
pub(super) fn open(path: &Path) -> Result<Option<(File, Stat)>> {
    let wrong = |e| failed("the file can not be read", e);
    // Looked at first: to open a pipe would wait for its other end.
    match fs::metadata(path) {
        Ok(metadata) if !metadata.is_file() => return Ok(None),
        Err(e) if is_missing(&e) => return Ok(None),
        Err(e) => return Err(wrong(e)),
        Ok(_) => {}
    }
    let file = match File::open(path) {
        Err(e) if is_missing(&e) => return Ok(None),
        file => file.map_err(wrong)?,
    };
    let stat = describe(&file.metadata().map_err(wrong)?);
    Ok(Some((file, stat)))
}

/// What is known of a file; `None` if it is not there, or is a folder.
pub(super) fn stat_of(path: &Path) -> Result<Option<Stat>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Ok(Some(describe(&metadata))),
        Ok(_) => Ok(None),
        Err(e) if is_missing(&e) => Ok(None),
        Err(e) => Err(failed("the file can not be seen", e)),
    }
}

/// Some bytes of an open file: the file itself if they are all of it.
pub(super) fn read(
    mut file: File,
    path: PathBuf,
    stat: &Stat,
    part: Range<u64>,
    scratch: &Scratch,
) -> Result<Blob> {
    if part == (0..stat.len) {
        return Ok(Blob::opened(file, stat.len, path));
    }
    let wrong = |e| failed("the file can not be read", e);
    let len = part.end - part.start;
    file.seek(io::SeekFrom::Start(part.start)).map_err(wrong)?;
    let mut from = file.take(len);
    if len <= IN_MEMORY {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).map_err(wrong)?;
        return Ok(Blob::from(bytes));
    }
    let to = scratch.file("part")?;
    io::copy(&mut from, &mut File::create(&to).map_err(wrong)?).map_err(wrong)?;
    Blob::temp(to)
}

fn describe(metadata: &fs::Metadata) -> Stat {
    let changed = metadata.modified().unwrap_or(UNIX_EPOCH);
    let nanos = changed.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let version = format!("\"{:x}-{nanos:x}-{:x}\"", number(metadata), metadata.len());
    Stat {
        len: metadata.len(),
        version: Some(version),
        modified: Some(Timestamp::from(changed)),
        ..Stat::default()
    }
}

#[cfg(unix)]
fn number(metadata: &fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::ino(metadata)
}

#[cfg(not(unix))]
fn number(_metadata: &fs::Metadata) -> u64 {
    0
}

/// Who may publish at the same time.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Lock {
    /// All that look at nothing.
    Shared,
    /// Nobody else, between the look and the move.
    Alone,
}

/// Holds the storage's folder. Where it can not be locked, whoever needs it alone gets an error, and the others go on.
#[cfg(unix)]
pub(super) fn lock(root: &Path, kind: Lock) -> io::Result<Option<File>> {
    let folder = File::open(root)?;
    match kind {
        Lock::Alone => folder.lock().map(|()| Some(folder)),
        Lock::Shared => Ok(folder.lock_shared().ok().map(|()| folder)),
    }
}

/// Folders can not be locked here: what has to be at a place is looked at a moment before.
#[cfg(not(unix))]
pub(super) fn lock(_root: &Path, _kind: Lock) -> io::Result<Option<File>> {
    Ok(None)
}

/// Removes the folder of staged files if it is empty.
pub(super) fn tidy(folder: &Path) {
    // It fails, as it should, for a folder that holds something.
    let _ = fs::remove_dir(folder);
}

/// Removes staged files by their names, the half-written ones too.
pub(super) fn revoke(folder: &Path, old: impl Fn(&str) -> bool) -> io::Result<()> {
    // A file that is gone between the look and the removal may have got its final name: look again.
    let mut again = true;
    while std::mem::take(&mut again) {
        each(folder, |entry| {
            if entry.file_name().to_str().is_some_and(&old) {
                match fs::remove_file(entry.path()) {
                    Err(e) if is_missing(&e) => again = true,
                    removed => removed?,
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// Everything in a folder; nothing if it is not there.
pub(super) fn each(
    folder: &Path,
    mut take: impl FnMut(&fs::DirEntry) -> io::Result<()>,
) -> io::Result<()> {
    let mut entries = match fs::read_dir(folder) {
        Err(e) if is_missing(&e) => return Ok(()),
        entries => entries?,
    };
    entries.try_for_each(|entry| take(&entry?))
}

/// Makes what was created in a folder, or moved into it, survive a loss of power.
#[cfg(unix)]
pub(super) fn flush(folder: &Path) -> Result<()> {
    #[cfg(test)]
    flushed().push(folder.to_owned());
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| failed("the folder can not be flushed", e))
}

/// The folders that were flushed in this process, for tests: nothing else shows it.
#[cfg(all(test, unix))]
pub(super) fn flushed() -> std::sync::MutexGuard<'static, Vec<PathBuf>> {
    static FLUSHED: std::sync::Mutex<Vec<PathBuf>> = std::sync::Mutex::new(Vec::new());
    FLUSHED.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A folder can not be opened as a file here, and its entries are journalled by the file system.
#[cfg(not(unix))]
pub(super) fn flush(_folder: &Path) -> Result<()> {
    Ok(())
}

/// Temporary files are private to their owner; a result is for whoever serves the folder.
#[cfg(unix)]
pub(super) fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
pub(super) fn make_readable(_file: &File) -> io::Result<()> {
    Ok(())
}

pub(super) fn walk(
    root: &Path,
    folder: &Path,
    prefix: &str,
    most: usize,
    keys: &mut Vec<Key>,
) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        if keys.len() >= most {
            break;
        }
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        let relative =
            path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if kind.is_dir() && relative != Ticket::FOLDER {
            if relative.starts_with(prefix) || prefix.starts_with(&format!("{relative}/")) {
                walk(root, &path, prefix, most, keys)?;
            }
        } else if kind.is_file()
            && relative.starts_with(prefix)
            && let Ok(key) = relative.parse()
        {
            keys.push(key);
        }
    }
    Ok(())
}

pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Error::internal(codes::STORAGE_IO, "the work on a file was interrupted").because(e))
    })
}

pub(super) fn failed(what: &str, error: io::Error) -> Error {
    let help = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space on the disk; the job is tried again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "give the process the right to write there"
        }
        _ => "look at the disk; the job is tried again",
    };
    Error::transient(codes::STORAGE_IO, what).help(help).because(error)
}
