//! Where sources come from and results go: memory, the file system, and what others bring.
//!
//! A result is never visible before it is whole: [`Storage::stage`] writes it beside its place, under a [`Ticket`], and
//! [`Staged::publish`] moves it there in one act. By its ticket another process can take up what was staged, and by its
//! job and fence it can be revoked: then its owner, however late it wakes up, can not publish it any more.
//!
//! Uses: codes, error, limits, media, spec, suggest, time.

mod fs;
mod memory;
mod options;
mod sign;
mod ticket;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

pub use fs::FileStorage;
pub use memory::MemoryStorage;
pub use options::{GetOptions, Stat, precondition_failed};
pub use sign::{PutSize, Sign, SignPut, SignedRequest};
pub use ticket::Ticket;

use crate::codes;
use crate::media::{Blob, Scratch};
use crate::spec::{Key, Location, Precondition, PutOptions};
use crate::{Error, Result};

/// A place for files by key.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// What is known of a key without reading it.
    ///
    /// # Errors
    /// `storage.not_found`, `storage.io`.
    async fn stat(&self, key: &Key) -> Result<Stat>;

    /// The bytes of a key: never half of one version and half of another, and the same for as long as the blob lives. Large
    /// ones lie in `scratch`. The size is looked at before anything is read, and a source that turns out to be longer than
    /// it said is cut off.
    ///
    /// # Errors
    /// `storage.not_found`, `storage.io`, `scratch.io`, and those of [`GetOptions::part`].
    async fn get(&self, key: &Key, options: &GetOptions, scratch: &Scratch) -> Result<Blob>;

    /// Writes bytes beside their place, durably but invisibly, over what was staged under the same ticket. What of `options`
    /// the storage can not keep is left out: [`FileStorage`] keeps nothing.
    ///
    /// # Errors
    /// `storage.io`, for instance because the disk is full, and `storage.revoked` if the ticket is revoked meanwhile;
    /// nothing is left behind. `storage.key` for a [reserved](check_key) key.
    async fn stage(
        &self,
        key: &Key,
        blob: &Blob,
        options: &PutOptions,
        ticket: &Ticket,
    ) -> Result<Box<dyn Staged>>;

    /// Takes up what was staged under a ticket for this key, by whatever process.
    ///
    /// # Errors
    /// `storage.not_found` if nothing is staged under it (any more), `storage.io`.
    async fn staged(&self, key: &Key, ticket: &Ticket) -> Result<Box<dyn Staged>>;

    /// Discards everything that is staged for a job under a fence below `below`, also what a killed process has left
    /// half-written. Once it returns, none of that can be published.
    ///
    /// # Errors
    /// `storage.io`.
    async fn revoke(&self, job: &str, below: u64) -> Result<()>;

    /// The names of the jobs, and of parts of jobs, for which something is staged.
    ///
    /// # Errors
    /// `storage.io`.
    async fn staged_for(&self) -> Result<BTreeSet<String>> {
        Ok(BTreeSet::new())
    }

    /// Discards everything that is staged for these jobs and [their parts](Ticket::is_for), under whatever fence, as
    /// [`Storage::revoke`] does. What is staged is listed once, however many they are.
    ///
    /// # Errors
    /// `storage.io`.
    async fn discard(&self, jobs: &BTreeSet<String>) -> Result<()> {
        let staged = self.staged_for().await?;
        let theirs = staged.into_iter().filter(|name| Ticket::is_for(name, jobs));
        for name in theirs.chain(jobs.iter().cloned()) {
            self.revoke(&name, u64::MAX).await?;
        }
        Ok(())
    }

    /// Moves several staged files to their places in one act: all of them, or none and an error. Default, and what a storage
    /// gives that can not: `false`, and they are published one by one, in their order.
    ///
    /// # Errors
    /// Those of [`Staged::publish`]; then all of them stay staged.
    async fn publish_together(&self, _files: &[StagedFile]) -> Result<bool> {
        Ok(false)
    }

    /// Removes a key. Removing what is not there is no error.
    ///
    /// # Errors
    /// `storage.io`.
    async fn delete(&self, key: &Key) -> Result<()>;

    /// The keys that begin with `prefix`, in order.
    ///
    /// # Errors
    /// `storage.io`.
    async fn list(&self, prefix: &str) -> Result<Vec<Key>>;

    /// Some of these keys, at most `most`: of more than that it is not promised which. For whoever must not be made to hold all
    /// keys of a storage. Default: lists all first.
    ///
    /// # Errors
    /// `storage.io`.
    async fn list_some(&self, prefix: &str, most: usize) -> Result<Vec<Key>> {
        let mut keys = self.list(prefix).await?;
        keys.truncate(most);
        Ok(keys)
    }

    /// Makes requests that others can send without credentials, if the storage can.
    fn sign(&self) -> Option<&dyn Sign> {
        None
    }
}

