//! `Sign` of Tencent's notifications, the MD5 of a key and `T`, the moment at which the notification ends to be valid. **It
//! says nothing of the rest**: whoever has seen one notification can make others until then.

use std::fmt;
use std::time::Duration;

use md5::{Digest as _, Md5};
use mediaflow_core::{Error, Result, codes};

use crate::compare::{equal, hex};

/// How long a notification is valid.
pub const VALID: Duration = Duration::from_secs(600);

/// How many characters a key has at most.
const KEY: usize = 32;

/// Signs as Tencent does.
#[derive(Clone)]
pub struct Signer {
    key: String,
}

impl Signer {
    /// With this key, `SignKey`: up to 32 letters and digits.
    ///
    /// # Errors
    /// `webhook.secret`: it is none.
    pub fn new(sign_key: &str) -> Result<Self> {
        if !(1..=KEY).contains(&sign_key.len())
            || !sign_key.bytes().all(|c| c.is_ascii_alphanumeric())
        {
            return Err(Error::input(
                codes::WEBHOOK_SECRET,
                "a `SignKey` is up to 32 letters and digits",
            ));
        }
        Ok(Self { key: sign_key.to_owned() })
    }

    /// `Sign`, for a notification that is valid until `t`, in seconds.
    #[must_use]
    pub fn sign(&self, t: u64) -> String {
        self.of(&t.to_string())
    }

    /// Whether this is the `Sign` of `t`, as it is written in the notification.
    #[must_use]
    pub fn fits(&self, sign: &str, t: &str) -> bool {
        equal(sign.as_bytes(), self.of(t).as_bytes())
    }

    fn of(&self, t: &str) -> String {
        hex(&Md5::digest(format!("{}{t}", self.key)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("key", &"[REDACTED]").finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vector_of_the_vendor() {
        // Of Tencent's interactive whiteboard, which signs alike.
        let signer = Signer::new("Xz4ZgayTr7rMgWQrH").unwrap();
        assert_eq!(signer.sign(1_588_040_109), "a2dabb362a9b811c0e26953a6276a41c");
        assert!(!format!("{signer:?}").contains("Xz4"));
        for key in ["", "with space", "k\u{f6}y", &"a".repeat(33)] {
            assert_eq!(Signer::new(key).unwrap_err().code(), "webhook.secret", "{key}");
        }
    }
}
