//! Signatures of [Standard Webhooks](https://www.standardwebhooks.com) over `{id}.{timestamp}.{body}`: version 1, HMAC-SHA256
//! with a secret that both sides have (`whsec_`), and version 1a, Ed25519 with a private key (`whsk_`), whose public one
//! (`whpk_`) verifies and signs nothing. Nothing here does input or output: bytes and a clock go in.
//!
//! A receiver written in Rust verifies with [`Verifier`]; elsewhere, use any library for Standard Webhooks.
//!
//! ```
//! use mediaflow_core::Timestamp;
//! use mediaflow_sign::standard::{Signer, Verifier};
//!
//! let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
//! let signature = Signer::new(secret)?.sign("msg_1", 1_614_265_330, b"{}");
//!
//! let header = |name: &str| match name {
//!     "webhook-id" => Some("msg_1"),
//!     "webhook-timestamp" => Some("1614265330"),
//!     "webhook-signature" => Some(signature.as_str()),
//!     _ => None,
//! };
//! let now = Timestamp::from_millis(1_614_265_331_000);
//! assert_eq!(Verifier::new(secret)?.verify(header, b"{}", now)?, "msg_1");
//! assert!(Verifier::new(secret)?.verify(header, b"{ }", now).is_err());
//! # Ok::<(), mediaflow_core::Error>(())
//! ```

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use mediaflow_core::{Error, Result, Timestamp, codes};
use sha2::Sha256;

/// The header with the id of the message, the same in every attempt.
pub const ID: &str = "webhook-id";
/// The header with the moment of the attempt, in seconds since 1970.
pub const TIMESTAMP: &str = "webhook-timestamp";
/// The header with the signatures, separated by spaces.
pub const SIGNATURE: &str = "webhook-signature";

/// How far the clocks of sender and receiver may be apart, transport included.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Signs with one secret or, while receivers change from one to the other, with several.
#[derive(Clone, Debug)]
#[must_use]
pub struct Signer(Vec<Secret>);

/// Verifies what a [`Signer`] signed, for receivers.
#[derive(Clone, Debug)]
#[must_use]
pub struct Verifier {
    secrets: Vec<Secret>,
    tolerance: Duration,
}

/// A secret, ready to use.
#[derive(Clone)]
enum Secret {
    /// Of both sides: the key itself is not kept.
    Shared(Hmac<Sha256>),
    /// Of the sender.
    Private(Arc<Ed25519KeyPair>),
    /// Of receivers.
    Public([u8; 32]),
}

impl Signer {
    /// With this secret: 24 to 64 bytes in base64, with or without `whsec_` before; or with a private key, `whsk_` with the
    /// 32 bytes of its seed, or 64 with the public key behind them.
    ///
    /// # Errors
    /// `webhook.secret`: it is no base64, too short or too long, or a public key.
    pub fn new(secret: &str) -> Result<Self> {
        Self(Vec::new()).also(secret)
    }

    /// And with this one.
    ///
    /// # Errors
    /// As [`Signer::new`].
    pub fn also(mut self, secret: &str) -> Result<Self> {
        let secret = Secret::parse(secret)?;
        if matches!(secret, Secret::Public(_)) {
            let mistake = Error::input(codes::WEBHOOK_SECRET, "a public key signs nothing");
            return Err(mistake.help("sign with the private one, `whsk_`"));
        }
        self.0.push(secret);
        Ok(self)
    }

    /// The value of the `webhook-signature` header. `timestamp` is in seconds.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: u64, body: &[u8]) -> String {
        let timestamp = timestamp.to_string();
        let signatures = self.0.iter().filter_map(|secret| secret.sign(id, &timestamp, body));
        signatures.collect::<Vec<_>>().join(" ")
    }
}

impl Verifier {
    /// With this secret, as [`Signer::new`] takes it, or with a public key, `whpk_`.
    ///
    /// # Errors
    /// `webhook.secret`.
    pub fn new(secret: &str) -> Result<Self> {
        Ok(Self { secrets: vec![Secret::parse(secret)?], tolerance: TOLERANCE })
    }

    /// Also accepts what was signed with this one.
    ///
    /// # Errors
    /// `webhook.secret`.
    pub fn also(mut self, secret: &str) -> Result<Self> {
        self.secrets.push(Secret::parse(secret)?);
        Ok(self)
    }