/// A file that waits at a storage, and where it belongs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StagedFile {
    /// Its place.
    pub key: Key,
    /// What it is staged under.
    pub ticket: Ticket,
    /// What has to be at its place.
    pub precondition: Option<Precondition>,
}

impl StagedFile {
    /// Staged under this ticket, for this place.
    #[must_use]
    pub fn new(key: Key, ticket: Ticket, precondition: Option<Precondition>) -> Self {
        Self { key, ticket, precondition }
    }
}

/// Bytes that wait beside their place. Dropping it discards them.
#[async_trait]
pub trait Staged: fmt::Debug + Send + Sync {
    /// What is known of them.
    ///
    /// # Errors
    /// `storage.revoked` if they are gone, `storage.io`.
    async fn stat(&self) -> Result<Stat>;

    /// Reads them, as [`Storage::get`] does.
    ///
    /// # Errors
    /// `storage.revoked` if they are gone; those of [`Storage::get`].
    async fn get(&self, options: &GetOptions, scratch: &Scratch) -> Result<Blob>;

    /// Moves them to their place in one act, over what was there, or only if the precondition holds.
    ///
    /// # Errors
    /// `storage.revoked` (transient) if they are gone: revoked, or published by somebody else; nothing is published.
    /// `storage.precondition` if it does not hold, `storage.io`; then they stay staged under their ticket.
    async fn publish(self: Box<Self>, precondition: Option<&Precondition>) -> Result<()>;

    /// Leaves them for [`Storage::staged`].
    fn keep(self: Box<Self>);
}

/// Comfort over [`Storage`]. Nobody implements this.
#[async_trait]
pub trait StorageExt: Storage {
    /// All bytes of a key, at most `limit`, in memory.
    ///
    /// # Errors
    /// `limit.input_bytes`, and those of [`Storage::get`].
    async fn read(&self, key: &Key, limit: u64) -> Result<Bytes> {
        // What is large passes through a file, which is gone when this returns.
        let scratch = Scratch::in_folder(std::env::temp_dir());
        let blob = self.get(key, &GetOptions::new().limit(limit), &scratch).await?;
        tokio::task::spawn_blocking(move || blob.read(limit)).await.unwrap_or_else(|e| {
            Err(Error::internal(codes::STORAGE_IO, "the read was interrupted").because(e))
        })
    }

    /// Stages under a [unique](Ticket::unique) ticket and publishes.
    ///
    /// # Errors
    /// `storage.io`, `storage.key`; nothing is left behind.
    async fn put(&self, key: &Key, blob: &Blob) -> Result<()> {
        self.put_opts(key, blob, &PutOptions::new(), None).await
    }

    /// [`StorageExt::put`] with headers and metadata, and on a condition.
    ///
    /// # Errors
    /// `storage.precondition`, `storage.io`, `storage.key`; nothing is left behind.
    async fn put_opts(
        &self,
        key: &Key,
        blob: &Blob,
        options: &PutOptions,
        precondition: Option<&Precondition>,
    ) -> Result<()> {
        let ticket = Ticket::unique();
        let staged = self.stage(key, blob, options, &ticket).await?;
        let published = staged.publish(precondition).await;
        if published.is_err() {
            self.staged(key, &ticket).await.map(drop).ok();
        }
        published
    }
}

impl<S: Storage + ?Sized> StorageExt for S {}

/// The storages of one engine, by name.
#[derive(Clone, Debug, Default)]
pub struct Storages {
    named: BTreeMap<String, Arc<dyn Storage>>,
    /// What is stored with what is put there, by the name of the storage.
    defaults: BTreeMap<String, PutOptions>,
}

impl Storages {
    /// Adds a storage; false if the name is taken.
    pub(crate) fn add(&mut self, name: String, storage: Arc<dyn Storage>) -> bool {
        self.named.insert(name, storage).is_none()
    }

    /// What is stored with what is put into a storage, unless something else is said.
    pub(crate) fn set_defaults(&mut self, name: String, options: PutOptions) {
        self.defaults.insert(name, options);
    }

