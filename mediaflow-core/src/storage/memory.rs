use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::SystemTime;

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    GetOptions, Staged, StagedFile, Stat, Storage, Ticket, check_key, not_found, not_staged,
    revoked,
};
use crate::codes;
use crate::media::{Blob, Scratch};
use crate::spec::{Key, Precondition, PutOptions};
use crate::time::Timestamp;
use crate::{Error, Result};

/// Files in memory, with all that is said of them: for tests and small scripts. Clones share.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<RwLock<Content>>);

#[derive(Debug, Default)]
struct Content {
    files: BTreeMap<Key, File>,
    staged: BTreeMap<Ticket, File>,
    /// How many were written.
    written: u64,
}

#[derive(Clone, Debug)]
struct File {
    bytes: Bytes,
    stat: Stat,
}

impl File {
    fn get(&self, key: &Key, options: &GetOptions) -> Result<Blob> {
        let part = options.part(key, &self.stat)?;
        let at = |place: u64| usize::try_from(place).unwrap_or(self.bytes.len());
        Ok(Blob::bytes(self.bytes.slice(at(part.start)..at(part.end))))
    }
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
    async fn stat(&self, key: &Key) -> Result<Stat> {
        let content = self.read();
        content.files.get(key).map(|file| file.stat.clone()).ok_or_else(|| not_found(key))
    }

    async fn get(&self, key: &Key, options: &GetOptions, _scratch: &Scratch) -> Result<Blob> {
        let file = self.read().files.get(key).cloned().ok_or_else(|| not_found(key))?;
        file.get(key, options)
    }

    async fn stage(
        &self,
        key: &Key,
        blob: &Blob,
        options: &PutOptions,
        ticket: &Ticket,
    ) -> Result<Box<dyn Staged>> {
        check_key(key)?;
        let blob = blob.clone();
        let bytes =
            tokio::task::spawn_blocking(move || blob.read(u64::MAX)).await.map_err(|e| {
                Error::internal(codes::STORAGE_IO, "the write was interrupted").because(e)
            })??;
        let mut content = self.write();
        content.written += 1;
        let stat = Stat {
            len: bytes.len() as u64,
            version: Some(content.written.to_string()),
            modified: Some(Timestamp::from(SystemTime::now())),
            options: options.clone(),
        };
        content.staged.insert(ticket.clone(), File { bytes, stat });
        drop(content);
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

    async fn publish_together(&self, files: &[StagedFile]) -> Result<bool> {
        let mut content = self.write();
        for StagedFile { key, ticket, precondition } in files {
            if let Some(precondition) = precondition {
                precondition.check(key, content.files.get(key).map(|file| &file.stat))?;
            }
            if !content.staged.contains_key(ticket) {
                return Err(revoked(key, ticket));
            }
        }
        for StagedFile { key, ticket, .. } in files {
            if let Some(file) = content.staged.remove(ticket) {
                content.files.insert(key.clone(), file);
            }
        }
        drop(content);
        Ok(true)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.write().files.remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Key>> {
        self.list_some(prefix, usize::MAX).await
    }

    async fn list_some(&self, prefix: &str, most: usize) -> Result<Vec<Key>> {
        let content = self.read();
        let keys = content.files.keys().filter(|key| key.as_str().starts_with(prefix));
        Ok(keys.take(most).cloned().collect())
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

impl StagedBytes {
    fn file(&self) -> Result<File> {
        let content = self.storage.read();
        content.staged.get(&self.ticket).cloned().ok_or_else(|| revoked(&self.key, &self.ticket))
    }
}

#[async_trait]
impl Staged for StagedBytes {
    async fn stat(&self) -> Result<Stat> {
        self.file().map(|file| file.stat)
    }

    async fn get(&self, options: &GetOptions, _scratch: &Scratch) -> Result<Blob> {
        self.file()?.get(&self.key, options)
    }

    async fn publish(mut self: Box<Self>, precondition: Option<&Precondition>) -> Result<()> {
        // From here on they are at their place, somebody else's, or left for another try.
        self.kept = true;
        let mut content = self.storage.write();
        if let Some(precondition) = precondition {
            precondition.check(&self.key, content.files.get(&self.key).map(|file| &file.stat))?;
        }
        let file =
            content.staged.remove(&self.ticket).ok_or_else(|| revoked(&self.key, &self.ticket))?;
        content.files.insert(self.key.clone(), file);
        drop(content);
        Ok(())
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
