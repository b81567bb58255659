use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use mediaflow_core::media::{Blob, Scratch};
use mediaflow_core::spec::{Key, PutOptions};
use mediaflow_core::storage::{
    GetOptions, Sign, SignPut, SignedRequest, Staged, Stat, Storage, Ticket, check_key, not_staged,
};
use mediaflow_core::{CancellationToken, Error, Result, codes};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};

use crate::attributes::attributes;
use crate::discards::Discards;
use crate::failure::{failed, interrupted, is_missing};
use crate::native::{Native, Upload};
use crate::staged::{NOTE, StagedObject, Staging};
use crate::transfer::{content_type, look, read, upload};

/// A [`Storage`] in an object store: S3, Azure, Google Cloud Storage, or any other [`ObjectStore`]. Clones share.
///
/// Runs on tokio. Small objects are read into memory; larger ones into a file of the engine's scratch folder, in one version
/// even if the object is replaced meanwhile.
#[derive(Clone)]
pub struct ObjectStorage {
    pub(crate) staging: Staging,
    root: Path,
}

impl ObjectStorage {
    /// Everything below `prefix` (empty: everything) of a store, which overwrites by default and copies in one act.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use mediaflow_storage::ObjectStorage;
    /// use mediaflow_storage::object_store::memory::InMemory;
    ///
    /// let storage = ObjectStorage::new(Arc::new(InMemory::new()), "media/public")?;
    /// # Ok::<_, mediaflow_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// `storage.prefix` if a part of the prefix is empty, `.`, `..` or has a control character.
    pub fn new(store: Arc<dyn ObjectStore>, prefix: &str) -> Result<Self> {
        let root = Path::parse(prefix).map_err(|_| {
            Error::input(codes::STORAGE_PREFIX, "this can not be the prefix of objects")
                .with("prefix", prefix.escape_debug())
                .help("use parts with `/` between them, such as `media/public`")
        })?;
        Ok(Self { staging: Staging { store, native: None, discards: Discards::default() }, root })
    }

    /// With what its provider can do beyond the common interface.
    #[cfg(feature = "s3")]
    pub(crate) fn with_native(mut self, native: Arc<dyn Native>) -> Self {
        self.staging.native = Some(native);
        self
    }

    /// Where the object of a key lies.
    fn place(&self, key: &Key) -> Result<Path> {
        check_key(key)?;
        self.below(key.as_str()).map_err(|_| {
            Error::input(codes::STORAGE_KEY, "the key can not name an object").with("key", key)
        })
    }

    /// One folder for each job, so that revoking lists nothing else.
    fn waiting_room(&self, job: &str) -> Result<Path> {
        self.below(&format!("{}/{job}", Ticket::FOLDER)).map_err(|_| {
            Error::input(codes::STORAGE_TICKET, "a job of this name can have staged nothing")
                .with("job", job)
        })
    }

    /// Where staged objects wait.
    fn staging_room(&self) -> Result<Path> {
        self.below(Ticket::FOLDER).map_err(|_| {
            Error::internal(codes::STORAGE_PREFIX, "the folder of staged objects has no path")
        })
    }

    /// The multipart uploads below the folder of staged objects, or below one job's in it, that are ours to give up.
    async fn uploads(&self, below: &Path) -> Result<Vec<Upload>, object_store::Error> {
        let Some(native) = &self.staging.native else { return Ok(Vec::new()) };
        Ok(native.uploads(below).await?.unwrap_or_default())
    }

    /// Gives up the uploads whose job and fence are meant.
    async fn abort(
        &self,
        below: &Path,
        meant: impl Fn(&str) -> bool,
    ) -> Result<(), object_store::Error> {
        let Some(native) = &self.staging.native else { return Ok(()) };
        for upload in self.uploads(below).await? {
            if upload.place.filename().is_some_and(&meant) {
                native.abort(&upload).await?;
            }
        }
        Ok(())
    }

    /// Gives up the copies that these notes tell of, before the notes go: then they can not be completed any more.
    async fn stop_copies(&self, notes: &[Path]) -> Result<(), object_store::Error> {
        let Some(native) = &self.staging.native else { return Ok(()) };
        for note in notes.iter().filter(|note| note.as_ref().ends_with(NOTE)) {
            let read = async { self.staging.store.get(note).await?.bytes().await };
            let text = match read.await {
                Err(e) if is_missing(&e) => continue,
                text => String::from_utf8_lossy(&text?).into_owned(),
            };
            let upload = text.split_once('\n').and_then(|(id, place)| {
                Some(Upload { place: Path::parse(place).ok()?, id: id.to_owned() })
            });
            if let Some(upload) = upload {
                native.abort(&upload).await?;
            }
        }
        Ok(())
    }

