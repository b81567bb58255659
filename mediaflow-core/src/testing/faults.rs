use std::collections::BTreeSet;
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use crate::media::{Blob, Scratch};
use crate::spec::{Key, Precondition, PutOptions};
use crate::storage::{GetOptions, Sign, Staged, StagedFile, Stat, Storage, Ticket};
use crate::{Error, Result};

/// A storage that fails on demand, as a full disk or a lost network does. Clones share the faults.
#[derive(Clone)]
pub struct FaultyStorage {
    inner: Arc<dyn Storage>,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    get: AtomicU32,
    stage: AtomicU32,
    publish: AtomicU32,
    /// How many moves into place never end.
    hang: AtomicU32,
    /// How often it was asked to discard what jobs have staged.
    discards: AtomicU32,
    /// Keys that can not be published.
    blocked: Mutex<BTreeSet<String>>,
}

impl Faults {
    fn publishes(&self, key: &Key) -> Result<()> {
        if self.blocked.lock().unwrap_or_else(PoisonError::into_inner).contains(key.as_str()) {
            return Err(on_demand(key));
        }
        strike(&self.publish, key)
    }
}

impl FaultyStorage {
    /// Works like `inner` until told to fail.
    #[must_use]
    pub fn new(inner: impl Storage) -> Self {
        Self { inner: Arc::new(inner), faults: Arc::default() }
    }

    /// The next reads fail.
    pub fn fail_gets(&self, times: u32) {
        self.faults.get.store(times, Ordering::SeqCst);
    }

    /// The next writes fail.
    pub fn fail_stages(&self, times: u32) {
        self.faults.stage.store(times, Ordering::SeqCst);
    }

    /// The next moves into place fail.
    pub fn fail_publishes(&self, times: u32) {
        self.faults.publish.store(times, Ordering::SeqCst);
    }

    /// The next moves into place never end.
    pub fn hang_publishes(&self, times: u32) {
        self.faults.hang.store(times, Ordering::SeqCst);
    }

    /// How many moves into place still have to be asked for that never end.
    #[must_use]
    pub fn hangs_left(&self) -> u32 {
        self.faults.hang.load(Ordering::SeqCst)
    }

    /// How often what jobs have staged was discarded, for which all that is staged is listed.
    #[must_use]
    pub fn discards(&self) -> u32 {
        self.faults.discards.load(Ordering::SeqCst)
    }

    /// Nothing can be moved to this key any more.
    pub fn block(&self, key: &str) {
        self.faults.blocked.lock().unwrap_or_else(PoisonError::into_inner).insert(key.to_owned());
    }
}

impl fmt::Debug for FaultyStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStorage").field("inner", &self.inner).finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Storage for FaultyStorage {
    async fn stat(&self, key: &Key) -> Result<Stat> {
        self.inner.stat(key).await
    }

    async fn get(&self, key: &Key, options: &GetOptions, scratch: &Scratch) -> Result<Blob> {
        strike(&self.faults.get, key)?;
        self.inner.get(key, options, scratch).await
    }

    async fn stage(
        &self,
        key: &Key,
        blob: &Blob,
        options: &PutOptions,
        ticket: &Ticket,
    ) -> Result<Box<dyn Staged>> {
        strike(&self.faults.stage, key)?;
        let inner = self.inner.stage(key, blob, options, ticket).await?;
        Ok(Box::new(FaultyStaged { inner, key: key.clone(), faults: Arc::clone(&self.faults) }))
    }

    async fn staged(&self, key: &Key, ticket: &Ticket) -> Result<Box<dyn Staged>> {
        let inner = self.inner.staged(key, ticket).await?;
        Ok(Box::new(FaultyStaged { inner, key: key.clone(), faults: Arc::clone(&self.faults) }))
    }

    async fn revoke(&self, job: &str, below: u64) -> Result<()> {
        self.inner.revoke(job, below).await
    }

    async fn staged_for(&self) -> Result<BTreeSet<String>> {
        self.inner.staged_for().await
    }

    async fn discard(&self, jobs: &BTreeSet<String>) -> Result<()> {
        self.faults.discards.fetch_add(1, Ordering::SeqCst);
        self.inner.discard(jobs).await
    }

    async fn publish_together(&self, files: &[StagedFile]) -> Result<bool> {
        for StagedFile { key, .. } in files {
            self.faults.publishes(key)?;
            if strike(&self.faults.hang, key).is_err() {
                return std::future::pending().await;
            }
        }
        self.inner.publish_together(files).await
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.inner.delete(key).await
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Key>> {
        self.inner.list(prefix).await
    }

    async fn list_some(&self, prefix: &str, most: usize) -> Result<Vec<Key>> {
        self.inner.list_some(prefix, most).await
    }

    fn sign(&self) -> Option<&dyn Sign> {
        self.inner.sign()
    }
}

struct FaultyStaged {
    inner: Box<dyn Staged>,
    key: Key,
    faults: Arc<Faults>,
}

impl fmt::Debug for FaultyStaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultyStaged").field("key", &self.key).finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl Staged for FaultyStaged {
    async fn stat(&self) -> Result<Stat> {
        self.inner.stat().await
    }

    async fn get(&self, options: &GetOptions, scratch: &Scratch) -> Result<Blob> {
        strike(&self.faults.get, &self.key)?;
        self.inner.get(options, scratch).await
    }

    async fn publish(self: Box<Self>, precondition: Option<&Precondition>) -> Result<()> {
        if let Err(error) = self.faults.publishes(&self.key) {
            self.inner.keep();
            return Err(error);
        }
        if strike(&self.faults.hang, &self.key).is_err() {
            self.inner.keep();
            return std::future::pending().await;
        }
        self.inner.publish(precondition).await
    }

    fn keep(self: Box<Self>) {
        self.inner.keep();
    }
}

fn strike(counter: &AtomicU32, key: &Key) -> Result<()> {
    let left = counter.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
    match left {
        Ok(_) => Err(on_demand(key)),
        Err(_) => Ok(()),
    }
}

fn on_demand(key: &Key) -> Error {
    Error::transient("storage.io", "the storage fails on demand").with("key", key)
}
