use std::cell::Cell;
use std::io::{BufRead, Error, Read, Result, Seek, SeekFrom};

use mediaflow_core::RunContext;

/// How many bytes are read between two looks at the cancellation.
const STRIDE: usize = 64 * 1024;

/// Bytes in memory that stop coming when the job is cancelled: the way into the loop of a decoder that has no other.
#[derive(Clone)]
pub(crate) struct Cancellable<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Up to here without another look.
    free: usize,
    cx: &'a RunContext,
    /// What follows, and where it is noted that they came to it.
    tail: Option<(&'a [u8], &'a Cell<bool>)>,
}

impl<'a> Cancellable<'a> {
    pub(crate) fn new(bytes: &'a [u8], cx: &'a RunContext) -> Self {
        Self { bytes, at: 0, free: 0, cx, tail: None }
    }

    /// With these bytes behind them, for who reads from the front. Sets `came` once they are begun.
    #[cfg(not(feature = "turbo"))]
    pub(crate) fn followed_by(self, tail: &'a [u8], came: &'a Cell<bool>) -> Self {
        Self { tail: Some((tail, came)), ..self }
    }

    #[cold]
    fn look(&mut self) -> Result<()> {
        if self.at >= self.bytes.len()
            && let Some((tail, came)) = self.tail.take()
        {
            came.set(true);
            (self.bytes, self.at) = (tail, 0);
        }
        self.free = (self.at + STRIDE).min(self.bytes.len());
        self.cx.check().map_err(Error::other)
    }
}

impl Read for Cancellable<'_> {
    #[inline]
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let available = self.fill_buf()?;
        let len = available.len().min(buffer.len());
        buffer[..len].copy_from_slice(&available[..len]);
        self.consume(len);
        Ok(len)
    }

    /// Decoders read entropy-coded data byte by byte: this is their hot path.
    #[inline]
    fn read_exact(&mut self, mut buffer: &mut [u8]) -> Result<()> {
        if let ([byte], true) = (&mut *buffer, self.at < self.free)
            && let Some(next) = self.bytes.get(self.at)
        {
            *byte = *next;
            self.at += 1;
            return Ok(());
        }
        while !buffer.is_empty() {
            match self.read(buffer)? {
                0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
                len => buffer = &mut buffer[len..],
            }
        }
        Ok(())
    }
}

impl BufRead for Cancellable<'_> {
    #[inline]
    fn fill_buf(&mut self) -> Result<&[u8]> {
        if self.at >= self.free {
            self.look()?;
        }
        Ok(self.bytes.get(self.at..self.free).unwrap_or_default())
    }

    #[inline]
    fn consume(&mut self, amount: usize) {
        self.at += amount;
    }
}

impl Seek for Cancellable<'_> {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let target = match to {
            SeekFrom::Start(at) => i64::try_from(at).ok(),
            SeekFrom::End(by) => {
                i64::try_from(self.bytes.len()).ok().and_then(|len| len.checked_add(by))
            }
            SeekFrom::Current(by) => i64::try_from(self.at).ok().and_then(|at| at.checked_add(by)),
        };
        let Some(target) = target.and_then(|target| usize::try_from(target).ok()) else {
            return Err(Error::new(std::io::ErrorKind::InvalidInput, "a seek before the start"));
        };
        self.at = target;
        self.free = self.free.min(target);
        Ok(target as u64)
    }
}
