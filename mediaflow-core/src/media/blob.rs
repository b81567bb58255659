use std::fmt;
use std::fs::File;
use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempPath;

use crate::{Error, Result};

/// Bytes in memory or in a file. Clones share; a temporary file goes with its last clone.
#[derive(Clone)]
pub struct Blob(Kind);

#[derive(Clone)]
enum Kind {
    Bytes(Bytes),
    File { path: Arc<PathBuf>, len: u64 },
    Temp { path: Arc<TempPath>, len: u64 },
}

/// Reads and seeks: what decoders want. Every type that does both has it.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

impl Blob {
    /// Bytes in memory.
    #[must_use]
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }

    /// A file that somebody else owns and that does not change meanwhile.
    ///
    /// # Errors
    /// `blob.io` if it can not be seen.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let len = std::fs::metadata(&path).map_err(|e| io("can not be read", &path, e))?.len();
        Ok(Self(Kind::File { path: Arc::new(path), len }))
    }

    /// A temporary file, deleted with the last clone.
    ///
    /// # Errors
    /// `blob.io` if it can not be seen.
    pub fn temp(path: TempPath) -> Result<Self> {
        let len = std::fs::metadata(&path).map_err(|e| io("can not be read", &path, e))?.len();
        Ok(Self(Kind::Temp { path: Arc::new(path), len }))
    }

    /// How many bytes it has.
    #[must_use]
    pub fn len(&self) -> u64 {
        match &self.0 {
            Kind::Bytes(bytes) => bytes.len() as u64,
            Kind::File { len, .. } | Kind::Temp { len, .. } => *len,
        }
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it lies, if it is a file.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Bytes(_) => None,
            Kind::File { path, .. } => Some(path),
            Kind::Temp { path, .. } => Some(path),
        }
    }

    /// A reader from the start. Blocking: for the CPU pool, not for the async runtime.
    ///
    /// # Errors
    /// `blob.io`.
    pub fn reader(&self) -> Result<Box<dyn ReadSeek>> {
        match (&self.0, self.path()) {
            (Kind::Bytes(bytes), _) => Ok(Box::new(Cursor::new(bytes.clone()))),
            (_, Some(path)) => {
                Ok(Box::new(File::open(path).map_err(|e| io("can not be opened", path, e))?))
            }
            (_, None) => Err(Error::internal("blob.no_path", "a file blob has no path")),
        }
    }

    /// All bytes, at most `limit`. Blocking, without a copy if they are in memory already.
    ///
    /// # Errors
    /// `limit.image_bytes` if there are more, `blob.io`.
    pub fn read(&self, limit: u64) -> Result<Bytes> {
        if self.len() > limit {
            return Err(crate::limits::over("limit.image_bytes", "image_bytes", self.len(), limit));
        }
        match &self.0 {
            Kind::Bytes(bytes) => Ok(bytes.clone()),
            Kind::File { .. } | Kind::Temp { .. } => {
                Ok(self.head(usize::try_from(limit).unwrap_or(usize::MAX))?.into())
            }
        }
    }

    /// The first bytes, at most `len`. Blocking.
    ///
    /// # Errors
    /// `blob.io`.
    pub fn head(&self, len: usize) -> Result<Vec<u8>> {
        let mut head =
            Vec::with_capacity(len.min(usize::try_from(self.len()).unwrap_or(usize::MAX)));
        self.reader()?
            .take(len as u64)
            .read_to_end(&mut head)
            .map_err(|e| Error::transient("blob.io", "reading a file failed").because(e))?;
        Ok(head)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path() {
            Some(path) => write!(f, "Blob({}, {} bytes)", path.display(), self.len()),
            None => write!(f, "Blob({} bytes)", self.len()),
        }
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self::bytes(bytes)
    }
}

/// The folder for temporary files of one engine. What is made here is deleted when nobody holds it any more.
#[derive(Clone, Debug)]
pub struct Scratch {
    folder: Arc<PathBuf>,
}

impl Scratch {
    /// In this folder, which must exist.
    #[must_use]
    pub fn in_folder(folder: impl Into<PathBuf>) -> Self {
        Self { folder: Arc::new(folder.into()) }
    }

    /// A new, empty file whose name ends in `.extension`, deleted when the path is dropped.
    ///
    /// # Errors
    /// `scratch.io`: the folder is full, read-only or gone.
    pub fn file(&self, extension: &str) -> Result<TempPath> {
        tempfile::Builder::new()
            .prefix("mediaflow-")
            .suffix(&format!(".{extension}"))
            .tempfile_in(self.folder.as_path())
            .map(tempfile::NamedTempFile::into_temp_path)
            .map_err(|e| {
                Error::transient("scratch.io", "no temporary file could be made")
                    .with("folder", self.folder.display())
                    .help("free space there, or choose another folder with `scratch()`")
                    .because(e)
            })
    }

    /// The blob as a file: itself if it is one, else a temporary copy. Blocking.
    ///
    /// # Errors
    /// `scratch.io`.
    pub fn materialise(&self, blob: &Blob, extension: &str) -> Result<Blob> {
        match &blob.0 {
            Kind::File { .. } | Kind::Temp { .. } => Ok(blob.clone()),
            Kind::Bytes(bytes) => {
                let path = self.file(extension)?;
                std::fs::write(&path, bytes).map_err(|e| {
                    Error::transient("scratch.io", "a temporary file could not be written")
                        .because(e)
                })?;
                Blob::temp(path)
            }
        }
    }
}

fn io(what: &str, path: &Path, error: std::io::Error) -> Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Error::transient("blob.io", format!("a file {what}")).with("file", name).because(error)
}
