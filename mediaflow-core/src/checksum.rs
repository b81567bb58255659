//! Checksums of files.

use std::io::Read as _;

use sha2::Digest as _;

use crate::codes;
use crate::media::Blob;
use crate::spec::digest::hex;
use crate::{Error, Result, RunContext};

/// SHA-256 and MD5, in hexadecimal.
pub(crate) fn checksums(blob: &Blob, cx: &RunContext) -> Result<(String, String)> {
    let (mut sha256, mut md5) = (sha2::Sha256::new(), md5::Md5::new());
    chunks(blob, cx, |chunk| {
        sha256.update(chunk);
        md5.update(chunk);
    })?;
    Ok((hex(&sha256.finalize()), hex(&md5.finalize())))
}

/// SHA-256, in hexadecimal.
pub(crate) fn sha256(blob: &Blob, cx: &RunContext) -> Result<String> {
    let mut sha256 = sha2::Sha256::new();
    chunks(blob, cx, |chunk| sha256.update(chunk))?;
    Ok(hex(&sha256.finalize()))
}

fn chunks(blob: &Blob, cx: &RunContext, mut take: impl FnMut(&[u8])) -> Result<()> {
    let mut reader = blob.reader()?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        cx.check()?;
        let read = reader
            .read(&mut buffer)
            .map_err(|e| Error::transient(codes::BLOB_IO, "a file could not be read").because(e))?;
        if read == 0 {
            return Ok(());
        }
        take(&buffer[..read]);
    }
}
