use std::fmt;
use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempPath;

use crate::codes;
use crate::{Error, Result};

/// Bytes in memory or in a file. Clones share; a temporary file goes with its last clone.
#[derive(Clone)]
pub struct Blob(Kind);

#[derive(Clone)]
enum Kind {
    Bytes(Bytes),
    File(Arc<OpenFile>),
    Temp { path: Arc<TempPath>, len: u64 },
}

/// A file that is held open: what is read is what was there in the beginning, even if another file has taken its place.
struct OpenFile {
    file: File,
    len: u64,
    /// Where it was opened.
    path: PathBuf,
    /// Where the same file can be opened again, whatever is at its path by then.
    again: Option<PathBuf>,
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

    /// A file that somebody else owns. It is held open by the last clone: another file that takes its place does not
    /// change what is read here. Its own content must not change meanwhile.
    ///
    /// # Errors
    /// `blob.io` if it can not be opened.
    pub fn file(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let file = File::open(&path).map_err(|e| io("can not be opened", &path, e))?;
        let len = file.metadata().map_err(|e| io("can not be read", &path, e))?.len();
        Ok(Self::opened(file, len, path))
    }

    /// A file that is open already: its first `len` bytes, whatever is added to it.
    pub(crate) fn opened(file: File, len: u64, path: PathBuf) -> Self {
        let again = again(&file);
        Self(Kind::File(Arc::new(OpenFile { file, len, path, again })))
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
            Kind::File(file) => file.len,
            Kind::Temp { len, .. } => *len,
        }
    }

    /// Whether it has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where this process can open it for as long as it lives, if it is a file. On Linux that is this very file even if
    /// another has taken its place; its name may tell nothing.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Bytes(_) => None,
            Kind::File(file) => Some(file.again.as_ref().unwrap_or(&file.path)),
            Kind::Temp { path, .. } => Some(path),
        }
    }

    /// A reader from the start. Blocking: for the CPU pool, not for the async runtime.
    ///
    /// # Errors
    /// `blob.io`.
    pub fn reader(&self) -> Result<Box<dyn ReadSeek>> {
        match &self.0 {
            Kind::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes.clone()))),
            Kind::File(file) => Ok(Box::new(FileReader { file: Arc::clone(file), at: 0 })),
            Kind::Temp { path, .. } => {
                Ok(Box::new(File::open(&**path).map_err(|e| io("can not be opened", path, e))?))
            }
        }
    }

    /// All bytes, at most `limit`. Blocking, without a copy if they are in memory already.
    ///
    /// # Errors
    /// `limit.image_bytes` if there are more, `blob.io`.
    pub fn read(&self, limit: u64) -> Result<Bytes> {
        if self.len() > limit {
            return Err(crate::limits::over(
                codes::LIMIT_IMAGE_BYTES,
                "image_bytes",
                self.len(),
                limit,
            ));
        }
        match &self.0 {
            Kind::Bytes(bytes) => Ok(bytes.clone()),
            Kind::File(_) | Kind::Temp { .. } => {
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
            .map_err(|e| Error::transient(codes::BLOB_IO, "reading a file failed").because(e))?;
        Ok(head)
    }
}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = match &self.0 {
            Kind::Bytes(_) => return write!(f, "Blob({} bytes)", self.len()),
            Kind::File(file) => &*file.path,
            Kind::Temp { path, .. } => path,
        };
        write!(f, "Blob({}, {} bytes)", path.display(), self.len())
    }
}

/// Reads from a place of its own: all readers of a file share one handle.
struct FileReader {
    file: Arc<OpenFile>,
    at: u64,
}

impl Read for FileReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        // What was added since it was opened is not ours.
        let left = usize::try_from(self.file.len.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let most = to.len().min(left);
        let read = read_at(&self.file.file, &mut to[..most], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for FileReader {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.file.len.checked_add_signed(by),
        };
        self.at = place.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}

#[cfg(unix)]
fn read_at(file: &File, to: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, to, at)
}

#[cfg(windows)]
fn read_at(file: &File, to: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, to, at)
}

/// A path of the open file itself: <https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html>.
#[cfg(target_os = "linux")]
fn again(file: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd as _;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    path.exists().then_some(path)
}

#[cfg(not(target_os = "linux"))]
fn again(_file: &File) -> Option<PathBuf> {
    None
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
                Error::transient(codes::SCRATCH_IO, "no temporary file could be made")
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
            Kind::File(_) | Kind::Temp { .. } => Ok(blob.clone()),
            Kind::Bytes(bytes) => {
                let path = self.file(extension)?;
                std::fs::write(&path, bytes).map_err(|e| {
                    Error::transient(codes::SCRATCH_IO, "a temporary file could not be written")
                        .because(e)
                })?;
                Blob::temp(path)
            }
        }
    }
}

fn io(what: &str, path: &Path, error: io::Error) -> Error {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Error::transient(codes::BLOB_IO, format!("a file {what}")).with("file", name).because(error)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_file_that_is_replaced_is_read_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("a.jpg"), folder.path().join("b.jpg"));
        std::fs::write(&path, "before").unwrap();
        std::fs::write(&other, "afterwards").unwrap();
        let blob = Blob::file(&path).unwrap();
        std::fs::rename(&other, &path).unwrap();
        assert_eq!((blob.len(), blob.read(100).unwrap()), (6, Bytes::from("before")));
        #[cfg(target_os = "linux")]
        assert_eq!(std::fs::read(blob.path().unwrap()).unwrap(), b"before");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(blob.head(3).unwrap(), b"bef");
        assert!(format!("{blob:?}").contains("a.jpg"));
    }

    #[test]
    fn a_file_that_grows_is_read_as_long_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "short").unwrap();
        let blob = Blob::file(&path).unwrap();
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"er").unwrap();
        assert_eq!(blob.read(100).unwrap(), "short");
    }

    #[test]
    fn readers_of_a_file_have_places_of_their_own() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "0123456789").unwrap();
        let blob = Blob::file(folder.path().join("a")).unwrap();
        let (mut one, mut two) = (blob.reader().unwrap(), blob.reader().unwrap());
        let read = |reader: &mut Box<dyn ReadSeek>, seek: SeekFrom| {
            let mut text = [0; 2];
            reader.seek(seek).unwrap();
            reader.read_exact(&mut text).unwrap();
            String::from_utf8(text.to_vec()).unwrap()
        };
        assert_eq!(read(&mut one, SeekFrom::Start(4)), "45");
        assert_eq!(read(&mut two, SeekFrom::End(-2)), "89");
        assert_eq!(read(&mut one, SeekFrom::Current(-1)), "56");
        assert_eq!(two.read(&mut [0; 2]).unwrap(), 0, "the end");
        assert!(two.seek(SeekFrom::Current(-11)).is_err());
    }
}
