//! Digests and keyed digests as signatures need them.

/// Two lower-case digits for each byte.
#[cfg(any(feature = "ses", feature = "sns", feature = "webhook"))]
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// HMAC-SHA256 of a text.
#[cfg(any(feature = "ses", feature = "sns", feature = "web-push"))]
pub(crate) fn mac(key: &[u8], text: impl AsRef<[u8]>) -> Vec<u8> {
    use hmac::{Hmac, KeyInit as _, Mac as _};

    // A key of any length is taken.
    let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_ref());
    mac.finalize().into_bytes().to_vec()
}
