//! Encryption of messages, [RFC 8291](https://www.rfc-editor.org/rfc/rfc8291).

use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand;
use mediaflow_core::{Error, Result, codes};

use crate::digest::mac;

/// The keys of a browser's subscription.
pub(super) struct Receiver {
    pub(super) public: [u8; 65],
    pub(super) auth: [u8; 16],
}

impl Receiver {
    /// A message that only the browser can read, with keys of its own.
    pub(super) fn encrypt(&self, text: &[u8]) -> Result<Vec<u8>> {
        let mut salt = [0; 16];
        let key = PrivateKey::generate(&ECDH_P256).and_then(|key| {
            rand::fill(&mut salt)?;
            Ok(key)
        });
        key.and_then(|key| self.encrypt_with(text, &key, &salt)).map_err(|_| {
            Error::input(codes::CHANNEL_ADDRESS, "the keys of a subscription are not right")
        })
    }

    fn encrypt_with(
        &self,
        text: &[u8],
        key: &PrivateKey,
        salt: &[u8; 16],
    ) -> Result<Vec<u8>, Unspecified> {
        let own = key.compute_public_key()?;
        let peer = UnparsedPublicKey::new(&ECDH_P256, &self.public);
        let secret = agree(key, peer, Unspecified, |secret| Ok(secret.to_vec()))?;
        let info = [b"WebPush: info\0", &self.public[..], own.as_ref(), &[1]].concat();
        let input = mac(&mac(&self.auth, &secret), &info);
        let pseudo_random = mac(salt, &input);
        let content_key = mac(&pseudo_random, b"Content-Encoding: aes128gcm\0\x01");
        let nonce = mac(&pseudo_random, b"Content-Encoding: nonce\0\x01");
        let sealing = LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &content_key[..16])?);
        // The last record ends with 2.
        let mut record = [text, &[2]].concat();
        let nonce = Nonce::try_assume_unique_for_key(&nonce[..12])?;
        sealing.seal_in_place_append_tag(nonce, Aad::empty(), &mut record)?;
        let size = 4096_u32.to_be_bytes();
        Ok([&salt[..], &size, &[65], own.as_ref(), &record].concat())
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    fn decoded(text: &str) -> Vec<u8> {
        URL_SAFE_NO_PAD.decode(text).unwrap()
    }

    /// Appendix A of RFC 8291.
    #[test]
    fn the_vector_of_the_standard() {
        let receiver = Receiver {
            public: decoded("BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4")
                .try_into()
                .unwrap(),
            auth: decoded("BTBZMqHH6r4Tts7J_aSIgg").try_into().unwrap(),
        };
        let key = decoded("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw");
        let key = PrivateKey::from_private_key(&ECDH_P256, &key).unwrap();
        let salt = decoded("DGv6ra1nlYgDCS1FRnbzlw").try_into().unwrap();
        let text = b"When I grow up, I want to be a watermelon";
        let sealed = receiver.encrypt_with(text, &key, &salt).unwrap();
        assert_eq!(
            URL_SAFE_NO_PAD.encode(sealed),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn a_key_that_is_no_point_is_an_error() {
        let receiver = Receiver { public: [4; 65], auth: [0; 16] };
        assert_eq!(receiver.encrypt(b"x").unwrap_err().code(), "channel.address");
    }
}
