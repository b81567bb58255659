//! The sender's identity, [RFC 8292](https://www.rfc-editor.org/rfc/rfc8292).

use std::time::Duration;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::encoding::{AsBigEndian as _, EcPrivateKeyBin};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mediaflow_core::{Error, Result, Timestamp, codes};
use serde_json::json;

/// How long a token is good; a day at most is allowed.
const GOOD: Duration = Duration::from_secs(12 * 3600);

pub(super) struct Identity {
    pair: EcdsaKeyPair,
    public: String,
}

impl Identity {
    /// With this private key: 32 bytes in base64url, or PEM (SEC 1, PKCS #8).
    ///
    /// # Errors
    /// `push.key`.
    pub(super) fn new(private: &str) -> Result<Self> {
        let wrong = || {
            Error::input(
                codes::PUSH_KEY,
                "the private key of a sender is 32 bytes in base64url, or a PEM file",
            )
            .help("make a pair with `npx web-push generate-vapid-keys`")
        };
        let private = private.trim();
        let private = if private.starts_with("-----BEGIN ") {
            bytes_of_pem(private)
        } else {
            URL_SAFE_NO_PAD.decode(private.trim_end_matches('=')).ok()
        };
        let private = private.ok_or_else(wrong)?;
        let key = PrivateKey::from_private_key(&ECDH_P256, &private).map_err(|_| wrong())?;
        let public = key.compute_public_key().map_err(|_| wrong())?;
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pair =
            EcdsaKeyPair::from_private_key_and_public_key(algorithm, &private, public.as_ref());
        Ok(Self { pair: pair.map_err(|_| wrong())?, public: URL_SAFE_NO_PAD.encode(public) })
    }

    /// The header `Authorization` for this endpoint.
    ///
    /// # Errors
    /// `push.key`: nothing could be signed.
    pub(super) fn authorization(
        &self,
        endpoint: &str,
        subject: &str,
        now: Timestamp,
    ) -> Result<String> {
        let origin = endpoint.split('/').take(3).collect::<Vec<_>>().join("/");
        let claims = json!({ "aud": origin, "exp": now.plus(GOOD).seconds(), "sub": subject });
        let part = |value: serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(json!({ "typ": "JWT", "alg": "ES256" })), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), text.as_bytes());
        let signature =
            signature.map_err(|_| Error::internal(codes::PUSH_KEY, "nothing could be signed"))?;
        Ok(format!("vapid t={text}.{}, k={}", URL_SAFE_NO_PAD.encode(signature), self.public))
    }
}

/// The private key in a file. `openssl ecparam` puts the name of the curve before it.
fn bytes_of_pem(text: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once("PRIVATE KEY-----")?;
    let (body, _) = rest.split_once("-----END")?;
    let der = STANDARD.decode(body.split_whitespace().collect::<String>()).ok()?;
    let key = PrivateKey::from_private_key_der(&ECDH_P256, &der).ok()?;
    let bytes: EcPrivateKeyBin<'_> = key.as_be_bytes().ok()?;
    Some(bytes.as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_token_is_for_one_origin_and_verifies() {
        let identity = Identity::new("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw").unwrap();
        let now = Timestamp::from_millis(1_760_000_000_000);
        let header =
            identity.authorization("https://push.example/send/secret", "mailto:a@b.example", now);
        let header = header.unwrap();
        let (token, key) = header.strip_prefix("vapid t=").unwrap().split_once(", k=").unwrap();
        assert_eq!(
            key,
            "BP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A8"
        );
        let (text, signature) = token.rsplit_once('.').unwrap();
        let decoded = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, decoded(key));
        public.verify(text.as_bytes(), &decoded(signature)).unwrap();
        let claims: serde_json::Value =
            serde_json::from_slice(&decoded(text.split_once('.').unwrap().1)).unwrap();
        assert_eq!(claims["aud"], "https://push.example");
        assert!(!header.contains("secret"));
        assert_eq!(Identity::new("AAAA").err().unwrap().code(), "push.key");
    }

    #[test]
    fn a_key_may_be_in_a_file_of_openssl() {
        let sec1 = "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n\
            -----BEGIN EC PRIVATE KEY-----\n\
            MHcCAQEEIMn1j4mBPp+Ohy5x9CqmThdXySVNzGK3LdwBC7QEPqEcoAoGCCqGSM49\n\
            AwEHoUQDQgAE/jP0qw3qcZFNtVgj9ztUlI9BMG2SBzLbuaWaUyhkgiAOWXp7e8Jg\n\
            uhwieZhYCZLpOXMALzASooro8Gu7eOXsDw==\n-----END EC PRIVATE KEY-----\n";
        let pkcs8 = "-----BEGIN PRIVATE KEY-----\r\n\
            MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgyfWPiYE+n46HLnH0\r\n\
            KqZOF1fJJU3MYrct3AELtAQ+oRyhRANCAAT+M/SrDepxkU21WCP3O1SUj0EwbZIH\r\n\
            Mtu5pZpTKGSCIA5Zent7wmC6HCJ5mFgJkuk5cwAvMBKiiujwa7t45ewP\r\n-----END PRIVATE KEY-----";
        let own = Identity::new("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw=\n").unwrap();
        for pem in [sec1, pkcs8] {
            assert_eq!(Identity::new(pem).unwrap().public, own.public);
        }
        let public = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----";
        assert_eq!(Identity::new(public).err().unwrap().code(), "push.key");
    }
}
