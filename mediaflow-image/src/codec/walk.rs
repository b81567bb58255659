use std::io::{BufReader, Read as _};

use mediaflow_core::media::{Blob, Format, ReadSeek};
use mediaflow_core::{Error, Result, codes};

use crate::error::{corrupt, truncated};

/// Reads a header piece by piece, and knows where the file ends: seeking past the end would not fail by itself.
pub(crate) struct Walk {
    reader: BufReader<Box<dyn ReadSeek>>,
    format: Format,
    at: u64,
    len: u64,
}

impl Walk {
    pub(crate) fn new(blob: &Blob, format: Format) -> Result<Self> {
        // What is in memory is not copied ahead of what is wanted of it.
        let ahead = if blob.path().is_some() { 8 << 10 } else { 64 };
        let reader = BufReader::with_capacity(ahead, blob.reader()?);
        Ok(Self { reader, format, at: 0, len: blob.len() })
    }

    pub(crate) fn format(&self) -> &Format {
        &self.format
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> u64 {
        self.len.saturating_sub(self.at)
    }

    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    pub(crate) fn corrupt(&self, what: &str) -> Error {
        corrupt(&self.format, what).with("at", self.at)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16_be(&mut self) -> Result<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u16_le(&mut self) -> Result<u16> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32_be(&mut self) -> Result<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u32_le(&mut self) -> Result<u32> {
        self.array().map(u32::from_le_bytes)
    }

    /// That many bytes; the caller has checked the number against a limit.
    pub(crate) fn bytes(&mut self, len: usize) -> Result<Vec<u8>> {
        self.expect(len as u64)?;
        let mut bytes = vec![0; len];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn skip(&mut self, len: u64) -> Result<()> {
        self.expect(len)?;
        let step = i64::try_from(len).map_err(|_| self.corrupt("a length is absurd"))?;
        self.reader.seek_relative(step).map_err(|e| self.io(e))?;
        self.at += len;
        Ok(())
    }

    /// Goes to a place that may lie behind.
    pub(crate) fn skip_to(&mut self, at: u64) -> Result<()> {
        match at.checked_sub(self.at) {
            Some(len) => self.skip(len),
            None => Err(self.corrupt("a chunk is shorter than its content")),
        }
    }

    /// Goes to any place in the file.
    pub(crate) fn go(&mut self, at: u64) -> Result<()> {
        let step = i64::try_from(at).ok().zip(i64::try_from(self.at).ok());
        let step = step.ok_or_else(|| self.corrupt("a length is absurd"))?;
        self.reader.seek_relative(step.0 - step.1).map_err(|e| self.io(e))?;
        self.at = at;
        Ok(())
    }

    fn expect(&self, len: u64) -> Result<()> {
        if len > self.left() { Err(truncated(&self.format)) } else { Ok(()) }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.reader.read_exact(bytes).map_err(|e| self.io(e))?;
        self.at += bytes.len() as u64;
        Ok(())
    }

    fn io(&self, error: std::io::Error) -> Error {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            truncated(&self.format)
        } else {
            Error::transient(codes::BLOB_IO, "reading a file failed").because(error)
        }
    }
}
