use std::mem;
use std::sync::Arc;

use async_trait::async_trait;
use mediaflow_core::media::{Blob, Scratch};
use mediaflow_core::spec::{Key, Precondition};
use mediaflow_core::storage::{GetOptions, Staged, Stat, Ticket, precondition_failed, revoked};
use mediaflow_core::{Error, Result, codes};
use object_store::path::Path;
use object_store::{
    CopyMode, CopyOptions, Error as StoreError, ObjectStore, ObjectStoreExt as _, PutMode,
    PutOptions, UpdateVersion,
};
use tokio::runtime::Handle;

use crate::discards::Discards;
use crate::failure::{failed, interrupted, is_missing};
use crate::native::{Copied, Copy, Native, There};
use crate::transfer::{Found, look, read};

/// What all staged objects of a storage share.
#[derive(Clone, Debug)]
pub(crate) struct Staging {
    pub(crate) store: Arc<dyn ObjectStore>,
    /// What the provider can do beyond that.
    pub(crate) native: Option<Arc<dyn Native>>,
    pub(crate) discards: Discards,
}

/// How often a publication begins again because something else came to its place meanwhile.
const ROUNDS: u32 = 8;
/// The most bytes that are put over a certain version through this process, where the store can not copy so.
const THROUGH_HERE: u64 = 64 << 20;

/// How the name of a note ends: the object under a ticket's name and this says that a copy in several requests is under way.
pub(crate) const NOTE: &str = ".copy";

