use std::fs;
use std::path::{Path, PathBuf};

use super::disk::{failed, flush};
use crate::spec::Key;
use crate::storage::{Ticket, check_key};
use crate::{Error, Result};

/// The folder of a storage.
#[derive(Clone, Debug)]
pub(super) struct Root(PathBuf);

impl Root {
    /// It, made if it is missing, together with the folders above it.
    pub(super) fn make(root: &Path) -> Result<Self> {
        let wrong =
            |e| failed("the storage's folder can not be made", e).with("folder", root.display());
        let new = root.ancestors().take_while(|folder| !folder.exists()).count();
        fs::create_dir_all(root).map_err(wrong)?;
        let real = root.canonicalize().map_err(wrong)?;
        // A folder survives a loss of power if that in which it was made is flushed.
        real.ancestors().skip(1).take(new).try_for_each(flush)?;
        Ok(Self(real))
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// The folder of staged files: on the same disk, so that they can be renamed.
    pub(super) fn staging(&self) -> PathBuf {
        self.0.join(Ticket::FOLDER)
    }

    /// The path of a key, after making sure that no link leads it out of the root.
    pub(super) fn path(&self, key: &Key) -> Result<PathBuf> {
        check_key(key)?;
        let path = self.0.join(key.as_str());
        let existing =
            path.ancestors().find(|part| part.symlink_metadata().is_ok()).unwrap_or(&self.0);
        let real = existing
            .canonicalize()
            .map_err(|e| failed("the key's folder can not be read", e).with("key", key))?;
        if !real.starts_with(&self.0) {
            return Err(Error::input(
                "storage.key",
                "the key leads out of the storage through a link",
            )
            .with("key", key)
            .help("remove the symbolic link"));
        }
        Ok(path)
    }
}
