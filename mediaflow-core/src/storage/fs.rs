use std::ffi::OsStr;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use tempfile::NamedTempFile;

use super::{Staged, Storage, not_found};
use crate::media::Blob;
use crate::spec::Key;
use crate::{Error, Result};

/// Files in a folder. Results are written to a temporary file in the folder, flushed to the disk, renamed into
/// place, and the folder is flushed too.
///
/// A key can not leave the folder: its form forbids `..`, and a symbolic link below the folder that leads out of it
/// is refused.
#[derive(Clone, Debug)]
pub struct FileStorage {
    root: PathBuf,
}

/// How temporary files begin. Keys of such names are not listed.
const TEMPORARY: &str = ".mediaflow-";

impl FileStorage {
    /// In this folder, which is made if it is missing.
    ///
    /// # Errors
    /// `storage.io` if it can not be made.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self> {
        let root = root.into();
        fs::create_dir_all(&root)
            .and_then(|()| root.canonicalize())
            .map(|root| Self { root })
            .map_err(|e| {
                failed("the storage's folder can not be made", e).with("folder", root.display())
            })
    }

    /// The path of a key, after making sure that no link leads it out of the root.
    fn path(&self, key: &Key) -> Result<PathBuf> {
        let path = self.root.join(key.as_str());
        let existing =
            path.ancestors().find(|part| part.symlink_metadata().is_ok()).unwrap_or(&self.root);
        let real = existing
            .canonicalize()
            .map_err(|e| failed("the key's folder can not be read", e).with("key", key))?;
        if !real.starts_with(&self.root) {
            return Err(Error::input(
                "storage.key",
                "the key leads out of the storage through a link",
            )
            .with("key", key)
            .help("remove the symbolic link"));
        }
        Ok(path)
    }
}

#[async_trait]
impl Storage for FileStorage {
    async fn get(&self, key: &Key) -> Result<Blob> {
        let (storage, key) = (self.clone(), key.clone());
        blocking(move || {
            let path = storage.path(&key)?;
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_file() => Blob::file(path),
                Ok(_) => Err(not_found(&key)),
                Err(e) if is_missing(&e) => Err(not_found(&key)),
                Err(e) => Err(failed("the file can not be read", e).with("key", &key)),
            }
        })
        .await
    }

    async fn stage(&self, key: &Key, blob: &Blob) -> Result<Box<dyn Staged>> {
        let (storage, key, blob) = (self.clone(), key.clone(), blob.clone());
        blocking(move || {
            storage.path(&key)?;
            let written = write_durably(&storage.root, &blob).map_err(|e| e.with("key", &key))?;
            Ok(Box::new(StagedFile { storage, key, written }) as Box<dyn Staged>)
        })
        .await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let (storage, key) = (self.clone(), key.clone());
        blocking(move || match fs::remove_file(storage.path(&key)?) {
            Err(e) if !is_missing(&e) => {
                Err(failed("the file can not be removed", e).with("key", &key))
            }
            _ => Ok(()),
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Key>> {
        let (storage, prefix) = (self.clone(), prefix.to_owned());
        blocking(move || {
            let mut keys = Vec::new();
            walk(&storage.root, &storage.root, &prefix, &mut keys)
                .map_err(|e| failed("the folder can not be listed", e).with("prefix", &prefix))?;
            keys.sort();
            Ok(keys)
        })
        .await
    }
}

#[derive(Debug)]
struct StagedFile {
    storage: FileStorage,
    key: Key,
    written: NamedTempFile,
}

#[async_trait]
impl Staged for StagedFile {
    async fn publish(self: Box<Self>) -> Result<()> {
        blocking(move || {
            let Self { storage, key, written } = *self;
            let path = storage.path(&key)?;
            let folder = path.parent().unwrap_or(&storage.root);
            fs::create_dir_all(folder)
                .map_err(|e| failed("the key's folder can not be made", e).with("key", &key))?;
            written
                .persist(&path)
                .map_err(|e| failed("the file can not be moved to its place", e.error))?;
            File::open(folder)
                .and_then(|f| f.sync_all())
                .map_err(|e| failed("the folder can not be flushed", e))
        })
        .await
    }
}

/// In the root, which is on the same disk: a job that fails leaves no empty folders behind.
fn write_durably(folder: &Path, blob: &Blob) -> Result<NamedTempFile> {
    let wrong = |e| failed("the file can not be written", e);
    let mut written =
        tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder).map_err(wrong)?;
    io::copy(&mut blob.reader()?, &mut written).map_err(wrong)?;
    make_readable(written.as_file()).map_err(wrong)?;
    written.as_file().sync_all().map_err(wrong)?;
    Ok(written)
}

/// Temporary files are private to their owner; a result is for whoever serves the folder.
#[cfg(unix)]
fn make_readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_file: &File) -> io::Result<()> {
    Ok(())
}

fn walk(root: &Path, folder: &Path, prefix: &str, keys: &mut Vec<Key>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let (kind, path) = (entry.file_type()?, entry.path());
        if kind.is_dir() {
            walk(root, &path, prefix, keys)?;
        } else if kind.is_file() && !is_temporary(&entry.file_name()) {
            let relative =
                path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
            if relative.starts_with(prefix)
                && let Ok(key) = relative.parse()
            {
                keys.push(key);
            }
        }
    }
    Ok(())
}

fn is_temporary(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(TEMPORARY)
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Error::internal("storage.io", "the work on a file was interrupted").because(e))
    })
}

fn failed(what: &str, error: io::Error) -> Error {
    let help = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free space on the disk; the job is tried again"
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            "give the process the right to write there"
        }
        _ => "look at the disk; the job is tried again",
    };
    Error::transient("storage.io", what).help(help).because(error)
}