    /// How far the timestamp may be from now, in both directions. Default 5 minutes.
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Checks a message by its headers and its raw body, and returns its id: whoever has seen the id before drops the
    /// message. Signatures of other versions are passed over. Compares in constant time.
    ///
    /// # Errors
    /// `webhook.header` (one is missing), `webhook.timestamp` (no number, too old or too new), `webhook.signature`.
    pub fn verify<'h>(
        &self,
        header: impl Fn(&str) -> Option<&'h str>,
        body: &[u8],
        now: Timestamp,
    ) -> Result<&'h str> {
        let get = |name: &'static str| {
            header(name).ok_or_else(|| {
                Error::input(codes::WEBHOOK_HEADER, "a header is missing").with("header", name)
            })
        };
        let (id, stamp, signatures) = (get(ID)?, get(TIMESTAMP)?, get(SIGNATURE)?);
        let Ok(seconds) = stamp.parse::<u64>() else {
            return Err(Error::input(codes::WEBHOOK_TIMESTAMP, "the timestamp is no number"));
        };
        if seconds.abs_diff(now.seconds()) > self.tolerance.as_secs() {
            return Err(Error::input(
                codes::WEBHOOK_TIMESTAMP,
                "the message is too old, or from the future",
            )
            .help("check the clocks; an old message may be a replay"));
        }
        let is_ours = |token: &str| {
            let Some((version, signature)) = token.split_once(',') else { return false };
            let Ok(signature) = STANDARD.decode(signature) else { return false };
            self.secrets.iter().any(|secret| secret.fits(version, &signature, id, stamp, body))
        };
        if signatures.split(' ').any(is_ours) {
            return Ok(id);
        }
        Err(Error::input(codes::WEBHOOK_SIGNATURE, "no signature fits")
            .help("check the secret, and that the body is verified as it came, before parsing"))
    }
}

impl Secret {
    fn parse(text: &str) -> Result<Self> {
        let wrong = || {
            Error::input(
                codes::WEBHOOK_SECRET,
                "the secret of a webhook is 24 to 64 bytes in base64",
            )
            .help("make one with `echo whsec_$(openssl rand -base64 32)`")
        };
        let key = |text: &str| STANDARD.decode(text).map_err(|_| wrong());
        if let Some(text) = text.strip_prefix("whsk_") {
            let pair = match key(text)?.as_slice() {
                both if both.len() == 64 => {
                    Ed25519KeyPair::from_seed_and_public_key(&both[..32], &both[32..])
                }
                seed => Ed25519KeyPair::from_seed_unchecked(seed),
            };
            let private = pair.map_err(|_| {
                Error::input(
                    codes::WEBHOOK_SECRET,
                    "a private key is 32 bytes in base64, or 64 with the public one",
                )
            })?;
            return Ok(Self::Private(Arc::new(private)));
        }
        if let Some(text) = text.strip_prefix("whpk_") {
            let public = key(text)?.try_into().map_err(|_| {
                Error::input(codes::WEBHOOK_SECRET, "a public key is 32 bytes in base64")
            })?;
            return Ok(Self::Public(public));
        }
        let key = key(text.strip_prefix("whsec_").unwrap_or(text))?;
        if !(24..=64).contains(&key.len()) {
            return Err(wrong());
        }
        Hmac::new_from_slice(&key)
            .map(Self::Shared)
            .map_err(|e| Error::internal(codes::WEBHOOK_SECRET, "the key was refused").because(e))
    }

    /// The version with the signature; none of a key that signs nothing.
    fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> Option<String> {
        match self {
            Self::Shared(mac) => {
                let mac = of_message(mac, id, timestamp, body).finalize().into_bytes();
                Some(format!("v1,{}", STANDARD.encode(mac)))
            }
            Self::Private(pair) => {
                let signature = pair.sign(&signed(id, timestamp, body));
                Some(format!("v1a,{}", STANDARD.encode(signature)))
            }
            Self::Public(_) => None,
        }
    }

    /// Whether a signature of this version is one of this secret. Compares in constant time.
    fn fits(
        &self,
        version: &str,
        signature: &[u8],
        id: &str,
        timestamp: &str,
        body: &[u8],
    ) -> bool {
        let by = |public: &[u8]| {
            let key = UnparsedPublicKey::new(&ED25519, public);
            key.verify(&signed(id, timestamp, body), signature).is_ok()
        };
        match self {
            Self::Shared(mac) => {
                version == "v1"
                    && of_message(mac, id, timestamp, body).verify_slice(signature).is_ok()
            }
            Self::Private(pair) => version == "v1a" && by(pair.public_key().as_ref()),
            Self::Public(public) => version == "v1a" && by(public),
        }
    }
}

fn of_message(mac: &Hmac<Sha256>, id: &str, timestamp: &str, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = mac.clone();
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    mac
}

