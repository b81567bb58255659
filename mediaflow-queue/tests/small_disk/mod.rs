//! A disk that is soon full.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A disk of a few megabytes, for as long as it lives.
pub(crate) struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Needs the right to mount, and says so.
    pub(crate) fn mount(at: &Path, megabytes: u32) -> Result<Self, String> {
        fs::create_dir_all(at).unwrap();
        let size = format!("size={megabytes}m");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(at).output();
        match mounted {
            Ok(told) if told.status.success() => Ok(Self(at.to_owned())),
            Ok(told) => Err(String::from_utf8_lossy(&told.stderr).trim().to_owned()),
            Err(e) => Err(e.to_string()),
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
