//! The storage in a folder: keys are paths (`root`), what is staged waits beside them (`staged`), and what is done with
//! files (`disk`) runs outside of the runtime.
//!
//! Uses: codes, error, media, spec, storage, time.

mod disk;
mod root;
mod staged;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use async_trait::async_trait;

use super::{GetOptions, Staged, Stat, Storage, Ticket, not_found, not_staged};
use crate::Result;
use crate::media::{Blob, Scratch};
use crate::spec::{Key, PutOptions};
use disk::{blocking, each, failed, is_missing, open, read, revoke, stat_of, tidy, walk};
use root::Root;
use staged::StagedFile;

/// Files in a folder. Results are written in its subfolder `.mediaflow`, flushed to the disk, and renamed into their place;
/// each folder on the way is flushed too.
///
/// A key can not leave the folder: its form forbids `..`, and a symbolic link below the folder that leads out of it
/// is refused.
///
/// # What it does not keep
///
/// A file has a length, a time and a content, and nothing else: of [`PutOptions`] nothing is kept. The headers are those of
/// the server that serves the folder.
///
/// # The subfolder `.mediaflow`
///
/// It is there only while something is staged, and holds results that are not published (yet): whole ones, half-written
/// ones, those of jobs that will fail. No key leads into it and no listing shows it. A server that serves the folder
/// must not serve it: refuse paths that begin with `/.mediaflow/`, or all whose name begins with a dot. It must be on the
/// same file system as the folder; do not replace it by a link.
///
/// # Preconditions
///
/// [`Precondition::IfNoneMatch`](crate::spec::Precondition) holds against everybody who writes to the folder: the file gets
/// its name by a hard link, which the file system must know. `IfMatch` holds against other publications, which share
/// a lock on the folder; against programs that write to it by other ways it is looked at a moment before.
#[derive(Clone, Debug)]
pub struct FileStorage {
    root: Root,
}

impl FileStorage {
    /// In this folder, which is made if it is missing.
    ///
    /// # Errors
    /// `storage.io` if it can not be made.
    pub fn new(root: impl Into<PathBuf>) -> Result<Self> {
        Root::make(&root.into()).map(|root| Self { root })
    }

    /// What is, or will be, staged under a ticket.
    fn waiting(&self, key: &Key, ticket: &Ticket) -> StagedFile {
        StagedFile::new(self.root.clone(), key.clone(), ticket.clone())
    }
}

#[async_trait]
impl Storage for FileStorage {
    async fn stat(&self, key: &Key) -> Result<Stat> {
        let (storage, key) = (self.clone(), key.clone());
        blocking(move || {
            let found = stat_of(&storage.root.path(&key)?).map_err(|e| e.with("key", &key))?;
            found.ok_or_else(|| not_found(&key))
        })
        .await
    }

    async fn get(&self, key: &Key, options: &GetOptions, scratch: &Scratch) -> Result<Blob> {
        let (storage, key) = (self.clone(), key.clone());
        let (options, scratch) = (options.clone(), scratch.clone());
        blocking(move || {
            let path = storage.root.path(&key)?;
            let found = open(&path).map_err(|e| e.with("key", &key))?;
            let (file, stat) = found.ok_or_else(|| not_found(&key))?;
            storage.root.check(&file, &path, &key)?;
            read(file, path, &stat, options.part(&key, &stat)?, &scratch)
        })
        .await
    }