/// What is signed.
fn signed(id: &str, timestamp: &str, body: &[u8]) -> Vec<u8> {
    [id.as_bytes(), b".", timestamp.as_bytes(), b".", body].concat()
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[REDACTED]")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop_assert, proptest};

    use super::*;

    const KEY: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const OTHER: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const ID_OF_VECTOR: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIME: u64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const EXPECTED: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn verify(verifier: &Verifier, signature: &str, body: &[u8], now: u64) -> Result<()> {
        let header = |name: &str| match name {
            ID => Some(ID_OF_VECTOR),
            TIMESTAMP => Some("1614265330"),
            SIGNATURE => Some(signature),
            _ => None,
        };
        verifier.verify(header, body, Timestamp::from_millis(now * 1000)).map(drop)
    }

    #[test]
    fn the_published_vector() {
        for secret in [KEY.to_owned(), format!("whsec_{KEY}")] {
            assert_eq!(Signer::new(&secret).unwrap().sign(ID_OF_VECTOR, TIME, BODY), EXPECTED);
        }
    }

    /// The seed and the public key of a published vector, and its signature by Python's `cryptography`.
    const PAIR: &str =
        "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    const PUBLIC: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
    const BY_PAIR: &str = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

    #[test]
    fn a_private_key_signs_and_its_public_one_verifies() {
        let private = format!("whsk_{PAIR}");
        let signature = Signer::new(&private).unwrap().sign(ID_OF_VECTOR, TIME, BODY);
        assert_eq!(signature, BY_PAIR);
        for key in [PUBLIC, &private] {
            let verifier = Verifier::new(key).unwrap();
            verify(&verifier, &signature, BODY, TIME).unwrap();
            let error = verify(&verifier, &signature, b"{}", TIME).unwrap_err();
            assert_eq!(error.code(), "webhook.signature");
            // A signature of another version is none.
            assert!(verify(&verifier, &signature.replace("v1a,", "v1,"), BODY, TIME).is_err());
        }
        let both = Signer::new(&private).unwrap().also(KEY).unwrap();
        assert_eq!(both.sign(ID_OF_VECTOR, TIME, BODY), format!("{BY_PAIR} {EXPECTED}"));
        for wrong in [PUBLIC, "whsk_AAAA", &format!("whpk_{PAIR}")] {
            let error = Signer::new(wrong).unwrap_err();
            assert_eq!(error.code(), "webhook.secret");
            assert!(!format!("{error:?}").contains(&PAIR[..20]));
        }
    }

    #[test]
    fn several_secrets_give_several_signatures_and_each_verifies() {
        let signature =
            Signer::new(OTHER).unwrap().also(KEY).unwrap().sign(ID_OF_VECTOR, TIME, BODY);
        assert_eq!(signature.split(' ').nth(1), Some(EXPECTED));
        for secret in [KEY, OTHER] {
            verify(&Verifier::new(secret).unwrap(), &signature, BODY, TIME).unwrap();
        }
        let both = Verifier::new(OTHER).unwrap().also(KEY).unwrap();
        verify(&both, &format!("v1a,AAAA nonsense v1, {EXPECTED}"), BODY, TIME).unwrap();
    }

    #[test]
    fn what_is_not_ours_old_or_incomplete_is_refused() {
        let verifier = Verifier::new(KEY).unwrap();
        let code = |result: Result<()>| result.unwrap_err().code().to_owned();
        assert_eq!(code(verify(&verifier, EXPECTED, b"{}", TIME)), "webhook.signature");
        assert_eq!(
            code(verify(&verifier, &EXPECTED.replace("v1,", "v1a,"), BODY, TIME)),
            "webhook.signature"
        );
        assert_eq!(code(verify(&verifier, &EXPECTED[..20], BODY, TIME)), "webhook.signature");
        assert_eq!(code(verify(&verifier, "", BODY, TIME)), "webhook.signature");
        assert_eq!(
            code(verify(&Verifier::new(OTHER).unwrap(), EXPECTED, BODY, TIME)),
            "webhook.signature"
        );
        for now in [TIME - 301, TIME + 301] {
            assert_eq!(code(verify(&verifier, EXPECTED, BODY, now)), "webhook.timestamp");
        }
        for now in [TIME - 300, TIME + 300] {
            verify(&verifier, EXPECTED, BODY, now).unwrap();
        }
        let missing =
            verifier.verify(|name| (name == ID).then_some("x"), BODY, Timestamp::from_millis(0));
        assert_eq!(missing.unwrap_err().fact("header"), Some(TIMESTAMP));
    }

    #[test]
    fn weak_secrets_are_refused_and_none_is_shown() {
        let long = STANDARD.encode([1; 65]);
        for secret in [
            "",
            "whsec_",
            "secret",
            "not base64 at all, but long enough",
            &STANDARD.encode([1; 23]),
            &long,
        ] {
            let error = Signer::new(secret).unwrap_err();
            assert_eq!(error.code(), "webhook.secret");
            assert!(secret.len() < 8 || !error.to_string().contains(secret));
        }
        assert_eq!(format!("{:?}", Signer::new(KEY).unwrap()), "Signer([[REDACTED]])");
    }

    proptest! {
        #[test]
        fn whatever_is_signed_verifies_and_one_flipped_bit_does_not(body in any::<Vec<u8>>(), at in any::<usize>()) {
            let signature = Signer::new(KEY).unwrap().sign(ID_OF_VECTOR, TIME, &body);
            let verifier = Verifier::new(KEY).unwrap();
            prop_assert!(verify(&verifier, &signature, &body, TIME).is_ok());
            if !body.is_empty() {
                let mut other = body.clone();
                let at = at % body.len();
                other[at] ^= 1;
                prop_assert!(verify(&verifier, &signature, &other, TIME).is_err());
            }
        }

        #[test]
        fn no_header_makes_it_panic(signature in any::<String>()) {
            prop_assert!(verify(&Verifier::new(KEY).unwrap(), &signature, BODY, TIME).is_err());
        }
    }
}
