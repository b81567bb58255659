use std::collections::HashSet;
use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryFutureExt as _, TryStreamExt as _, stream};
use mediaflow_core::media::{Blob, Scratch};
use mediaflow_core::spec::Key;
use mediaflow_core::storage::{Staged, Ticket, revoked};
use mediaflow_core::{CancellationToken, Error, Result};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use tokio::runtime::Handle;
use tokio::sync::watch;

use crate::failure::{failed, interrupted, is_missing};
use crate::transfer::{download, send};

/// What all staged objects of a storage share.
#[derive(Clone, Debug)]
pub(crate) struct Staging {
    pub(crate) store: Arc<dyn ObjectStore>,
    pub(crate) discards: Discards,
    /// Objects above this many bytes are published through this process.
    pub(crate) copy_limit: u64,
}

/// S3 copies no larger object in one request.
const COPY_LIMIT: u64 = 5 << 30;

impl Staging {
    pub(crate) fn new(store: Arc<dyn ObjectStore>) -> Self {
        Self { store, discards: Discards::default(), copy_limit: COPY_LIMIT }
    }
}

/// An object beside its place.
#[derive(Debug)]
pub(crate) struct StagedObject {
    staging: Staging,
    key: Key,
    ticket: Ticket,
    pub(crate) beside: Path,
    place: Path,
    pub(crate) len: u64,
    /// The object outlives this value.
    pub(crate) kept: bool,
    /// For the removal: whoever drops this may stand outside of the runtime.
    runtime: Option<Handle>,
}

impl StagedObject {
    pub(crate) fn new(
        staging: Staging,
        key: Key,
        ticket: Ticket,
        beside: Path,
        place: Path,
        len: u64,
    ) -> Self {
        let runtime = Handle::try_current().ok();
        Self { staging, key, ticket, beside, place, len, kept: false, runtime }
    }

    async fn move_to_place(&mut self) -> Result<()> {
        // What can not be published stays, to be taken up again or revoked.
        self.kept = true;
        if self.len <= self.staging.copy_limit {
            let copied = self.staging.store.copy(&self.beside, &self.place).await;
            copied.map_err(|e| self.unpublished(&e))?;
        } else {
            self.send_to_place().await?;
        }
        if let Err(e) = self.staging.store.delete(&self.beside).await
            && !is_missing(&e)
        {
            let error = failed("a published object's staged copy stays behind", &e);
            tracing::warn!(key = %self.key, ticket = %self.ticket, %error);
        }
        Ok(())
    }

    /// For what is too large to be copied in one request. The place changes in one act here too: when the last part
    /// is there.
    async fn send_to_place(&self) -> Result<()> {
        let store = &self.staging.store;
        let object = store.get(&self.beside).await.map_err(|e| self.unpublished(&e))?;
        let attributes = object.attributes.clone();
        let parts = object
            .into_stream()
            .map_err(|e| failed("the staged object can not be read", &e).with("key", &self.key));
        // That took its time: is it still ours to publish?
        let still_there = store
            .head(&self.beside)
            .map_ok(|_| bytes::Bytes::new())
            .map_err(|e| self.unpublished(&e));
        let parts = parts.chain(stream::once(still_there));
        let never = CancellationToken::new();
        send(store.as_ref(), &self.place, attributes, self.len, parts, &never).await
    }

    fn unpublished(&self, error: &object_store::Error) -> Error {
        match is_missing(error) {
            true => revoked(&self.key, &self.ticket),
            false => {
                failed("the object can not be moved to its place", error).with("key", &self.key)
            }
        }
    }
}

#[async_trait]
impl Staged for StagedObject {
    async fn publish(mut self: Box<Self>) -> Result<()> {
        // A task of its own: an impatient caller must not tear the copy from the removal.
        tokio::spawn(async move { self.move_to_place().await }).await.map_err(interrupted)?
    }

    async fn read(&self, scratch: &Scratch) -> Result<Blob> {
        let object =
            self.staging.store.get(&self.beside).await.map_err(|e| self.unpublished(&e))?;
        download(object, scratch, self.key.extension()).await.map_err(|e| e.with("key", &self.key))
    }

    fn keep(mut self: Box<Self>) {
        self.kept = true;
    }
}

impl Drop for StagedObject {
    fn drop(&mut self) {
        if let (false, Some(runtime)) = (self.kept, &self.runtime) {
            let beside = mem::take(&mut self.beside);
            self.staging.discards.start(Arc::clone(&self.staging.store), beside, runtime);
        }
    }
}

/// The removals that are under way: dropping can not wait for one, but whoever uses the ticket next must.
#[derive(Clone, Debug)]
pub(crate) struct Discards(Arc<watch::Sender<HashSet<Path>>>);

impl Default for Discards {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(HashSet::new())))
    }
}

impl Discards {
    fn start(&self, store: Arc<dyn ObjectStore>, path: Path, runtime: &Handle) {
        self.0.send_modify(|paths| {
            paths.insert(path.clone());
        });
        let discard = Discard { all: self.clone(), path };
        runtime.spawn(async move {
            match store.delete(&discard.path).await {
                Err(e) if !is_missing(&e) => {
                    let error = failed("a staged object can not be discarded", &e);
                    tracing::warn!(path = %discard.path, %error);
                }
                _ => {}
            }
        });
    }

    /// Waits until nothing is being removed there.
    pub(crate) async fn settled(&self, path: &Path) {
        // The sender lives as long as this.
        let _ = self.0.subscribe().wait_for(|paths| !paths.contains(path)).await;
    }
}

/// Ends with the removal, and also with the runtime.
struct Discard {
    all: Discards,
    path: Path,
}

impl Drop for Discard {
    fn drop(&mut self) {
        self.all.0.send_modify(|paths| {
            paths.remove(&self.path);
        });
    }
}
