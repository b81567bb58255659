use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use bytes::Bytes;

use super::{Staged, Storage, not_found};
use crate::media::Blob;
use crate::spec::Key;
use crate::{Error, Result};

/// Files in memory: for tests and small scripts. Clones share.
#[derive(Clone, Debug, Default)]
pub struct MemoryStorage(Arc<RwLock<BTreeMap<Key, Bytes>>>);

impl MemoryStorage {
    /// Empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

#[async_trait]
impl Storage for MemoryStorage {
    async fn get(&self, key: &Key) -> Result<Blob> {
        let files = self.0.read().unwrap_or_else(PoisonError::into_inner);
        files.get(key).cloned().map(Blob::bytes).ok_or_else(|| not_found(key))
    }

    async fn stage(&self, key: &Key, blob: &Blob) -> Result<Box<dyn Staged>> {
        let blob = blob.clone();
        let bytes = tokio::task::spawn_blocking(move || blob.read(u64::MAX))
            .await
            .map_err(|e| Error::internal("storage.io", "the write was interrupted").because(e))??;
        Ok(Box::new(StagedBytes { storage: self.clone(), key: key.clone(), bytes }))
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(key);
        Ok(())
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Key>> {
        let files = self.0.read().unwrap_or_else(PoisonError::into_inner);
        Ok(files.keys().filter(|key| key.as_str().starts_with(prefix)).cloned().collect())
    }
}

#[derive(Debug)]
struct StagedBytes {
    storage: MemoryStorage,
    key: Key,
    bytes: Bytes,
}

#[async_trait]
impl Staged for StagedBytes {
    async fn publish(self: Box<Self>) -> Result<()> {
        self.storage.0.write().unwrap_or_else(PoisonError::into_inner).insert(self.key, self.bytes);
        Ok(())
    }
}