    /// Checks the defaults.
    ///
    /// # Errors
    /// `storage.unknown`, `spec.put`.
    pub(crate) fn check(&self) -> Result<()> {
        self.defaults.iter().try_for_each(|(name, options)| {
            self.named(name)?;
            options.validate().map_err(|e| e.with("storage", name))
        })
    }

    /// What is stored with an output there, for which this is said.
    pub(crate) fn put_options(&self, location: &Location, said: &PutOptions) -> PutOptions {
        self.defaults
            .get(&location.storage)
            .map_or_else(|| said.clone(), |defaults| said.or(defaults))
    }

    /// Each with its name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Arc<dyn Storage>)> {
        self.named.iter().map(|(name, storage)| (name.as_str(), storage))
    }

    /// The storage of a location.
    ///
    /// # Errors
    /// `storage.unknown`, with the nearest known name.
    pub fn of(&self, location: &Location) -> Result<&Arc<dyn Storage>> {
        self.named(&location.storage).map_err(|e| e.with("location", location))
    }

    /// The storage of this name.
    ///
    /// # Errors
    /// `storage.unknown`, with the nearest known name.
    pub fn named(&self, name: &str) -> Result<&Arc<dyn Storage>> {
        self.named.get(name).ok_or_else(|| {
            Error::input(codes::STORAGE_UNKNOWN, format!("there is no storage `{name}`"))
                .help(crate::suggest::did_you_mean(name, self.named.keys().map(String::as_str)))
        })
    }
}

/// Refuses the keys that no storage takes: those in [`Ticket::FOLDER`], where staged bytes wait.
///
/// # Errors
/// `storage.key`.
pub fn check_key(key: &Key) -> Result<()> {
    let first = key.as_str().split('/').next().unwrap_or_default();
    // Whatever its case: some file systems do not tell it apart.
    if first.eq_ignore_ascii_case(Ticket::FOLDER) {
        return Err(Error::input(codes::STORAGE_KEY, "the folder `.mediaflow` is reserved")
            .with("key", key)
            .help("choose another key"));
    }
    Ok(())
}

/// The error of [`Staged::publish`] when the staged bytes are gone.
#[must_use]
pub fn revoked(key: &Key, ticket: &Ticket) -> Error {
    Error::transient(codes::STORAGE_REVOKED, "the staged bytes are gone: a later attempt took over")
        .with("key", key)
        .with("ticket", ticket)
}

/// The error of [`Storage::staged`] when nothing is staged under the ticket.
#[must_use]
pub fn not_staged(key: &Key, ticket: &Ticket) -> Error {
    Error::input(codes::STORAGE_NOT_FOUND, "nothing is staged under this ticket")
        .with("key", key)
        .with("ticket", ticket)
}

pub(crate) fn not_found(key: &Key) -> Error {
    Error::input(codes::STORAGE_NOT_FOUND, "there is nothing under this key")
        .with("key", key)
        .help("was it uploaded, and not removed yet?")
}

/// A storage from its URL: `memory:`, or `file:///folder`.
pub(crate) fn from_url(url: &str) -> Result<Arc<dyn Storage>> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Arc::new(MemoryStorage::new())),
        Some(("file", path)) => Ok(Arc::new(FileStorage::new(folder_of(path, cfg!(windows)))?)),
        // No more of it than the scheme: a URL may hold a secret.
        _ => Err(Error::unsupported(codes::STORAGE_URL, "no storage has such a URL")
            .with("scheme", url.split(':').next().filter(|scheme| scheme.len() < 10).unwrap_or("none"))
            .help("use `memory:` or `file:///folder`; for `s3:` hand an `ObjectStorage` of mediaflow-storage to `storage_with`")),
    }
}

/// The folder that the path of a `file:` URL names. On Windows a drive stands behind the third slash.
fn folder_of(path: &str, windows: bool) -> &str {
    let path = path.strip_prefix("//").unwrap_or(path);
    let drive = path.strip_prefix('/').filter(|rest| {
        let mut chars = rest.chars();
        windows
            && chars.next().is_some_and(|letter| letter.is_ascii_alphabetic())
            && chars.next() == Some(':')
    });
    drive.unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_url_names_a_folder_on_every_system() {
        for (path, unix, windows) in [
            ("///srv/media", "/srv/media", "/srv/media"),
            ("/srv/media", "/srv/media", "/srv/media"),
            ("///C:/media", "/C:/media", "C:/media"),
            ("C:/media", "C:/media", "C:/media"),
        ] {
            assert_eq!((folder_of(path, false), folder_of(path, true)), (unix, windows), "{path}");
        }
    }
}
