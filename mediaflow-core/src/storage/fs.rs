use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::{Staged, Storage, Ticket, check_key, not_found, not_staged, revoked};
use crate::media::{Blob, Scratch};
use crate::spec::Key;
use crate::{Error, Result};

/// Files in a folder. Results are written in its subfolder `.mediaflow`, which is made when it is first needed, flushed to
/// the disk, and renamed into their place; each folder on the way is flushed too.
///
/// A key can not leave the folder: its form forbids `..`, and a symbolic link below the folder that leads out of it
/// is refused.
#[derive(Clone, Debug)]
pub struct FileStorage {
    root: PathBuf,
}

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

    /// The folder of staged files: on the same disk, so that they can be renamed.
    fn staging(&self) -> PathBuf {
        self.root.join(Ticket::FOLDER)
    }

    /// What is, or will be, staged under a ticket.
    fn waiting(&self, key: &Key, ticket: &Ticket) -> StagedFile {
        StagedFile { storage: self.clone(), key: key.clone(), ticket: ticket.clone(), kept: false }
    }

    /// The path of a key, after making sure that no link leads it out of the root.
    fn path(&self, key: &Key) -> Result<PathBuf> {
        check_key(key)?;
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

    async fn stage(&self, key: &Key, blob: &Blob, ticket: &Ticket) -> Result<Box<dyn Staged>> {
        let (blob, staged) = (blob.clone(), self.waiting(key, ticket));
        blocking(move || {
            staged.storage.path(&staged.key)?;
            staged.write(&blob).map_err(|e| e.with("key", &staged.key))?;
            Ok(Box::new(staged) as Box<dyn Staged>)
        })
        .await
    }

    async fn staged(&self, key: &Key, ticket: &Ticket) -> Result<Box<dyn Staged>> {
        let mut staged = self.waiting(key, ticket);
        // Until the caller has it: a caller who stops to wait must not discard it.
        staged.kept = true;
        let mut staged = blocking(move || match fs::metadata(staged.path()) {
            Ok(_) => Ok(staged),
            Err(e) if is_missing(&e) => Err(not_staged(&staged.key, &staged.ticket)),
            Err(e) => Err(failed("a staged file can not be read", e).with("key", &staged.key)),
        })
        .await?;
        staged.kept = false;
        Ok(Box::new(staged))
    }

    async fn revoke(&self, job: &str, below: u64) -> Result<()> {
        let (folder, job) = (self.staging(), job.to_owned());
        blocking(move || {
            let old = |name: &str| Ticket::fence_of(&job, name).is_some_and(|fence| fence < below);
            revoke(&folder, old)
                .map_err(|e| failed("staged files can not be removed", e).with("job", &job))
        })
        .await
    }

    async fn staged_for(&self) -> Result<BTreeSet<String>> {
        let folder = self.staging();
        blocking(move || {
            let mut jobs = BTreeSet::new();
            each(&folder, |entry| {
                let name = entry.file_name();
                jobs.extend(name.to_str().and_then(Ticket::job_of).map(str::to_owned));
                Ok(())
            })
            .map_err(|e| failed("staged files can not be listed", e))?;
            Ok(jobs)
        })
        .await
    }

    async fn discard(&self, jobs: &BTreeSet<String>) -> Result<()> {
        let (folder, jobs) = (self.staging(), jobs.clone());
        blocking(move || {
            let theirs =
                |name: &str| Ticket::job_of(name).is_some_and(|job| Ticket::is_for(job, &jobs));
            revoke(&folder, theirs).map_err(|e| failed("staged files can not be removed", e))
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
    ticket: Ticket,
    /// The file outlives this value.
    kept: bool,
}

impl StagedFile {
    fn path(&self) -> PathBuf {
        self.storage.staging().join(self.ticket.to_string())
    }

    /// Writes the file whole before it gets its name, so that nobody takes up half of it.
    fn write(&self, blob: &Blob) -> Result<()> {
        let wrong = |e| failed("the file can not be written", e);
        let folder = self.storage.staging();
        match fs::create_dir(&folder) {
            Ok(()) => flush(&self.storage.root)?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(wrong(e)),
        }
        // It begins as the ticket does, so that it can be revoked if this process is killed meanwhile.
        let mut written = tempfile::Builder::new()
            .prefix(&format!("{}.", self.ticket))
            .tempfile_in(&folder)
            .map_err(wrong)?;
        io::copy(&mut blob.reader()?, &mut written).map_err(wrong)?;
        make_readable(written.as_file()).map_err(wrong)?;
        written.as_file().sync_all().map_err(wrong)?;
        match written.persist(self.path()) {
            Ok(_) => flush(&folder),
            Err(e) if is_missing(&e.error) => Err(revoked(&self.key, &self.ticket)),
            Err(e) => Err(wrong(e.error)),
        }
    }

    fn publish(&mut self) -> Result<()> {
        // From here on the file is at its place, somebody else's, or left for another try.
        self.kept = true;
        let wrong = |what, e| failed(what, e).with("key", &self.key);
        let (path, staged) = (self.storage.path(&self.key)?, self.path());
        let folder = path.parent().unwrap_or(&self.storage.root);
        fs::create_dir_all(folder).map_err(|e| wrong("the key's folder can not be made", e))?;
        match fs::rename(&staged, &path) {
            // Some of them may be new, or have been made by somebody else a moment ago.
            Ok(()) => folder
                .ancestors()
                .take_while(|folder| folder.starts_with(&self.storage.root))
                .try_for_each(flush),
            Err(e) if is_missing(&e) && staged.symlink_metadata().is_err() => {
                Err(revoked(&self.key, &self.ticket))
            }
            Err(e) => Err(wrong("the file can not be moved to its place", e)),
        }
    }
}

#[async_trait]
impl Staged for StagedFile {
    async fn publish(mut self: Box<Self>) -> Result<()> {
        blocking(move || Self::publish(&mut self)).await
    }

    async fn read(&self, _scratch: &Scratch) -> Result<Blob> {
        let (path, key, ticket) = (self.path(), self.key.clone(), self.ticket.clone());
        blocking(move || {
            let there = fs::metadata(&path);
            if there.is_err_and(|e| is_missing(&e)) {
                return Err(revoked(&key, &ticket));
            }
            Blob::file(path)
        })
        .await
    }

    fn keep(mut self: Box<Self>) {
        self.kept = true;
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(self.path())
            && !is_missing(&error)
        {
            tracing::warn!(ticket = %self.ticket, %error, "a staged file could not be removed");
        }
    }
}

/// Removes staged files by their names, the half-written ones too.
fn revoke(folder: &Path, old: impl Fn(&str) -> bool) -> io::Result<()> {
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
fn each(folder: &Path, mut take: impl FnMut(&fs::DirEntry) -> io::Result<()>) -> io::Result<()> {
    let mut entries = match fs::read_dir(folder) {
        Err(e) if is_missing(&e) => return Ok(()),
        entries => entries?,
    };
    entries.try_for_each(|entry| take(&entry?))
}

/// Makes what was created in a folder, or moved into it, survive a loss of power.
fn flush(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|e| failed("the folder can not be flushed", e))
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
        let relative =
            path.strip_prefix(root).unwrap_or(&path).to_string_lossy().replace('\\', "/");
        if kind.is_dir() && relative != Ticket::FOLDER {
            walk(root, &path, prefix, keys)?;
        } else if kind.is_file()
            && relative.starts_with(prefix)
            && let Ok(key) = relative.parse()
        {
            keys.push(key);
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;
    use crate::storage::StorageExt as _;

    fn staged(root: &Path) -> usize {
        fs::read_dir(root.join(Ticket::FOLDER)).map_or(0, Iterator::count)
    }

    fn ticket(fence: u64) -> Ticket {
        Ticket::new("job-1", fence, "x").unwrap()
    }

    #[cfg(feature = "testing")]
    #[tokio::test]
    async fn two_processes_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let handle = || FileStorage::new(folder.path()).unwrap();
        crate::testing::exercise_shared_storage(&handle(), &handle()).await;
        assert_eq!(staged(folder.path()), 0);
    }

    #[tokio::test]
    async fn the_folder_of_staged_files_is_made_when_it_is_needed() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::new(folder.path()).unwrap();
        storage.revoke("job-1", 9).await.unwrap();
        assert!(storage.staged(&"a".parse().unwrap(), &ticket(1)).await.is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_write_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::new(folder.path()).unwrap();
        // It can be opened, but reading it fails.
        let unreadable = Blob::file(folder.path()).unwrap();
        let key = "a.bin".parse().unwrap();
        let error = storage.stage(&key, &unreadable, &ticket(1)).await.unwrap_err();
        assert_eq!((error.code(), error.kind()), ("storage.io", ErrorKind::Transient));
        storage.put(&key, &unreadable).await.unwrap_err();
        assert_eq!((staged(folder.path()), storage.list("").await.unwrap().len()), (0, 0));
    }

    #[tokio::test]
    async fn half_written_files_are_revoked_and_never_taken_up() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::new(folder.path()).unwrap();
        let half = folder.path().join(Ticket::FOLDER).join(format!("{}.Ab3xYz", ticket(1)));
        fs::create_dir(half.parent().unwrap()).unwrap();
        fs::write(&half, "ha").unwrap();
        assert!(storage.staged(&"a".parse().unwrap(), &ticket(1)).await.is_err());
        storage.revoke("job-1", 1).await.unwrap();
        assert!(half.exists(), "its own fence may still write it");
        storage.revoke("job-1", 2).await.unwrap();
        assert!(!half.exists());
    }

    #[tokio::test]
    async fn a_publication_that_fails_can_be_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::new(folder.path()).unwrap();
        fs::write(folder.path().join("sub"), "in the way").unwrap();
        let key = "sub/a.bin".parse().unwrap();
        let blob = Blob::from(b"a".to_vec());
        let first = storage.stage(&key, &blob, &ticket(1)).await.unwrap();
        assert_eq!(first.publish().await.unwrap_err().code(), "storage.io");
        fs::remove_file(folder.path().join("sub")).unwrap();
        storage.staged(&key, &ticket(1)).await.unwrap().publish().await.unwrap();
        assert_eq!(storage.get(&key).await.unwrap().read(9).unwrap(), "a");
    }
}
