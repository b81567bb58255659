//! Keyed digests as signatures need them.

/// HMAC-SHA256 of a text.
pub(crate) fn mac(key: &[u8], text: impl AsRef<[u8]>) -> Vec<u8> {
    use hmac::{Hmac, KeyInit as _, Mac as _};

    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_ref());
    mac.finalize().into_bytes().to_vec()
}