    /// Removes objects; those that are gone meanwhile are as good as removed.
    async fn remove(&self, objects: Vec<Path>) -> Result<(), object_store::Error> {
        self.stop_copies(&objects).await?;
        let mut deletions = self.staging.store.delete_stream(stream::iter(objects).map(Ok).boxed());
        while let Some(deleted) = deletions.next().await {
            match deleted {
                Err(e) if !is_missing(&e) => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    fn below(&self, name: &str) -> Result<Path, object_store::path::Error> {
        match self.root.as_ref() {
            "" => Path::parse(name),
            root => Path::parse(format!("{root}/{name}")),
        }
    }

    /// What stands for the staged object of a ticket, whether it is there yet or not.
    async fn waiting(&self, key: &Key, ticket: &Ticket) -> Result<StagedObject> {
        let (place, room) = (self.place(key)?, self.waiting_room(ticket.job())?);
        let staging = self.staging.clone();
        let staged = StagedObject::new(staging, key.clone(), ticket.clone(), &room, place);
        self.staging.discards.settled(&staged.beside).await;
        Ok(staged)
    }

    /// The key of a listed object, if it is one.
    fn key(&self, place: &Path) -> Option<Key> {
        let name = match self.root.as_ref() {
            "" => place.as_ref(),
            root => place.as_ref().strip_prefix(root)?.strip_prefix('/')?,
        };
        name.parse().ok().filter(|key| check_key(key).is_ok())
    }
}

#[async_trait]
impl Storage for ObjectStorage {
    async fn stat(&self, key: &Key) -> Result<Stat> {
        let found = look(&self.staging.store, &self.place(key)?)
            .await
            .map_err(|e| failed("the object can not be seen", &e).with("key", key))?;
        found.map(|found| found.stat()).ok_or_else(|| not_found(key))
    }

    async fn get(&self, key: &Key, options: &GetOptions, scratch: &Scratch) -> Result<Blob> {
        let place = self.place(key)?;
        let read = read(&self.staging.store, &place, key, options, scratch).await?;
        read.ok_or_else(|| not_found(key))
    }

    async fn stage(
        &self,
        key: &Key,
        blob: &Blob,
        options: &PutOptions,
        ticket: &Ticket,
    ) -> Result<Box<dyn Staged>> {
        let mut staged = self.waiting(key, ticket).await?;
        let (store, blob) = (Arc::clone(&self.staging.store), blob.clone());
        let (attributes, kind) = (attributes(options), content_type(key));
        let given_up = CancellationToken::new();
        let _when_dropped = given_up.clone().drop_guard();
        // A task of its own, because aborting an upload takes requests, which a dropped future can not make.
        let task = tokio::spawn(async move {
            let to = staged.beside.clone();
            staged.len = blob.len();
            staged.version = upload(&*store, &to, blob, attributes, kind, &given_up).await?;
            Ok::<_, Error>(staged)
        });
        let staged = task.await.map_err(interrupted)?.map_err(|e| e.with("key", key))?;
        Ok(Box::new(staged))
    }

    async fn staged(&self, key: &Key, ticket: &Ticket) -> Result<Box<dyn Staged>> {
        if check_key(key).is_err() {
            return Err(not_staged(key, ticket));
        }
        let mut staged = self.waiting(key, ticket).await?;
        // Until it is known to be there it is not ours to discard.
        staged.kept = true;
        let found = look(&self.staging.store, &staged.beside)
            .await
            .map_err(|e| failed("the staged object can not be seen", &e).with("key", key))?
            .ok_or_else(|| not_staged(key, ticket))?;
        (staged.version, staged.len, staged.kept) = (found.meta.e_tag, found.meta.size, false);
        Ok(Box::new(staged))
    }

    async fn revoke(&self, job: &str, below: u64) -> Result<()> {
        let room = self.waiting_room(job)?;
        let failed = |e| failed("staged objects can not be revoked", &e).with("job", job);
        let old = self.staging.store.list(Some(&room)).try_filter_map(|object| {
            let fence = object.location.filename().and_then(|name| Ticket::fence_of(job, name));
            let old = fence.is_some_and(|fence| fence < below);
            std::future::ready(Ok(old.then_some(object.location)))
        });
        // Listed to the end before anything goes: pages of a listing that shrinks could skip some.
        let old: Vec<Path> = old.try_collect().await.map_err(failed)?;
        self.remove(old).await.map_err(failed)?;
        let old = |name: &str| Ticket::fence_of(job, name).is_some_and(|fence| fence < below);
        self.abort(&room, old).await.map_err(failed)
    }

    async fn staged_for(&self) -> Result<BTreeSet<String>> {
        let room = self.staging_room()?;
        let unlisted = |e| failed("staged objects can not be listed", &e);
        let found = self.staging.store.list_with_delimiter(Some(&room)).await.map_err(unlisted)?;
        let jobs = found.common_prefixes.iter().filter_map(|job| job.filename());
        // Of an upload that a killed process has left nothing is listed but itself.
        let uploads = self.uploads(&room).await.map_err(unlisted)?;
        let uploads = uploads.iter().filter_map(|upload| Ticket::job_of(upload.place.filename()?));
        Ok(jobs.chain(uploads).map(str::to_owned).collect())
    }

    async fn discard(&self, jobs: &BTreeSet<String>) -> Result<()> {
        let Some(first) = jobs.first() else { return Ok(()) };
        let (room, first) = (self.staging_room()?, self.waiting_room(first)?);
        let failed = |e| failed("staged objects can not be discarded", &e);
        // Parts come after their jobs.
        let theirs =
            self.staging.store.list_with_offset(Some(&room), &first).try_filter_map(|object| {
                let job = object.location.filename().and_then(Ticket::job_of);
                let theirs = job.is_some_and(|job| Ticket::is_for(job, jobs));
                std::future::ready(Ok(theirs.then_some(object.location)))
            });
        let theirs: Vec<Path> = theirs.try_collect().await.map_err(failed)?;
        self.remove(theirs).await.map_err(failed)?;
        let theirs = |name: &str| Ticket::job_of(name).is_some_and(|job| Ticket::is_for(job, jobs));
        self.abort(&room, theirs).await.map_err(failed)
    }

    async fn delete(&self, key: &Key) -> Result<()> {
        match self.staging.store.delete(&self.place(key)?).await {
            Err(e) if !is_missing(&e) => {
                Err(failed("the object can not be removed", &e).with("key", key))
            }
            _ => Ok(()),
        }
    }

    async fn list(&self, prefix: &str) -> Result<Vec<Key>> {
        self.list_some(prefix, usize::MAX).await
    }

    async fn list_some(&self, prefix: &str, most: usize) -> Result<Vec<Key>> {
        // Stores list by whole folders.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let Ok(folder) = self.below(folder) else { return Ok(Vec::new()) };
        let objects = self.staging.store.list(Some(&folder));
        let keys = objects.try_filter_map(|object| {
            let key = self.key(&object.location);
            std::future::ready(Ok(key.filter(|key| key.as_str().starts_with(prefix))))
        });
        let mut keys: Vec<Key> = keys
            .take(most)
            .try_collect()
            .await
            .map_err(|e| failed("the objects can not be listed", &e).with("prefix", prefix))?;
        keys.sort();
        Ok(keys)
    }

    fn sign(&self) -> Option<&dyn Sign> {
        self.staging.native.is_some().then_some(self)
    }
}

#[async_trait]
impl Sign for ObjectStorage {
    fn longest(&self) -> Duration {
        self.staging.native.as_ref().map_or(Duration::ZERO, |native| native.longest())
    }

    async fn sign_get(&self, key: &Key, expires_in: Duration) -> Result<SignedRequest> {
        let signed = self.native()?.sign_get(&self.place(key)?, expires_in).await;
        signed.map_err(|e| e.with("key", key))
    }

    async fn sign_put(
        &self,
        key: &Key,
        put: &SignPut,
        expires_in: Duration,
    ) -> Result<SignedRequest> {
        let signed = self.native()?.sign_put(&self.place(key)?, put, expires_in).await;
        signed.map_err(|e| e.with("key", key))
    }

    async fn sign_stage(
        &self,
        key: &Key,
        ticket: &Ticket,
        put: &SignPut,
        expires_in: Duration,
    ) -> Result<SignedRequest> {
        check_key(key)?;
        let place = self.waiting_room(ticket.job())?.join(ticket.to_string());
        let signed = self.native()?.sign_put(&place, put, expires_in).await;
        signed.map_err(|e| e.with("key", key))
    }
}

impl ObjectStorage {
    fn native(&self) -> Result<&dyn Native> {
        self.staging.native.as_deref().ok_or_else(|| {
            Error::unsupported(codes::STORAGE_UNSUPPORTED, "this store can not sign requests")
                .with("store", &self.staging.store)
        })
    }
}

fn not_found(key: &Key) -> Error {
    Error::input(codes::STORAGE_NOT_FOUND, "there is nothing under this key")
        .with("key", key)
        .help("was it uploaded, and not removed yet?")
}

impl fmt::Debug for ObjectStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ObjectStorage({}, {:?})", self.staging.store, self.root.as_ref())
    }
}
