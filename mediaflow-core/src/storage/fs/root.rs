use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{failed, flush, is_missing};
use crate::codes;
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
        let new = missing(root);
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
        if cfg!(windows) {
            check_windows(key)?;
        }
        // Part by part: a path that was made canonical on Windows knows no `/`.
        let path: PathBuf = self.0.join(key.as_str().split('/').collect::<PathBuf>());
        let existing =
            path.ancestors().find(|part| part.symlink_metadata().is_ok()).unwrap_or(&self.0);
        let real = existing
            .canonicalize()
            .map_err(|e| failed("the key's folder can not be read", e).with("key", key))?;
        self.keep_in(&real, key)?;
        Ok(path)
    }

    /// Refuses an open file that does not lie in the folder: since [`Root::path`] a link may have taken the place of a part of
    /// its path.
    pub(super) fn check(&self, file: &File, path: &Path, key: &Key) -> Result<()> {
        match place_of(file, path) {
            Ok(real) => self.keep_in(&real, key),
            // Removed since it was opened.
            Err(e) if is_missing(&e) => Ok(()),
            Err(e) => Err(failed("the file can not be seen", e).with("key", key)),
        }
    }

    fn keep_in(&self, real: &Path, key: &Key) -> Result<()> {
        if real.starts_with(&self.0) {
            return Ok(());
        }
        let what = "the key leads out of the storage through a link";
        Err(Error::input(codes::STORAGE_KEY, what)
            .with("key", key)
            .help("remove the symbolic link"))
    }
}

/// Where an open file lies: <https://man7.org/linux/man-pages/man5/proc_pid_fd.5.html>.
#[cfg(target_os = "linux")]
fn place_of(file: &File, path: &Path) -> io::Result<PathBuf> {
    use std::os::fd::AsRawFd as _;
    let own = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // Where `/proc` is not there, where it lies by its path.
    own.or_else(|_| path.canonicalize())
}

#[cfg(not(target_os = "linux"))]
fn place_of(_file: &File, path: &Path) -> io::Result<PathBuf> {
    path.canonicalize()
}

/// How many folders have to be made for this one, itself included. Above the first part of a relative path there is the current
/// folder, which is there, although the path of it is empty.
fn missing(root: &Path) -> usize {
    let is_missing = |folder: &&Path| !folder.as_os_str().is_empty() && !folder.exists();
    root.ancestors().take_while(is_missing).count()
}

/// Refuses what Windows takes for something else than a file of that name: devices, and endings that it cuts off.
/// <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>
fn check_windows(key: &Key) -> Result<()> {
    key.as_str().split('/').try_for_each(|part| {
        let stem = part.split('.').next().unwrap_or_default().trim_end();
        let numbered = |device: &str| {
            let number =
                stem.get(..3).filter(|name| name.eq_ignore_ascii_case(device)).map(|_| &stem[3..]);
            number.is_some_and(|number| {
                number.chars().count() == 1
                    && number
                        .chars()
                        .all(|c| matches!(c, '1'..='9' | '\u{b9}' | '\u{b2}' | '\u{b3}'))
            })
        };
        let device = ["con", "prn", "aux", "nul", "conin$", "conout$"]
            .iter()
            .any(|device| stem.eq_ignore_ascii_case(device))
            || numbered("com")
            || numbered("lpt");
        if device || part.ends_with(['.', ' ']) || part.contains(['<', '>', '"', '|', '?', '*']) {
            return Err(Error::input(codes::STORAGE_KEY, "no file can have this name on Windows")
                .with("key", key)
                .with("part", part)
                .help("choose another key"));
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_current_folder_is_there() {
        // Who may not read the folder above it can have a storage in it all the same.
        assert_eq!(missing(Path::new("no-such-folder")), 1);
        assert_eq!(missing(Path::new("no-such-folder/inner")), 2);
        assert_eq!(missing(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/none")), 1);
    }

    #[test]
    fn names_that_windows_takes_for_something_else_are_known() {
        for key in [
            "a/CON",
            "nul.jpg",
            "aux .tar.gz",
            "com1",
            "LPT9.txt",
            "com\u{b2}",
            "a./b",
            "b ",
            "what?.jpg",
            "a|b",
            "conin$",
        ] {
            let error = check_windows(&key.parse().unwrap()).unwrap_err();
            assert_eq!(error.code(), "storage.key", "{key}");
        }
        for key in
            ["2026/cat.v2.jpg", "console.jpg", "com10", "com", "auxiliary/x", ".hidden", "äö/lpt"]
        {
            check_windows(&key.parse().unwrap()).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_the_folder_whenever_it_is_put_there() {
        use std::os::unix::fs::symlink;
        let folder = tempfile::tempdir().unwrap();
        let secrets = folder.path().join("secrets");
        fs::create_dir_all(&secrets).unwrap();
        fs::write(secrets.join("a.jpg"), "secret").unwrap();
        let root = Root::make(&folder.path().join("root")).unwrap();
        let key: Key = "photos/a.jpg".parse().unwrap();
        let leads_out = |error: Error| {
            assert_eq!((error.code(), error.fact("key")), ("storage.key", Some("photos/a.jpg")));
        };

        // Looked at while it was a folder, opened when it is a link.
        let path = root.path(&key).unwrap();
        symlink(&secrets, root.folder().join("photos")).unwrap();
        leads_out(root.check(&File::open(&path).unwrap(), &path, &key).unwrap_err());
        leads_out(root.path(&key).unwrap_err());
        fs::remove_file(root.folder().join("photos")).unwrap();

        // The file itself.
        fs::create_dir(root.folder().join("photos")).unwrap();
        symlink(secrets.join("a.jpg"), &path).unwrap();
        leads_out(root.check(&File::open(&path).unwrap(), &path, &key).unwrap_err());
        leads_out(root.path(&key).unwrap_err());
        fs::remove_file(&path).unwrap();

        // What lies inside, under whatever name, and what is gone by now.
        fs::write(root.folder().join("b.jpg"), "mine").unwrap();
        symlink(root.folder().join("b.jpg"), &path).unwrap();
        let file = File::open(&path).unwrap();
        root.check(&file, &root.path(&key).unwrap(), &key).unwrap();
        fs::remove_file(root.folder().join("b.jpg")).unwrap();
        root.check(&file, &path, &key).unwrap();
    }

    #[test]
    fn the_parts_of_a_key_are_those_of_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let root = Root::make(folder.path()).unwrap();
        let path = root.path(&"a/b/c.jpg".parse().unwrap()).unwrap();
        let parts: Vec<_> = path.strip_prefix(root.folder()).unwrap().components().collect();
        assert_eq!(parts.len(), 3);
        assert_eq!(path.file_name().unwrap(), "c.jpg");
    }
}
