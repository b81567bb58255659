use std::fmt;

use mediaflow_core::{Error, Result, Timestamp, codes};

/// A call-back as it came: its headers, its raw body, and the moment it is now.
///
/// Signatures are about the body as it was sent, so take it before anything parses it. `Debug` shows neither headers nor body:
/// there are secrets among them.
#[derive(Clone)]
pub struct Call<'a> {
    headers: Vec<(&'a str, &'a str)>,
    body: &'a [u8],
    now: Timestamp,
}

impl<'a> Call<'a> {
    /// With these headers, as name and value; those that are no text can be left out.
    pub fn new(
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: &'a [u8],
        now: Timestamp,
    ) -> Self {
        Self { headers: headers.into_iter().collect(), body, now }
    }

    /// The raw body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// The moment it is now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A header, its name in any case. One that is there twice is none: whoever reads the one is not to be told the other.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&'a str> {
        let mut found = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        let (_, value) = found.next()?;
        found.next().is_none().then_some(*value)
    }

    /// A header that has to be there.
    #[allow(dead_code, reason = "not each vendor has headers")]
    pub(crate) fn required(&self, name: &'static str) -> Result<&'a str> {
        self.header(name).ok_or_else(|| {
            Error::input(codes::WEBHOOK_HEADER, "a header is missing, or there twice")
                .with("header", name)
        })
    }

    /// Refuses a body of more bytes than this.
    #[cfg(any(
        feature = "aws",
        feature = "cloudinary",
        feature = "standard",
        feature = "tencent",
        feature = "zencoder"
    ))]
    pub(crate) fn at_most(&self, bytes: usize) -> Result<()> {
        if self.body.len() <= bytes {
            return Ok(());
        }
        Err(Error::limit(codes::LIMIT_CALL_BYTES, "the body of a call-back is too long")
            .with("bytes", self.body.len())
            .with("allowed", bytes))
    }
}

impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("bytes", &self.body.len())
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}
