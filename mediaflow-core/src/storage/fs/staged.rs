use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;

use super::disk::{
    Lock, blocking, failed, flush, is_missing, lock, make_readable, open, read, stat_of, tidy,
};
use super::root::Root;
use crate::Result;
use crate::media::{Blob, Scratch};
use crate::spec::{Key, Precondition};
use crate::storage::{GetOptions, Staged, Stat, Ticket, precondition_failed, revoked};

/// A file beside its place.
#[derive(Debug)]
pub(super) struct StagedFile {
    pub(super) root: Root,
    pub(super) key: Key,
    pub(super) ticket: Ticket,
    /// The file outlives this value.
    pub(super) kept: bool,
}

impl StagedFile {
    pub(super) fn new(root: Root, key: Key, ticket: Ticket) -> Self {
        Self { root, key, ticket, kept: false }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.root.staging().join(self.ticket.to_string())
    }

    /// Writes the file whole before it gets its name, so that nobody takes up half of it.
    pub(super) fn write(&self, blob: &Blob) -> Result<()> {
        let wrong = |e| failed("the file can not be written", e);
        let folder = self.root.staging();
        let mut written = self.make(&folder)?;
        io::copy(&mut blob.reader()?, &mut written).map_err(wrong)?;
        make_readable(written.as_file()).map_err(wrong)?;
        written.as_file().sync_all().map_err(wrong)?;
        match written.persist(self.path()) {
            Ok(_) => flush(&folder),
            Err(e) if is_missing(&e.error) => Err(revoked(&self.key, &self.ticket)),
            Err(e) => Err(wrong(e.error)),
        }
    }

    /// A new file in the folder of staged files, which others may be removing, because it is empty, and making.
    fn make(&self, folder: &Path) -> Result<tempfile::NamedTempFile> {
        let wrong = |e| failed("the file can not be written", e);
        let mut tries = 0;
        loop {
            match fs::create_dir(folder) {
                Ok(()) => flush(self.root.folder())?,
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(wrong(e)),
            }
            // It begins as the ticket does, so that it can be revoked if this process is killed meanwhile.
            let made =
                tempfile::Builder::new().prefix(&format!("{}.", self.ticket)).tempfile_in(folder);
            tries += 1;
            match made {
                Err(e) if e.kind() == io::ErrorKind::NotFound && tries < 100 => {}
                made => return made.map_err(wrong),
            }
        }
    }

    fn open(&self) -> Result<(fs::File, Stat)> {
        let found = open(&self.path()).map_err(|e| e.with("key", &self.key))?;
        found.ok_or_else(|| revoked(&self.key, &self.ticket))
    }

    fn publish(&mut self, precondition: Option<&Precondition>) -> Result<()> {
        // From here on the file is at its place, somebody else's, or left for another try.
        self.kept = true;
        let wrong = |what, e| failed(what, e).with("key", &self.key);
        let (path, staged) = (self.root.path(&self.key)?, self.path());
        let folder = path.parent().unwrap_or(self.root.folder());
        fs::create_dir_all(folder).map_err(|e| wrong("the key's folder can not be made", e))?;
        let kind = if precondition.is_some() { Lock::Alone } else { Lock::Shared };
        let _held = lock(self.root.folder(), kind)
            .map_err(|e| wrong("the storage's folder can not be locked", e))?;
        let moved = match precondition {
            None => fs::rename(&staged, &path),
            Some(Precondition::IfNoneMatch) => fs::hard_link(&staged, &path).and_then(|()| {
                // It is published; what stays behind then is removed with its job.
                fs::remove_file(&staged).or(Ok(()))
            }),
            Some(precondition) => {
                let there = stat_of(&path).map_err(|e| e.with("key", &self.key))?;
                precondition.check(&self.key, there.as_ref())?;
                fs::rename(&staged, &path)
            }
        };
        match moved {
            // Some of them may be new, or have been made by somebody else a moment ago.
            Ok(()) => {
                tidy(&self.root.staging());
                folder
                    .ancestors()
                    .take_while(|folder| folder.starts_with(self.root.folder()))
                    .try_for_each(flush)
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                Err(precondition_failed(&self.key))
            }
            Err(e) if is_missing(&e) && staged.symlink_metadata().is_err() => {
                Err(revoked(&self.key, &self.ticket))
            }
            Err(e) => Err(wrong("the file can not be moved to its place", e)),
        }
    }
}

#[async_trait]
impl Staged for StagedFile {
    async fn stat(&self) -> Result<Stat> {
        let path = self.path();
        let found = blocking(move || stat_of(&path)).await.map_err(|e| e.with("key", &self.key))?;
        found.ok_or_else(|| revoked(&self.key, &self.ticket))
    }

    async fn get(&self, options: &GetOptions, scratch: &Scratch) -> Result<Blob> {
        let (file, stat) = self.open()?;
        let part = options.part(&self.key, &stat)?;
        let (path, scratch) = (self.path(), scratch.clone());
        blocking(move || read(file, path, &stat, part, &scratch)).await
    }

    async fn publish(mut self: Box<Self>, precondition: Option<&Precondition>) -> Result<()> {
        let precondition = precondition.cloned();
        blocking(move || Self::publish(&mut self, precondition.as_ref())).await
    }

    fn keep(mut self: Box<Self>) {
        self.kept = true;
    }
}

impl Drop for StagedFile {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_file(self.path())
            && !is_missing(&error)
        {
            tracing::warn!(ticket = %self.ticket, %error, "a staged file could not be removed");
        }
        if !self.kept {
            tidy(&self.root.staging());
        }
    }
}