    async fn stage(
        &self,
        key: &Key,
        blob: &Blob,
        _options: &PutOptions,
        ticket: &Ticket,
    ) -> Result<Box<dyn Staged>> {
        let (blob, staged) = (blob.clone(), self.waiting(key, ticket));
        blocking(move || {
            staged.root.path(&staged.key)?;
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
        let (folder, job) = (self.root.staging(), job.to_owned());
        blocking(move || {
            let old = |name: &str| Ticket::fence_of(&job, name).is_some_and(|fence| fence < below);
            let revoked = revoke(&folder, old)
                .map_err(|e| failed("staged files can not be removed", e).with("job", &job));
            tidy(&folder);
            revoked
        })
        .await
    }

    async fn staged_for(&self) -> Result<BTreeSet<String>> {
        let folder = self.root.staging();
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
        let (folder, jobs) = (self.root.staging(), jobs.clone());
        blocking(move || {
            let theirs =
                |name: &str| Ticket::job_of(name).is_some_and(|job| Ticket::is_for(job, &jobs));
            let revoked = revoke(&folder, theirs);
            tidy(&folder);
            revoked.map_err(|e| failed("staged files can not be removed", e))
        })
        .await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        let (storage, key) = (self.clone(), key.clone());
        blocking(move || match fs::remove_file(storage.root.path(&key)?) {
            Err(e) if !is_missing(&e) => {
                Err(failed("the file can not be removed", e).with("key", &key))
            }
            _ => Ok(()),
        })
        .await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Key>> {
        self.list_some(prefix, usize::MAX).await
    }

    async fn list_some(&self, prefix: &str, most: usize) -> Result<Vec<Key>> {
        let (storage, prefix) = (self.clone(), prefix.to_owned());
        blocking(move || {
            let mut keys = Vec::new();
            walk(storage.root.folder(), storage.root.folder(), &prefix, most, &mut keys)
                .map_err(|e| failed("the folder can not be listed", e).with("prefix", &prefix))?;
            keys.sort();
            Ok(keys)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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

    #[cfg(unix)]
    #[tokio::test]
    async fn each_new_folder_survives_a_loss_of_power() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        // Nothing else shows it: what a machine forgets that loses its power, a test can not see.
        let flushed = || {
            let mut all: Vec<_> = std::mem::take(&mut *disk::flushed());
            all.retain(|folder| folder.starts_with(&top));
            all.sort();
            all.dedup();
            all
        };
        let storage = FileStorage::new(top.join("new/root")).unwrap();
        assert_eq!(flushed(), [top.clone(), top.join("new")]);
        storage.put(&"a/b/c.bin".parse().unwrap(), &Blob::from(b"a".to_vec())).await.unwrap();
        let root = top.join("new/root");
        let above = [root.clone(), storage.root.staging(), root.join("a"), root.join("a/b")];
        assert_eq!(flushed(), above);
    }

    #[tokio::test]
    async fn the_folder_of_staged_files_goes_with_the_last_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::new(folder.path().join("new/root")).unwrap();
        let staging = storage.root.staging();
        let (blob, put) = (Blob::from(b"a".to_vec()), PutOptions::new());
        let stage = async |name: &str, fence| {
            storage.stage(&name.parse().unwrap(), &blob, &put, &ticket(fence)).await.unwrap()
        };
        let (one, two) = (stage("a", 1).await, stage("b", 2).await);
        one.publish(None).await.unwrap();
        assert!(staging.exists(), "one is still staged");
        two.publish(None).await.unwrap();
        assert!(!staging.exists(), "the last one is published");
        drop(stage("c", 3).await);
        assert!(!staging.exists(), "the last one is dropped");
        stage("d", 4).await.keep();
        storage.revoke("job-1", 5).await.unwrap();
        assert!(!staging.exists(), "the last one is revoked");
        stage("e", 6).await.keep();
        storage.discard(&["job-1".to_owned()].into()).await.unwrap();
        assert!(!staging.exists(), "the last one is discarded");
    }

    #[tokio::test]
    async fn many_writers_make_and_remove_the_folder_of_staged_files() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::new(folder.path()).unwrap();
        let writers = (0..8_u8).map(|writer| {
            let storage = storage.clone();
            tokio::spawn(async move {
                for round in 0..20 {
                    let key = format!("{writer}/{round}").parse().unwrap();
                    storage.put(&key, &Blob::from(vec![writer])).await.unwrap();
                }
            })
        });
        for writer in futures_util::future::join_all(writers).await {
            writer.unwrap();
        }
        assert_eq!(storage.list("").await.unwrap().len(), 160);
        assert!(!storage.root.staging().exists());
    }

    #[tokio::test]
    async fn a_write_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::new(folder.path()).unwrap();
        // It can be opened, but reading it fails.
        let unreadable = Blob::file(folder.path()).unwrap();
        let key = "a.bin".parse().unwrap();
        let error =
            storage.stage(&key, &unreadable, &PutOptions::new(), &ticket(1)).await.unwrap_err();
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
        let first = storage.stage(&key, &blob, &PutOptions::new(), &ticket(1)).await.unwrap();
        assert_eq!(first.publish(None).await.unwrap_err().code(), "storage.io");
        fs::remove_file(folder.path().join("sub")).unwrap();
        storage.staged(&key, &ticket(1)).await.unwrap().publish(None).await.unwrap();
        assert_eq!(storage.read(&key, 9).await.unwrap(), "a");
    }
}