/// An object beside its place.
#[derive(Debug)]
pub(crate) struct StagedObject {
    staging: Staging,
    key: Key,
    ticket: Ticket,
    pub(crate) beside: Path,
    /// Where a copy that is under way is noted.
    note: Path,
    place: Path,
    /// What it was when it was staged or taken up: nothing else is published.
    pub(crate) version: Option<String>,
    /// Bytes.
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
        room: &Path,
        place: Path,
    ) -> Self {
        let beside = room.clone().join(ticket.to_string());
        let note = room.clone().join(format!("{ticket}{NOTE}"));
        let runtime = Handle::try_current().ok();
        Self {
            staging,
            key,
            ticket,
            beside,
            note,
            place,
            version: None,
            len: 0,
            kept: false,
            runtime,
        }
    }

    /// It as it is now, if it is still what it was.
    async fn found(&self) -> Result<Found> {
        let found = look(&self.staging.store, &self.beside)
            .await
            .map_err(|e| failed("the staged object can not be seen", &e).with("key", &self.key))?;
        found
            .filter(|found| self.version.is_none() || found.meta.e_tag == self.version)
            .ok_or_else(|| revoked(&self.key, &self.ticket))
    }

    /// Copies it to its place and removes it here.
    ///
    /// The copy is made only over what was there before it began. Whoever revokes this and publishes changes what is there;
    /// so a copy that was under way then, however late it ends, comes to nothing.
    async fn move_to_place(&mut self, precondition: Option<&Precondition>) -> Result<()> {
        // What can not be published stays, to be taken up again or revoked.
        self.kept = true;
        let mut copied = Copied::Conflict;
        for _ in 0..ROUNDS {
            let there =
                look(&self.staging.store, &self.place).await.map_err(|e| self.unpublished(&e))?;
            if let Some(precondition) = precondition {
                precondition.check(&self.key, there.as_ref().map(Found::stat).as_ref())?;
            }
            copied = self.copy(there.as_ref(), precondition).await?;
            if copied != Copied::Conflict {
                break;
            }
            // Was it what is there that has changed, or this?
            self.found().await?;
        }
        match copied {
            Copied::Done => {}
            Copied::Gone => return Err(revoked(&self.key, &self.ticket)),
            Copied::Conflict => {
                return Err(Error::transient(
                    codes::STORAGE_CONFLICT,
                    "others write to the same key all the time",
                )
                .with("key", &self.key)
                .help("it is tried again"));
            }
        }
        if let Err(e) = self.staging.store.delete(&self.beside).await
            && !is_missing(&e)
        {
            let error = failed("a published object's staged copy stays behind", &e);
            tracing::warn!(key = %self.key, ticket = %self.ticket, %error);
        }
        Ok(())
    }

    async fn copy(
        &self,
        there: Option<&Found>,
        precondition: Option<&Precondition>,
    ) -> Result<Copied> {
        let copied = match &self.staging.native {
            Some(native) => {
                let copy = Copy {
                    from: &self.beside,
                    version: self.version.as_deref(),
                    len: self.len,
                    to: &self.place,
                    there: match there {
                        None => There::Nothing,
                        Some(Found { meta, .. }) => {
                            meta.e_tag.as_deref().map_or(There::Something, There::Version)
                        }
                    },
                    required: precondition.is_some(),
                    note: &self.note,
                };
                native.copy(&copy).await
            }
            None => match (there, precondition) {
                (None, _) => self.copy_to_nothing(precondition.is_some()).await,
                (Some(_), None) => plain(self.staging.store.copy(&self.beside, &self.place).await),
                (Some(there), Some(_)) => return self.put_over(there).await,
            },
        };
        copied.map_err(|e| self.unpublished(&e))
    }

    /// Where nothing may be. A store that can not look as it copies is believed what it said a moment ago, unless
    /// that was asked for.
    async fn copy_to_nothing(&self, asked: bool) -> Result<Copied, StoreError> {
        let store = &self.staging.store;
        let options = CopyOptions::new().with_mode(CopyMode::Create);
        match store.copy_opts(&self.beside, &self.place, options).await {
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => {
                Ok(Copied::Conflict)
            }
            Err(StoreError::NotImplemented { .. } | StoreError::NotSupported { .. }) if !asked => {
                plain(store.copy(&self.beside, &self.place).await)
            }
            copied => plain(copied),
        }
    }

    /// Where exactly this version has to be: no store copies so by the common interface, but it puts so.
    async fn put_over(&self, there: &Found) -> Result<Copied> {
        if self.len > THROUGH_HERE {
            return Err(Error::unsupported(
                codes::STORAGE_UNSUPPORTED,
                format!(
                    "{} can not replace a certain version of a large object",
                    self.staging.store
                ),
            )
            .with("key", &self.key)
            .with("bytes", self.len)
            .with("limit", THROUGH_HERE)
            .help("publish it without `if_match`"));
        }
        let store = &self.staging.store;
        let put = async {
            let object = store.get(&self.beside).await?;
            let attributes = object.attributes.clone();
            let bytes = object.bytes().await?;
            let version = UpdateVersion {
                e_tag: there.meta.e_tag.clone(),
                version: there.meta.version.clone(),
            };
            let options =
                PutOptions { mode: PutMode::Update(version), attributes, ..PutOptions::default() };
            store.put_opts(&self.place, bytes.into(), options).await.map(|_| ())
        };
        match put.await {
            Err(StoreError::Precondition { .. }) => Err(precondition_failed(&self.key)),
            put => plain(put).map_err(|e| self.unpublished(&e)),
        }
    }

    fn unpublished(&self, error: &StoreError) -> Error {
        failed("the object can not be moved to its place", error).with("key", &self.key)
    }
}

/// What became of a copy that looks at nothing.
fn plain(copied: Result<(), StoreError>) -> Result<Copied, StoreError> {
    match copied {
        Err(e) if is_missing(&e) => Ok(Copied::Gone),
        copied => copied.map(|()| Copied::Done),
    }
}

#[async_trait]
impl Staged for StagedObject {
    async fn stat(&self) -> Result<Stat> {
        self.found().await.map(|found| found.stat())
    }

    async fn get(&self, options: &GetOptions, scratch: &Scratch) -> Result<Blob> {
        let found = self.found().await?;
        let options = match &found.meta.e_tag {
            Some(version) if options.if_match.is_none() => options.clone().if_match(version),
            _ => options.clone(),
        };
        let read = read(&self.staging.store, &self.beside, &self.key, &options, scratch).await?;
        read.ok_or_else(|| revoked(&self.key, &self.ticket))
    }

    async fn publish(mut self: Box<Self>, precondition: Option<&Precondition>) -> Result<()> {
        let precondition = precondition.cloned();
        // A task of its own: an impatient caller must not tear the copy from the removal.
        let moved = async move { self.move_to_place(precondition.as_ref()).await };
        tokio::spawn(moved).await.map_err(interrupted)?
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
