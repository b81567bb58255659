use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Staged, Storage, Ticket, check_key, not_found, not_staged, revoked};
use crate::media::{Blob, Scratch};
use crate::spec::Key;
use crate::{Error, Result};

/// Files in memory: for tests and small scripts. Clones share.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<RwLock<Content>>);

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<Key, Bytes>,
    staged: BTreeMap<Ticket, Bytes>,
}

impl MemoryStorage {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, Content> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Content> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn waiting(&self, key: &Key, ticket: &Ticket) -> Box<dyn Staged> {
        let (storage, key, ticket) = (self.clone(), key.clone(), ticket.clone());
        Box::new(StagedBytes { storage, key, ticket, kept: false })
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn get(&self, key: &Key) -> Result<Blob> {
        self.read().files.get(key).cloned().map(Blob::bytes).ok_or_else(|| not_found(key))
    }

    async fn stage(&self, key: &Key, blob: &Blob, ticket: &Ticket) -> Result<Box<dyn Staged>> {
        check_key(key)?;
        let blob = blob.clone();
        let bytes = tokio::task::spawn_blocking(move || blob.read(u64::MAX))
            .await
            .map_err(|e| Error::internal("storage.io", "the write was interrupted").because(e))??;
        self.write().staged.insert(ticket.clone(), bytes);
        Ok(self.waiting(key, ticket))
    }

    async fn staged(&self, key: &Key, ticket: &Ticket) -> Result<Box<dyn Staged>> {
        if self.read().staged.contains_key(ticket) {
            Ok(self.waiting(key, ticket))
        } else {
            Err(not_staged(key, ticket))
        }
    }

    async fn revoke(&self, job: &str, below: u64) -> Result<()> {
        self.write().staged.retain(|ticket, _| ticket.job() != job || ticket.fence() >= below);
        Ok(())
    }

    async fn staged_for(&self) -> Result<BTreeSet<String>> {
        Ok(self.read().staged.keys().map(|ticket| ticket.job().to_owned()).collect())
    }

    async fn discard(&self, jobs: &BTreeSet<String>) -> Result<()> {
        self.write().staged.retain(|ticket, _| !Ticket::is_for(ticket.job(), jobs));
        Ok(())
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.write().files.remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Key>> {
        let content = self.read();
        Ok(content.files.keys().filter(|key| key.as_str().starts_with(prefix)).cloned().collect())
    }
}

#[derive(Debug)]
struct StagedBytes {
    storage: MemoryStorage,
    key: Key,
    ticket: Ticket,
    /// The bytes outlive this value.
    kept: bool,
}

#[async_trait]
impl Staged for StagedBytes {
    async fn publish(self: Box<Self>) -> Result<()> {
        let mut content = self.storage.write();
        let bytes =
            content.staged.remove(&self.ticket).ok_or_else(|| revoked(&self.key, &self.ticket))?;
        content.files.insert(self.key.clone(), bytes);
        drop(content);
        Ok(())
    }

    async fn read(&self, _scratch: &Scratch) -> Result<Blob> {
        let found = self.storage.read().staged.get(&self.ticket).cloned();
        found.map(Blob::bytes).ok_or_else(|| revoked(&self.key, &self.ticket))
    }

    fn keep(mut self: Box<Self>) {
        self.kept = true;
    }
}

impl Drop for StagedBytes {
    fn drop(&mut self) {
        if !self.kept {
            self.storage.write().staged.remove(&self.ticket);
        }
    }
}
