//! Where sources come from and results go: memory, the file system, and what others bring.
//!
//! A result is never visible before it is whole: [`Storage::stage`] writes it beside its place, and
//! [`Staged::publish`] moves it there in one act.

mod fs;
mod memory;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

pub use fs::FileStorage;
pub use memory::MemoryStorage;

use crate::media::Blob;
use crate::spec::{Key, Location};
use crate::{Error, Result};

/// A place for files by key.
#[async_trait]
pub trait Storage: fmt::Debug + Send + Sync + 'static {
    /// The bytes of a key, whole: never half of one version and half of another.
    ///
    /// # Errors
    /// `storage.not_found`, `storage.io`.
    async fn get(&self, key: &Key) -> Result<Blob>;

    /// Writes bytes beside their place, durably but invisibly.
    ///
    /// # Errors
    /// `storage.io`, for instance because the disk is full; nothing is left behind.
    async fn stage(&self, key: &Key, blob: &Blob) -> Result<Box<dyn Staged>>;

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
}

/// Bytes that wait beside their place. Dropping it discards them.
#[async_trait]
pub trait Staged: fmt::Debug + Send + Sync {
    /// Moves them to their place in one act, over what was there.
    ///
    /// # Errors
    /// `storage.io`.
    async fn publish(self: Box<Self>) -> Result<()>;
}

/// Comfort over [`Storage`]. Nobody implements this.
#[async_trait]
pub trait StorageExt: Storage {
    /// Stages and publishes.
    ///
    /// # Errors
    /// `storage.io`.
    async fn put(&self, key: &Key, blob: &Blob) -> Result<()> {
        self.stage(key, blob).await?.publish().await
    }
}

impl<S: Storage + ?Sized> StorageExt for S {}

/// The storages of one engine, by name.
#[derive(Clone, Debug, Default)]
pub struct Storages(BTreeMap<String, Arc<dyn Storage>>);

impl Storages {
    /// Adds a storage; false if the name is taken.
    pub(crate) fn add(&mut self, name: String, storage: Arc<dyn Storage>) -> bool {
        self.0.insert(name, storage).is_none()
    }

    /// The storage of a location.
    ///
    /// # Errors
    /// `storage.unknown`, with the nearest known name.
    pub fn of(&self, location: &Location) -> Result<&Arc<dyn Storage>> {
        self.0.get(&location.storage).ok_or_else(|| {
            Error::input("storage.unknown", format!("there is no storage `{}`", location.storage))
                .with("location", location)
                .help(crate::registry::did_you_mean(
                    &location.storage,
                    self.0.keys().map(String::as_str),
                ))
        })
    }
}

pub(crate) fn not_found(key: &Key) -> Error {
    Error::input("storage.not_found", "there is nothing under this key")
        .with("key", key)
        .help("was it uploaded, and not removed yet?")
}

/// A storage from its URL: `memory:`, or `file:///folder`.
pub(crate) fn from_url(url: &str) -> Result<Arc<dyn Storage>> {
    match url.split_once(':') {
        Some(("memory", "")) => Ok(Arc::new(MemoryStorage::new())),
        Some(("file", path)) => Ok(Arc::new(FileStorage::new(path.strip_prefix("//").unwrap_or(path))?)),
        _ => Err(Error::unsupported("storage.url", "no storage has such a URL")
            .with("url", url.split(['?', '@']).next().unwrap_or_default())
            .help("use `memory:` or `file:///folder`, or hand a `Storage` of your own to `storage_with`")),
    }
}
