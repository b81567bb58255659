//! The signature of Cloudinary's notifications: a plain hash of the raw body, the moment and the API secret.

use std::fmt;

use mediaflow_core::{Error, Result, codes};
use sha2::Digest;

use crate::compare::{equal, hex};

/// The header with the moment of the attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "x-cld-timestamp";
/// The header with the signature, in lower-case hexadecimal.
pub const SIGNATURE: &str = "x-cld-signature";

/// The hash of a signature. The receiver has to know: no header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Algorithm {
    /// What Cloudinary uses unless an account was changed.
    Sha1,
    /// For accounts that were changed to it.
    Sha256,
}

/// Signs as Cloudinary does.
#[derive(Clone)]
pub struct Signer {
    secret: String,
    algorithm: Algorithm,
}

impl Signer {
    /// With this API secret.
    ///
    /// # Errors
    /// `webhook.secret`: it is empty.
    pub fn new(api_secret: &str, algorithm: Algorithm) -> Result<Self> {
        if api_secret.is_empty() {
            return Err(Error::input(codes::WEBHOOK_SECRET, "the API secret is empty"));
        }
        Ok(Self { secret: api_secret.to_owned(), algorithm })
    }

    /// The value of the `X-Cld-Signature` header. `timestamp` is in seconds.
    #[must_use]
    pub fn sign(&self, body: &[u8], timestamp: u64) -> String {
        self.of(body, &timestamp.to_string())
    }

    /// Whether this is the signature of a body and a moment, as that is written in its header. The hash has no boundary
    /// between the two: a digit of the moment can be moved to the end of the body. So look at their forms, too.
    #[must_use]
    pub fn fits(&self, signature: &str, body: &[u8], timestamp: &str) -> bool {
        equal(signature.as_bytes(), self.of(body, timestamp).as_bytes())
    }

    fn of(&self, body: &[u8], timestamp: &str) -> String {
        let parts = [body, timestamp.as_bytes(), self.secret.as_bytes()];
        match self.algorithm {
            Algorithm::Sha1 => digest::<sha1::Sha1>(parts),
            Algorithm::Sha256 => digest::<sha2::Sha256>(parts),
        }
    }
}

fn digest<D: Digest>(parts: [&[u8]; 3]) -> String {
    let mut hash = D::new();
    for part in parts {
        hash.update(part);
    }
    hex(&hash.finalize())
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer")
            .field("secret", &"[REDACTED]")
            .field("algorithm", &self.algorithm)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_vendor() {
        let sha1 = Signer::new("abcd", Algorithm::Sha1).unwrap();
        assert_eq!(
            sha1.sign(b"{public_id: 'sample'}", 1_315_060_510),
            "25f7e91709c858b97d688ce8da799dedb290d9ef"
        );
        let body = br#"{"public_id":"b8sjhoslj8cq8ovoa0ma","version":"1555337587","width":1000,"height":800}"#;
        assert_eq!(
            Signer::new("hardcoded", Algorithm::Sha256).unwrap().sign(body, 7_952_342_400_000),
            "6c5a29fd8815772fbac2f10ae741e093d0859313947ef8fadeb29126ded6649c"
        );
        assert!(!format!("{sha1:?}").contains("abcd"));
    }
}
